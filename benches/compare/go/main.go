// Go's side of the comparison: the same cases with goroutines and channels.
//
// Usage: compare-go CASE WORKERS SCALE. GOMAXPROCS sets the width; the sizes are those of the Rust workloads, and so is
// the line that is printed at the end.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var scale string

func pick[T any](full, quick, test T) T {
	switch scale {
	case "full":
		return full
	case "quick":
		return quick
	}
	return test
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type usage struct{ cpu, switches int64 }

func used() usage {
	var r syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return usage{r.Utime.Nano() + r.Stime.Nano(), r.Nvcsw + r.Nivcsw}
}

type meter struct {
	wall  time.Time
	usage usage
}

func start() meter {
	u := used()
	return meter{time.Now(), u}
}

type sample struct{ ops, wall, cpu, switches, grown, p50, p99, max int64 }

func (m meter) stop(ops int64) sample {
	wall := time.Since(m.wall)
	u := used()
	return sample{ops: ops, wall: int64(wall), cpu: u.cpu - m.usage.cpu, switches: u.switches - m.usage.switches}
}

func (s sample) withLatencies(nanos []int64) sample {
	slices.Sort(nanos)
	n := len(nanos)
	s.p50, s.p99, s.max = nanos[n/2], nanos[min(n*99/100, n-1)], nanos[n-1]
	return s
}

func (s sample) print() {
	fmt.Printf("sample ops=%d wall_ns=%d cpu_ns=%d switches=%d peak_rss=%d grown=%d p50=%d p99=%d max=%d\n",
		s.ops, s.wall, s.cpu, s.switches, statusBytes("VmHWM:"), s.grown, s.p50, s.p99, s.max)
}

func statusBytes(field string) int64 {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		if rest, ok := strings.CutPrefix(line, field); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib * 1024
		}
	}
	return 0
}

func measured(ops int64, once func(int64)) sample {
	once(max(ops/10, 1))
	m := start()
	once(ops)
	return m.stop(ops)
}

var sink uint32

// Steps as in the Rust workloads; the result is kept, so that the loop is.
func compute(steps uint32) {
	x := steps
	for range steps {
		x = x*0x9E37_79B1 ^ 0x55
	}
	atomic.StoreUint32(&sink, x)
}

func spawnMany() sample {
	return measured(pick[int64](1_000_000, 200_000, 500), func(tasks int64) {
		var done sync.WaitGroup
		done.Add(int(tasks))
		for range tasks {
			go done.Done()
		}
		done.Wait()
	})
}

func spawnJoin() sample {
	return measured(pick[int64](1_000_000, 200_000, 500), func(tasks int64) {
		for i := range tasks {
			done := make(chan int64, 1)
			go func() { done <- i }()
			if <-done != i {
				panic("a join brings its own task's output")
			}
		}
	})
}

func chainedSpawn() sample {
	return measured(pick[int64](1_000_000, 200_000, 500), func(links int64) {
		done := make(chan struct{})
		go link(links, done)
		<-done
	})
}

func link(left int64, done chan struct{}) {
	if left > 1 {
		go link(left-1, done)
	} else {
		close(done)
	}
}

const crowd = 1000

func yieldMany() sample {
	return measured(pick[int64](4_000_000, 1_000_000, 10*crowd), func(yields int64) {
		var done sync.WaitGroup
		for range crowd {
			done.Go(func() {
				for range yields / crowd {
					runtime.Gosched()
				}
			})
		}
		done.Wait()
	})
}

func pingPong(pairs int64) sample {
	return measured(pick[int64](2_000_000, 400_000, 640), func(trips int64) {
		var done sync.WaitGroup
		for range pairs {
			ball, back := make(chan struct{}), make(chan struct{})
			go func() {
				for range trips / pairs {
					<-ball
					back <- struct{}{}
				}
			}()
			done.Go(func() {
				for range trips / pairs {
					ball <- struct{}{}
					<-back
				}
			})
		}
		done.Wait()
	})
}

