// Sqldb talks to a database through database/sql, with a driver of its own that lives in the same process.
package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

type memory struct{}
type conn struct{}
type statement struct{ query string }
type rows struct{ left int }
type transaction struct{}

func (memory) Open(string) (driver.Conn, error)        { return conn{}, nil }
func (conn) Prepare(query string) (driver.Stmt, error) { return statement{query}, nil }
func (conn) Close() error                              { return nil }
func (conn) Begin() (driver.Tx, error)                 { return transaction{}, nil }
func (transaction) Commit() error                      { return nil }
func (transaction) Rollback() error                    { return nil }
func (statement) Close() error                         { return nil }
func (s statement) NumInput() int                      { return strings.Count(s.query, "?") }
func (rows) Columns() []string                         { return []string{"name"} }
func (rows) Close() error                              { return nil }

func (s statement) Exec([]driver.Value) (driver.Result, error) {
	if strings.Contains(s.query, "nowhere") {
		return nil, errors.New("no such table: nowhere")
	}
	time.Sleep(2 * time.Millisecond)
	return driver.RowsAffected(1), nil
}

func (s statement) Query([]driver.Value) (driver.Rows, error) {
	if strings.Contains(s.query, "slow") {
		time.Sleep(30 * time.Millisecond)
	}
	return &rows{2}, nil
}

func (r *rows) Next(values []driver.Value) error {
	if r.left == 0 {
		return io.EOF
	}
	r.left--
	values[0] = "tea"
	return nil
}

func main() {
	sql.Register("memory", memory{})
	db, err := sql.Open("memory", "")
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	for _, query := range []string{"SELECT name FROM items WHERE id = ?", "SELECT name FROM slow WHERE id = ?"} {
		found, err := db.QueryContext(ctx, query, 7)
		if err != nil {
			panic(err)
		}
		count := 0
		for found.Next() {
			count++
		}
		found.Close()
		fmt.Println(count, "rows:", query)
	}
	for _, query := range []string{"INSERT INTO items VALUES (?)", "DELETE FROM nowhere"} {
		args := []interface{}{"tea"}[:strings.Count(query, "?")]
		_, err := db.ExecContext(ctx, query, args...)
		fmt.Println(err == nil, query)
	}
}
