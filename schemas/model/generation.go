package model

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Files of a generation, below GenerationPrefix(id).
const (
	ManifestFile = "manifest.json"
	MetricsFile  = "metrics.json"

	// FeaturesFile is the feature catalogue, canonical and without descriptions: its SHA-256 is
	// Inputs.Definition.
	FeaturesFile = "features.json"

	// Sorted tables.
	UserViewFile   = "views/user.sorted"   // by user id: tile view and training row
	ItemViewFile   = "views/item.sorted"   // by item id: tile view
	GlobalViewFile = "views/global.sorted" // one row: tile view
	RecentFile     = "views/recent.sorted" // by user id: what the next night's duplicate rule looks back on

	// Arrow files.
	UserVectorsFile = "vectors/user.arrow" // vector, id
	ItemVectorsFile = "vectors/item.arrow" // vector, popularity, id
)

// GenerationsPrefix is where generations and their pointer live.
const GenerationsPrefix = "generations/"

// PointerKey is the one object that says which generation is served.
const PointerKey = GenerationsPrefix + "pointer.json"

// GenerationPrefix returns the prefix of a generation's files.
func GenerationPrefix(id string) string { return GenerationsPrefix + id + "/" }

// Inputs is everything that a generation is a function of. Equal inputs give equal bytes, so the
// generation's id is derived from them.
type Inputs struct {
	CutN  int64     `json:"cut_n"`
	Label time.Time `json:"label"`

	// AsOf is the earlier of label and mark start. Views are pruned as of it, or of up to sixteen days before it: tiles that no window
	// read then or later reaches are not in them. So a generation answers reads at or after AsOf exactly;
	// an earlier one would miss events, and whoever asks for it has to be told.
	AsOf time.Time `json:"as_of"`

	TopicID    string      `json:"topic_id"`
	Cut        Cut         `json:"cut"`
	Definition string      `json:"definition"` // hash of the feature catalogue
	Validator  int         `json:"validator"`
	Format     int         `json:"format"` // of the generation's files
	Indexes    []IndexRef  `json:"indexes"`
	Imports    []string    `json:"imports"`  // sha256 of the imported files, sorted
	Snapshot   string      `json:"snapshot"` // sha256 over the snapshot of catalog and profiles
	Train      TrainParams `json:"train"`
	Weights    Weights     `json:"weights"`
}

// Format numbers the layout of a generation's files, and what of history they keep. Format 1 kept views in Arrow files; views of
// format 2 were all pruned as of the night.
const Format = 3

// IndexRef names the version of an epoch's index that was read, and a checksum over its objects.
type IndexRef struct {
	Epoch   int64  `json:"epoch"`
	Version int64  `json:"version"`
	SHA256  string `json:"sha256"`
}

// TrainParams are the model's parameters (batch/train explains them).
type TrainParams struct {
	Dim    int     `json:"dim"`
	Epochs int     `json:"epochs"`
	Alpha0 float64 `json:"alpha0"`
	Lambda float64 `json:"lambda"`
	Nu     float64 `json:"nu"`
	Seed   uint64  `json:"seed"`
}

// DefaultTrainParams suit catalogues of some thousand items.
func DefaultTrainParams() TrainParams {
	return TrainParams{Dim: 32, Epochs: 8, Alpha0: 0.1, Lambda: 0.01, Nu: 1, Seed: 1}
}

// ID returns the generation's id.
func (in Inputs) ID() (string, error) {
	b, err := json.Marshal(in, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("identify generation of cut %d: %w", in.CutN, err)
	}
	sum := sha256.Sum256(b)
	return fmt.Sprintf("g%06d-%s", in.CutN, hex.EncodeToString(sum[:5])), nil
}

// IsGenerationID says whether s is spelled as an id of Inputs.ID.
func IsGenerationID(s string) bool {
	cut, hash, ok := strings.Cut(s, "-")
	digits, g := strings.CutPrefix(cut, "g")
	return ok && g && len(digits) >= 6 && len(hash) == 10 &&
		strings.Trim(digits, "0123456789") == "" && strings.Trim(hash, "0123456789abcdef") == ""
}

// Manifest describes a generation. It is put last: a generation without one does not exist.
type Manifest struct {
	ID      string             `json:"id"`
	Inputs  Inputs             `json:"inputs"`
	Counts  Counts             `json:"counts"`
	Files   []File             `json:"files"` // sorted by name
	Metrics map[string]float64 `json:"metrics"`
}

// File returns the file of that name.
func (m Manifest) File(name string) (f File, ok bool) {
	i := slices.IndexFunc(m.Files, func(f File) bool { return f.Name == name })
	if i < 0 {
		return File{}, false
	}
	return m.Files[i], true
}

// Counts says what went into a generation. Rows = Events + Duplicates + Rejected.
type Counts struct {
	Rows       int64 `json:"rows"`
	Events     int64 `json:"events"`
	Duplicates int64 `json:"duplicates"`
	Rejected   int64 `json:"rejected"`
	Users      int64 `json:"users"`
	Items      int64 `json:"items"`
}

// File is one file of a generation with what a reader verifies before decoding it. Rows is set for sorted
// tables and Arrow files. Columns are set for Arrow files: with them a reader finds every buffer without
// decoding the file's metadata.
type File struct {
	Name    string   `json:"name"`
	Bytes   int64    `json:"bytes"`
	SHA256  string   `json:"sha256"`
	Rows    int64    `json:"rows,omitzero"`
	Columns []Column `json:"columns,omitempty"`
}

// ColumnType is the type of a column of an Arrow file, by its Arrow name.
type ColumnType string

// The column types.
const (
	Utf8    ColumnType = "utf8"
	Float32 ColumnType = "float32"
	Vector  ColumnType = "fixed_size_list<float32>"
)

// Column says where a column's buffers lie in its file. No column has nulls.
type Column struct {
	Name    string     `json:"name"`
	Type    ColumnType `json:"type"`
	Dim     int        `json:"dim,omitzero"`     // numbers a row, for Vector
	Offsets Span       `json:"offsets,omitzero"` // int32, one more than rows, for Utf8
	Values  Span       `json:"values"`
}

// Span is a range of bytes of a file. Its offset is a multiple of 64 for Vector and Float32, else of 8.
type Span struct {
	Offset int64 `json:"offset"`
	Bytes  int64 `json:"bytes"`
}

// SHA256Hex returns the checksum of b as every format here writes it.
func SHA256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