func wakeStorm() sample {
	return measured(pick[int64](2_000_000, 400_000, 3*crowd), func(wakes int64) {
		rounds := max(wakes/crowd, 1)
		var batons [crowd]chan struct{}
		var left atomic.Int64
		reported := make(chan struct{}, 1)
		for i := range batons {
			me := make(chan struct{}, 1)
			batons[i] = me
			go func() {
				for range rounds {
					<-me
					if left.Add(-1) == 0 {
						reported <- struct{}{}
					}
				}
			}()
		}
		for range rounds {
			left.Store(crowd)
			for _, one := range batons {
				one <- struct{}{}
			}
			<-reported
		}
	})
}

func tree() sample {
	return measured(pick[int64](500_000, 100_000, 200), func(leaves int64) {
		var done sync.WaitGroup
		done.Add(int(leaves))
		go fork(leaves, &done)
		done.Wait()
	})
}

func fork(leaves int64, done *sync.WaitGroup) {
	if leaves == 1 {
		compute(130)
		done.Done()
		return
	}
	heavy := max(leaves*3/4, 1)
	go fork(heavy, done)
	go fork(leaves-heavy, done)
}

func bag() sample {
	return measured(pick[int64](300_000, 100_000, 200), func(tasks int64) {
		var done sync.WaitGroup
		done.Add(int(tasks))
		for range tasks {
			go func() {
				compute(2000)
				done.Done()
			}()
		}
		done.Wait()
	})
}

func scatter(i int64) uint64 {
	return uint64(i) * 0x9E37_79B9_7F4A_7C15 >> 20
}

func timerChurn() sample {
	const churners, stretch, standing = 8, 64, 1000
	for i := range standing {
		go time.Sleep(time.Duration(100+i) * time.Second)
	}
	go func() {
		for {
			time.Sleep(100 * time.Millisecond)
		}
	}()
	time.Sleep(time.Millisecond)
	return measured(pick[int64](4_000_000, 1_000_000, 2*churners*stretch), func(timers int64) {
		var done sync.WaitGroup
		for range churners {
			done.Go(func() {
				for i := range timers / churners {
					timer := time.NewTimer(time.Duration(1_000+scatter(i)%60_000) * time.Millisecond)
					if !timer.Stop() {
						panic("a second has not passed yet")
					}
					if i%stretch == stretch-1 {
						runtime.Gosched()
					}
				}
			})
		}
		done.Wait()
	})
}

func sleepers() sample {
	sleepAndWake(pick[int64](1_000, 1_000, 10), 0, time.Millisecond)
	count := pick[int64](1_000_000, 100_000, 200)
	lead := pick(3*time.Second, 500*time.Millisecond, 5*time.Millisecond)
	spread := pick(time.Second, time.Second, 5*time.Millisecond)
	m := start()
	late := sleepAndWake(count, lead, spread)
	return m.stop(count).withLatencies(late)
}

func sleepAndWake(count int64, lead, spread time.Duration) []int64 {
	late := make([]int64, count)
	first := time.Now().Add(lead)
	var done sync.WaitGroup
	done.Add(int(count))
	for i := range count {
		due := first.Add(time.Duration(float64(spread) * float64(scatter(i)%uint64(count)) / float64(count)))
		go func() {
			time.Sleep(time.Until(due))
			late[i] = max(int64(time.Since(due)), 0)
			done.Done()
		}()
	}
	done.Wait()
	return late
}

const message = 64

