// Served has goroutines that know their own id (from runtime.Stack) and tell it to the kernel: each sleeps one millisecond and
// as many nanoseconds as its id says, by a system call in Go code and, with cgo, by one in C code. So a tracer sees in every call
// which goroutine id it must find. One more goroutine is busy for a while.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

//go:noinline
func nap(id uint64) {
	t := syscall.Timespec{Nsec: 1000000 + int64(id)}
	_, _, _ = syscall.Syscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
}

// cpu is the CPU time that the program has used: on a machine that is busy with other things, a time by the clock says little.
func cpu() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

//go:noinline
func spin(id uint64, until time.Duration) uint64 {
	n := id
	for cpu() < until {
		for i := uint64(0); i < 100000; i++ {
			n = n*3 + i
		}
	}
	return n
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
	rounds := flag.Int("rounds", 5, "sleeps in Go code and in C code of each")
	busy := flag.Duration("busy", 0, "CPU time that one more goroutine uses")
	flag.Parse()
	var working sync.WaitGroup
	for i := 0; i < *goroutines; i++ {
		working.Add(1)
		go func() {
			defer working.Done()
			id := self()
			for r := 0; r < *rounds; r++ {
				nap(id)
				napInC(id)
			}
		}()
	}
	working.Wait()
	if *busy > 0 {
		working.Add(1)
		go func() {
			defer working.Done()
			spin(self(), cpu()+*busy)
		}()
		working.Wait()
	}
	fmt.Println("sleeps", *goroutines**rounds*2)
}
