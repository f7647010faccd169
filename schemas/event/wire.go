package event

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The types of the wire format that events use.
const (
	wireVarint  = uint32(protowire.VarintType)
	wireFixed64 = uint32(protowire.Fixed64Type)
	wireBytes   = uint32(protowire.BytesType)
)

// wire reads Protobuf's wire format. Damage sets bad and ends the reading; every method may be called
// after that and returns zero values.
type wire struct {
	b   []byte
	i   int // the next byte
	bad bool
}

func (w *wire) more() bool { return w.i < len(w.b) && !w.bad }

// fail ends the reading.
func (w *wire) fail() { w.bad = true }

// tag reads number<<3 | type of a field. A number takes at most 29 bits and is not 0.
func (w *wire) tag() uint32 {
	tag := w.varint()
	if tag > math.MaxUint32 || tag>>3 == 0 {
		w.fail()
		return 0
	}
	return uint32(tag)
}

func (w *wire) varint() uint64 {
	if w.i < len(w.b) && w.b[w.i] < 0x80 { // as a rule
		w.i++
		return uint64(w.b[w.i-1])
	}
	x, n := protowire.ConsumeVarint(w.b[w.i:])
	if n < 0 {
		w.fail()
		return 0
	}
	w.i += n
	return x
}

// bytes reads what a length precedes. The result is a part of the input.
func (w *wire) bytes() []byte {
	n := w.varint()
	if w.bad || n > uint64(len(w.b)-w.i) {
		w.fail()
		return nil
	}
	start := w.i
	w.i += int(n)
	return w.b[start:w.i]
}

func (w *wire) float() float64 {
	if len(w.b)-w.i < 8 {
		w.fail()
		return 0
	}
	w.i += 8
	return math.Float64frombits(binary.LittleEndian.Uint64(w.b[w.i-8:]))
}

// message returns a reader of the message that comes next; give it back to done.
func (w *wire) message() wire {
	b := w.bytes()
	return wire{b: b, bad: w.bad}
}

// done takes over what became of a message that was read.
func (w *wire) done(m *wire) { w.bad = w.bad || m.bad }

// skip passes over the value of a field that is not known.
func (w *wire) skip(tag uint32) {
	if w.bad {
		return
	}
	n := protowire.ConsumeFieldValue(protowire.Number(tag>>3), protowire.Type(tag&7), w.b[w.i:])
	if n < 0 {
		w.fail()
		return
	}
	w.i += n
}

// notProtobuf is the rejection of a record that is damaged in a field, at a byte or before it.
func notProtobuf(field string, at int) *Rejection {
	return reject(ReasonMalformed, field, "", fmt.Sprintf("no Protobuf of anabranch.event.v1.Event with texts in UTF-8, by byte %d", at))
}
