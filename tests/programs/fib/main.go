// Fib calls a small function very often: fib(n) recursively, as often as asked, and tells how many calls that was.
package main

import (
	"flag"
	"fmt"
	"syscall"
)

//go:noinline
func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

// processorTime is what the process has used so far, in nanoseconds: what other programs do at the same time does not count.
func processorTime() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func main() {
	n := flag.Int("n", 15, "number of the Fibonacci number")
	times := flag.Int("times", 1, "how often it is computed")
	timing := flag.Bool("time", false, "also print the nanoseconds of processor time per call of fib")
	flag.Parse()
	start := processorTime()
	result := 0
	for i := 0; i < *times; i++ {
		result = fib(*n)
	}
	took := processorTime() - start
	// fib(n) is computed by 2*fib(n+1)-1 calls.
	a, b := 0, 1
	for i := 0; i < *n; i++ {
		a, b = b, a+b
	}
	calls := *times * (2*b - 1)
	fmt.Println("fib", *n, "=", result, "calls", calls)
	if *timing {
		fmt.Printf("ns/call %.2f\n", float64(took)/float64(calls))
	}
}
