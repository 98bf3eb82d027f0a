// Shortread reads from a connection in two ways: one that believes that Read fills its buffer, and one that reads on.
package main

import (
	"fmt"
	"io"
	"net"
	"time"
)

//go:noinline
func hasty(c net.Conn, buffer []byte) int {
	n, _ := c.Read(buffer)
	return n
}

//go:noinline
func careful(c net.Conn, buffer []byte) int {
	n, _ := io.ReadFull(c, buffer)
	return n
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		panic(err)
	}
	server, err := listener.Accept()
	if err != nil {
		panic(err)
	}
	go func() {
		for i := 0; i < 4; i++ {
			client.Write(make([]byte, 100))
			time.Sleep(20 * time.Millisecond)
		}
	}()
	buffer := make([]byte, 200)
	fmt.Println("hasty", hasty(server, buffer))
	fmt.Println("careful", careful(server, buffer))
	fmt.Println("exact", hasty(server, buffer[:100]))
}
