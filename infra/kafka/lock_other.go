//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package kafka

import (
	"errors"
	"os"
)

// lockFile refuses: two brokers in one directory would destroy each other's log.
func lockFile(*os.File) error {
	return errors.New("no file locks on this system; run the broker without a directory, or a real one")
}
