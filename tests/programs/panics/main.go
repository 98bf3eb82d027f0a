// Panics panics with values of several types, recovers from most, and dies of the last one if asked to.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

type mishap struct{ code int }

func (m *mishap) Error() string { return fmt.Sprintf("mishap %d", m.code) }

//go:noinline
func fails(how int) {
	switch how {
	case 0:
		panic("a text")
	case 1:
		panic(errors.New("an error"))
	case 2:
		panic(&mishap{7})
	case 3:
		var p *int
		*p = 1
	case 4:
		var a []int
		_ = a[how]
	case 5:
		panic(42)
	}
}

//go:noinline
func guarded(how int) (caught bool) {
	defer func() { caught = recover() != nil }()
	fails(how)
	return false
}

func main() {
	die := flag.Bool("die", false, "end by a panic")
	flag.Parse()
	caught := 0
	for how := 0; how < 6; how++ {
		if guarded(how) {
			caught++
		}
	}
	fmt.Println("caught", caught)
	if *die {
		defer os.Stdout.Sync()
		fails(0)
	}
}
