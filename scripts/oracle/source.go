package oracle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// fingerprint names the state of a module's sources: the files that its binary is made of, the Go
// version and the platform. Tests are no part of it.
func fingerprint(source string) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	files := 0
	err := filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !compiled(d.Name()) {
			return err
		}
		rel, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		fmt.Fprintf(sum, "%s %d\n%s\n", filepath.ToSlash(rel), len(content), content)
		return nil
	})
	if err == nil && files == 0 {
		err = errors.New("no source files")
	}
	if err != nil {
		return "", fmt.Errorf("read the sources in %s: %w", source, err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

// compiled says whether a file is part of a binary.
func compiled(name string) bool {
	if name == "go.mod" || name == "go.sum" {
		return true
	}
	return strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
}
