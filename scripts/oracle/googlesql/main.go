// Command googlesql type-checks GoogleSQL against given tables. It is a module of its own because
// the analyzer takes minutes and gigabytes to build; see package check for the protocol.
//
//	googlesql check < requests.jsonl > answers.jsonl
package main

import (
	"fmt"
	"os"

	"github.com/anabranch/anabranch/scripts/oracle/googlesql/check"
)

func main() {
	if len(os.Args) != 2 || os.Args[1] != "check" {
		fmt.Fprintln(os.Stderr, "usage: googlesql check < requests.jsonl > answers.jsonl")
		os.Exit(2)
	}
	checker, err := check.New()
	if err == nil {
		err = checker.Serve(os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "googlesql check:", err)
		os.Exit(1)
	}
}
