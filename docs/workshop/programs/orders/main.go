// Orders is the order desk of a tea house: it reads the orders of an evening and has a pot brewed for each.
package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"workshop/facts"
)

// evening has the table, the tea, and the grams of leaves of each order.
const evening = `
1 assam 8
2 oolong 6
3 sencha 5
4 assam 8
5 rooibos 9
6 oolong 12
7 sencha 5
8 darjeeling 7
`

type order struct {
	table int
	tea   string
	grams int
}

// steep is how long the leaves are in the water. It is so small that the compiler puts its code into its caller.
func steep(grams int) time.Duration {
	return time.Duration(grams) * time.Millisecond
}

// brew makes a pot of tea, and tells whether it became strong enough.
//
//go:noinline
func brew(table int, tea string, grams int) bool {
	facts.Note("brewed", table, tea, grams)
	time.Sleep(steep(grams))
	return grams <= 10
}

// serve brings a pot to a table. A pot that is too weak is poured away, and another one is brewed.
//
//go:noinline
func serve(o *order) {
	strong := brew(o.table, o.tea, o.grams)
	if !strong {
		brew(o.table, o.tea, o.grams)
	}
	facts.Note("served", o.table, o.tea)
}

func main() {
	served := 0
	for _, line := range strings.Split(strings.TrimSpace(evening), "\n") {
		words := strings.Fields(line)
		table, _ := strconv.Atoi(words[0])
		grams, _ := strconv.Atoi(words[2])
		serve(&order{table, words[1], grams})
		served++
	}
	fmt.Println(served, "orders served")
}
