// Ranges returns from within loops over functions.
package main

import (
	"fmt"
	"slices"
)

//go:noinline
func count(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := 0; i < n; i++ {
			if !yield(i) {
				return
			}
		}
	}
}

//go:noinline
func find(seq func(func(int) bool), want int) (int, string) {
	for v := range seq {
		if v == want {
			return v, "found"
		}
	}
	return -1, "none"
}

// The loop is inlined.
//
//go:noinline
func search(list []int, want int) (int, string) {
	if len(list) > 1 {
		for v := range slices.Values(list) {
			if v == want {
				return v, "found"
			}
		}
	}
	return -1, "none"
}

//go:noinline
func named(seq func(func(int) bool), want int) (at int, text string) {
	for v := range seq {
		if v == want {
			return v, "found"
		}
	}
	return -1, "none"
}

//go:noinline
func total(seq func(func(int) bool)) int {
	n := 0
	for v := range seq {
		n += v
	}
	return n
}

type finder struct{ seq func(func(int) bool) }

//go:noinline
func (f *finder) Find(want int) (int, string) {
	for v := range f.seq {
		if v == want {
			return v, "found"
		}
	}
	return -1, "none"
}

// What is called through an interface is in the method tables.
var finders = []interface{ Find(int) (int, string) }{&finder{count(10)}}

func main() {
	fmt.Println(find(count(10), 4))
	fmt.Println(find(count(10), 40))
	fmt.Println(search([]int{10, 20, 30}, 20))
	fmt.Println(named(count(10), 5))
	fmt.Println(total(count(5)))
	for _, each := range finders {
		fmt.Println(each.Find(6))
	}
}
