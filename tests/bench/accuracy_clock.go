// A prober as one writes it with nothing but Go's standard library: a clock around the call. It takes the same job on
// stdin as the prober under measurement and answers in the same form (accuracy_job.py), so that both can be held
// against the same capture.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

type job struct {
	Probe     string   `json:"probe"`
	Addresses []string `json:"addresses"`
	Together  int      `json:"together"`
	Pause     float64  `json:"pause"`
	Timeout   float64  `json:"timeout"`
	Port      int      `json:"port"`
}

type probed struct {
	Address  string    `json:"address"`
	Outcome  string    `json:"outcome"`
	Duration float64   `json:"duration"`
	Clock    float64   `json:"clock"`
	Rtts     []float64 `json:"rtts"`
	Error    string    `json:"error"`
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	line, err := in.ReadBytes('\n')
	var work job
	if err == nil {
		err = json.Unmarshal(line, &work)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if warm := probe(work, work.Addresses[0]); warm.Outcome != "success" {
		fmt.Println(warm.Error)
		os.Exit(1)
	}
	fmt.Println("ready")
	if word, _ := in.ReadString('\n'); word != "go\n" {
		os.Exit(1)
	}
	addresses := work.Addresses[1:]
	done := make([]probed, len(addresses))
	for begin := 0; begin < len(addresses); begin += work.Together {
		var group sync.WaitGroup
		for i := begin; i < min(begin+work.Together, len(addresses)); i++ {
			group.Add(1)
			go func(i int) {
				defer group.Done()
				done[i] = probe(work, addresses[i])
			}(i)
		}
		group.Wait()
		time.Sleep(seconds(work.Pause))
	}
	out := json.NewEncoder(os.Stdout)
	for _, result := range done {
		_ = out.Encode(result)
	}
}

func probe(work job, address string) probed {
	begun := time.Now()
	server := net.JoinHostPort(address, strconv.Itoa(work.Port))
	clock, err := exchange(work.Probe, server, begun.Add(seconds(work.Timeout)))
	result := probed{address, "success", time.Since(begun).Seconds(), clock.Seconds(), []float64{}, ""}
	if err != nil {
		result.Outcome, result.Error = "error", err.Error()
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			result.Outcome = "timeout"
		}
	}
	return result
}

// exchange sends PING and takes the answer. It returns how long the connect took (TCP) or the answer (UDP).
func exchange(network, address string, deadline time.Time) (time.Duration, error) {
	begun := time.Now()
	dialer := net.Dialer{Deadline: deadline}
	connection, err := dialer.Dial(network, address)
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	connected := time.Since(begun)
	if err := connection.SetDeadline(deadline); err != nil {
		return 0, err
	}
	begun = time.Now()
	if _, err := connection.Write([]byte("PING")); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(connection, make([]byte, 4)); err != nil {
		return 0, err
	}
	if network == "tcp" {
		return connected, nil
	}
	return time.Since(begun), nil
}

func seconds(value float64) time.Duration {
	return time.Duration(value * float64(time.Second))
}
