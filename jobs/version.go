package jobs

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker (Makefile).
var version string

// Version returns the release, or what the Go toolchain recorded of the source.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

type versionCmd struct {
	JSON bool `help:"Print JSON."`
}

// Run prints version, Go version and platform.
func (c *versionCmd) Run(rt *runtimeEnv) error {
	if c.JSON {
		return printJSON(rt.stdout, map[string]string{
			"version": Version(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
		})
	}
	_, err := fmt.Fprintf(rt.stdout, "anabranch %s (%s, %s/%s)\n", Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
