// Resolve looks up names with Go's own resolver at a name server of its own, or is only that server (-serve).
// The server knows NAME.test as 127.0.0.1; late.test takes 30 milliseconds, all else does not exist.
package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// answer makes the answer to a DNS query: RFC 1035, section 4.
func answer(query []byte) []byte {
	if len(query) < 12 {
		return nil
	}
	var labels []string
	at := 12
	for at < len(query) && query[at] != 0 {
		end := at + 1 + int(query[at])
		if end > len(query) {
			return nil
		}
		labels = append(labels, string(query[at+1:end]))
		at = end
	}
	if at+5 > len(query) {
		return nil
	}
	name := strings.ToLower(strings.Join(labels, "."))
	kind := binary.BigEndian.Uint16(query[at+1:])
	reply := append([]byte(nil), query[:at+5]...)
	reply[2], reply[3] = 0x81, 0x80 // an answer, recursion available
	copy(reply[6:12], []byte{0, 0, 0, 0, 0, 0})
	if strings.HasPrefix(name, "late.") {
		time.Sleep(30 * time.Millisecond)
	}
	if !strings.HasSuffix(name, ".test") {
		reply[3] |= 3 // no such name
		return reply
	}
	if kind == 1 { // A
		reply[7] = 1
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
	}
	return reply
}

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

func main() {
	address := flag.String("serve", "", "only serve, at this address")
	flag.Parse()
	place := *address
	if place == "" {
		place = "127.0.0.1:0"
	}
	conn, err := net.ListenPacket("udp", place)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if *address != "" {
		fmt.Println("serving")
		serve(conn)
		return
	}
	go serve(conn)
	resolver := net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "udp", conn.LocalAddr().String())
		},
	}
	for _, name := range []string{"tea.test", "late.test", "nothing.example"} {
		addresses, err := resolver.LookupHost(context.Background(), name+".")
		fmt.Println(name, addresses, err == nil)
	}
}
