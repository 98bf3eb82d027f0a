// Shop is the web site of a tea house. It sends itself the requests of some guests, and ends.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"workshop/facts"
)

// Prices are what the tea house asks for its teas, in cents.
type Prices struct {
	lock  sync.Mutex
	cents map[string]int
}

// Get gives the price of a tea.
//
//go:noinline
func (p *Prices) Get(tea string) int {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.cents[tea]
}

// Refresh gets a price from the supplier.
//
//go:noinline
func (p *Prices) Refresh(tea string) {
	p.lock.Lock()
	defer p.lock.Unlock()
	start := time.Now()
	p.cents[tea] = supplier(tea)
	facts.Note("held", "main.(*Prices).Refresh", time.Since(start).Microseconds())
}

// supplier asks the supplier for a price.
//
//go:noinline
func supplier(tea string) int {
	time.Sleep(30 * time.Millisecond)
	return 420
}

var prices = Prices{cents: map[string]int{"assam": 410}}

//go:noinline
func menu(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "assam %d\n", prices.Get("assam"))
	facts.Note("request", r.URL.Path)
}

//go:noinline
func order(w http.ResponseWriter, r *http.Request) {
	time.Sleep(2 * time.Millisecond)
	fmt.Fprintln(w, "thank you")
	facts.Note("request", r.URL.Path)
}

func get(url string) {
	response, err := http.Get(url)
	if err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
	http.HandleFunc("/menu", menu)
	http.HandleFunc("/order", order)
	go http.Serve(listener, nil)
	go func() {
		for {
			time.Sleep(50 * time.Millisecond)
			prices.Refresh("assam")
		}
	}()
	address := "http://" + listener.Addr().String()
	for i := 0; i < 60; i++ {
		get(address + "/menu")
		get(address + "/order")
	}
	fmt.Println("120 requests")
}
