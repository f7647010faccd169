package env

import (
	"context"
	"fmt"

	"github.com/anabranch/anabranch/scripts/oracle"
)

// OraclesVar is set to the path of one of the oracles (see scripts/oracle); its counterparts are set too.
var OraclesVar = oracle.Variable(oracle.GoogleSQL)

// BuildOracles builds the independent judges of generated SQL: a GoogleSQL checker, the BigQuery emulator
// and DuckDB. The first time takes minutes and 7 GB of memory. Nothing is started: tests run them.
func BuildOracles(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if _, err := cfg.command(ctx, "g++", "g++", "clang++"); err != nil { // DuckDB is C++
		return nil, err
	}
	s := &Server{Name: "oracles"}
	for _, name := range oracle.Names() {
		path, err := oracle.Build(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("build oracle %s: %w", name, err)
		}
		s.Env = append(s.Env, oracle.Variable(name)+"="+path)
	}
	return s, nil
}
