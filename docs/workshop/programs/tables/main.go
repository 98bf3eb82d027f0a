// Tables answers guests who ask for a free table: it asks the head waiter, but no guest waits longer than 10 milliseconds.
package main

import (
	"fmt"
	"time"

	"workshop/facts"
)

// look goes through the room and tells what is free.
//
//go:noinline
func look(guest int, answer chan string) {
	facts.Note("started", "main.look")
	if guest%3 == 0 {
		time.Sleep(50 * time.Millisecond) // the far room
	}
	answer <- "a table by the window"
	facts.Note("ended", "main.look")
}

// ask gives the answer for a guest.
//
//go:noinline
func ask(guest int) string {
	answer := make(chan string)
	go look(guest, answer)
	select {
	case text := <-answer:
		return text
	case <-time.After(10 * time.Millisecond):
		facts.Note("left", "guest", guest)
		return "sorry, no table"
	}
}

func main() {
	sorry := 0
	for guest := 1; guest <= 18; guest++ {
		if ask(guest) == "sorry, no table" {
			sorry++
		}
	}
	time.Sleep(100 * time.Millisecond) // nobody asks any more
	fmt.Println("18 guests,", sorry, "without a table")
}
