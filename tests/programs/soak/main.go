// Soak is at work all the time in every way that a tracer can disturb: stacks grow, move and shrink, goroutines change threads,
// calls end by return, by a recovered panic and by Goexit, code calls C and is called by it (with cgo), and an HTTP server answers.
// Every function whose name begins with echo gives back the tag that it was called with, so that a tracer which matches returns with
// calls can be checked; the program checks the same itself. What it prints does not depend on how long it ran; how much it did is
// told on standard error.
package main

import (
	"flag"
	"fmt"
	"io/ioutil"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// wrong counts calls that gave back another tag than theirs, and stacks that were not as they must be; echoes, the calls of all
// functions whose name begins with echo; rounds, the goroutines that did one thing each.
var wrong, echoes, rounds uint64

func check(good bool) {
	if !good {
		atomic.AddUint64(&wrong, 1)
	}
}

// echoSmall has a frame that the shortest form of the stack check covers. At its end the goroutine may change its thread.
//
//go:noinline
func echoSmall(tag uint64, n int) uint64 {
	atomic.AddUint64(&echoes, 1)
	if n == 0 {
		runtime.Gosched()
		return tag
	}
	check(echoSmall(tag+1, n-1) == tag+1)
	return tag
}

// echoMedium has a frame of about 1 KB.
//
//go:noinline
func echoMedium(tag uint64, n int) uint64 {
	atomic.AddUint64(&echoes, 1)
	var frame [128]uint64
	fill(frame[:], tag)
	if n == 0 {
		time.Sleep(50 * time.Microsecond)
		return tag
	}
	check(echoMedium(tag+1, n-1) == tag+1)
	check(frame[n&127] == tag+uint64(n&127))
	return tag
}

// echoLarge has a frame of about 8 KB.
//
//go:noinline
func echoLarge(tag uint64, n int) uint64 {
	atomic.AddUint64(&echoes, 1)
	var frame [1024]uint64
	fill(frame[:], tag)
	if n == 0 {
		// A collection copies the stacks that have become too large.
		runtime.GC()
		return tag
	}
	check(echoLarge(tag+1, n-1) == tag+1)
	check(frame[n&1023] == tag+uint64(n&1023))
	return tag
}

//go:noinline
func fill(frame []uint64, tag uint64) {
	for i := range frame {
		frame[i] = tag + uint64(i)
	}
}

// fall panics at the end of a recursion: none of its calls returns.
//
//go:noinline
func fall(tag uint64, n int) uint64 {
	if n == 0 {
		panic(tag)
	}
	return fall(tag, n-1) + 1
}

// echoCaught returns what its deferred function recovered.
//
//go:noinline
func echoCaught(tag uint64, n int) (result uint64) {
	atomic.AddUint64(&echoes, 1)
	defer caught(&result)
	return fall(tag, n)
}

//go:noinline
func caught(result *uint64) { *result = recover().(uint64) }

// leave ends its goroutine at the end of a recursion: none of its calls returns.
//
//go:noinline
func leave(tag uint64, n int) uint64 {
	if n == 0 {
		runtime.Goexit()
	}
	return leave(tag, n-1) + 1
}

// echoLocked stays on one thread for a while.
//
//go:noinline
func echoLocked(tag uint64) uint64 {
	atomic.AddUint64(&echoes, 1)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	check(echoSmall(tag+1, 20) == tag+1)
	return tag
}

// echoTrace walks its own stack, as panics and profilers do: every caller must be there.
//
//go:noinline
func echoTrace(tag uint64, n int) uint64 {
	atomic.AddUint64(&echoes, 1)
	if n > 0 {
		check(echoTrace(tag+1, n-1) == tag+1)
		return tag
	}
	text := make([]byte, 64<<10)
	text = text[:runtime.Stack(text, false)]
	check(strings.Count(string(text), "main.echoTrace(") == 11)
	return tag
}

// echoC goes through C code and back into Go, where there is C.
//
//go:noinline
func echoC(tag uint64) uint64 {
	atomic.AddUint64(&echoes, 1)
	check(throughC(tag) == tag)
	return tag
}

// echoBack is what C calls.
//
//go:noinline
func echoBack(tag uint64) uint64 {
	atomic.AddUint64(&echoes, 1)
	check(echoSmall(tag+1, 50) == tag+1)
	return tag
}

// echoHTTP asks the server for its tag.
//
//go:noinline
func echoHTTP(tag uint64, client *http.Client, address string) uint64 {
	atomic.AddUint64(&echoes, 1)
	response, err := client.Get("http://" + address + "/" + strconv.FormatUint(tag, 10))
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		return 0
	}
	body, err := ioutil.ReadAll(response.Body)
	response.Body.Close()
	back, _ := strconv.ParseUint(string(body), 10, 64)
	check(err == nil && back == tag)
	return back
}

// round is a goroutine of its own, with a new small stack.
//
//go:noinline
func round(done chan<- bool, r int, tag uint64, client *http.Client, address string) {
	defer func() { done <- true }()
	switch r % 8 {
	case 0:
		check(echoSmall(tag, 100) == tag)
	case 1:
		check(echoMedium(tag, 12) == tag)
	case 2:
		check(echoLarge(tag, 12) == tag)
	case 3:
		check(echoCaught(tag, 60) == tag)
	case 4:
		leave(tag, 60)
	case 5:
		check(echoTrace(tag, 10) == tag)
	case 6:
		check(echoLocked(tag) == tag)
		check(echoC(tag) == tag)
	case 7:
		check(echoHTTP(tag, client, address) == tag)
	}
}

func main() {
	workers := flag.Int("workers", 6, "goroutines at work at the same time")
	limit := flag.Duration("for", 2*time.Second, "how long it is at work")
	flag.Parse()
	runtime.GOMAXPROCS(4)
	debug.SetGCPercent(20)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
	answer := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path[1:]) }
	go func() { _ = http.Serve(listener, http.HandlerFunc(answer)) }()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: *workers}}

	end := time.Now().Add(*limit)
	var working sync.WaitGroup
	for w := 0; w < *workers; w++ {
		working.Add(1)
		go func(w int) {
			defer working.Done()
			for r := 0; r < 8 || time.Now().Before(end); r++ {
				done := make(chan bool)
				go round(done, r, uint64(w)<<48|uint64(r)<<16, client, listener.Addr().String())
				<-done
				atomic.AddUint64(&rounds, 1)
			}
		}(w)
	}
	working.Wait()
	fmt.Fprintln(os.Stderr, "rounds", rounds, "echoes", echoes)
	fmt.Println("wrong", wrong)
}
