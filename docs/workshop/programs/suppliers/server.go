package main

import (
	"net"
	"strings"
	"time"
)

// serve answers queries for addresses (RFC 1035, section 4): every name is 127.0.0.1. One name takes its time.
func serve(conn net.PacketConn) {
	buffer := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		query := append([]byte(nil), buffer[:n]...)
		go func() {
			if reply := answer(query); reply != nil {
				conn.WriteTo(reply, from)
			}
		}()
	}
}

func answer(query []byte) []byte {
	at := 12
	for at < len(query) && query[at] != 0 {
		at += 1 + int(query[at])
	}
	end := at + 5 // the end of the name, kind and class
	if end > len(query) {
		return nil
	}
	if strings.Contains(string(query[12:at]), "honey") {
		time.Sleep(60 * time.Millisecond)
	}
	reply := append([]byte(nil), query[:end]...)
	reply[2], reply[3] = 0x81, 0x80 // an answer, recursion available
	copy(reply[6:12], []byte{0, 0, 0, 0, 0, 0})
	if query[at+2] == 1 { // an address of four bytes is asked for
		reply[7] = 1
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
	}
	return reply
}
