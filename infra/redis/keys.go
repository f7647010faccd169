package redis

import "strconv"

// Keys builds the keys of one partition in one namespace.
//
//	anabranch:{<tag>}:<namespace>:fence
//	anabranch:{<tag>}:<namespace>-<incarnation>:u:<user>
//	anabranch:{<tag>}:<namespace>-<incarnation>:i:<item>
//	anabranch:{<tag>}:<namespace>-<incarnation>:g
//	anabranch:{<tag>}:<namespace>-<incarnation>:x          set: the epochs that have an index
//	anabranch:{<tag>}:<namespace>-<incarnation>:x:<epoch>  set: what was touched in the epoch, as u:…, i:… and g
//
// The tag is e<p>.<six octal digits>, such as e12.263674 for partition 12. The digits are chosen so that
// the partitions of a topic spread evenly over the slots of a cluster, however many there are.
type Keys struct {
	// Partition of the events topic.
	Partition int32
	// Namespace is the definition hash (12 hex digits) and the validator version: "<hash>-v<version>".
	Namespace string
}

// Slot is the prefix that all keys of the partition share, hash tag included.
func (k Keys) Slot() string { return "anabranch:{" + tagOf(k.Partition) + "}:" }

// HashSlot is the slot of a cluster, 0 to 16383, in which all keys of the partition lie.
func (k Keys) HashSlot() int { return int(slotOf(k.Partition)) }

// Fence is the key of the fence. It does not depend on the incarnation, which the fence itself names.
func (k Keys) Fence() string { return k.Slot() + k.Namespace + ":fence" }

// State is the prefix of all state keys of one incarnation.
func (k Keys) State(incarnation string) string {
	return k.Slot() + k.Namespace + "-" + incarnation + ":"
}

// User is the key of a user's blob.
func (k Keys) User(incarnation, user string) string { return k.State(incarnation) + "u:" + user }

// Item is the key of the partition's partial of an item.
func (k Keys) Item(incarnation, item string) string { return k.State(incarnation) + "i:" + item }

// Global is the key of the partition's partial of what concerns all users, such as trending items.
func (k Keys) Global(incarnation string) string { return k.State(incarnation) + "g" }

// Epochs is the key of the set of epochs that have an index.
func (k Keys) Epochs(incarnation string) string { return k.State(incarnation) + "x" }

// Chunk is the key of a chunk of an epoch's index.
func (k Keys) Chunk(incarnation string, epoch int64, name string) string {
	return k.Index(incarnation, epoch) + ":" + name
}

// Index is the key of the set of the chunks that say what was touched in an epoch.
func (k Keys) Index(incarnation string, epoch int64) string {
	return k.State(incarnation) + "x:" + strconv.FormatInt(epoch, 10)
}
