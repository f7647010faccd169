package env

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// onlyCommands makes PATH a folder that holds nothing but the given shell scripts.
func onlyCommands(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

// TestKafkaFallsBackToTheOlderVersion has a Maven that knows only the last version of the list.
func TestKafkaFallsBackToTheOlderVersion(t *testing.T) {
	versions := kafkaVersions()
	last := versions[len(versions)-1]
	onlyCommands(t, map[string]string{"mvn": `
for arg in "$@"; do case $arg in
  -Dkafka.version=*) version=${arg#*=} ;;
  -DoutputDirectory=*) dir=${arg#*=} ;;
esac; done
[ "$version" = ` + last + ` ] || { echo "no such version: $version"; exit 1; }
: > "$dir/kafka-$version.jar"
`})
	var out strings.Builder
	cfg, err := Config{Cache: t.TempDir(), Output: &out}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := cfg.kafkaJars(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "kafka-"+last+".jar")); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "no such version: "+versions[0]) {
		t.Errorf("Maven printed %q: the newest version was not tried first", out.String())
	}
}

// TestMissingCommandSaysWhatToInstall has neither the command nor apt-get.
func TestMissingCommandSaysWhatToInstall(t *testing.T) {
	onlyCommands(t, nil)
	_, err := StartRedis(t.Context(), Config{Cache: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "apt-get install redis-server") {
		t.Errorf("StartRedis: %v, want it to name the package", err)
	}
}

func TestOldJavaIsRefused(t *testing.T) {
	t.Setenv("JAVA_HOME", "")
	onlyCommands(t, map[string]string{"java": `echo 'openjdk version "11.0.2"' >&2`})
	_, err := StartKafka(t.Context(), Config{Cache: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "Java 17 or newer") || !strings.Contains(err.Error(), "is Java 11") {
		t.Errorf("StartKafka: %v, want it to ask for a newer Java", err)
	}
}
