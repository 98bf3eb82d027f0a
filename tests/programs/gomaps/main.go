// Gomaps passes maps of all kinds, with known contents, to functions that leave them as they are.
package main

import (
	"fmt"
	"net/http"
	"strconv"
)

// Point is a key and an element.
type Point struct{ X, Y int16 }

// Big is kept outside of the map's own blocks, as a key and as an element.
type Big struct {
	Name string
	Fill [15]int64
}

// User is what a pointer leads to.
type User struct {
	Name  string
	Roles map[string]bool
}

// Level is a number with a name.
type Level uint8

//go:noinline
func small(counts map[string]int, names map[int]string, flags map[Level]bool, set map[string]struct{}) int {
	return len(counts) + len(names) + len(flags) + len(set)
}

//go:noinline
func structs(places map[Point]string, big map[string]Big, keys map[Big]int32, users map[string]*User) int {
	return len(places) + len(big) + len(keys) + len(users)
}

//go:noinline
func header(h http.Header) int { return len(h) }

//go:noinline
func large(numbers map[int64]int64, texts map[string]string, shrunk map[int32]int8) int {
	return len(numbers) + len(texts) + len(shrunk)
}

//go:noinline
func growing(m map[int]int) int { return len(m) }

//go:noinline
func none(unset map[string]int, empty map[string]int, deleted map[string]int) int {
	return len(unset) + len(empty) + len(deleted)
}

//go:noinline
func nested(m map[string]map[string][]int, any map[string]interface{}) int { return len(m) + len(any) }

//go:noinline
func lookup(m map[string]int, key string, n int) int { return m[key] + n }

func main() {
	fmt.Println("small", small(
		map[string]int{"one": 1, "two": 2, "three": 3}, map[int]string{-1: "minus", 7: "", 1 << 40: "much"},
		map[Level]bool{3: true, 200: false}, map[string]struct{}{"a": {}, "": {}},
	))
	ann := &User{"ann", map[string]bool{"admin": true}}
	fmt.Println("structs", structs(
		map[Point]string{{1, -2}: "here", {0, 0}: "origin"},
		map[string]Big{"b": {"big", [15]int64{4, 5}}}, map[Big]int32{{"key", [15]int64{6}}: -9},
		map[string]*User{"ann": ann, "nobody": nil},
	))
	h := http.Header{}
	h.Set("User-Agent", "curl/8")
	h.Add("Accept", "text/html")
	h.Add("Accept", "*/*")
	fmt.Println("header", header(h))
	numbers, texts, shrunk := map[int64]int64{}, map[string]string{}, map[int32]int8{}
	for i := 0; i < 600; i++ {
		numbers[int64(i)] = int64(i * i)
		texts["key "+strconv.Itoa(i)] = "value " + strconv.Itoa(i)
		shrunk[int32(i)] = int8(i)
	}
	for i := 0; i < 600; i++ {
		if i != 77 {
			delete(shrunk, int32(i))
		}
	}
	fmt.Println("large", large(numbers, texts, shrunk))
	// Passed with each size, so also while a map grows.
	m := map[int]int{}
	for i := 1; i <= 60; i++ {
		m[i] = 1000 + i
		growing(m)
	}
	deleted := map[string]int{"x": 1}
	delete(deleted, "x")
	fmt.Println("none", none(nil, map[string]int{}, deleted))
	fmt.Println("nested", nested(
		map[string]map[string][]int{"o": {"i": {1, 2}}}, map[string]interface{}{"n": 5, "s": "text", "z": nil},
	))
	for i, key := range []string{"one", "two", "absent"} {
		fmt.Println("lookup", lookup(map[string]int{"one": 11, "two": 22}, key, i))
	}
}
