package artifact

import (
	"bytes"
	"fmt"

	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/schemas/model"
)

// UserView encodes a view of users in memory: ids, sorted, with a tile view (tile.Codec.AppendView) and a
// training row (model.AppendHistory) each. NewView is for views that do not fit.
func UserView(ids []string, states, histories [][]byte) (Encoded, error) {
	if len(states) != len(ids) || len(histories) != len(ids) {
		return Encoded{}, fmt.Errorf("encode %s: %d ids, %d states, %d histories", model.UserViewFile, len(ids), len(states), len(histories))
	}
	values := make([][]byte, len(ids))
	for i := range values {
		values[i] = AppendUser(nil, states[i], histories[i])
	}
	return encodeView(model.UserViewFile, ids, values)
}

// ItemView encodes a view of items in memory: ids, sorted, with a tile view each.
func ItemView(ids []string, states [][]byte) (Encoded, error) {
	return encodeView(model.ItemViewFile, ids, states)
}

// GlobalView encodes the view of the only member of the global entity.
func GlobalView(id string, state []byte) (Encoded, error) {
	return encodeView(model.GlobalViewFile, []string{id}, [][]byte{state})
}

// RecentView encodes in memory what the next night's duplicate rule looks back on: the ids, sorted, of the users with valid
// records in the last closed epoch, with a tile.Recent each (Append). There may be none.
func RecentView(ids []string, recent [][]byte) (Encoded, error) {
	return encodeView(model.RecentFile, ids, recent)
}

func encodeView(name string, ids []string, values [][]byte) (Encoded, error) {
	if len(values) != len(ids) {
		return Encoded{}, fmt.Errorf("encode %s: %d ids, %d values", name, len(ids), len(values))
	}
	var buf bytes.Buffer
	w := sorted.NewWriter(&buf, sorted.Options{})
	for i, id := range ids {
		if err := w.Add([]byte(id), values[i]); err != nil {
			return Encoded{}, fmt.Errorf("encode %s: %w", name, err)
		}
	}
	info, err := w.Close()
	if err != nil {
		return Encoded{}, fmt.Errorf("encode %s: %w", name, err)
	}
	return Encoded{File: viewFile(name, info), Data: buf.Bytes()}, nil
}
