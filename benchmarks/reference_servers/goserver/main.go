// Command goserver is the reference server in plain Go: the same protocol, written in the usual way with the standard
// library, and not tuned. A goroutine per connection; the whole output in memory.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os/exec"
	"syscall"
	"time"
)

type taskRequest struct {
	Command []string `json:"command"`
	Timeout float64  `json:"timeout"` // milliseconds; 0 is none
}

type taskResult struct {
	Command    []string `json:"command"`
	ExecutedAt int64    `json:"executed_at"`
	DurationMS float64  `json:"duration_ms"`
	ExitCode   int      `json:"exit_code"`
	Output     string   `json:"output"`
	Error      string   `json:"error"`
}

func main() {
	address := flag.String("listen", "127.0.0.1:3000", "address to accept schedulers on")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(conn)
	}
}

// serve handles one client's requests, one after the other, until it closes.
func serve(conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewReader(conn)
	results := json.NewEncoder(conn)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		if err := results.Encode(answer(line)); err != nil {
			return
		}
	}
}

func answer(line []byte) taskResult {
	var request taskRequest
	if err := json.Unmarshal(line, &request); err != nil {
		return taskResult{Command: []string{}, ExitCode: -1, Error: "invalid request: " + err.Error()}
	}
	if len(request.Command) == 0 {
		return taskResult{Command: []string{}, ExitCode: -1, Error: "invalid request: no command"}
	}
	return execute(request)
}

func execute(request taskRequest) taskResult {
	ctx := context.Background()
	if request.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(request.Timeout*float64(time.Millisecond)))
		defer cancel()
	}
	var stdout bytes.Buffer
	command := exec.CommandContext(ctx, request.Command[0], request.Command[1:]...)
	command.Stdout = &stdout

	started := time.Now()
	err := command.Run()
	result := taskResult{
		Command:    request.Command,
		ExecutedAt: started.Unix(),
		DurationMS: float64(time.Since(started).Microseconds()) / 1000,
		Output:     stdout.String(),
	}
	result.ExitCode, result.Error = outcome(ctx, err)
	return result
}

// outcome converts the error of Run to the protocol's exit_code and error.
func outcome(ctx context.Context, err error) (int, string) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, ""
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return -1, "timeout exceeded"
	case !errors.As(err, &exit):
		return -1, err.Error()
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), fmt.Sprintf("terminated by signal %d", status.Signal())
	}
	return exit.ExitCode(), ""
}
