package kafka

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// childAddr names the address that a broker child listens on; "" takes a free port.
const childAddr = "ANABRANCH_TEST_BROKER_ADDR"

// runBroker is main of a broker child: it prints its address and serves until it is killed.
func runBroker(dir, addr string) int {
	broker, err := StartEmbedded(EmbeddedConfig{Dir: dir, Addr: addr})
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println(broker.Addr())
	// The parent holds the other end of stdin: it closes when the parent dies, however it dies.
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	if err := broker.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "close broker:", err)
		return 1
	}
	return 0
}

// child is a broker in a process of its own.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.Closer
	addr  string
	dead  bool
}

func startChild(t *testing.T, dir, addr string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childAddr+"="+addr)
	cmd.Stderr = t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: cmd, stdin: stdin}
	t.Cleanup(c.kill)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if c.addr = strings.TrimSpace(line); err != nil || strings.HasPrefix(line, "error:") {
		t.Fatalf("broker child: %q, %v", line, err)
	}
	return c
}

// kill is kill -9, and waits until the process is gone.
func (c *child) kill() {
	if c.dead {
		return
	}
	c.dead = true
	if err := c.cmd.Process.Kill(); err != nil {
		c.t.Errorf("kill broker child: %v", err)
	}
	_ = c.cmd.Wait() // "signal: killed"; closes the pipes
}

// stop lets the broker close in order, and waits until the process is gone.
func (c *child) stop() {
	c.t.Helper()
	c.dead = true
	if err := c.stdin.Close(); err != nil {
		c.t.Errorf("stop broker child: %v", err)
	}
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("broker child: %v", err)
	}
}
