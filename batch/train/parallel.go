package train

import (
	"context"
	"sync"
	"sync/atomic"
)

// chunk is how many rows a goroutine claims at a time.
const chunk = 64

// parallelRows calls row for each of n rows on several goroutines, which claim chunks in ascending order. newRow makes
// a goroutine's own function, with scratch memory that is not shared. It returns the error of the lowest failing row,
// deterministically: chunks below it were claimed before it and run to their end. The context is looked at between chunks.
func parallelRows(ctx context.Context, threads, n int, newRow func() func(r int) error) error {
	var (
		next   atomic.Int64
		failed atomic.Bool
		mu     sync.Mutex
		lowest = n
		result error
		wg     sync.WaitGroup
	)
	work := func() {
		row := newRow()
		for !failed.Load() && ctx.Err() == nil {
			lo := int(next.Add(chunk)) - chunk
			if lo >= n {
				return
			}
			for r := lo; r < min(lo+chunk, n); r++ {
				err := row(r)
				if err == nil {
					continue
				}
				failed.Store(true)
				mu.Lock()
				if r < lowest {
					lowest, result = r, err
				}
				mu.Unlock()
				break
			}
		}
	}
	for range min(threads, (n+chunk-1)/chunk) {
		wg.Go(work)
	}
	wg.Wait()
	if result != nil {
		return result
	}
	return ctx.Err()
}

// parallelParts runs few large independent parts on several goroutines.
func parallelParts(threads, parts int, run func(part int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(threads, parts) {
		wg.Go(func() {
			for {
				part := int(next.Add(1)) - 1
				if part >= parts {
					return
				}
				run(part)
			}
		})
	}
	wg.Wait()
}
