package env

import (
	"context"
	"crypto/sha256"
	_ "embed" // the versions that pip installs
	"fmt"
	"os"
	"path/filepath"
)

// AirflowVar is set to the Python that has Apache Airflow: `PYTHON -m airflow`.
const AirflowVar = "ANABRANCH_TEST_AIRFLOW"

// airflowRequirements are all packages of Apache Airflow, as pip resolved them once.
//
//go:embed airflow-requirements.txt
var airflowRequirements []byte

// FindAirflow installs Apache Airflow into a virtual environment of the cache. Nothing is started: tests run it, each
// with a home of its own.
func FindAirflow(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	python, err := cfg.command(ctx, "python3-venv", "python3")
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("airflow-%x", sha256.Sum256(airflowRequirements))[:20]
	dir, err := cfg.cached(ctx, name, func(ctx context.Context, dir string) error {
		return cfg.installAirflow(ctx, python, dir)
	})
	if err != nil {
		return nil, err
	}
	return &Server{Name: "airflow", Env: []string{AirflowVar + "=" + filepath.Join(dir, "bin", "python3")}}, nil
}

// installAirflow makes the virtual environment. Its folder is renamed afterwards, which its interpreter bears and
// its scripts do not: hence `-m`.
func (c Config) installAirflow(ctx context.Context, python, dir string) error {
	if err := c.runInstaller(ctx, "", nil, python, "-m", "venv", dir); err != nil {
		// Debian's python3 comes without what makes one.
		if apt := c.aptInstall(ctx, "python3-venv"); apt != nil {
			return fmt.Errorf("%w; %w", err, apt)
		}
		if err := c.runInstaller(ctx, "", nil, python, "-m", "venv", dir); err != nil {
			return err
		}
	}
	list := filepath.Join(dir, "requirements.txt")
	if err := os.WriteFile(list, airflowRequirements, 0o644); err != nil {
		return err
	}
	return c.runInstaller(ctx, "", nil, filepath.Join(dir, "bin", "python3"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", list)
}
