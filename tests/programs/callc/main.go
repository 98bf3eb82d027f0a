// Callc calls C from several goroutines, each of which tells its own id.
package main

import (
	"bytes"
	"fmt"
	"runtime"
	"strconv"
)

func id() int64 {
	buf := make([]byte, 64)
	buf = bytes.TrimPrefix(buf[:runtime.Stack(buf, false)], []byte("goroutine "))
	n, _ := strconv.ParseInt(string(buf[:bytes.IndexByte(buf, ' ')]), 10, 64)
	return n
}

// deep calls C with so many calls of itself on the stack.
//
//go:noinline
func deep(n int, id int64) int64 {
	if n == 0 {
		return twice(21, id)
	}
	return deep(n-1, id)
}

func main() {
	done := make(chan int64)
	for i := 0; i < 5; i++ {
		go func() { done <- deep(50, id()) }()
		fmt.Println(<-done)
	}
}
