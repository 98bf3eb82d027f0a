// Embeds has structures in structures: by value, by pointer, two deep, with names that hide each other; and interfaces that hold such
// structures.
package main

import (
	"context"
	"fmt"
	"time"
)

// Meta is embedded by pointer.
type Meta struct {
	Tags    []string
	ID      int
	Version uint16
}

// Base is embedded by value, and embeds.
type Base struct {
	*Meta
	Seen int32
}

// Owner has members of the same names.
type Owner struct {
	Name string
	ID   int
	Seen int8
}

// Item embeds both; Name is its own.
type Item struct {
	Base
	Owner
	Name string
}

// Missing is an error that no library knows.
type Missing struct {
	Key  string
	Code int
}

func (m *Missing) Error() string { return fmt.Sprint("no ", m.Key) }

// Later is an error that is text.
type Later string

func (l Later) Error() string { return string(l) }

// Shape is what measure is given.
type Shape interface{ Area() int }

// Square is a shape that is held by value.
type Square struct{ W, Unit int }

// Area is that of a square.
func (s Square) Area() int { return s.W * s.W }

// Box is a shape that is held by address.
type Box struct {
	Owner
	W, H int
}

// Area is that of a box.
func (b *Box) Area() int { return b.W * b.H }

//go:noinline
func keep(item Item, other *Item) int { return item.Owner.ID + other.Base.Meta.ID }

//go:noinline
func bare(item *Item) string { return item.Name }

//go:noinline
func find(ctx context.Context, key string) (*Item, error) {
	switch key {
	case "none":
		return nil, &Missing{key, 404}
	case "later":
		return nil, Later("try later")
	}
	return &Item{Name: key}, nil
}

//go:noinline
func measure(s Shape, any interface{}) int {
	if s == nil {
		return 0
	}
	return s.Area()
}

func main() {
	item := Item{Base{&Meta{[]string{"a", "b"}, 7, 3}, 1}, Owner{"bob", 8, 2}, "lamp"}
	fmt.Println(keep(item, &item), bare(&Item{Name: "bare"}))
	deadline := time.Date(2100, 2, 28, 12, 0, 0, 0, time.UTC)
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	for _, key := range []string{"lamp", "none", "later"} {
		_, err := find(ctx, key)
		fmt.Println(err)
	}
	fmt.Println(measure(Square{3, 1}, item), measure(&Box{Owner{"small", 4, 0}, 2, 5}, 12), measure(nil, &Missing{"x", 1}))
}
