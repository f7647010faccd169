package rawparquet

import (
	"github.com/anabranch/anabranch/schemas/event"
)

// groupRows bounds a row group, and with it what a reader holds at a time.
const groupRows = 1 << 17

// Writer makes a raw file of rows that come one at a time. It keeps nothing of a row but its bytes in the columns, and
// compresses a column's page as soon as it is full, so that it holds about what the file will take, and at most 120 KiB a
// column beside. It serves one goroutine. The zero value is not usable: see NewWriter.
type Writer struct {
	columns columns
	all     [len(event.RawColumns)]builder // the same, in the order of the file
	groups  []rowGroup
	open    int // rows that are in no group yet
	rows    int
	work    work
}

// rowGroup is a finished row group: one entry a column.
type rowGroup struct {
	rows   int
	chunks [len(event.RawColumns)]chunkPages
}

// chunkPages is what a column has in a row group.
type chunkPages struct {
	pages []page
	words []string // the dictionary, nil in a column without
}

func (g *rowGroup) bytes() (n int) {
	for _, c := range g.chunks {
		for _, p := range c.pages {
			n += len(p.data)
		}
		for _, w := range c.words {
			n += len(w)
		}
	}
	return n
}

// columns are the columns of event.Raw.
type columns struct {
	topicID                        words
	partition, offset, logTime     ints
	eventID, userID, itemID        texts
	kind                           words
	value                          floats
	eventTime                      ints
	sessionID, context, properties texts
	category                       words
	price                          floats
	reject                         words
	key, codec, payload            texts
}

// NewWriter returns a writer without rows.
func NewWriter() *Writer {
	w := new(Writer)
	m := &w.work
	const narrow, optional, stats = true, true, true
	w.columns = columns{
		topicID:   newWords(m, !optional),
		partition: newInts(m, narrow, !optional), offset: newInts(m, !narrow, !optional), logTime: newInts(m, !narrow, !optional),
		eventID: newTexts(m, stats), userID: newTexts(m, stats), itemID: newTexts(m, stats), kind: newWords(m, optional),
		value: newFloats(m), eventTime: newInts(m, !narrow, optional),
		// Nobody looks for JSON or payloads from one text to another. And payloads are of any size: readers give up on
		// statistics of some megabytes, so that one rejected record made its file unreadable (row 1 of jobs/faults).
		sessionID: newTexts(m, stats), context: newTexts(m, !stats), properties: newTexts(m, !stats),
		category: newWords(m, optional), price: newFloats(m), reject: newWords(m, optional),
		key: newTexts(m, !stats), codec: newTexts(m, !stats), payload: newTexts(m, !stats),
	}
	c := &w.columns
	w.all = [...]builder{
		&c.topicID, &c.partition, &c.offset, &c.logTime, &c.eventID, &c.userID, &c.itemID, &c.kind, &c.value,
		&c.eventTime, &c.sessionID, &c.context, &c.properties, &c.category, &c.price, &c.reject, &c.key, &c.codec, &c.payload,
	}
	return w
}

// Add copies a row. Its texts must be valid UTF-8 except Key, Codec and Payload, which may be any bytes.
func (w *Writer) Add(r *event.Raw) {
	c := &w.columns
	c.topicID.add(r.TopicID)
	c.partition.add(int64(r.Partition))
	c.offset.add(r.Offset)
	c.logTime.add(r.LogTime)
	c.eventID.add(r.EventID)
	c.userID.add(r.UserID)
	c.itemID.add(r.ItemID)
	c.kind.addOptional(r.Type)
	c.value.add(r.Value)
	c.eventTime.addOptional(r.EventTime)
	c.sessionID.add(r.SessionID)
	c.context.add(r.Context)
	c.properties.add(r.Properties)
	c.category.addOptional(r.Category)
	c.price.add(r.Price)
	c.reject.addOptional(r.Reject)
	c.key.add(r.Key)
	c.codec.add(r.Codec)
	c.payload.add(r.Payload)
	w.rows++
	if w.open++; w.open == groupRows {
		w.endGroup()
	}
}

// Rows returns how many rows were added.
func (w *Writer) Rows() int { return w.rows }

// File returns the Parquet file of the rows so far, with meta (see Span.Meta) in its footer. It may be called again.
func (w *Writer) File(meta map[string]string) ([]byte, error) {
	w.endGroup()
	return assemble(w.groups, w.all[:], meta)
}

// Reset forgets all rows and keeps the memory of pages for the next ones. It is cheap after File, which has ended the pages.
func (w *Writer) Reset() {
	w.endGroup()
	w.groups, w.rows = nil, 0
}

func (w *Writer) endGroup() {
	if w.open == 0 {
		return
	}
	g := rowGroup{rows: w.open}
	for i, c := range w.all {
		s := c.base()
		if !s.levels.empty() {
			c.end()
		}
		g.chunks[i] = chunkPages{pages: s.pages, words: c.dictionary()}
		s.pages = nil
	}
	w.groups = append(w.groups, g)
	w.open = 0
}

// Encode returns the Parquet file of rows: a Writer of all of them.
func Encode(rows []event.Raw, meta map[string]string) ([]byte, error) {
	w := NewWriter()
	for i := range rows {
		w.Add(&rows[i])
	}
	return w.File(meta)
}
