// Httpmix is a web server and its own client: a known mix of methods, paths and answers.
package main

import (
	"flag"
	"fmt"
	"io"
	"io/ioutil"
	"net"
	"net/http"
	"strings"
	"time"
)

// requests are made in this order, each round.
var requests = []struct{ method, path, body string }{
	{"GET", "/", ""},
	{"GET", "/items/7?verbose=1", ""},
	{"POST", "/items", "name=tea"},
	{"GET", "/missing", ""},
	{"DELETE", "/items/7", ""},
	{"GET", "/slow", ""},
	{"GET", "/broken", ""},
}

//go:noinline
func handle(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/":
		fmt.Fprintln(w, "welcome")
	case r.URL.Path == "/slow":
		time.Sleep(20 * time.Millisecond)
		fmt.Fprintln(w, "at last")
	case r.URL.Path == "/broken":
		http.Error(w, "broken", http.StatusInternalServerError)
	case r.Method == "POST":
		io.Copy(ioutil.Discard, r.Body)
		w.WriteHeader(http.StatusCreated)
	case r.Method == "DELETE":
		w.WriteHeader(http.StatusNoContent)
	case strings.HasPrefix(r.URL.Path, "/items/"):
		fmt.Fprintln(w, "tea")
	default:
		http.NotFound(w, r)
	}
}

func main() {
	rounds := flag.Int("rounds", 1, "how often the requests are made")
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, http.HandlerFunc(handle))
	base := "http://" + listener.Addr().String()
	for r := 0; r < *rounds; r++ {
		for _, q := range requests {
			request, err := http.NewRequest(q.method, base+q.path, strings.NewReader(q.body))
			if err != nil {
				panic(err)
			}
			request.Header.Set("User-Agent", "httpmix")
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				panic(err)
			}
			io.Copy(ioutil.Discard, response.Body)
			response.Body.Close()
			fmt.Println(q.method, q.path, response.StatusCode)
		}
	}
}
