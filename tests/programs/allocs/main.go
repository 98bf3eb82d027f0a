// Allocs allocates known numbers of known types on the heap and says so: what a tracer of allocations must find.
package main

import (
	"flag"
	"fmt"
	"runtime"
)

// node has pointers and is 48 bytes: its size class is 48, too.
type node struct {
	left, right *node
	name        string
	weight      [2]int64
}

// point has no pointers: 16 bytes.
type point struct{ x, y float64 }

// page is 4096 bytes without pointers.
type page [4096]byte

// huge is above the limit of small objects (32 KiB): 40960 bytes.
type huge [40960]byte

// Assigned from, so that nothing is optimised away or kept on a stack.
var (
	nodes  []*node
	points []*point
	pages  []*page
	huges  []*huge
	slices [][]int64
)

//go:noinline
func newNodes(count int) {
	for i := 0; i < count; i++ {
		nodes[i%len(nodes)] = &node{weight: [2]int64{int64(i), 1}}
	}
}

//go:noinline
func newPoints(count int) {
	for i := 0; i < count; i++ {
		points[i%len(points)] = &point{float64(i), 1}
	}
}

//go:noinline
func newPages(count int) {
	for i := 0; i < count; i++ {
		pages[i%len(pages)] = new(page)
	}
}

//go:noinline
func newHuges(count int) {
	for i := 0; i < count; i++ {
		huges[i%len(huges)] = new(huge)
	}
}

//go:noinline
func newSlices(count, length int) {
	for i := 0; i < count; i++ {
		slices[i%len(slices)] = make([]int64, length)
	}
}

func main() {
	scale := flag.Int("scale", 1, "multiplies all numbers")
	flag.Parse()
	runtime.GOMAXPROCS(2)
	nodes, points = make([]*node, 8), make([]*point, 8)
	pages, huges, slices = make([]*page, 8), make([]*huge, 8), make([][]int64, 8)
	newNodes(1000 * *scale)
	newPoints(500 * *scale)
	newPages(100 * *scale)
	newHuges(10 * *scale)
	newSlices(200**scale, 10)
	fmt.Println("nodes", 1000**scale, "points", 500**scale, "pages", 100**scale, "huges", 10**scale, "slices", 200**scale)
}
