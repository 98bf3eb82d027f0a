// Menu writes the labels of the dishes of a tea house. One that cannot be written must not stop the others.
package main

import (
	"fmt"
	"strings"
	"sync"

	"workshop/facts"
)

// dishes have a name and prices in cents: of a piece, and of a plate.
const dishes = "scone 350 900, tart 420 1100, shortbread 200, brioche 380 950, macaron 0 500, eclair 450 1200, madeleine 250"

// label makes the text for a dish.
//
//go:noinline
func label(dish string, prices []int) string {
	if prices[0] == 0 {
		panic(fmt.Sprintf("%s has no price", dish))
	}
	return fmt.Sprintf("%-12s %4d piece %5d plate", dish, prices[0], prices[1])
}

// safely makes a label and lets nothing stop the program.
//
//go:noinline
func safely(dish string, prices []int) (text string) {
	defer func() {
		if reason := recover(); reason != nil {
			facts.Note("panicked", dish, fmt.Sprintf("%T", reason))
		}
	}()
	return label(dish, prices)
}

func main() {
	var writers sync.WaitGroup
	var lock sync.Mutex
	written := 0
	for _, line := range strings.Split(dishes, ", ") {
		words := strings.Fields(line)
		prices := []int{}
		for _, word := range words[1:] {
			var cents int
			fmt.Sscan(word, &cents)
			prices = append(prices, cents)
		}
		writers.Add(1)
		go func() {
			defer writers.Done()
			if text := safely(words[0], prices); text != "" {
				lock.Lock()
				written++
				lock.Unlock()
			}
		}()
	}
	writers.Wait()
	fmt.Println(written, "labels written")
}
