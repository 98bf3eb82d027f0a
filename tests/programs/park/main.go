// Park has goroutines that wait in each way there is, for known times: sleep, channel, select, mutex, condition, network.
package main

import (
	"flag"
	"fmt"
	"net"
	"sync"
	"time"
)

//go:noinline
func sleeps(d time.Duration) { time.Sleep(d) }

//go:noinline
func receives(c chan int) int { return <-c }

//go:noinline
func selects(a, b chan int) int {
	select {
	case v := <-a:
		return v
	case v := <-b:
		return v
	}
}

//go:noinline
func locks(m *sync.Mutex) {
	m.Lock()
	m.Unlock()
}

//go:noinline
func reads(c net.Conn) int {
	buffer := make([]byte, 16)
	n, _ := c.Read(buffer)
	return n
}

func main() {
	d := flag.Duration("for", 50*time.Millisecond, "how long each goroutine waits")
	rounds := flag.Int("rounds", 1, "how often")
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	for r := 0; r < *rounds; r++ {
		round(listener, *d)
	}
	fmt.Println("waited", *rounds, "times")
}

func round(listener net.Listener, d time.Duration) {
	var working sync.WaitGroup
	start := func(work func()) {
		working.Add(1)
		go func() {
			defer working.Done()
			work()
		}()
	}
	a, b, c := make(chan int), make(chan int), make(chan int)
	var m sync.Mutex
	m.Lock()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		panic(err)
	}
	server, err := listener.Accept()
	if err != nil {
		panic(err)
	}
	start(func() { sleeps(d) })
	start(func() { receives(a) })
	start(func() { selects(b, c) })
	start(func() { locks(&m) })
	start(func() { reads(server) })
	time.Sleep(d)
	a <- 1
	c <- 1
	m.Unlock()
	client.Write([]byte("done"))
	working.Wait()
	client.Close()
	server.Close()
}
