// Leaf spends its time in functions that have no frame of their own, and in the first and last instructions of others.
package main

import (
	"fmt"
	"os"
	"time"
)

var table [256]uint64

// spin is a leaf: it calls nothing and keeps everything in registers.
//
//go:noinline
func spin(n int) uint64 {
	h := uint64(14695981039346656037)
	for i := 0; i < n; i++ {
		h = (h ^ uint64(i)) * 1099511628211
		table[h&255] = h
	}
	return h
}

//go:noinline
func middle(n int) uint64 { return spin(n) + 1 }

//go:noinline
func outer(n int) uint64 { return middle(n) + 2 }

// small is called so often that its first and last instructions are hit.
//
//go:noinline
func small(n int) uint64 { return tiny(n) + 2 }

//go:noinline
func tiny(n int) uint64 { return uint64(n) * 3 }

//go:noinline
func often(n int) (sum uint64) {
	for i := 0; i < n; i++ {
		sum += small(i)
	}
	return sum
}

// ask makes a system call, which an assembly function without a frame does.
//
//go:noinline
func ask() bool { return os.Getppid() > 0 }

func main() {
	end := time.Now().Add(600 * time.Millisecond)
	var sum uint64
	for time.Now().Before(end) {
		sum += outer(20000)
		sum += often(4000)
	}
	asked := 0
	for i := 0; i < 10; i++ {
		if ask() {
			asked++
		}
	}
	fmt.Println("leaf", sum != 0, asked)
}
