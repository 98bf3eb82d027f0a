// Web is a small HTTP server with one chain of calls per request:
// handler -> checkSite (asks a goroutine over a channel) -> prepareAnswer.
//
// Without flags it sends itself two requests on a free port and ends; with -serve it stays up until SIGTERM, and with
// -get it is a client of such a server.
package main

import (
	"flag"
	"fmt"
	"io/ioutil"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// site has 22 bytes, so that a length printed by a tracer can be told from other numbers.
const site = "golang-meetup-2020.com"

// answered is the number of requests so far; requests come one after the other.
var answered int

//go:noinline
func handler(w http.ResponseWriter, r *http.Request) {
	// The name is a fresh string in the heap, as in a real request.
	name := strings.TrimPrefix(r.URL.Path, "/")
	status := checkSite(name)
	answer := prepareAnswer(name, 2020+answered, status)
	answered++
	fmt.Fprintln(w, answer)
}

//go:noinline
func checkSite(name string) int {
	answers := make(chan int)
	go func() {
		if len(name) == 0 {
			answers <- http.StatusNotFound
		} else {
			answers <- http.StatusOK
		}
	}()
	return <-answers
}

//go:noinline
func prepareAnswer(name string, year int, status int) string {
	return fmt.Sprintf("%s %d: %d", name, year, status)
}

//go:noinline
func request(address string) {
	response, err := http.Get("http://" + address + "/" + site)
	if err != nil {
		fatal(err)
	}
	body, err := ioutil.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		fatal(err)
	}
	os.Stdout.Write(body)
}

//go:noinline
func fatal(err error) {
	fmt.Fprintln(os.Stderr, "web:", err)
	os.Exit(1)
}

func main() {
	address := flag.String("addr", "127.0.0.1:8080", "with -serve: the address to listen on")
	self := flag.Int("self", 2, "number of requests that the server sends itself")
	pause := flag.Duration("pause", 0, "wait this long before each of them")
	get := flag.String("get", "", "only send a request to the server at this address")
	serve := flag.Bool("serve", false, "answer until SIGTERM instead of sending requests")
	flag.Parse()
	if *get != "" {
		request(*get)
		return
	}
	if !*serve {
		*address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		fatal(err)
	}
	http.HandleFunc("/", handler)
	go func() { fatal(http.Serve(listener, nil)) }()
	if *serve {
		fmt.Println("listening on", listener.Addr())
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
		<-stop
		return
	}
	for i := 0; i < *self; i++ {
		time.Sleep(*pause)
		request(listener.Addr().String())
	}
}
