// Collect runs garbage collections of its own and starts goroutines that keep threads: what a tracer of them counts.
package main

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
)

var kept [][]byte

//go:noinline
func fill(megabytes int) {
	for i := 0; i < megabytes*16; i++ {
		kept = append(kept, make([]byte, 64<<10))
	}
}

func main() {
	cycles := flag.Int("cycles", 3, "number of collections")
	threads := flag.Int("threads", 3, "number of goroutines locked to threads")
	flag.Parse()
	debug.SetGCPercent(-1) // no other collections than ours
	fill(8)
	for i := 0; i < *cycles; i++ {
		runtime.GC()
	}
	var ready, done sync.WaitGroup
	leave := make(chan struct{})
	for i := 0; i < *threads; i++ {
		ready.Add(1)
		done.Add(1)
		go func() {
			runtime.LockOSThread()
			ready.Done()
			<-leave
			runtime.UnlockOSThread()
			done.Done()
		}()
	}
	ready.Wait()
	close(leave)
	done.Wait()
	fmt.Println("cycles", *cycles, "threads", *threads)
}
