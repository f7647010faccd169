package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/go-json-experiment/json"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/sql"
	"github.com/anabranch/anabranch/scripts/bench/rawgen"
)

// duckdbMemory is what DuckDB may use before it puts rows aside: what it keeps of the last events of a million users it cannot
// put aside, and 8 GB were too few.
const duckdbMemory = "16GB"

// materializeSource is the archive as the queries want it: the place in the log comes from the path and the offset.
const materializeSource = `(SELECT *, (CAST("partition" AS BIGINT) << 44) | "offset" AS seq
  FROM read_parquet('%s', hive_partitioning = true, hive_types = {'epoch': BIGINT, 'p': INTEGER}))`

// materializeSQL is what DuckDB does for a materialization.
type materializeSQL struct {
	phases     []string // of each statement that is measured
	statements []string
	checks     []string
	names      [][]string // what the row of each check answers
}

var materializeEntities = []feature.Entity{feature.User, feature.Item, feature.Global}

// newMaterializeSQL writes the script: the events that count into a table, from it the tiles of every entity into theirs.
func newMaterializeSQL(c feature.Catalogue, a rawgen.Archive, asOf int64) (*materializeSQL, error) {
	d, m := sql.DuckDB(), &materializeSQL{}
	source := sql.Source{Table: fmt.Sprintf(materializeSource, a.Glob()), Timestamps: true}
	events, err := sql.Events(d, c, source)
	if err != nil {
		return nil, err
	}
	m.create("events", "events", asOf, events)
	valid := "SELECT count(*) FROM " + source.Table + " WHERE reject IS NULL"
	m.check("SELECT n, ("+valid+") - n FROM (SELECT count(*) AS n FROM events)", "events", "duplicates")
	for _, e := range materializeEntities {
		tables, err := sql.Tiles(d, c, e, sql.Source{Table: "events", Distinct: true})
		if err != nil {
			return nil, err
		}
		for i, t := range tables {
			if e != feature.User || !strings.HasSuffix(t.Name, "_lifetime") {
				m.create(string(e), t.Name, asOf, t.SQL)
			} else if err := m.createInParts(c, e, i, asOf, a.Params.Rows); err != nil {
				return nil, err
			}
		}
		text, names, err := factsSQL(c, e, asOf, tables)
		if err != nil {
			return nil, err
		}
		m.check(text, names...)
	}
	return m, nil
}

func (m *materializeSQL) create(phase, table string, asOf int64, query string) {
	d := sql.DuckDB()
	query = strings.ReplaceAll(query, d.Param("as_of"), strconv.FormatInt(asOf, 10))
	query = strings.ReplaceAll(query, d.Param("cut_epoch"), "CAST(NULL AS BIGINT)")
	m.phases = append(m.phases, phase)
	m.statements = append(m.statements, "CREATE TEMP TABLE "+table+" AS\n"+query)
}

// duckdbPart is how many rows DuckDB aggregates at once into the table of all time, which holds the latest events of every
// user: with 16 GB it ran out of memory at 50 million.
const duckdbPart = 12_500_000

// createInParts creates the i-th table of an entity, a part of the users at a time.
func (m *materializeSQL) createInParts(c feature.Catalogue, e feature.Entity, i int, asOf, rows int64) error {
	parts := max(1, rows/duckdbPart)
	for part := range parts {
		source := "events"
		if parts > 1 {
			source = fmt.Sprintf("(SELECT * FROM events WHERE hash(user_id) %% %d = %d)", parts, part)
		}
		tables, err := sql.Tiles(sql.DuckDB(), c, e, sql.Source{Table: source, Distinct: true})
		if err != nil {
			return err
		}
		m.create(string(e), tables[i].Name, asOf, tables[i].SQL)
		if last := len(m.statements) - 1; part > 0 {
			m.statements[last] = strings.Replace(m.statements[last], "CREATE TEMP TABLE "+tables[i].Name+" AS", "INSERT INTO "+tables[i].Name, 1)
		}
	}
	return nil
}

func (m *materializeSQL) check(query string, names ...string) {
	m.checks, m.names = append(m.checks, query), append(m.names, names)
}

// run runs the script in a new process of DuckDB. What it took is of the statements; the checks follow.
func (m *materializeSQL) run(ctx context.Context, binary, scratch string) (a computeAnswer, err error) {
	requests := []duckdbScript{{Threads: computeThreads, Memory: duckdbMemory, SQL: "SET temp_directory = " + sql.DuckDB().Text(scratch) + "; SET preserve_insertion_order = false"}}
	for _, s := range append(append([]string(nil), m.statements...), m.checks...) {
		requests = append(requests, duckdbScript{SQL: s})
	}
	answers, err := runDuckDBScripts(ctx, binary, requests)
	if err != nil {
		return a, err
	}
	answers = answers[1:]
	a.Phases, a.Facts = map[string]float64{}, facts{}
	for i, phase := range m.phases {
		a.Usage.CPU += answers[i].CPU
		a.Usage.Wall += answers[i].Wall
		a.Usage.PeakMB = answers[i].PeakBytes / (1 << 20)
		a.Phases[phase] += answers[i].CPU
	}
	for i, names := range m.names {
		rows := answers[len(m.phases)+i].Rows
		if len(rows) != 1 || len(rows[0]) != len(names) {
			return a, fmt.Errorf("DuckDB answered %v, expected one row of %d numbers", rows, len(names))
		}
		for k, name := range names {
			if a.Facts[name], err = integer(rows[0][k]); err != nil {
				return a, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return a, nil
}

// duckdbScript is a request with its settings, see package engine of scripts/oracle/duckdb.
type duckdbScript struct {
	SQL     string `json:"sql"`
	Threads int    `json:"threads,omitzero"`
	Memory  string `json:"memory,omitzero"`
}

// runDuckDBScripts runs requests one after the other in one process.
func runDuckDBScripts(ctx context.Context, binary string, requests []duckdbScript) ([]duckdbAnswer, error) {
	var in bytes.Buffer
	for _, r := range requests {
		line, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("encode a request for DuckDB: %w", err)
		}
		in.Write(append(line, '\n'))
	}
	cmd := exec.CommandContext(ctx, binary, "run")
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", binary, err)
	}
	d := jsontext.NewDecoder(bytes.NewReader(out))
	answers := make([]duckdbAnswer, len(requests))
	for i := range answers {
		if err := json.UnmarshalDecode(d, &answers[i]); err != nil {
			return nil, fmt.Errorf("decode DuckDB's answer %d of %d: %w", i, len(answers), err)
		}
		if !answers[i].OK {
			return nil, fmt.Errorf("DuckDB: %s: %s", answers[i].Error, requests[i].SQL)
		}
	}
	return answers, nil
}
