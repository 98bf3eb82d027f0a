// Receipts writes the receipts of a tea house as text.
package main

import (
	"fmt"
	"strings"

	"workshop/facts"
)

const lines = 200

// render makes the text of a receipt.
//
//go:noinline
func render(table int, items []string) string {
	text := ""
	for _, item := range items {
		text += item
		if len(text) >= 1024 {
			copied += len(text)
		}
	}
	return text
}

// copied is the number of bytes in texts of 1024 bytes and more that render made.
var copied int

// item makes a line of a receipt.
//
//go:noinline
func item(n int) string { return fmt.Sprintf("%3d  one pot of tea %16d\n", n, 100+n) }

func main() {
	items := make([]string, lines)
	for i := range items {
		items[i] = item(i)
	}
	bytes, long := 0, 0
	for table := 1; table <= 20; table++ {
		text := render(table, items)
		bytes += len(text)
		long += strings.Count(text, "\n")
	}
	facts.Note("copied", "main.render", copied)
	fmt.Println(long, "lines,", bytes, "bytes")
}
