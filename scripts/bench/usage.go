package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
)

// usage is what something took.
type usage struct {
	CPU    float64 // seconds of this process, user and system
	Wall   float64 // seconds
	PeakMB float64 // of resident memory of the whole process; 0 where the system does not tell
}

// measureUse runs f and returns what it took. Memory that was free before is given back first, so that the peak is of f.
func measureUse(f func() error) (usage, error) {
	debug.FreeOSMemory()
	forgetPeak()
	began := time.Now()
	before, err := cpuTime()
	if err != nil {
		return usage{}, err
	}
	if err := f(); err != nil {
		return usage{}, err
	}
	after, err := cpuTime()
	return usage{CPU: (after - before).Seconds(), Wall: time.Since(began).Seconds(), PeakMB: peakMB()}, err
}

func cpuTime() (time.Duration, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, fmt.Errorf("read the CPU time: %w", err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), nil
}

// forgetPeak lets the peak of resident memory start anew, where Linux allows it.
func forgetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

func peakMB() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kb, _ := strconv.ParseFloat(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 64)
			return kb / 1024
		}
	}
	return 0
}
