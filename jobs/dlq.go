package jobs

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/stream/ingest/deadletter"
)

type dlqCmd struct {
	List   listLettersCmd   `cmd:"" help:"List the dead letters."`
	Show   showLetterCmd    `cmd:"" help:"Show one dead letter."`
	Replay replayLettersCmd `cmd:"" help:"Put dead letters into the events topic again, each once for all time."`
}

// kafkaFlags are the flags of commands that need nothing but Kafka.
type kafkaFlags struct {
	Data  string   `type:"path" default:"anabranch-data" help:"Folder of a running anabranch dev."`
	Kafka []string `placeholder:"HOST:PORT" help:"Kafka seed brokers, instead of the embedded one."`
}

// onLetters opens the dead-letter topic for run.
func (f kafkaFlags) onLetters(rt *runtimeEnv, run func(*servers, deadletter.Log) error) (err error) {
	s, err := rt.openServers(&stores{Data: f.Data, Kafka: f.Kafka}, need{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	client, topics, err := rt.ensureTopics(s, 0)
	if err != nil {
		return err
	}
	client.Close()
	return run(s, deadletter.Log{Seeds: s.seeds, Topics: topics, Client: s.clientOptions(), Logger: rt.log})
}

// letterFilter says which letters a command is about.
type letterFilter struct {
	Reason        string    `placeholder:"REASON" help:"Only with this reason, such as malformed or time."`
	FromPartition int32     `default:"-1" placeholder:"N" help:"Only found in this partition of the events topic."`
	Since         time.Time `placeholder:"TIME" help:"Only written at or after this instant, RFC 3339."`
	Until         time.Time `placeholder:"TIME" help:"Only written before this instant, RFC 3339."`
}

// filter returns it as the dead-letter topic understands it, and whether it asks for anything at all.
func (f *letterFilter) filter() (out deadletter.Filter, any bool) {
	out = deadletter.Filter{Reason: f.Reason, Since: f.Since, Until: f.Until}
	if f.FromPartition >= 0 {
		out.Partition = &f.FromPartition
	}
	return out, f.Reason != "" || out.Partition != nil || !f.Since.IsZero() || !f.Until.IsZero()
}

type listLettersCmd struct {
	kafkaFlags
	letterFilter
	Open     bool `help:"Only those that were not replayed."`
	Limit    int  `default:"100" help:"Letters to print, oldest first; 0 is all."`
	Payloads bool `help:"Print detail, key and payload too: they hold what users did."`
	JSON     bool `help:"Print one JSON object a letter."`
}

// errEnough ends a walk through the letters.
var errEnough = errors.New("enough letters")

// Run lists the letters, oldest first.
func (c *listLettersCmd) Run(rt *runtimeEnv) error {
	filter, _ := c.filter()
	filter.Open = c.Open
	return c.onLetters(rt, func(_ *servers, log deadletter.Log) error {
		rows := [][]string{{"POSITION", "TIME", "SOURCE", "REASON", "FIELD", "BYTES", "REPLAYED AS"}}
		if c.Payloads {
			rows[0] = append(rows[0], "DETAIL", "PAYLOAD")
		}
		n := 0
		err := log.Letters(rt.ctx, filter, func(l deadletter.Letter) error {
			if n++; c.Limit > 0 && n > c.Limit {
				return errEnough
			}
			if c.JSON {
				return printJSON(rt.stdout, letterJSON(&l, c.Payloads))
			}
			rows = append(rows, letterRow(&l, c.Payloads))
			return nil
		})
		more := errors.Is(err, errEnough)
		if err != nil && !more {
			return err
		}
		if !c.JSON {
			err = printTable(rt.stdout, rows)
		} else {
			err = nil
		}
		if more {
			_, _ = fmt.Fprintf(rt.stderr, "there are more: --limit 0 prints all\n")
		}
		return err
	})
}

func letterRow(l *deadletter.Letter, payloads bool) []string {
	as := ""
	if l.Replayed != nil {
		as = deadletter.FormatPosition(*l.Replayed)
	}
	row := []string{
		deadletter.FormatPosition(l.Position), l.Time.Format(time.RFC3339), l.Source, l.Reason, l.Field, fmt.Sprint(l.Size), as,
	}
	if payloads {
		row = append(row, fmt.Sprintf("%q", l.Detail), fmt.Sprintf("%q", api.Clip(string(l.Payload))))
	}
	return row
}

// letterJSON is a letter as JSON; what users did is left out unless payloads is set.
func letterJSON(l *deadletter.Letter, payloads bool) map[string]any {
	out := map[string]any{
		"position": deadletter.FormatPosition(l.Position), "time": l.Time, "source": l.Source, "reason": l.Reason,
		"bytes": l.Size, "truncated": l.Truncated(),
	}
	if l.Field != "" {
		out["field"] = l.Field
	}
	if l.Replayed != nil {
		out["replayed_as"] = deadletter.FormatPosition(*l.Replayed)
	}
	if !payloads {
		return out
	}
	out["detail"] = l.Detail
	if l.ContentType != "" {
		out["content_type"] = l.ContentType
	}
	for name, b := range map[string][]byte{"key": l.Key, "payload": l.Payload} {
		switch {
		case b == nil:
		case utf8.Valid(b):
			out[name] = string(b)
		default:
			out[name+"_base64"] = b
		}
	}
	return out
}

type showLetterCmd struct {
	kafkaFlags
	Position string `arg:"" help:"Position, as dlq list prints it: TOPIC-ID/PARTITION/OFFSET."`
	Payloads bool   `help:"Print detail, key and payload too: they hold what a user did."`
	JSON     bool   `help:"Print one line of JSON."`
}

// Run shows a letter.
func (c *showLetterCmd) Run(rt *runtimeEnv) error {
	position, err := deadletter.ParsePosition(c.Position)
	if err != nil {
		return err
	}
	return c.onLetters(rt, func(_ *servers, log deadletter.Log) error {
		var found *deadletter.Letter
		err := log.Letters(rt.ctx, deadletter.Filter{Position: &position}, func(l deadletter.Letter) error {
			found = &l
			return errEnough
		})
		switch {
		case found == nil && err == nil:
			return api.Errorf(api.NotFound, "the dead-letter topic holds no letter of position %s", c.Position)
		case found == nil:
			return err
		case c.JSON:
			return printJSON(rt.stdout, letterJSON(found, c.Payloads))
		}
		return printIndented(rt.stdout, letterJSON(found, c.Payloads))
	})
}
