// What Go takes for the same: a goroutine profile and the text of all stacks of n
// goroutines that wait. Prints nanoseconds and the worst gap of a heartbeat in
// microseconds, a line each.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync/atomic"
	"time"
)

func main() {
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	runtime.GOMAXPROCS(2)
	never := make(chan struct{})
	for range n {
		go func() { <-never }()
	}
	var worst atomic.Int64
	go func() {
		last := time.Now()
		for {
			time.Sleep(time.Millisecond)
			worst.Store(max(worst.Load(), time.Since(last).Microseconds()))
			last = time.Now()
		}
	}()
	measure := func(f func()) {
		time.Sleep(500 * time.Millisecond)
		worst.Store(0)
		begun := time.Now()
		f()
		took := time.Since(begun)
		time.Sleep(50 * time.Millisecond)
		fmt.Println(took.Nanoseconds(), worst.Load())
	}
	measure(func() {
		if err := pprof.Lookup("goroutine").WriteTo(io.Discard, 0); err != nil {
			panic(err)
		}
	})
	text := make([]byte, n*512+1<<20)
	measure(func() { runtime.Stack(text, true) })
}
