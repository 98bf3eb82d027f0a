// Types calls functions whose parameters and results have every kind of type, each once, with known values.
package main

import (
	"errors"
	"fmt"
)

// Point is a struct that fits into registers.
type Point struct{ X, Y int }

// Shape is a struct with nested and pointed-to parts.
type Shape struct {
	Name   string
	Origin Point
	Corner *Point
	Tags   []string
	closed bool
}

// Namer has one method, so that values of it carry a method table.
type Namer interface{ FullName() string }

// FullName makes *Shape a Namer.
//
//go:noinline
func (s *Shape) FullName() string { return "shape " + s.Name }

// Sum has a value receiver.
//
//go:noinline
func (p Point) Sum() int { return p.X + p.Y }

// Move has a pointer receiver.
//
//go:noinline
func (p *Point) Move(dx, dy int) {
	p.X += dx
	p.Y += dy
}

//go:noinline
func signed(a int8, b int16, c int32, d int64) int64 { return int64(a) + int64(b) + int64(c) + d }

//go:noinline
func unsigned(a uint8, b uint16, c uint32, d uint64, e uintptr) uint64 {
	return uint64(a) + uint64(b) + uint64(c) + d + uint64(e)
}

//go:noinline
func text(first, second string, n int) string { return first[:n] + second }

//go:noinline
func mixed(ok bool, ratio float64, name string, p *Point) float64 {
	if ok {
		return ratio * float64(p.X)
	}
	return float64(len(name))
}

//go:noinline
func slices(numbers []int, names []string, raw []byte) int {
	return numbers[1] + len(names[1]) + cap(raw)
}

//go:noinline
func structs(p Point, s Shape, ps *Shape) int { return p.X + s.Origin.Y + ps.Corner.X }

//go:noinline
func dynamic(any interface{}, namer Namer, err error) string {
	return fmt.Sprint(any, namer.FullName(), err)
}

//go:noinline
func collections(m map[string]int, c chan int, f func() int) int { return m["one"] + cap(c) + f() }

//go:noinline
func arrays(a [3]int, one [1]string) int { return a[0] + a[2] + len(one[0]) }

// twelve has more integer parameters than there are registers for them.
//
//go:noinline
func twelve(a, b, c, d, e, f, g, h, i, j, k, l int) int {
	return a + b + c + d + e + f + g + h + i + j + k + l
}

//go:noinline
func divide(a, b int) (quotient, remainder int) { return a / b, a % b }

//go:noinline
func find(name string) (*Shape, error) {
	if name == "" {
		return nil, errors.New("no name")
	}
	return &Shape{Name: name}, nil
}

// clamp is inlined into process, its only caller, and has no code of its own.
func clamp(n int) int {
	if n > 100 {
		return 100
	}
	return n
}

//go:noinline
func process(n int) int { return clamp(n) * 2 }

func main() {
	fmt.Println("signed", signed(-8, -1600, -320000, -64000000000))
	fmt.Println("unsigned", unsigned(200, 60000, 4000000000, 18000000000000000000, 12))
	fmt.Println("text", text("first text", "second", 5))
	p := &Point{3, 4}
	fmt.Println("mixed", mixed(true, 2.5, "mixed", p))
	fmt.Println("slices", slices([]int{10, 20, 30}, []string{"a", "bcd"}, make([]byte, 2, 7)))
	s := Shape{"box", Point{1, 2}, &Point{5, 6}, []string{"red", "flat"}, true}
	fmt.Println("structs", structs(*p, s, &s))
	fmt.Println("dynamic", dynamic(int64(77), &s, errors.New("an error")))
	fmt.Println("collections", collections(map[string]int{"one": 1}, make(chan int, 5), func() int { return 9 }))
	fmt.Println("arrays", arrays([3]int{7, 8, 9}, [1]string{"lone"}))
	fmt.Println("twelve", twelve(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12))
	q, r := divide(17, 5)
	fmt.Println("divide", q, r)
	p.Move(10, 20)
	fmt.Println("methods", p.Sum(), p.X, p.Y)
	_, err := find("")
	found, _ := find("disc")
	fmt.Println("find", err, found.Name, found.closed)
	fmt.Println("process", process(150))
}
