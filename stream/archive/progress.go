package archive

import "sync"

// Stats counts what an Archiver has written since New, for metrics.
type Stats struct {
	Rows     int64 // records in files, marks excepted; of them
	Rejected int64 // are not valid events
	Files    int64
	Bytes    int64 // of files
	Marks    int64 // epochs that ended, counted once a partition
}

// progress is what the loop publishes to other goroutines.
type progress struct {
	mu    sync.Mutex
	stats Stats
}

// Stats returns the counts so far.
func (g *progress) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stats
}

// wrote counts what was written.
func (g *progress) wrote(s Stats) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stats.add(s)
}

func (s *Stats) add(more Stats) {
	s.Rows += more.Rows
	s.Rejected += more.Rejected
	s.Files += more.Files
	s.Bytes += more.Bytes
	s.Marks += more.Marks
}
