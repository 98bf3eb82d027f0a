// Words has functions whose arguments are not in registers one after the other, and functions with few of them.
package main

import "fmt"

var sum int

//go:noinline
func none() { sum++ }

//go:noinline
func one(n int) { sum += n }

// five has ten words: with registers, the last string does not fit.
//
//go:noinline
func five(a, b, c, d, e string) { sum += len(a + b + c + d + e) }

// eleven has one word more, for which a register is left.
//
//go:noinline
func eleven(a, b, c, d, e string, n int) { sum += len(a+b+c+d+e) + n }

// array has an array, which is on the stack, between numbers, which are not.
//
//go:noinline
func array(n int, texts [2]string, m int) { sum += n + len(texts[0]+texts[1]) + m }

//go:noinline
func twelve(a, b, c, d, e, f, g, h, i, j, k, l int) { sum += a + b + c + d + e + f + g + h + i + j + k + l }

func main() {
	none()
	one(2)
	five("a1", "b2", "c3", "d4", "e5")
	eleven("a1", "b2", "c3", "d4", "e5", 77)
	array(5, [2]string{"first", "second"}, 6)
	twelve(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
	fmt.Println("sum", sum)
}
