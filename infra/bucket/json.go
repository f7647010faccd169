package bucket

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
)

// EncodeJSON returns v as canonical JSON: map members sorted, no white space,
// so that equal values are equal bytes and equal checksums.
func EncodeJSON(v any) ([]byte, error) {
	data, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encode %T as JSON: %w", v, err)
	}
	return data, nil
}

// DecodeJSON reads JSON strictly: unknown and duplicate members, members of
// another case and invalid UTF-8 are errors.
func DecodeJSON(data []byte, v any) error {
	if err := json.Unmarshal(data, v, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("decode JSON into %T: %w", v, err)
	}
	return nil
}

// GetJSON reads an object into v, strictly (see DecodeJSON). The Attrs carry
// the ETag for a later PutJSONIfMatch.
func (b *Bucket) GetJSON(ctx context.Context, key string, v any) (Attrs, error) {
	data, attrs, err := b.Get(ctx, key)
	if err != nil {
		return Attrs{}, err
	}
	if err := DecodeJSON(data, v); err != nil {
		return Attrs{}, fmt.Errorf("bucket: read %q: %w", key, err)
	}
	return attrs, nil
}

// PutJSON stores v as canonical JSON, replacing what is there.
func (b *Bucket) PutJSON(ctx context.Context, key string, v any) (etag string, err error) {
	return b.putJSON(ctx, key, v, Condition{})
}

// PutJSONIfAbsent stores v as canonical JSON where no object exists; else ErrExists.
func (b *Bucket) PutJSONIfAbsent(ctx context.Context, key string, v any) (etag string, err error) {
	return b.putJSON(ctx, key, v, Condition{IfAbsent: true})
}

// PutJSONIfMatch replaces the version that etag names by v; else ErrPrecondition.
func (b *Bucket) PutJSONIfMatch(ctx context.Context, key string, v any, etag string) (newETag string, err error) {
	data, err := EncodeJSON(v)
	if err != nil {
		return "", fmt.Errorf("bucket: put %q: %w", key, err)
	}
	return b.PutIfMatch(ctx, key, data, etag)
}

func (b *Bucket) putJSON(ctx context.Context, key string, v any, cond Condition) (string, error) {
	data, err := EncodeJSON(v)
	if err != nil {
		return "", fmt.Errorf("bucket: put %q: %w", key, err)
	}
	return b.put(ctx, key, data, cond)
}