func serveEcho() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go func() {
		for {
			conn, err := listener.Accept()
			check(err)
			go func() {
				defer conn.Close()
				buf := make([]byte, 1024)
				for {
					n, err := conn.Read(buf)
					if err != nil {
						return
					}
					if _, err := conn.Write(buf[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func exchange(conn net.Conn, buf []byte) {
	_, err := conn.Write(buf)
	check(err)
	_, err = io.ReadFull(conn, buf)
	check(err)
}

func tcpEcho(connections int64) sample {
	requests := pick[int64](128_000, 25_600, 128)
	if connections == 1 {
		requests = pick[int64](40_000, 10_000, 64)
	}
	addr := serveEcho()
	converse(addr, connections, requests/10)
	m := start()
	latencies := converse(addr, connections, requests)
	return m.stop(int64(len(latencies))).withLatencies(latencies)
}

func converse(addr string, connections, requests int64) []int64 {
	each := max(requests/connections, 1)
	latencies := make([]int64, each*connections)
	var done sync.WaitGroup
	for c := range connections {
		done.Go(func() {
			conn, err := net.Dial("tcp", addr)
			check(err)
			defer conn.Close()
			buf := make([]byte, message)
			for i := range each {
				sent := time.Now()
				exchange(conn, buf)
				latencies[c*each+i] = int64(time.Since(sent))
			}
		})
	}
	done.Wait()
	return latencies
}

func connectChurn() sample {
	const clients = 8
	addr := serveEcho()
	return measured(pick[int64](24_000, 8_000, 32), func(connections int64) {
		var done sync.WaitGroup
		for range clients {
			done.Go(func() {
				buf := make([]byte, message)
				for range connections / clients {
					conn, err := net.Dial("tcp", addr)
					check(err)
					check(conn.(*net.TCPConn).SetLinger(0))
					exchange(conn, buf)
					conn.Close()
				}
			})
		}
		done.Wait()
	})
}

func httpHello() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	hello := []byte("Hello, World!")
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(hello) }))
	fmt.Println("listening", listener.Addr())
	m := start()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 1 && words[0] == "begin":
			m = start()
			fmt.Println("begun")
		case len(words) == 3 && words[0] == "end":
			wall, err := strconv.ParseInt(words[1], 10, 64)
			check(err)
			requests, err := strconv.ParseInt(words[2], 10, 64)
			check(err)
			s := m.stop(requests)
			s.wall = wall
			s.print()
			os.Exit(0)
		default:
			os.Exit(1)
		}
	}
	os.Exit(1)
}

func park(tasks int64) []chan struct{} {
	batons := make([]chan struct{}, tasks)
	for i := range batons {
		batons[i] = make(chan struct{}, 1)
	}
	return batons
}

// Leaves one goroutine waiting for each baton.
func wait(batons []chan struct{}) {
	var parked sync.WaitGroup
	parked.Add(len(batons))
	for _, baton := range batons {
		go func() {
			parked.Done()
			<-baton
		}()
	}
	parked.Wait()
}

func idleCPU() sample {
	addr := serveEcho()
	parked := park(1000)
	wait(parked)
	for range 100 {
		go time.Sleep(time.Hour)
	}
	var silent []net.Conn
	for range 64 {
		conn, err := net.Dial("tcp", addr)
		check(err)
		silent = append(silent, conn)
	}
	time.Sleep(pick(500*time.Millisecond, 300*time.Millisecond, 5*time.Millisecond))
	m := start()
	time.Sleep(pick(2*time.Second, 2*time.Second, 10*time.Millisecond))
	s := m.stop(1)
	close(parked[0])
	silent[0].Close()
	return s
}

func parkedBytes() sample {
	wait(park(100))
	tasks := pick[int64](1_000_000, 100_000, 1000)
	batons := park(tasks)
	before := statusBytes("VmRSS:")
	m := start()
	wait(batons)
	grown := max(statusBytes("VmRSS:")-before, 0)
	s := m.stop(tasks)
	s.grown = grown
	return s
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: compare-go CASE WORKERS SCALE")
		os.Exit(2)
	}
	scale = os.Args[3]
	cases := map[string]func() sample{
		"spawn_many":    spawnMany,
		"spawn_join":    spawnJoin,
		"chained_spawn": chainedSpawn,
		"yield_many":    yieldMany,
		"ping_pong_1":   func() sample { return pingPong(1) },
		"ping_pong_64":  func() sample { return pingPong(64) },
		"wake_storm":    wakeStorm,
		"tree":          tree,
		"bag":           bag,
		"timer_churn":   timerChurn,
		"sleep_1m":      sleepers,
		"tcp_echo_1":    func() sample { return tcpEcho(1) },
		"tcp_echo_64":   func() sample { return tcpEcho(64) },
		"connect_churn": connectChurn,
		"http_hello":    func() sample { httpHello(); return sample{} },
		"idle_cpu":      idleCPU,
		"parked_bytes":  parkedBytes,
	}
	run, known := cases[os.Args[1]]
	if !known {
		fmt.Fprintln(os.Stderr, "no case is called", os.Args[1])
		os.Exit(2)
	}
	run().print()
}
