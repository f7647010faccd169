package jobs_test

import (
	"strings"
	"testing"
)

// imports returns the source of a file that imports exactly the given paths.
func imports(paths ...string) string {
	var b strings.Builder
	b.WriteString("package p\n")
	for _, p := range paths {
		b.WriteString("import _ \"" + p + "\"\n")
	}
	return b.String()
}

// own is the import path of a package of this module.
func own(rel string) string { return modulePath + "/" + rel }

// TestLayoutReports feeds synthetic files to the rules: want is a part of the one violation that
// must be reported, and "" means that the file is fine.
func TestLayoutReports(t *testing.T) {
	t.Parallel()
	long := "package p\n" + strings.Repeat("// line\n", maxLines)
	tests := []struct {
		name, file, src, want string
	}{
		{"main may import jobs", "main.go", imports("os", own("jobs")), ""},
		{"main imports a layer", "main.go", imports(own("stream/live")), ". must not import stream/live"},
		{"main imports a library", "main.go", imports(own("schemas/event")), "imports point down"},
		{"main imports a module", "main.go", imports("github.com/alecthomas/kong"), "main only hands its arguments to jobs"},
		{"jobs may import all below", "jobs/nightly.go", imports(own("batch/train"), own("serving/httpapi"), own("infra/bucket/s3bucket")), ""},
		{"jobs imports scripts", "jobs/dev/dev.go", imports(own("scripts/testenv/env")), "jobs must not import scripts"},
		{"stream imports batch", "stream/live/runner.go", imports(own("batch/train")), "stream must not import batch/train"},
		{"stream imports serving", "stream/live/runner.go", imports(own("serving/online")), "stream must not import serving/online"},
		{"batch imports serving, in a test", "batch/eval/replay_test.go", imports(own("serving/recommend")), "batch must not import serving"},
		{"serving imports jobs", "serving/httpapi/api.go", imports(own("jobs")), "serving must not import jobs"},
		{"a layer imports below", "serving/online/join.go", imports(own("schemas/tile"), own("infra/artifact"), own("serving/recommend")), ""},
		{"anything imports main", "jobs/run.go", imports(modulePath), "jobs must not import"},
		{"a name that only starts alike", "stream/live/x.go", imports(modulePath + "x/batch"), ""},
		{"infra imports schemas", "infra/artifact/open.go", imports(own("schemas/model")), ""},
		{"infra imports a layer", "infra/kafka/client.go", imports(own("stream/live")), "infra must not import stream"},
		{"schemas imports infra", "schemas/event/event.go", imports(own("infra/bucket")), "schemas must not import infra"},
		{"schemas imports infra, in a test", "schemas/event/event_test.go", imports(own("infra/bucket")), "schemas must not import infra"},
		{"a test uses the test environment", "infra/kafka/real_test.go", imports(own("scripts/testenv/need")), ""},

		{"a layer imports a driver", "stream/archive/put.go", imports(own("infra/bucket/filebucket")), "only jobs and tests import the driver"},
		{"a driver imports another", "infra/bucket/s3bucket/s3.go", imports(own("infra/bucket/filebucket")), "only jobs and tests import the driver"},
		{"the portable type imports a driver", "infra/warehouse/open.go", imports(own("infra/warehouse/bqwh")), "only jobs and tests import the driver"},
		{"a test imports a driver", "stream/archive/put_test.go", imports(own("infra/bucket/filebucket")), ""},
		{"a test package imports a driver", "batch/batchtest/world.go", imports(own("infra/bucket/filebucket")), ""},
		{"a test package imports another layer", "batch/batchtest/world.go", imports(own("stream/archive")), "batch must not import stream"},
		{"the product imports a test package", "stream/archive/put.go", imports(own("infra/bucket/buckettest")), "only tests import the test package"},
		{"a driver's own parts", "infra/warehouse/parquetwh/wh.go", imports(own("infra/warehouse/parquetwh/swap")), ""},
		{"the SDK outside its driver", "stream/archive/put.go", imports("github.com/aws/aws-sdk-go-v2/service/s3"), "may only be imported below [infra/bucket/s3bucket scripts]"},
		{"the SDK inside its driver", "infra/bucket/s3bucket/s3.go", imports("github.com/aws/aws-sdk-go-v2/service/s3"), ""},
		{"the raw writer outside its package", "stream/archive/write.go", imports("github.com/xitongsys/parquet-go/writer"), "may only be imported below [infra/rawparquet]"},
		{"the raw writer inside its package", "infra/rawparquet/encode.go", imports("github.com/xitongsys/parquet-go/writer"), ""},
		{"the unsafe Parquet reader", "infra/rawparquet/read.go", imports("github.com/xitongsys/parquet-go/reader"), "may only be imported below []"},
		{"a second Arrow", "batch/materialize/read.go", imports("github.com/apache/arrow-go/v18/arrow"), "may only be imported below []"},

		{"schemas may use pure packages", "schemas/api/url.go", imports("net/url", "net/netip", "time", "encoding/json"), ""},
		{"schemas imports os", "schemas/tile/tile.go", imports("os"), "must not import os"},
		{"schemas imports below os", "schemas/tile/tile.go", imports("os/exec"), "must not import os/exec"},
		{"schemas imports net", "schemas/tile/tile.go", imports("net"), "must not import net"},
		{"schemas imports net/http", "schemas/tile/tile.go", imports("net/http"), "must not import net/http"},
		{"schemas imports a client", "schemas/tile/tile.go", imports("github.com/twmb/franz-go/pkg/kgo"), "must not import github.com/twmb/franz-go/pkg/kgo"},
		{"schemas' tests may read files", "schemas/tile/tile_test.go", imports("os"), ""},
		{"schemas reads the clock", "schemas/tile/tile.go", "package p\nimport \"time\"\nvar T = time.Now()\n", "tile.go:3: schemas must not use time.Now"},
		{"schemas keeps the clock", "schemas/tile/tile.go", "package p\nimport clock \"time\"\nvar now = clock.Now\n", "must not use time.Now"},
		{"schemas sleeps", "schemas/tile/tile.go", "package p\nimport \"time\"\nfunc f() { time.Sleep(1) }\n", "must not use time.Sleep"},
		{"schemas waits", "schemas/tile/tile.go", "package p\nimport \"time\"\nfunc f() { <-time.After(1) }\n", "must not use time.After"},
		{"schemas hides the clock", "schemas/tile/tile.go", "package p\nimport . \"time\"\nvar T = Now()\n", "must not dot-import time"},
		{"schemas starts a goroutine", "schemas/tile/tile.go", "package p\nfunc f() { go f() }\n", "must not start a goroutine"},
		{"schemas computes with time", "schemas/tile/tile.go", "package p\nimport \"time\"\nvar D = time.Duration(3) * time.Hour\n", ""},
		{"a method called Now", "schemas/tile/tile.go", "package p\ntype c struct{}\nfunc (c) Now() int { return 0 }\nfunc f(time c) int { return time.Now() }\n", ""},
		{"a layer may read the clock", "stream/live/runner.go", "package p\nimport \"time\"\nvar T = time.Now\nfunc f() { go f() }\n", ""},

		{"an unknown folder", "util/strings.go", "package util\n", "folder util holds Go code"},
		{"a long file", "stream/live/engine.go", long, "has 501 lines"},
		{"a long generated file", "schemas/api/gen.go", "// Code generated by a tool. DO NOT EDIT.\n" + long, ""},
		{"a broken file", "stream/live/engine.go", "package", "cannot be parsed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := violations(tt.file, []byte(tt.src))
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("%s: reported %q, want nothing", tt.file, got)
			case tt.want != "" && len(got) != 1:
				t.Errorf("%s: reported %q, want one violation with %q", tt.file, got, tt.want)
			case tt.want != "" && !strings.Contains(got[0], tt.want):
				t.Errorf("%s: reported %q, want %q in it", tt.file, got[0], tt.want)
			}
		})
	}
}
