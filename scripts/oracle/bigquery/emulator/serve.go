package emulator

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Serve answers one line of out for each request of in, in order, until in ends. A request that
// fails is an answer with OK false, and the next one runs; only input that is no JSON, or an output
// that cannot be written, ends Serve.
func (e *Emulator) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
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
func (e *Emulator) Do(ctx context.Context, r Request) Answer {
	start := time.Now()
	answer, err := e.dispatch(ctx, r)
	answer.ID = r.ID
	answer.OK = err == nil
	if err != nil {
		answer.Error = err.Error()
	}
	answer.Millis = float64(time.Since(start).Microseconds()) / 1000
	return answer
}

func (e *Emulator) dispatch(ctx context.Context, r Request) (Answer, error) {
	set := 0
	for _, has := range []bool{r.Table != nil, r.Drop != "", r.SQL != ""} {
		if has {
			set++
		}
	}
	switch {
	case set != 1:
		return Answer{}, fmt.Errorf("%d of table, drop and sql are set: want exactly one", set)
	case r.Table != nil:
		n, err := e.Load(ctx, *r.Table)
		return Answer{Count: n}, err
	case r.Drop != "":
		return Answer{}, e.Drop(ctx, r.Drop)
	}
	columns, rows, err := e.Query(ctx, r.SQL, r.Params)
	return Answer{Columns: columns, Rows: rows, Count: len(rows)}, err
}
