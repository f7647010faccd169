package archive

import (
	"sync"

	"github.com/anabranch/anabranch/schemas/model"
)

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

// wrote counts a file that led to the objects put, which are fewer rows where others were adopted.
func (g *progress) wrote(f file, put []model.Object) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, o := range put {
		g.stats.Files++
		g.stats.Rows += o.Rows
		g.stats.Bytes += o.Bytes
		for _, r := range f.rows {
			if r.Offset >= o.First && r.Offset < o.End && r.Reject != nil {
				g.stats.Rejected++
			}
		}
	}
	if f.closes {
		g.stats.Marks++
	}
}
