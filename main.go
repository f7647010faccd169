// Anabranch is a lambda-architecture personalization pipeline; package jobs is its command line.
package main

import (
	"os"

	"github.com/anabranch/anabranch/jobs"
)

func main() {
	os.Exit(jobs.Main(jobs.Env{Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr}))
}
