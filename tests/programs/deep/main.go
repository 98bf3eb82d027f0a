// Deep makes goroutines whose stacks grow again and again, under every form of stack check that the compiler writes,
// and leaves functions in every way there is: return, recovered panic, Goexit. At the end it prints how often each
// function was called and how often it returned, and a checksum of all results.
package main

import (
	"flag"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// small has a frame that the shortest form of the stack check covers (at most 128 bytes).
//
//go:noinline
func small(n int, sum uint64) uint64 {
	if n == 0 {
		runtime.Gosched()
		return sum
	}
	return small(n-1, sum*31+uint64(n)) + 1
}

// medium has a frame of about 1 KB: the check compares an address below the stack pointer.
//
//go:noinline
func medium(n int, sum uint64) uint64 {
	var frame [128]uint64
	fill(frame[:], sum)
	if n == 0 {
		runtime.Gosched()
		return frame[127]
	}
	return medium(n-1, frame[n&127]) ^ frame[127]
}

// large has a frame of about 8 KB: the check also guards against wrapping around.
//
//go:noinline
func large(n int, sum uint64) uint64 {
	var frame [1024]uint64
	fill(frame[:], sum)
	if n == 0 {
		runtime.Gosched()
		return frame[1023]
	}
	return large(n-1, frame[n&1023]) ^ frame[1023]
}

//go:noinline
func fill(frame []uint64, seed uint64) {
	for i := range frame {
		seed = seed*6364136223846793005 + 1442695040888963407
		frame[i] = seed >> 7
	}
}

// fall recurses and then panics: none of its calls returns.
//
//go:noinline
func fall(n int) uint64 {
	if n == 0 {
		panic(uint64(42))
	}
	return fall(n-1) + 1
}

// catch recovers from the panic of fall: it returns, with the value that its deferred function set.
//
//go:noinline
func catch(n int) (result uint64) {
	defer func() { result = recover().(uint64) + uint64(n) }()
	return fall(n)
}

// leave recurses and then ends its goroutine: none of its calls returns.
//
//go:noinline
func leave(n int) uint64 {
	if n == 0 {
		runtime.Goexit()
	}
	return leave(n-1) + 1
}

func main() {
	workers := flag.Int("workers", 4, "goroutines at work at the same time")
	rounds := flag.Int("rounds", 500, "fresh goroutines that each worker starts; each grows its stack several times")
	depth := flag.Int("depth", 12, "depth of the recursions with big frames; those with small frames go 8 times as deep")
	flag.Parse()
	runtime.GOMAXPROCS(4)

	var checksum uint64
	var working sync.WaitGroup
	for w := 0; w < *workers; w++ {
		working.Add(1)
		go func(w int) {
			defer working.Done()
			for r := 0; r < *rounds; r++ {
				// The round has a new goroutine, with a new small stack.
				done := make(chan uint64)
				go round(done, r, *depth, uint64(w*1000+r))
				atomic.AddUint64(&checksum, <-done)
			}
		}(w)
	}
	working.Wait()

	all, deep, deeper := *workers**rounds, *depth+1, 8**depth+1
	kind := func(k int) int { return *workers * ((*rounds + kinds - 1 - k) / kinds) }
	report("small", kind(0)*deeper, kind(0)*deeper)
	report("medium", kind(1)*deep, kind(1)*deep)
	report("large", kind(2)*deep, kind(2)*deep)
	report("fall", kind(3)*deeper, 0)
	report("catch", kind(3), kind(3))
	report("leave", kind(4)*deeper, 0)
	report("round", all, all-kind(4))
	fmt.Println("checksum", checksum)
}

// kinds is the number of things that rounds do, in turn.
const kinds = 5

//go:noinline
func round(done chan<- uint64, r, depth int, seed uint64) {
	result := uint64(7)
	defer func() { done <- result }()
	switch r % kinds {
	case 0:
		result = small(8*depth, seed)
	case 1:
		result = medium(depth, seed)
	case 2:
		result = large(depth, seed)
	case 3:
		result = catch(8 * depth)
	case 4:
		result = leave(8 * depth)
	}
}

func report(name string, calls, returns int) {
	fmt.Println(name, "calls", calls, "returns", returns)
}
