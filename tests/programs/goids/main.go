// Goids has goroutines that know their own id (from runtime.Stack) and pass it to work, again and again, while they
// move between threads: a tracer's goroutine id must equal the argument in every call.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"runtime"
	"strconv"
	"sync"
)

//go:noinline
func work(id uint64, round int) uint64 {
	runtime.Gosched()
	return id + uint64(round)
}

// self reads the id out of "goroutine 17 [running]:".
func self() uint64 {
	buffer := make([]byte, 64)
	word := bytes.Fields(buffer[:runtime.Stack(buffer, false)])[1]
	id, err := strconv.ParseUint(string(word), 10, 64)
	if err != nil {
		panic(err)
	}
	return id
}

func main() {
	goroutines := flag.Int("goroutines", 20, "number of goroutines")
	rounds := flag.Int("rounds", 50, "calls of work in each")
	locked := flag.Bool("locked", false, "lock every second goroutine to its thread")
	flag.Parse()
	runtime.GOMAXPROCS(4)
	var working sync.WaitGroup
	for i := 0; i < *goroutines; i++ {
		working.Add(1)
		go func(i int) {
			defer working.Done()
			if *locked && i%2 == 0 {
				runtime.LockOSThread()
			}
			id := self()
			for r := 0; r < *rounds; r++ {
				work(id, r)
			}
		}(i)
	}
	working.Wait()
	fmt.Println("work calls", *goroutines**rounds)
}
