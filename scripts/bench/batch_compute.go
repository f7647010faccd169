package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
)

// computeVerb is the argument with which this program runs one materialization, described on standard input, and
// measures it: in a process of its own, so that the peak of memory is of nothing else.
const computeVerb = "compute"

// computeThreads is how many threads each engine has.
const computeThreads = 2

// computeRequest says what to materialize with the default catalogue.
type computeRequest struct {
	Dir     string `json:"dir"`   // of the bucket
	N       int64  `json:"n"`     // the mark up to which to read
	AsOf    int64  `json:"as_of"` // Unix ms
	Scratch string `json:"scratch"`

	Previous string `json:"previous,omitempty"` // folder of tables to continue, as Keep left it
	Keep     string `json:"keep,omitempty"`     // folder that gets the tables
	Facts    bool   `json:"facts,omitempty"`    // find out, after measuring, what is in the tables
	Profile  string `json:"profile,omitempty"`  // file that gets the CPU profile
}

// computeAnswer is what it took and what came out.
type computeAnswer struct {
	Usage  usage              `json:"usage"`
	Phases map[string]float64 `json:"phases"` // CPU seconds
	Counts model.Counts       `json:"counts"`
	Bytes  int64              `json:"bytes"` // of the views; not the recent ids, which are of the last epoch only
	Facts  facts              `json:"facts,omitempty"`
}

// kept is the file beside kept tables that says what they hold.
const keptFile = "kept.json"

type kept struct {
	CutN   int64        `json:"cut_n"`
	AsOf   int64        `json:"as_of"` // Unix ms
	Counts model.Counts `json:"counts"`
}

// computeInChild runs a materialization in a new process.
func computeInChild(ctx context.Context, r computeRequest) (a computeAnswer, err error) {
	request, err := json.Marshal(r)
	if err != nil {
		return a, fmt.Errorf("encode a materialization: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return a, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, computeVerb)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(request), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return a, fmt.Errorf("materialize %s in a process of its own: %w", r.Dir, err)
	}
	if err := json.Unmarshal(out, &a); err != nil {
		return a, fmt.Errorf("decode what a materialization took: %w", err)
	}
	return a, nil
}

// runCompute is the process: a request in, an answer out.
func runCompute(ctx context.Context, in io.Reader, out io.Writer) error {
	var r computeRequest
	if err := json.UnmarshalRead(in, &r); err != nil {
		return fmt.Errorf("read what to materialize: %w", err)
	}
	a, err := compute(ctx, r)
	if err != nil {
		return err
	}
	if err := json.MarshalWrite(out, a); err != nil {
		return fmt.Errorf("write what it took: %w", err)
	}
	return nil
}

func compute(ctx context.Context, r computeRequest) (a computeAnswer, err error) {
	b, err := filebucket.Open(r.Dir)
	if err != nil {
		return a, err
	}
	catalogue, err := feature.Default()
	if err != nil {
		return a, err
	}
	previous, closePrevious, err := openKept(r.Previous)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, closePrevious()) }()
	var result *materialize.Result
	p := &phases{cpu: map[string]float64{}}
	a.Usage, err = measureUse(func() error {
		stop, err := profile(r.Profile)
		if err != nil {
			return err
		}
		p.start()
		result, err = discoverAndCompute(ctx, b, r.N, materialize.Options{
			Catalogue: catalogue, Weights: model.DefaultWeights(), AsOf: r.AsOf, Previous: previous,
			Threads: computeThreads, Dir: r.Scratch, Progress: p.progress,
		})
		p.end("write")
		return errors.Join(err, stop())
	})
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, result.Close()) }()
	a.Phases, a.Counts = p.cpu, result.Counts
	for _, f := range result.Files {
		if f.File.Name != model.RecentFile {
			a.Bytes += f.File.Bytes
		}
	}
	if r.Facts {
		if a.Facts, err = factsOf(catalogue, r.AsOf, result); err != nil {
			return a, err
		}
	}
	if r.Keep != "" {
		return a, keep(r, result)
	}
	return a, nil
}

// discoverAndCompute does what a night does, up to its local files.
func discoverAndCompute(ctx context.Context, b *bucket.Bucket, n int64, o materialize.Options) (*materialize.Result, error) {
	defer materialize.BoundHeap(o.Memory)()
	var last model.Index
	if _, err := b.GetJSON(ctx, model.IndexKey(n-1), &last); err != nil {
		return nil, fmt.Errorf("find where mark %d lies: %w", n, err)
	}
	source, err := materialize.Discover(ctx, b, materialize.Target{TopicID: last.TopicID, N: n, Cut: last.End})
	if err != nil {
		return nil, err
	}
	return materialize.Compute(ctx, b, source, o)
}

// profile starts a CPU profile where a file for it is named.
func profile(name string) (stop func() error, err error) {
	if name == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("make the profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("start the profile: %w", err), f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// phases adds up CPU time by phase: a phase ends with its last row.
type phases struct {
	mu   sync.Mutex
	last float64
	cpu  map[string]float64
}

func (p *phases) start() { p.end(""); clear(p.cpu) }

func (p *phases) progress(phase string, done, total int64) {
	if done == total {
		p.end(phase)
	}
}

func (p *phases) end(phase string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	used, err := cpuTime()
	if err != nil {
		return // measureUse asks the same question and reports the error
	}
	p.cpu[phase] += used.Seconds() - p.last
	p.last = used.Seconds()
}

// keep moves the tables of a result to the folder that the request names.
func keep(q computeRequest, r *materialize.Result) error {
	dir := q.Keep
	for _, f := range r.Files {
		to := filepath.Join(dir, filepath.FromSlash(f.File.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return fmt.Errorf("keep a table: %w", err)
		}
		if err := os.Rename(f.Path, to); err != nil {
			return fmt.Errorf("keep a table: %w", err)
		}
	}
	text, err := json.Marshal(kept{CutN: q.N, AsOf: q.AsOf, Counts: r.Counts})
	if err != nil {
		return fmt.Errorf("keep the tables: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, keptFile), text, 0o644)
}

// openKept opens what keep kept; no folder is no generation.
func openKept(dir string) (p *materialize.Previous, closeAll func() error, err error) {
	closeAll = func() error { return nil }
	if dir == "" {
		return nil, closeAll, nil
	}
	text, err := os.ReadFile(filepath.Join(dir, keptFile))
	if err != nil {
		return nil, closeAll, fmt.Errorf("open kept tables: %w", err)
	}
	var k kept
	if err := json.Unmarshal(text, &k); err != nil {
		return nil, closeAll, fmt.Errorf("open kept tables: %s: %w", keptFile, err)
	}
	p = &materialize.Previous{Inputs: model.Inputs{CutN: k.CutN, AsOf: time.UnixMilli(k.AsOf)}, Counts: k.Counts}
	var open []*sorted.Reader
	closeAll = func() error {
		var errs []error
		for _, t := range open {
			errs = append(errs, t.Close())
		}
		return errors.Join(errs...)
	}
	for _, t := range []struct {
		name string
		into **sorted.Reader
	}{{model.UserViewFile, &p.Users}, {model.ItemViewFile, &p.Items}, {model.GlobalViewFile, &p.Global}, {model.RecentFile, &p.Recent}} {
		if *t.into, err = sorted.Open(filepath.Join(dir, filepath.FromSlash(t.name))); err != nil {
			return nil, closeAll, errors.Join(err, closeAll())
		}
		open = append(open, *t.into)
	}
	return p, closeAll, nil
}
