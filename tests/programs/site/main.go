// Site is an HTTP server with several kinds of handlers, which sends itself one request of each and ends: for tracers that know the
// types of a stripped program. What it prints are the answers.
package main

import (
	"errors"
	"fmt"
	"io/ioutil"
	"net"
	"net/http"
	"os"
	"strings"
)

// Shop is a handler with state; it is in a method table because it is used as an http.Handler.
type Shop struct {
	Name   string
	Orders []Order
	closed bool
}

// Order is what a Shop sells.
type Order struct {
	Item  string
	Count int32
	gift  bool
}

// Store is the part of Shop that checkout needs.
type Store interface {
	Add(order Order, price int64) (total int, err error)
}

// Add is called through the interface only.
//
//go:noinline
func (s *Shop) Add(order Order, price int64) (total int, err error) {
	if price < 0 {
		return 0, errors.New("a price below zero")
	}
	s.Orders = append(s.Orders, order)
	return len(s.Orders), nil
}

func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != "POST" {
		http.Error(w, "only POST", http.StatusMethodNotAllowed)
		return
	}
	total, err := checkout(s, r.URL.Query().Get("item"))
	fmt.Fprintln(w, total, err)
}

//go:noinline
func checkout(store Store, item string) (int, error) {
	return store.Add(Order{item, 3, true}, int64(len(item)))
}

// first and second declare a type of the same name each.
//
//go:noinline
func first() interface{} {
	type local struct{ A, B int }
	return &local{1, 2}
}

//go:noinline
func second() interface{} {
	type local struct{ Text string }
	return &local{"two"}
}

//go:noinline
func hello(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello", r.URL.RawQuery) }

//go:noinline
func ask(address, method, path string) {
	request, err := http.NewRequest(method, "http://"+address+path, strings.NewReader(""))
	if err != nil {
		fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		fatal(err)
	}
	body, err := ioutil.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		fatal(err)
	}
	fmt.Printf("%d %s", response.StatusCode, body)
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "site:", err)
	os.Exit(1)
}

func main() {
	mux := http.NewServeMux()
	mux.Handle("/shop", &Shop{Name: "corner"})
	mux.HandleFunc("/hello", hello)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fatal(err)
	}
	go func() { fatal(http.Serve(listener, mux)) }()
	address := listener.Addr().String()
	ask(address, "GET", "/hello?who=you&n=2")
	ask(address, "POST", "/shop?item=lamp")
	ask(address, "GET", "/shop?item=lamp")
	ask(address, "GET", "/nothing")
	fmt.Println(first(), second())
}
