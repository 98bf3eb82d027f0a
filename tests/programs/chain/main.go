// Chain has two goroutines that each call down a chain of functions and back: A1, B1, C1, D and A2, B2, C2, D. They take
// turns, so that the calls of one stand between those of the other.
package main

import (
	"flag"
	"fmt"
	"sync"
)

// turn hands the right to run from one goroutine to the other.
type turn struct{ mine, theirs chan struct{} }

//go:noinline
func (t turn) pass() {
	select {
	case t.theirs <- struct{}{}:
	default: // the other one has ended
	}
	<-t.mine
}

//go:noinline
func A1(t turn) int { t.pass(); return B1(t) + 1 }

//go:noinline
func B1(t turn) int { t.pass(); return C1(t) + 1 }

//go:noinline
func C1(t turn) int { t.pass(); return D(t) + 1 }

//go:noinline
func A2(t turn) int { t.pass(); return B2(t) + 2 }

//go:noinline
func B2(t turn) int { t.pass(); return C2(t) + 2 }

//go:noinline
func C2(t turn) int { t.pass(); return D(t) + 2 }

//go:noinline
func D(t turn) int { t.pass(); return 1 }

func main() {
	rounds := flag.Int("rounds", 1, "how often each chain is run through")
	flag.Parse()
	first, second := make(chan struct{}, 1), make(chan struct{}, 1)
	var working sync.WaitGroup
	var sums [2]int
	start := func(i int, mine, theirs chan struct{}, chain func(turn) int) {
		working.Add(1)
		go func() {
			defer working.Done()
			<-mine
			for r := 0; r < *rounds; r++ {
				sums[i] += chain(turn{mine, theirs})
			}
			close(theirs) // all turns are the other's now
		}()
	}
	start(0, first, second, A1)
	start(1, second, first, A2)
	first <- struct{}{}
	working.Wait()
	fmt.Println("sums", sums[0], sums[1])
}
