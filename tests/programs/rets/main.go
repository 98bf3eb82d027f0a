// Rets has functions with 1, 2, 10 and 50 return instructions, each of which is reached once, and functions that take a
// known time in several goroutines. Every result tells the return it came from.
package main

import (
	"fmt"
	"sync"
	"time"
)

//go:noinline
func pick1(n int) int {
	return touch(n) + 1000
}

//go:noinline
func pick2(n int) int {
	if n == 0 {
		return touch(2000)
	}
	return touch(2000) + n
}

//go:noinline
func pick10(n int) int {
	if n == 0 {
		return touch(10000+0) ^ 1 ^ 1
	}
	if n == 1 {
		return touch(10000+1) ^ 2 ^ 2
	}
	if n == 2 {
		return touch(10000+2) ^ 3 ^ 3
	}
	if n == 3 {
		return touch(10000+3) ^ 4 ^ 4
	}
	if n == 4 {
		return touch(10000+4) ^ 5 ^ 5
	}
	if n == 5 {
		return touch(10000+5) ^ 6 ^ 6
	}
	if n == 6 {
		return touch(10000+6) ^ 7 ^ 7
	}
	if n == 7 {
		return touch(10000+7) ^ 8 ^ 8
	}
	if n == 8 {
		return touch(10000+8) ^ 9 ^ 9
	}
	return touch(10000) + n
}

//go:noinline
func pick50(n int) int {
	if n == 0 {
		return touch(50000+0) ^ 1 ^ 1
	}
	if n == 1 {
		return touch(50000+1) ^ 2 ^ 2
	}
	if n == 2 {
		return touch(50000+2) ^ 3 ^ 3
	}
	if n == 3 {
		return touch(50000+3) ^ 4 ^ 4
	}
	if n == 4 {
		return touch(50000+4) ^ 5 ^ 5
	}
	if n == 5 {
		return touch(50000+5) ^ 6 ^ 6
	}
	if n == 6 {
		return touch(50000+6) ^ 7 ^ 7
	}
	if n == 7 {
		return touch(50000+7) ^ 8 ^ 8
	}
	if n == 8 {
		return touch(50000+8) ^ 9 ^ 9
	}
	if n == 9 {
		return touch(50000+9) ^ 10 ^ 10
	}
	if n == 10 {
		return touch(50000+10) ^ 11 ^ 11
	}
	if n == 11 {
		return touch(50000+11) ^ 12 ^ 12
	}
	if n == 12 {
		return touch(50000+12) ^ 13 ^ 13
	}
	if n == 13 {
		return touch(50000+13) ^ 14 ^ 14
	}
	if n == 14 {
		return touch(50000+14) ^ 15 ^ 15
	}
	if n == 15 {
		return touch(50000+15) ^ 16 ^ 16
	}
	if n == 16 {
		return touch(50000+16) ^ 17 ^ 17
	}
	if n == 17 {
		return touch(50000+17) ^ 18 ^ 18
	}
	if n == 18 {
		return touch(50000+18) ^ 19 ^ 19
	}
	if n == 19 {
		return touch(50000+19) ^ 20 ^ 20
	}
	if n == 20 {
		return touch(50000+20) ^ 21 ^ 21
	}
	if n == 21 {
		return touch(50000+21) ^ 22 ^ 22
	}
	if n == 22 {
		return touch(50000+22) ^ 23 ^ 23
	}
	if n == 23 {
		return touch(50000+23) ^ 24 ^ 24
	}
	if n == 24 {
		return touch(50000+24) ^ 25 ^ 25
	}
	if n == 25 {
		return touch(50000+25) ^ 26 ^ 26
	}
	if n == 26 {
		return touch(50000+26) ^ 27 ^ 27
	}
	if n == 27 {
		return touch(50000+27) ^ 28 ^ 28
	}
	if n == 28 {
		return touch(50000+28) ^ 29 ^ 29
	}
	if n == 29 {
		return touch(50000+29) ^ 30 ^ 30
	}
	if n == 30 {
		return touch(50000+30) ^ 31 ^ 31
	}
	if n == 31 {
		return touch(50000+31) ^ 32 ^ 32
	}
	if n == 32 {
		return touch(50000+32) ^ 33 ^ 33
	}
	if n == 33 {
		return touch(50000+33) ^ 34 ^ 34
	}
	if n == 34 {
		return touch(50000+34) ^ 35 ^ 35
	}
	if n == 35 {
		return touch(50000+35) ^ 36 ^ 36
	}
	if n == 36 {
		return touch(50000+36) ^ 37 ^ 37
	}
	if n == 37 {
		return touch(50000+37) ^ 38 ^ 38
	}
	if n == 38 {
		return touch(50000+38) ^ 39 ^ 39
	}
	if n == 39 {
		return touch(50000+39) ^ 40 ^ 40
	}
	if n == 40 {
		return touch(50000+40) ^ 41 ^ 41
	}
	if n == 41 {
		return touch(50000+41) ^ 42 ^ 42
	}
	if n == 42 {
		return touch(50000+42) ^ 43 ^ 43
	}
	if n == 43 {
		return touch(50000+43) ^ 44 ^ 44
	}
	if n == 44 {
		return touch(50000+44) ^ 45 ^ 45
	}
	if n == 45 {
		return touch(50000+45) ^ 46 ^ 46
	}
	if n == 46 {
		return touch(50000+46) ^ 47 ^ 47
	}
	if n == 47 {
		return touch(50000+47) ^ 48 ^ 48
	}
	if n == 48 {
		return touch(50000+48) ^ 49 ^ 49
	}
	return touch(50000) + n
}

// touch keeps the calls apart: without it the compiler could share code between returns.
//
//go:noinline
func touch(n int) int {
	return n
}

// nap sleeps, so that its goroutine often goes on in another thread, and returns what it was given.
//
//go:noinline
func nap(milliseconds int) int {
	time.Sleep(time.Duration(milliseconds) * time.Millisecond)
	return milliseconds
}

// pair has two results.
//
//go:noinline
func pair(n int) (int, string) {
	return n * 2, fmt.Sprint("pair ", n)
}

// empty is nothing but a return instruction: it is entered and left at one place.
//
//go:noinline
func empty() {}

func main() {
	for _, f := range []struct {
		returns int
		pick    func(int) int
	}{{1, pick1}, {2, pick2}, {10, pick10}, {50, pick50}} {
		sum := 0
		for i := 0; i < f.returns; i++ {
			sum += f.pick(i)
		}
		fmt.Println("pick", f.returns, "sum", sum)
	}
	var napping sync.WaitGroup
	for i := 0; i < 8; i++ {
		napping.Add(1)
		go func() {
			defer napping.Done()
			nap(20)
		}()
	}
	napping.Wait()
	for i := 0; i < 7; i++ {
		empty()
	}
	n, s := pair(21)
	fmt.Println(n, s)
}
