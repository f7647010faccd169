package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Serve answers one line of out for each request of in, in order, until in ends. A request that
// fails is an answer with OK false, and the next one runs; only input that is no JSON, or an output
// that cannot be written, ends Serve.
func (e *Engine) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	requests := json.NewDecoder(bufio.NewReaderSize(in, 1<<20))
	buffered := bufio.NewWriterSize(out, 1<<20)
	answers := json.NewEncoder(buffered)
	answers.SetEscapeHTML(false)
	for n := 1; ; n++ {
		var request Request
		if err := requests.Decode(&request); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("request %d: %w", n, err)
		}
		if err := answers.Encode(e.Do(ctx, request)); err != nil {
			return fmt.Errorf("answer %d: %w", n, err)
		}
		// A caller that waits for each answer before it sends the next request must see it.
		if err := buffered.Flush(); err != nil {
			return fmt.Errorf("answer %d: %w", n, err)
		}
	}
}

// Do runs one request.
func (e *Engine) Do(ctx context.Context, r Request) Answer {
	answer, err := e.run(ctx, r)
	answer.ID, answer.OK = r.ID, err == nil
	if err != nil {
		answer.Error = err.Error()
	}
	return answer
}

func (e *Engine) run(ctx context.Context, r Request) (Answer, error) {
	if err := e.Prepare(ctx, r); err != nil || r.SQL == "" {
		return Answer{}, err
	}
	before, err := measure()
	if err != nil {
		return Answer{}, err
	}
	columns, rows, count, err := e.Run(ctx, r.SQL, r.Discard)
	if err != nil {
		return Answer{}, err
	}
	after, err := measure()
	if err != nil {
		return Answer{}, err
	}
	user, system := after.user-before.user, after.system-before.system
	return Answer{
		Columns: columns, Rows: rows, Count: count,
		Wall: after.at.Sub(before.at).Seconds(), CPU: (user + system).Seconds(),
		User: user.Seconds(), System: system.Seconds(),
		PeakBytes: after.peak, StartBytes: before.peak,
	}, nil
}
