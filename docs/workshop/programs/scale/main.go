// Scale reads from the scale of a tea house, which sends records of 64 bytes: a weight in grams, filled up with blanks.
package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"workshop/facts"
)

const record = 64

// weigh reads a record and gives the weight, 0 if there is none.
//
//go:noinline
func weigh(scale net.Conn) (int, bool) {
	buffer := make([]byte, record)
	n, err := scale.Read(buffer)
	if err != nil {
		return 0, false
	}
	if n < record {
		facts.Note("short", record, n)
	}
	grams := 0
	fmt.Sscanf(string(buffer[:n]), "weight %d", &grams)
	return grams, true
}

// send is the scale. Every third record leaves it in two pieces.
func send(conn net.Conn) {
	defer conn.Close()
	for n := 1; n <= 9; n++ {
		text := fmt.Sprintf("weight %d", 100*n)
		text += strings.Repeat(" ", record-len(text))
		if n%3 == 0 {
			conn.Write([]byte(text[:40]))
			time.Sleep(15 * time.Millisecond)
			text = text[40:]
		}
		conn.Write([]byte(text))
		time.Sleep(15 * time.Millisecond)
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
	go func() {
		if conn, err := listener.Accept(); err == nil {
			send(conn)
		}
	}()
	scale, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
	weights, empty := 0, 0
	for {
		grams, more := weigh(scale)
		if !more {
			break
		}
		weights++
		if grams == 0 {
			empty++
		}
	}
	fmt.Println(weights, "weights,", empty, "of them 0 g")
}
