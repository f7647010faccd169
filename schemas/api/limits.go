package api

import (
	"fmt"
	"strconv"
)

// Limits that every endpoint and command validates alike.
const (
	DefaultN     = 20      // answers when n is not given
	MaxN         = 1000    // answers at most
	MaxBatch     = 1000    // records of one POST at most
	MaxBodyBytes = 5 << 20 // bytes of one POST at most
)

// ParseN reads the number of answers wanted; "" means DefaultN.
func ParseN(s string) (int, error) {
	if s == "" {
		return DefaultN, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > MaxN {
		return 0, Errorf(Invalid, "n=%s: a whole number from 1 to %d is accepted", Clip(s), MaxN)
	}
	return n, nil
}

// ParseBool reads a switch of a query; "" means fallback.
func ParseBool(name, s string, fallback bool) (bool, error) {
	switch s {
	case "":
		return fallback, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, Errorf(Invalid, "%s=%s: true or false is accepted", name, Clip(s))
}

// Clip shortens and quotes a value from outside for a message.
func Clip(s string) string {
	const most = 64
	if len(s) > most {
		return fmt.Sprintf("%q…(%d bytes)", s[:most], len(s))
	}
	return strconv.Quote(s)
}
