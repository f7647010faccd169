package jobs

import (
	"fmt"

	"github.com/alecthomas/kong"
)

const description = "Recommendations that already know the click of a moment ago: one event log, a stream layer, a nightly batch, and their exact join."

// cli is every command and flag. Kong reads it for flags, environment, file and help.
type cli struct {
	Config kong.ConfigFlag `type:"existingfile" placeholder:"FILE" help:"YAML file of flag values. Flags and environment are stronger."`
	Log    string          `enum:"debug,info,warn,error" default:"info" help:"Least level that is logged to stderr (${enum})."`

	Dev         devCmd         `cmd:"" help:"Run every part in one process, with a built-in shop or your own events."`
	Ingest      ingestCmd      `cmd:"" help:"Serve the HTTP front door that writes events to Kafka."`
	Stream      streamCmd      `cmd:"" help:"Keep live features in Redis, exactly once."`
	Archive     archiveCmd     `cmd:"" help:"Write the log to raw Parquet in the bucket."`
	Import      importCmd      `cmd:"" help:"Put history from files straight into the archive."`
	Nightly     nightlyCmd     `cmd:"" help:"Close a date and publish a generation of views and vectors."`
	Materialize materializeCmd `cmd:"" help:"Close a date and compute views and aggregates: the first step of nightly."`
	Train       trainCmd       `cmd:"" help:"Train the vectors of a materialized date: the second step."`
	Evaluate    evaluateCmd    `cmd:"" help:"Measure the trained vectors of a date: the third step."`
	Publish     publishCmd     `cmd:"" help:"Publish the evaluated generation of a date: the last step."`
	Schedule    scheduleCmd    `cmd:"" help:"Run the night of every day, on a machine without a scheduler."`
	Runs        runsCmd        `cmd:"" help:"List what was run, show how far it came, print what it logged."`
	Quality     qualityCmd     `cmd:"" help:"Check gates, show what they said of a night."`
	Generations generationsCmd `cmd:"" help:"List, show, promote and roll back generations."`
	Marks       marksCmd       `cmd:"" help:"List the marks that end epochs, and write them."`
	Dlq         dlqCmd         `cmd:"" help:"List, show and replay dead letters."`
	Features    featuresCmd    `cmd:"" help:"Check, list, cost, compare, read and export feature definitions."`
	Serve       serveCmd       `cmd:"" help:"Answer recommendations over HTTP."`
	Events      eventsCmd      `cmd:"" help:"Generate synthetic events, or send events to an ingest."`
	Doctor      doctorCmd      `cmd:"" help:"Check every dependency and say how to repair what fails."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

// examples are shown before everything else in a command's --help.
var examples = map[string]string{
	"": `  anabranch dev                                   # everything in one process, with a built-in shop
  anabranch dev --events clicks.csv               # the same with your own events
  anabranch nightly --date 2026-01-31             # close a day and publish a generation
  anabranch generations list                      # what is published, what a rollback may go to`,
	"dev": `  anabranch dev                                   # http://127.0.0.1:8080
  anabranch dev --period 2m                       # close an epoch every two minutes and watch the handover
  anabranch dev --events clicks.jsonl --data /tmp/mine
  anabranch dev --kafka broker:9092 --redis cache:6379 --bucket s3://lake/anabranch`,
	"ingest":     `  anabranch ingest --kafka broker:9092 --listen :8081`,
	"stream":     `  anabranch stream --kafka broker:9092 --redis cache:6379 --bucket s3://lake/anabranch`,
	"stream run": `  anabranch stream run --kafka broker:9092 --redis cache:6379 --bucket s3://lake/anabranch`,
	"stream rebuild": `  anabranch stream rebuild --partition 3          # what would be done
  anabranch stream rebuild --partition 3 --yes
  anabranch stream rebuild --clean --yes          # delete what is left of old state`,
	"archive": `  anabranch archive --kafka broker:9092 --bucket s3://lake/anabranch`,
	"import": `  anabranch import clicks.csv                     # event_id,user_id,item_id,type,value,event_time,session_id
  anabranch import --items u.item --users u.user u.data   # MovieLens-100K as it is distributed
  anabranch import --dry-run clicks.jsonl.gz`,
	"nightly": `  anabranch nightly --date 2026-01-31             # again: "nothing to do"
  anabranch nightly --date 2026-01-31 --force     # recompute; the bytes are the same
  anabranch nightly --date 2026-01-31 --json      # one JSON line a step
  anabranch nightly --date 2026-01-31 --exit-code-unchanged 99`,
	"materialize": `  anabranch materialize --date 2026-01-31`,
	"train":       `  anabranch train --date 2026-01-31`,
	"evaluate":    `  anabranch evaluate --date 2026-01-31 --json`,
	"publish":     `  anabranch publish --date 2026-01-31`,
	"features": `  anabranch features check features.yaml
  anabranch features plan --features features.yaml
  anabranch features diff current features.yaml   # what would be computed anew
  anabranch features get --user u42               # now, live state and views joined`,
	"features check":  `  anabranch features check features.yaml`,
	"features list":   `  anabranch features list --entity item --json`,
	"features plan":   `  anabranch features plan --events 1000`,
	"features diff":   `  anabranch features diff old.yaml new.yaml`,
	"features get":    `  anabranch features get --user u42 --as-of 2026-01-31T10:00:00Z`,
	"features export": `  anabranch features export --spine labels.csv --out train.parquet`,
	"features sql":    `  anabranch features sql --entity item > item_features.sql`,
	"features schema": `  anabranch features schema > features.schema.json`,
	"schedule": `  anabranch schedule --at 00:10                   # every day, UTC; what was missed is made up for
  anabranch schedule --kafka broker:9092 --redis cache:6379 --bucket s3://lake/anabranch --gates gates.yaml`,
	"quality": `  anabranch quality check gates.yaml
  anabranch nightly --date 2026-01-31 --gates gates.yaml
  anabranch quality show 2026-01-31 --html report.html`,
	"quality check": `  anabranch quality check gates.yaml`,
	"quality show":  `  anabranch quality show 2026-01-31`,
	"runs": `  anabranch runs list                             # what was run for each date, and how it stands
  anabranch runs show 2026-01-31                  # its steps and attempts
  anabranch runs logs 2026-01-31`,
	"runs list": `  anabranch runs list --json`,
	"runs show": `  anabranch runs show 2026-01-31`,
	"runs logs": `  anabranch runs logs 2026-01-31 --attempt 01M855N8RN71H857YZA61JV5S5`,
	"generations": `  anabranch generations list
  anabranch generations rollback`,
	"generations list":     `  anabranch generations list --json`,
	"generations show":     `  anabranch generations show g000001-0a1b2c3d4e`,
	"generations promote":  `  anabranch generations promote g000002-0a1b2c3d4e`,
	"generations rollback": `  anabranch generations rollback                  # to the one before the current`,
	"marks": `  anabranch marks list
  anabranch marks write --date 2026-01-31`,
	"marks list":  `  anabranch marks list --json`,
	"marks write": `  anabranch marks write --date 2026-01-31 --dry-run`,
	"dlq": `  anabranch dlq list --reason time --open
  anabranch dlq replay --reason time`,
	"dlq list": `  anabranch dlq list --since 2026-01-31T10:00:00Z --payloads`,
	"dlq show": `  anabranch dlq show 0123456789abcdef0123456789abcdef/3/17 --payloads`,
	"dlq replay": `  anabranch dlq replay --reason time              # again: "0 replayed, 3 replayed before"
  anabranch dlq replay 0123456789abcdef0123456789abcdef/3/17 --set type=view
  anabranch dlq replay --all --dry-run`,
	"serve": `  anabranch serve --kafka broker:9092 --redis cache:6379 --bucket s3://lake/anabranch --listen :8080`,
	"events generate": `  anabranch events generate --users 100 --items 50 --days 3 --events 5000 > shop.jsonl
  anabranch events generate --out shop.csv --catalog items.jsonl --profiles users.jsonl`,
	"events send": `  anabranch events send --to http://127.0.0.1:8080 clicks.jsonl
  anabranch events generate --events 1000 | anabranch events send -`,
	"doctor":  `  anabranch doctor --kafka broker:9092 --redis cache:6379 --bucket s3://lake/anabranch`,
	"version": `  anabranch version --json`,
}

// examplesFirst prints the command's examples, then kong's help.
func examplesFirst(options kong.HelpOptions, ctx *kong.Context) error {
	path := ""
	if n := ctx.Selected(); n != nil {
		path = commandPath(n)
	}
	if text, ok := examples[path]; ok {
		if _, err := fmt.Fprintf(ctx.Stdout, "Examples:\n%s\n\n", text); err != nil {
			return fmt.Errorf("print help: %w", err)
		}
	}
	return kong.DefaultHelpPrinter(options, ctx)
}

func commandPath(n *kong.Node) string {
	path := n.Name
	for p := n.Parent; p != nil && p.Type == kong.CommandNode; p = p.Parent {
		path = p.Name + " " + path
	}
	return path
}
