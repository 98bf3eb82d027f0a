// Lines is for probes on source lines: cases name lines of this file by their numbers, so lines are only added at its end.
package main

import "fmt"

var calls int

//go:noinline
func note(n int) { calls += n }

func small(n int) {
	calls++
	note(n)
}

//go:noinline
func process(n int) int {
	for i := 0; i < n; i++ {
		small(i)
		if i%2 == 0 {
			note(2)
		}
	}
	small(n)
	small(n + 1)
	return calls
}

//go:noinline
func deep(n int) int {
	var room [2000]byte
	room[n%2000] = byte(n)
	if n == 0 {
		return int(room[0])
	}
	return deep(n-1) + int(room[n%2000])
}

func main() {
	process(10)
	process(5)
	done := make(chan int)
	go func() { done <- deep(100) }()
	fmt.Println("calls", calls, <-done)
}
