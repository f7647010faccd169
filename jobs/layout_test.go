package jobs_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// This file is the architecture as a test. The rules are those of docs/DESIGN.md: imports point
// down (main → jobs → stream, batch, serving → schemas, infra), the three layers never meet,
// schemas is pure, and only jobs puts concrete drivers together. It parses the sources, so it sees
// every file whatever its build tags, and it takes well under a second.

const (
	modulePath = "github.com/anabranch/anabranch"
	// maxLines is where a file stops being readable in one sitting; generated files are exempt.
	maxLines = 500
)

// mayImport lists, for each top folder, the top folders of this module that it may import. The root
// package (main.go) is ".". Test files may import "scripts" too, for the test environment.
var mayImport = map[string][]string{
	".":       {"jobs"},
	"jobs":    {"jobs", "stream", "batch", "serving", "schemas", "infra"},
	"stream":  {"stream", "schemas", "infra"},
	"batch":   {"batch", "schemas", "infra"},
	"serving": {"serving", "schemas", "infra"},
	"infra":   {"infra", "schemas"},
	"schemas": {"schemas"},
	"scripts": {"scripts", "jobs", "stream", "batch", "serving", "schemas", "infra"},
}

// drivers are the concrete backends. Everybody else talks to the portable types above them.
var drivers = []string{
	"infra/bucket/filebucket", "infra/bucket/s3bucket",
	"infra/warehouse/parquetwh", "infra/warehouse/bqwh",
}

// confined third-party packages may be imported, outside tests, only below the listed folders.
var confined = map[string][]string{
	"github.com/aws/aws-sdk-go-v2": {"infra/bucket/s3bucket", "scripts"},
	"cloud.google.com/go/bigquery": {"infra/warehouse/bqwh", "scripts"},
	"github.com/twmb/franz-go/pkg/kfake": {
		"infra/kafka", "jobs", "scripts",
	},
	"github.com/alicebob/miniredis/v2": {"infra/redis", "jobs", "scripts"},
	// Unmaintained, so it stays behind one type. As a reader it is used nowhere: measured, it returns
	// wrong rows from damaged files without an error.
	"github.com/xitongsys/parquet-go":        {"infra/rawparquet"},
	"github.com/xitongsys/parquet-go/reader": nil,
	// Measured: its C symbols collide with those of v17 in one binary.
	"github.com/apache/arrow-go/v18": nil,
}

// impure are the packages that schemas may not import: they do I/O, or exist to.
var impure = []string{
	"os", "net", "net/http", "net/rpc", "net/smtp", "net/textproto", "syscall", "io/ioutil", "log",
	"log/slog", "database/sql", "plugin", "crypto/rand", "runtime/debug", "github.com/twmb/franz-go",
	"github.com/redis/go-redis", "golang.org/x/sync",
}

// clocks are the functions of package time that read or wait for the wall clock.
var clocks = []string{
	"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker",
}

// TestLayout checks every Go file of the module against the rules.
func TestLayout(t *testing.T) {
	t.Parallel()
	root := moduleRoot(t)
	files := 0
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel != "." && (skipFolder(d.Name()) || nestedModule(name)) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files++
		for _, v := range violations(rel, src) {
			t.Error(v)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("walk %s: %v", root, err)
	}
	if files == 0 {
		t.Fatalf("no Go file found below %s: the test looks in the wrong place", root)
	}
}

// skipFolder names what the go command skips too, and the folder for built binaries.
func skipFolder(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "bin"
}

func nestedModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	if !nestedModule(root) {
		t.Fatalf("%s holds no go.mod: this test expects to live one folder below the module root", root)
	}
	return root
}

// violations returns one sentence, "file:line: what is wrong", for each broken rule of one file.
func violations(rel string, src []byte) []string {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, rel, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return []string{fmt.Sprintf("%s: cannot be parsed: %v", rel, err)}
	}
	c := &checker{rel: rel, fset: fset, folder: topFolder(rel), test: strings.HasSuffix(rel, "_test.go") || testPackage(path.Dir(rel))}
	if _, known := mayImport[c.folder]; !known {
		c.report(file.Package, "folder %s holds Go code but is not one of the product's folders", c.folder)
		return c.found
	}
	if n := bytes.Count(src, []byte("\n")); n > maxLines && !ast.IsGenerated(file) {
		c.report(file.Package, "has %d lines, more than %d: split it by purpose", n, maxLines)
	}
	for _, spec := range file.Imports {
		c.checkImport(spec)
	}
	if c.folder == "schemas" && !c.test {
		c.checkPure(file)
	}
	return c.found
}

