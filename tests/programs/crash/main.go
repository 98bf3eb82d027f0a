// Crash calls step a known number of times and then ends badly, in the way it is told.
package main

import (
	"flag"
	"fmt"
	"os"
	"syscall"
)

//go:noinline
func step(n int) int {
	return n + 1
}

func main() {
	steps := flag.Int("steps", 10, "calls of step")
	how := flag.String("how", "exit", "exit (status 3), panic, nil, kill or term")
	flag.Parse()
	n := 0
	for i := 0; i < *steps; i++ {
		n = step(n)
	}
	fmt.Println("steps", n)
	switch *how {
	case "exit":
		os.Exit(3)
	case "panic":
		panic("told to")
	case "nil":
		var nowhere *int
		fmt.Println(*nowhere)
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "term":
		syscall.Kill(os.Getpid(), syscall.SIGTERM)
	}
	select {}
}
