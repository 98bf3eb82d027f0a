// Kinds has one method that takes, holds and returns values of all kinds. It is called through an interface, so that its types are
// known in a stripped program too; its parameters are more than there are registers for.
package main

import (
	"errors"
	"fmt"
	"time"
)

// Kinds has a member of each kind.
type Kinds struct {
	Bool    bool
	Int8    int8
	Uint16  uint16
	Int32   int32
	Uint64  uint64
	Float32 float32
	Float64 float64
	Complex complex64
	Text    string
	Bytes   []byte
	Array   [2]int16
	Slice   []string
	Pointer *[3]int
	Map     map[string]int
	Chan    chan int
	Func    func(int) int
	Err     error
	Any     interface{}
	Wait    time.Duration
	When    time.Time
	Inner   Inner
	Next    *Kinds
	Level   Level
}

// Inner is a member by value.
type Inner struct {
	Name string
	N    int
}

// Level is a number with a name.
type Level uint8

// Worker is what main knows of Kinds.
type Worker interface {
	Work(int8, string, []byte, error, interface{}, time.Duration, time.Time, *[3]int, Inner) (string, int, error)
}

// Work is the method under test.
//
//go:noinline
func (k *Kinds) Work(
	n int8, text string, raw []byte, err error, any interface{}, d time.Duration, t time.Time, p *[3]int, in Inner,
) (string, int, error) {
	if k.Next == nil {
		return text + in.Name, int(n) + p[1] + len(raw), err
	}
	return k.Next.Work(n+1, text, nil, nil, nil, -d, time.Time{}, p, Inner{})
}

//go:noinline
func twice(n int) int { return 2 * n }

func main() {
	when := time.Date(2020, 2, 29, 12, 30, 0, 250000000, time.UTC)
	array := &[3]int{10, 20, 30}
	last := &Kinds{Text: "last"}
	k := &Kinds{
		true, -8, 65000, -70000, 1 << 63, 0.5, -2.5e10, complex(1, -2), "some text", []byte("raw"), [2]int16{-1, 1},
		[]string{"a", "bc"}, array, map[string]int{"one": 1}, make(chan int, 4), twice, errors.New("in it"), int64(77),
		1500 * time.Millisecond, when, Inner{"inner", 7}, last, 3,
	}
	for _, worker := range []Worker{k, last} {
		fmt.Println(work(worker, when, array))
	}
}

// work calls through the interface: the compiler does not know which type it is.
//
//go:noinline
func work(worker Worker, when time.Time, array *[3]int) (string, int, error) {
	return worker.Work(-3, "words", []byte("bytes"), errors.New("passed"), Level(5), time.Minute, when, array, Inner{"x", 1})
}
