// Values passes Go values of all kinds, with known contents, to functions that keep them as they are: what a tracer prints
// of structures, interfaces, errors, times, floats and so on is compared with them.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Geo is deeper than values are printed.
type Geo struct{ Lat, Long float64 }

// City is in Person, by value.
type City struct {
	Name string
	Geo  *Geo
}

// Person has members of many kinds.
type Person struct {
	Name    string
	Age     uint8
	Home    City
	Boss    *Person
	Tags    []string
	Scores  [3]int16
	Secret  []byte
	Any     interface{}
	Props   map[string]int
	Jobs    chan int
	Hook    func(int) int
	Wait    time.Duration
	Born    time.Time
	private bool
}

// Node is a list that may be a circle.
type Node struct {
	Value int
	Next  *Node
}

// Sample has floats and complex numbers in memory.
type Sample struct {
	Single  float32
	Double  float64
	Complex complex128
}

// Level is an integer with a name.
type Level int

// MyError keeps its message in no field.
type MyError struct{ Code int }

func (e *MyError) Error() string { return "code " + strconv.Itoa(e.Code) }

//go:noinline
func person(p *Person, byValue Person) int { return int(p.Age) + len(byValue.Tags) }

//go:noinline
func list(n *Node) int { return n.Value }

//go:noinline
func none(p *Person, tags []string, any interface{}, m map[string]int, f func(int) int) bool {
	return p == nil && tags == nil && any == nil && m == nil && f == nil
}

//go:noinline
func slices(numbers []int, people []*Node, raw []byte, nested [][]string, empty []int) int {
	return len(numbers) + len(people) + len(raw) + len(nested) + len(empty)
}

//go:noinline
func floats(s *Sample, all []float64, x float64, z complex128) float64 {
	return s.Double + all[1] + x + real(z)
}

//go:noinline
func half(n int, x float64) (float64, int) { return x / 2, n / 2 }

//go:noinline
func times(d time.Duration, t time.Time, zero time.Time, now time.Time) time.Duration {
	if zero.IsZero() && now.After(t) {
		return d * 2
	}
	return 0
}

//go:noinline
func dynamic(a interface{}) string { return fmt.Sprintf("%T", a) }

//go:noinline
func failure(err error) string { return fmt.Sprint(err) }

//go:noinline
func open(name string) (n int, s fmt.Stringer, err error) {
	if name == "" {
		return 2, nil, &os.PathError{Op: "open", Path: "/none", Err: syscall.ENOENT}
	}
	return 1, Level(7), nil
}

// String makes Level a fmt.Stringer.
func (l Level) String() string { return "level " + strconv.Itoa(int(l)) }

//go:noinline
func apply(f func(int) int, n int) int { return f(n) }

//go:noinline
func twice(n int) int { return 2 * n }

func main() {
	ann := &Person{Name: "ann", Age: 50}
	bob := Person{
		Name: "bob", Age: 5, Home: City{"Ulm", &Geo{48.5, -9.25}}, Boss: ann, Tags: []string{"a", "bc"},
		Scores: [3]int16{-1, 0, 1}, Secret: []byte("x\x00y"), Any: "text", Props: map[string]int{"one": 1, "two": 2},
		Jobs: make(chan int, 4), Hook: twice, Wait: 1500 * time.Millisecond,
		Born: time.Date(2020, 2, 29, 12, 30, 0, 250000000, time.UTC), private: true,
	}
	fmt.Println("person", person(&bob, bob))
	circle := &Node{1, nil}
	circle.Next = &Node{2, circle}
	fmt.Println("list", list(circle))
	fmt.Println("none", none(nil, nil, nil, nil, nil))
	numbers := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	people := []*Node{{7, nil}, nil, {9, &Node{10, nil}}}
	fmt.Println("slices", slices(numbers, people, []byte("raw bytes"), [][]string{{"a"}, nil, {"b", "c"}}, []int{}))
	sample := &Sample{0.1, -2.5e10, complex(1.5, -2)}
	fmt.Println("floats", floats(sample, []float64{0.5, 1e-7}, 3.25, complex(0, 1)))
	fmt.Println(half(9, 5))
	then := time.Date(1999, 12, 31, 23, 59, 59, 5, time.FixedZone("far", 3600))
	fmt.Println("times", times(-90*time.Second, then, time.Time{}, time.Now()))
	for _, a := range []interface{}{
		nil, 77, int8(-3), "some text", true, 2.5, Level(3), ann, Geo{1, 2}, []int{1}, map[string]int{}, errors.New("e"),
		2500 * time.Millisecond,
	} {
		fmt.Println("dynamic", dynamic(a))
	}
	_, parse := strconv.Atoi("12x")
	for _, err := range []error{
		nil, errors.New("plain"), fmt.Errorf("wrapped: %w", errors.New("inner")), syscall.ENOENT,
		&os.PathError{Op: "open", Path: "/none", Err: syscall.ENOENT}, os.NewSyscallError("connect", syscall.ECONNREFUSED),
		&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, parse,
		&os.LinkError{Op: "link", Old: "/a", New: "/b", Err: errors.New("denied")}, &MyError{5},
		fmt.Errorf("no wrap: %d", 3),
	} {
		fmt.Println("failure", failure(err))
	}
	n, s, err := open("")
	fmt.Println("open", n, s, err)
	n, s, err = open("x")
	fmt.Println("open", n, s, err)
	fmt.Println("apply", apply(twice, 4))
}
