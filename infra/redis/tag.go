package redis

import (
	"math/bits"
	"strconv"
)

// clusterSlots is how many slots the keys of a Redis Cluster are spread over.
const clusterSlots = 1 << slotBits

const slotBits = 14

// slotOf is the slot that partition p shall have: the bits of p in reverse order (the van der Corput
// sequence). Masters own ranges of slots; the first n partitions, for every n, are spread over the slots
// so that ranges of equal length hold almost equally many of them.
func slotOf(partition int32) uint16 {
	return bits.Reverse16(uint16(partition)) >> (16 - slotBits)
}

// tagOf is the hash tag of partition p: "e<p>." and the least six octal digits that bring it to its slot.
// It depends on p alone and never changes, for keys in Redis carry it.
//
// The slot is the low 14 bits of a CRC, which is linear: to change one octal digit's bit changes the same
// bits of the CRC whatever the rest is. So nothing is searched for: each wrong bit of the slot is turned by
// its own pattern of digits.
func tagOf(partition int32) string {
	tag := make([]byte, 0, len("e2147483647.000000"))
	tag = append(tag, 'e')
	tag = strconv.AppendInt(tag, int64(partition), 10)
	tag = append(tag, '.')
	wrong := crc16(append(tag, "000000"...))%clusterSlots ^ slotOf(partition)
	var digits uint32
	for ; wrong != 0; wrong &= wrong - 1 {
		digits ^= turns[bits.TrailingZeros16(wrong)]
	}
	for shift := 15; shift >= 0; shift -= 3 {
		tag = append(tag, byte('0'+digits>>shift&7))
	}
	return string(tag)
}

// turns[i] is the pattern of six octal digits that turns bit i of the slot and no other. It uses the
// lowest digits that can; a test finds the same tags by trying all numbers in order.
var turns = [slotBits]uint32{
	0o240607, 0o061230, 0o041324, 0o042553, 0o200233, 0o201162, 0o221743,
	0o041320, 0o001104, 0o041657, 0o240717, 0o061010, 0o041764, 0o240571,
}

// crc16 is the CRC-16/XMODEM that Redis Cluster takes slots from, half a byte at a time.
func crc16(b []byte) uint16 {
	var crc uint16
	for _, c := range b {
		crc = crc<<4 ^ crcOfNibble[crc>>12^uint16(c>>4)]
		crc = crc<<4 ^ crcOfNibble[crc>>12^uint16(c&15)]
	}
	return crc
}

// crcOfNibble are the multiples of the polynomial 0x1021.
var crcOfNibble = [16]uint16{
	0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
	0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef,
}
