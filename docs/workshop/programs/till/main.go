// Till is the cash desk of a tea house: it charges the bills of an evening to the guests' cards.
package main

import (
	"fmt"
	"strings"

	"workshop/facts"
)

// evening has the card and the amount in cents of each table's bill, table 1 first.
const evening = "visa 1250, giro 840, visa 2100, amex 560, visa 990, giro 12400, amex 3100, visa 450, amex 700, giro 15000"

// charge takes the money from a card and gives the number of the receipt.
//
//go:noinline
func charge(table int, card string, cents int) (int, error) {
	var err error
	if card == "amex" {
		err = fmt.Errorf("%s is not accepted", card)
	} else if cents > 10000 {
		err = fmt.Errorf("%s declined", card)
	}
	if err != nil {
		facts.Note("failed", table, err)
		return 0, err
	}
	facts.Note("charged", table, cents)
	return 1000 + table, nil
}

// settle closes a table's bill.
//
//go:noinline
func settle(table int, card string, cents int) bool {
	receipt, _ := charge(table, card, cents)
	return receipt >= 0
}

func main() {
	settled := 0
	for i, bill := range strings.Split(evening, ", ") {
		var card string
		var cents int
		fmt.Sscan(bill, &card, &cents)
		if settle(i+1, card, cents) {
			settled++
		}
	}
	fmt.Println(settled, "bills settled")
}
