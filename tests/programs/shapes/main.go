// Shapes has the kinds of function that a tracer must not confuse: methods reached directly, through an interface and through an
// embedded pointer, method values, closures, functions that only exist inlined, assembly, and calls that end by a panic.
package main

import (
	"flag"
	"fmt"
	"strings"
)

type counter struct{ n int }

//go:noinline
func (c *counter) add(n int) int {
	c.n += n
	return c.n
}

// box forwards add to the counter that it points to.
type box struct {
	name string
	*counter
}

type adder interface{ add(n int) int }

//go:noinline
func through(a adder, n int) int { return a.add(n) }

func half(n int) int { return n / 2 }

//go:noinline
func halves(n int) int { return half(n) + half(n+1) }

//go:noinline
func fail(n int) int {
	if n >= 0 {
		panic("as asked")
	}
	return n
}

//go:noinline
func survive(n int) (ok bool) {
	defer func() { ok = recover() != nil }()
	fail(n)
	return false
}

//go:noinline
func each(n int, f func(int) int) (sum int) {
	for i := 0; i < n; i++ {
		sum += f(i)
	}
	return sum
}

func main() {
	panics := flag.Int("panics", 10, "calls that end by a panic")
	flag.Parse()
	c := &counter{}
	b := &box{name: "b", counter: c}
	for i := 0; i < 5; i++ {
		c.add(1)
		through(c, 1)
		through(b, 1)
	}
	add := c.add
	each(4, add)
	each(3, func(i int) int { return i * 2 })
	survived := 0
	for i := 0; i < *panics; i++ {
		if survive(i) {
			survived++
		}
	}
	fmt.Println("counter", c.n, "halves", halves(9), "survived", survived, strings.Repeat("ab", 2))
}
