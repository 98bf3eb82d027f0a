// Stock keeps count of the leaves in a tea house: waiters take from it, and the office wants a report now and then.
package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"workshop/facts"
)

// Stock is the leaves that are there, in grams by tea.
type Stock struct {
	lock  sync.Mutex
	grams map[string]int
}

// Take takes leaves.
//
//go:noinline
func (s *Stock) Take(tea string, grams int) {
	s.lock.Lock()
	s.grams[tea] -= grams
	s.lock.Unlock()
}

// Report writes what there is.
//
//go:noinline
func (s *Stock) Report(number int) {
	cover(number)
	s.lock.Lock()
	start := time.Now()
	for tea, grams := range s.grams {
		write(tea, grams)
	}
	held := time.Since(start)
	s.lock.Unlock()
	facts.Note("held", "main.(*Stock).Report", held.Microseconds())
	facts.Note("called", "main.(*Stock).Report")
}

// cover writes the first page of a report.
//
//go:noinline
func cover(number int) { time.Sleep(24 * time.Millisecond) }

// write sends a line to the office's printer.
//
//go:noinline
func write(tea string, grams int) { time.Sleep(2 * time.Millisecond) }

func main() {
	stock := &Stock{grams: map[string]int{}}
	teas := strings.Fields("assam oolong sencha darjeeling rooibos")
	for _, tea := range teas {
		stock.grams[tea] = 10000
	}
	var done sync.WaitGroup
	done.Add(5)
	for waiter := 0; waiter < 4; waiter++ {
		go func(waiter int) {
			defer done.Done()
			for i := 0; i < 200; i++ {
				stock.Take(teas[(waiter+i)%len(teas)], 5)
				facts.Note("called", "main.(*Stock).Take")
				time.Sleep(500 * time.Microsecond)
			}
		}(waiter)
	}
	go func() {
		defer done.Done()
		for n := 1; n <= 6; n++ {
			stock.Report(n)
		}
	}()
	done.Wait()
	fmt.Println(stock.grams["assam"], "g of assam are left")
}
