// The Go side: PROTOCOL BODY WORKERS, where the number of workers is in
// GOMAXPROCS already.
package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: http-go PROTOCOL BODY WORKERS")
		os.Exit(2)
	}
	var protocols http.Protocols
	switch os.Args[1] {
	case "h1":
		protocols.SetHTTP1(true)
	case "h2":
		protocols.SetUnencryptedHTTP2(true)
	}
	size, err := strconv.Atoi(os.Args[2])
	check(err)
	hello := []byte("Hello, World!")
	body := bytes.Repeat(hello, size/len(hello)+1)[:size]
	length := strconv.Itoa(size)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	server := http.Server{
		Protocols: &protocols,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			// Without it, long bodies would be sent in chunks.
			w.Header().Set("Content-Length", length)
			w.Write(body)
		}),
	}
	go func() {
		// Nothing is ever sent; the end comes when the parent closes its side.
		os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	fmt.Println("listening", listener.Addr())
	check(server.Serve(listener))
}
