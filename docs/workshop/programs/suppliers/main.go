// Suppliers asks for the addresses of the suppliers of a tea house. The name server is part of the program, so that no network is needed.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"workshop/facts"
)

// names are those of the suppliers, with the final dot of a whole name.
var names = strings.Fields("leaves.test. cups.test. honey.test. sugar.test.")

// order asks for a supplier's address and would send an order there.
//
//go:noinline
func order(resolver *net.Resolver, name string) bool {
	start := time.Now()
	addresses, err := resolver.LookupHost(context.Background(), name)
	facts.Note("lookup", name)
	if name == "honey.test." {
		facts.Note("slow", name, time.Since(start).Microseconds())
	}
	return err == nil && len(addresses) > 0
}

func main() {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "suppliers:", err)
		os.Exit(1)
	}
	go serve(server)
	resolver := &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "udp", server.LocalAddr().String())
		},
	}
	sent := 0
	for round := 0; round < 3; round++ {
		for _, name := range names {
			if order(resolver, name) {
				sent++
			}
		}
	}
	fmt.Println(sent, "orders sent")
}
