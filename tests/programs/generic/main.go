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
}
