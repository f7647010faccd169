package check

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Serve answers one line of out for each request of in, in order, until in ends. A wrong statement
// is an answer with OK false; only input that is no JSON, or an output that cannot be written, ends
// Serve.
func (c *Checker) Serve(in io.Reader, out io.Writer) error {
	requests := json.NewDecoder(bufio.NewReaderSize(in, 1<<20))
	answers := json.NewEncoder(out)
	answers.SetEscapeHTML(false)
	for n := 1; ; n++ {
		var request Request
		if err := requests.Decode(&request); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("request %d: %w", n, err)
		}
		start := time.Now()
		columns, err := c.Check(request)
		answer := Answer{ID: request.ID, OK: err == nil, Columns: columns}
		if err != nil {
			answer.Error = err.Error()
		}
		answer.Millis = float64(time.Since(start).Microseconds()) / 1000
		if err := answers.Encode(answer); err != nil {
			return fmt.Errorf("answer %d: %w", n, err)
		}
	}
}
