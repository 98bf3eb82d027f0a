// Generic calls type-parametric functions and methods, each with known values; it needs Go 1.18.
package main

import "fmt"

// List is a generic type with a method.
type List[T any] struct{ items []T }

// Add has the type's dictionary as a hidden parameter.
//
//go:noinline
func (l *List[T]) Add(item T) int {
	l.items = append(l.items, item)
	return len(l.items)
}

// Each calls f through a closure of its own.
//
//go:noinline
func (l *List[T]) Each(f func(T, int), from int) {
	through(func(item T, at int) { f(item, at+from) }, l.items)
}

//go:noinline
func through[T any](f func(T, int), items []T) {
	for at, item := range items {
		f(item, at)
	}
}

// adder gives a closure, which has the dictionary among what it captures and not as a parameter.
//
//go:noinline
func adder[T int | string](base T) func(T, int) T {
	return func(more T, times int) T {
		sum := base
		for i := 0; i < times; i++ {
			sum += more
		}
		return sum
	}
}

//go:noinline
func apply[T, U any](in []T, f func(T) U) []U {
	out := make([]U, 0, len(in))
	for _, item := range in {
		out = append(out, f(item))
	}
	return out
}

//go:noinline
func larger[T int | string](a, b T) T {
	if a > b {
		return a
	}
	return b
}

func main() {
	fmt.Println("larger", larger(3, 8), larger("pear", "fig"))
	fmt.Println("apply", apply([]int{1, 2, 3}, func(n int) string { return fmt.Sprint("<", n, ">") }))
	var numbers List[int]
	var names List[string]
	fmt.Println("list", numbers.Add(5), numbers.Add(6), names.Add("x"))
	numbers.Each(func(item, at int) { fmt.Println("each", item, at) }, 10)
	names.Each(func(item string, at int) { fmt.Println("each", item, at) }, 20)
	fmt.Println("adder", adder(100)(7, 2), adder("a")("bc", 3))
}
