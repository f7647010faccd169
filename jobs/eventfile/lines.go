package eventfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/anabranch/anabranch/schemas/event"
)

// lines cuts a stream into lines. A line that does not fit is skipped whole, so that no file can
// take more memory than one buffer and one record.
type lines struct {
	r    *bufio.Reader
	line int
	long []byte
}

// maxLine leaves room for what is beside a record on its line; the record's own limit is judged
// when it is decoded.
const maxLine = 4 * event.MaxRecordBytes

var errLongLine = errors.New("line too long")

// next returns a line without its end, valid until the next call.
func (l *lines) next() ([]byte, error) {
	l.line++
	line, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = l.rest(line)
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
		return nil, err
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
}

// rest reads on a line that is longer than the buffer.
func (l *lines) rest(start []byte) ([]byte, error) {
	l.long = append(l.long[:0], start...)
	over := false
	for {
		part, err := l.r.ReadSlice('\n')
		if over = over || len(l.long)+len(part) > maxLine; !over {
			l.long = append(l.long, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil && err != io.EOF:
			return nil, err
		case over:
			return nil, errLongLine
		default:
			return l.long, nil
		}
	}
}

// lineSource reads a format with one record a line. Blank lines are skipped.
type lineSource[T any] struct {
	lines  lines
	decode func(line []byte) (T, *event.Rejection)
}

func (s *lineSource[T]) next() (T, int, *event.Rejection, error) {
	var none T
	for {
		line, err := s.lines.next()
		switch {
		case errors.Is(err, errLongLine):
			return none, s.lines.line, refuse(event.ReasonTooLarge, "record", "", fmt.Sprintf("lines of at most %d bytes are accepted", maxLine)), nil
		case err != nil:
			return none, s.lines.line, nil, err
		case len(bytes.TrimSpace(line)) == 0:
			continue
		}
		record, rej := s.decode(line)
		return record, s.lines.line, rej, nil
	}
}

// refuse makes a rejection whose value is cut to a length fit for a message.
func refuse(reason, field, value, accepted string) *event.Rejection {
	return &event.Rejection{Reason: reason, Field: field, Value: clip(value), Accepted: accepted}
}