// testPackage tells the packages that exist for tests, such as buckettest, by their names.
func testPackage(folder string) bool { return strings.HasSuffix(path.Base(folder), "test") }

func topFolder(rel string) string {
	top, _, nested := strings.Cut(rel, "/")
	if !nested {
		return "."
	}
	return top
}

// checker collects the violations of one file.
type checker struct {
	rel    string
	folder string
	test   bool // a test file, or any file of a test package
	fset   *token.FileSet
	found  []string
}

func (c *checker) report(at token.Pos, format string, args ...any) {
	line := c.fset.Position(at).Line
	c.found = append(c.found, fmt.Sprintf("%s:%d: %s", c.rel, line, fmt.Sprintf(format, args...)))
}

func (c *checker) checkImport(spec *ast.ImportSpec) {
	target, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		c.report(spec.Pos(), "import path %s: %v", spec.Path.Value, err)
		return
	}
	if target == modulePath || strings.HasPrefix(target, modulePath+"/") {
		c.checkOwn(spec, strings.TrimPrefix(strings.TrimPrefix(target, modulePath), "/"))
		return
	}
	c.checkForeign(spec, target)
}

// checkOwn applies the direction and driver rules to an import of this module.
func (c *checker) checkOwn(spec *ast.ImportSpec, target string) {
	to, _, _ := strings.Cut(target, "/")
	allowed := slices.Contains(mayImport[c.folder], to) || c.test && (to == "scripts" || to == c.folder)
	if !allowed {
		c.report(spec.Pos(), "%s must not import %s: imports point down", c.folder, target)
	}
	if testPackage(target) && !c.test {
		c.report(spec.Pos(), "only tests import the test package %s", target)
	}
	for _, driver := range drivers {
		if !below(target, driver) || c.test || below(path.Dir(c.rel), driver) {
			continue
		}
		if c.folder != "jobs" && c.folder != "scripts" {
			c.report(spec.Pos(), "only jobs and tests import the driver %s", target)
		}
	}
}

// checkForeign applies the rules about packages that are not ours.
func (c *checker) checkForeign(spec *ast.ImportSpec, target string) {
	if host, _, _ := strings.Cut(target, "/"); c.folder == "." && strings.Contains(host, ".") {
		c.report(spec.Pos(), "main only hands its arguments to jobs and must not import %s", target)
		return
	}
	for prefix, folders := range confined {
		inside := func(folder string) bool { return below(c.rel, folder) }
		if below(target, prefix) && !c.test && !slices.ContainsFunc(folders, inside) {
			c.report(spec.Pos(), "%s may only be imported below %v", target, folders)
		}
	}
	if c.folder != "schemas" || c.test {
		return
	}
	for _, name := range impure {
		// net/url and net/netip are pure, so the standard library is matched by exact name.
		dotted := strings.Contains(name, ".")
		if target == name || dotted && below(target, name) || name == "os" && below(target, "os") {
			c.report(spec.Pos(), "schemas is pure and must not import %s", target)
		}
	}
}

// checkPure refuses what no import list shows: reading the clock and starting goroutines.
func (c *checker) checkPure(file *ast.File) {
	timeName := importName(file, "time")
	if timeName == "." {
		c.report(file.Package, "schemas must not dot-import time: it hides the clock")
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			c.report(n.Pos(), "schemas must not start a goroutine")
		case *ast.SelectorExpr:
			// A reference is as bad as a call: `now := time.Now` reads the clock later.
			if x, ok := n.X.(*ast.Ident); ok && timeName != "" && x.Name == timeName && slices.Contains(clocks, n.Sel.Name) {
				c.report(n.Pos(), "schemas must not use time.%s: take the time as an argument", n.Sel.Name)
			}
		}
		return true
	})
}

// importName is the name under which a file knows a package; "" when it does not import it.
func importName(file *ast.File, target string) string {
	for _, spec := range file.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err != nil || p != target {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(target)
	}
	return ""
}

// below tells whether p is the folder or package prefix, or lies under it.
func below(p, prefix string) bool {
	return p == prefix || strings.HasPrefix(p, prefix+"/")
}
