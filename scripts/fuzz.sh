#!/usr/bin/env bash
# Runs every fuzz test of the module for the given time each: scripts/fuzz.sh [DURATION]
# A crasher is kept by go test below the package's testdata/fuzz and fails `make test` from then on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
time=${1:-30s}

# `go test -list` prints the names of a package, then "ok <package> …".
targets=$(go test -list '^Fuzz' ./... |
  awk '/^Fuzz/ {names[++n] = $1} $1 == "ok" {for (i = 1; i <= n; i++) print $2, names[i]; n = 0}')

failed=()
while read -r package name; do
  [ -n "$name" ] || continue
  echo "== $package $name"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$package" </dev/null || failed+=("$package $name")
done <<<"$targets"

if [ ${#failed[@]} -gt 0 ]; then
  printf 'failed: %s\n' "${failed[@]}"
  exit 1
fi
