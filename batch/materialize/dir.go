package materialize

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Folders of views that a killed process left are removed after this time; no computation takes so long.
const staleAfter = 48 * time.Hour

const dirPrefix = "anabranch-views-"

// viewDir makes a folder for the finished files below dir, and removes those that a killed process left.
func viewDir(dir string) (string, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make a folder for temporary files: %w", err)
	}
	if err := removeStale(dir); err != nil {
		return "", err
	}
	made, err := os.MkdirTemp(dir, dirPrefix)
	if err != nil {
		return "", fmt.Errorf("make a folder for temporary files: %w", err)
	}
	return made, nil
}

func removeStale(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look for old temporary files: %w", err)
	}
	for _, x := range entries {
		if !x.IsDir() || !strings.HasPrefix(x.Name(), dirPrefix) {
			continue
		}
		info, err := x.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("look for old temporary files: %w", err)
		}
		if time.Since(info.ModTime()) > staleAfter {
			if err := os.RemoveAll(filepath.Join(dir, x.Name())); err != nil {
				return fmt.Errorf("remove old temporary files: %w", err)
			}
		}
	}
	return nil
}
