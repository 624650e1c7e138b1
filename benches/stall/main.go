// The run of the bench "stall" on Go: main <hog> <k> <milliseconds>.
package main

import (
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	message = 64
	tick    = time.Millisecond
)

var (
	stop  atomic.Bool
	turns atomic.Uint64
	sink  atomic.Uint64
	all   sync.WaitGroup
)

type times struct {
	mu   sync.Mutex
	list []time.Duration
}

func (t *times) add(d time.Duration) {
	t.mu.Lock()
	t.list = append(t.list, d)
	t.mu.Unlock()
}

func (t *times) String() string {
	sort.Slice(t.list, func(i, j int) bool { return t.list[i] < t.list[j] })
	at := func(q float64) float64 {
		if len(t.list) == 0 {
			return math.NaN()
		}
		i := min(int(float64(len(t.list))*q), len(t.list)-1)
		return float64(t.list[i].Nanoseconds()) / 1000
	}
	return fmt.Sprintf("%d %.1f %.1f %.1f", len(t.list), at(0.5), at(0.99), at(1))
}

//go:noinline
func work(steps uint64, x uint64) uint64 {
	for range steps {
		x = x*6364136223846793005 + 1
	}
	return x
}

func calibrate() uint64 {
	const steps = 200000
	best := time.Hour
	for range 40 {
		start := time.Now()
		sink.Add(work(steps, 1))
		best = min(best, time.Since(start))
	}
	return uint64(steps * 1e-3 / best.Seconds())
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func turn(hog string, perMs uint64) {
	switch {
	case strings.HasPrefix(hog, "compute"):
		ms, err := strconv.Atoi(hog[len("compute"):])
		check(err)
		sink.Add(work(perMs*uint64(ms), 1))
	case strings.HasPrefix(hog, "sleep"):
		ms, err := strconv.Atoi(hog[len("sleep"):])
		check(err)
		until := time.Now().Add(time.Duration(ms) * time.Millisecond)
		for {
			left := time.Until(until)
			if left <= 0 {
				return
			}
			rest := syscall.NsecToTimespec(left.Nanoseconds())
			// A signal ends it early.
			_ = syscall.Nanosleep(&rest, nil)
		}
	}
}

func pair() (net.Conn, net.Conn) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	check(err)
	conn := func(fd int) net.Conn {
		file := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(file)
		check(err)
		check(file.Close())
		return c
	}
	return conn(fds[0]), conn(fds[1])
}

func hogs(hog string, k int, perMs uint64) {
	for range k {
		all.Go(func() {
			if hog == "ready" {
				near, far := pair()
				b := []byte{1}
				for !stop.Load() {
					_, err := near.Write(b)
					check(err)
					_, err = io.ReadFull(far, b)
					check(err)
					turns.Add(1)
				}
				return
			}
			for !stop.Load() {
				turn(hog, perMs)
				turns.Add(1)
			}
		})
	}
}

func main() {
	hog := os.Args[1]
	k, err := strconv.Atoi(os.Args[2])
	check(err)
	ms, err := strconv.Atoi(os.Args[3])
	check(err)
	perMs := calibrate()
	var ticks, echoes times

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	client, err := net.Dial("tcp", listener.Addr().String())
	check(err)
	server, err := listener.Accept()
	check(err)
	all.Go(func() {
		b := make([]byte, message)
		for {
			n, err := server.Read(b)
			if err != nil {
				return
			}
			_, err = server.Write(b[:n])
			check(err)
		}
	})
	all.Go(func() {
		b := make([]byte, message)
		for !stop.Load() {
			start := time.Now()
			_, err := client.Write(b)
			check(err)
			_, err = io.ReadFull(client, b)
			check(err)
			echoes.add(time.Since(start))
			time.Sleep(tick)
		}
		client.Close()
	})
	all.Go(func() {
		for !stop.Load() {
			start := time.Now()
			time.Sleep(tick)
			ticks.add(max(0, time.Since(start)-tick))
		}
	})
	hogs(hog, k, perMs)

	// A thread of its own, as the others measure: a raw sleep of the kernel.
	rest := syscall.NsecToTimespec(int64(ms) * 1e6)
	for syscall.Nanosleep(&rest, &rest) == syscall.EINTR {
	}
	stop.Store(true)
	done := turns.Load()
	all.Wait()
	fmt.Printf("outcome %v %v %d\n", &ticks, &echoes, done)
}
