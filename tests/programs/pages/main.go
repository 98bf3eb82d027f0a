// Pages passes constants that it never reads itself: nothing has brought them into memory. With an argument it goes on with that.
package main

import (
	"fmt"
	"os"
	"time"
)

const (
	line = "0123456789abcde\n"
	page = line + line + line + line + line + line + line + line + line + line + line + line + line + line + line + line
	many = page + page + page + page + page + page + page + page + page + page + page + page + page + page + page + page
	huge = many + many + many + many + many + many + many + many + many + many + many + many + many + many + many + many
	text = huge + huge + huge + huge + huge + huge + huge + huge + huge + huge + huge + huge + huge + huge + huge + huge
)

const step = 1 << 16

//go:noinline
func show(s string) int { return len(s) }

func pass() int {
	total := 0
	for at := 0; at < len(text); at += step {
		total += show(text[at : at+15])
	}
	return total
}

func main() {
	// Until it is ended.
	for len(os.Args) > 1 {
		pass()
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Println("length", pass())
}
