package engine

import (
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// usage is what the process has used since it started.
type usage struct {
	at           time.Time
	user, system time.Duration
	peak         int64 // bytes
}

func measure() (usage, error) {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		return usage{}, fmt.Errorf("read the process's resource usage: %w", err)
	}
	peak := r.Maxrss
	if runtime.GOOS == "linux" { // kilobytes there, bytes on macOS
		peak *= 1024
	}
	return usage{time.Now(), time.Duration(r.Utime.Nano()), time.Duration(r.Stime.Nano()), peak}, nil
}
