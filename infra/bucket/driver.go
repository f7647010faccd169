package bucket

import (
	"context"
	"errors"
	"io"
)

// Errors that callers tell apart with errors.Is. Drivers wrap them.
var (
	// ErrNotExist says that there is no object under the key.
	ErrNotExist = errors.New("object does not exist")
	// ErrExists says that a PutIfAbsent found an object and wrote nothing.
	ErrExists = errors.New("object exists already")
	// ErrPrecondition says that a PutIfMatch found another version, or no
	// object at all, and wrote nothing.
	ErrPrecondition = errors.New("object is not the expected version")
	// ErrInvalidKey says that a key or prefix breaks the rules of ValidKey.
	ErrInvalidKey = errors.New("invalid key")
)

// Attrs describes one stored object.
type Attrs struct {
	// Key is the full name of the object.
	Key string
	// Size is the length of the content in bytes.
	Size int64
	// ETag names the content. It is opaque: it can be compared with another
	// ETag of the same key in the same bucket, and given to PutIfMatch, nothing
	// more. Equal content may have equal ETags (so A, B, A is not noticed;
	// a pointer object needs a sequence number or nonce inside).
	ETag string
}

// Condition restricts a Driver's Put. The zero value writes always.
type Condition struct {
	// IfAbsent writes only where no object exists.
	IfAbsent bool
	// IfMatch, where not empty, writes only over the version of that ETag.
	IfMatch string
}

// Driver is what a storage service has to offer. Keys that arrive here are
// valid (see ValidKey) and data is never modified after the call. Every method
// may be called from many goroutines.
//
// An error that a Driver returns wraps one of this package's errors where one
// fits; it need not repeat the operation and the key, Bucket adds those.
type Driver interface {
	// Open starts reading an object. The reader must be closed. Missing: ErrNotExist.
	Open(ctx context.Context, key string) (io.ReadCloser, Attrs, error)
	// Head returns what is known of an object. Missing: ErrNotExist.
	Head(ctx context.Context, key string) (Attrs, error)
	// Put stores the whole object or nothing, durably before it returns, and
	// returns the new ETag. A failed condition is ErrExists or ErrPrecondition;
	// of several writers with the same condition exactly one succeeds.
	Put(ctx context.Context, key string, data []byte, cond Condition) (etag string, err error)
	// List returns all objects whose key begins with prefix, in any order.
	List(ctx context.Context, prefix string) ([]Attrs, error)
	// Delete removes an object. Missing is not an error.
	Delete(ctx context.Context, key string) error
}
