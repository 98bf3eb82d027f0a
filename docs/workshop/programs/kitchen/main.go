// Kitchen has four waiters fetch the leaves for the orders of an evening from the store.
package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"workshop/facts"
)

var teas = strings.Fields("assam oolong sencha darjeeling rooibos")

// fetch gets the leaves for an order.
//
//go:noinline
func fetch(order int, tea string) {
	if tea == "darjeeling" {
		cellar()
		facts.Note("slow", order, tea)
	} else {
		shelf()
	}
	facts.Note("fetched", tea)
}

//go:noinline
func shelf() { time.Sleep(time.Millisecond) }

//go:noinline
func cellar() { time.Sleep(40 * time.Millisecond) }

//go:noinline
func wait(waiter int) {
	for i := 0; i < 10; i++ {
		order := 10*waiter + i
		fetch(order, teas[(order+waiter)%len(teas)])
	}
}

func main() {
	var waiters sync.WaitGroup
	for n := 1; n <= 4; n++ {
		waiters.Add(1)
		go func(n int) {
			defer waiters.Done()
			wait(n)
		}(n)
	}
	waiters.Wait()
	fmt.Println("40 orders fetched")
}
