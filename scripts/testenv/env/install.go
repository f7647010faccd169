package env

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// cached returns the folder name below the cache, filling it first if it is not there. Two runs at
// the same time do not fill it twice, and a broken installation leaves nothing behind.
func (c Config) cached(ctx context.Context, name string, fill func(ctx context.Context, dir string) error) (string, error) {
	dir := filepath.Join(c.Cache, name)
	unlock, err := c.lock(name)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	partial, err := os.MkdirTemp(c.Cache, name+".partial-")
	if err != nil {
		return "", fmt.Errorf("make a folder to install %s: %w", name, err)
	}
	defer os.RemoveAll(partial)
	c.Log.Info("installing, once", "what", name, "into", dir)
	if err := fill(ctx, partial); err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	if err := os.Rename(partial, dir); err != nil {
		return "", fmt.Errorf("keep %s: %w", name, err)
	}
	return dir, nil
}

// lock holds <cache>/<name>.lock against other processes and goroutines until unlock is called.
func (c Config) lock(name string) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(c.Cache, name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the lock of %s: %w", name, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", file.Name(), err), file.Close())
	}
	return func() { _ = file.Close() }, nil
}

// command finds an executable by one of its names, installing the Debian package that holds it when
// there is none.
func (c Config) command(ctx context.Context, debian string, names ...string) (string, error) {
	if path := look(names); path != "" {
		return path, nil
	}
	unlock, err := c.lock("apt")
	if err != nil {
		return "", err
	}
	defer unlock()
	if err := c.aptInstall(ctx, debian); err != nil {
		return "", fmt.Errorf("%s is not installed: %w", names[0], err)
	}
	if path := look(names); path != "" {
		return path, nil
	}
	return "", fmt.Errorf("the package %s was installed, but %s is still not in PATH", debian, names[0])
}

func look(names []string) string {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func (c Config) aptInstall(ctx context.Context, debian string) error {
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Getuid() != 0 {
		return fmt.Errorf("install it by hand (Debian: sudo apt-get install %s); only root on a Debian system gets it done here", debian)
	}
	c.Log.Info("installing", "package", debian)
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", debian}} {
		// RUNLEVEL=1 keeps the package from starting a service of its own on the standard port.
		if err := c.runInstaller(ctx, "", []string{"DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"}, apt, args...); err != nil {
			return err
		}
	}
	return nil
}

// runInstaller runs a command, in dir if one is given, with its output on c.Output.
func (c Config) runInstaller(ctx context.Context, dir string, env []string, path string, args ...string) error {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = c.Output, c.Output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %s %s: %w", path, strings.Join(args, " "), err)
	}
	return nil
}
