package jobs

import (
	"io"
	"os"
	"slices"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/anabranch/anabranch/schemas/api"
)

// cronJob is the part of a CronJob that has to agree with the command.
type cronJob struct {
	Kind string `yaml:"kind"`
	Spec struct {
		TimeZone    string `yaml:"timeZone"`
		JobTemplate struct {
			Spec struct {
				PodFailurePolicy struct {
					Rules []struct {
						Action      string `yaml:"action"`
						OnExitCodes struct {
							Values []int `yaml:"values"`
						} `yaml:"onExitCodes"`
					} `yaml:"rules"`
				} `yaml:"podFailurePolicy"`
				Template struct {
					Spec struct {
						Containers []struct {
							Args []string `yaml:"args"`
						} `yaml:"containers"`
					} `yaml:"spec"`
				} `yaml:"template"`
			} `yaml:"spec"`
		} `yaml:"jobTemplate"`
	} `yaml:"spec"`
}

// TestCronJob: what the CronJob calls is a command, and it gives up after the exit codes that another try cannot change.
func TestCronJob(t *testing.T) {
	text, err := os.ReadFile("../infra/deploy/k8s/nightly.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c cronJob
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	spec := c.Spec.JobTemplate.Spec
	if c.Kind != "CronJob" || c.Spec.TimeZone != "Etc/UTC" || len(spec.Template.Spec.Containers) != 1 || len(spec.PodFailurePolicy.Rules) == 0 {
		t.Fatalf("%+v", c)
	}
	parser, err := newParser(&cli{}, Env{Stdout: io.Discard, Stderr: io.Discard}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(spec.Template.Spec.Containers[0].Args); err != nil {
		t.Error(err)
	}
	var want []int
	for _, code := range []api.Code{api.Invalid, api.Gate, api.Locked} {
		want = append(want, ExitCode(api.Errorf(code, "x")))
	}
	if got := spec.PodFailurePolicy.Rules[0].OnExitCodes.Values; !slices.Equal(got, want) || spec.PodFailurePolicy.Rules[0].Action != "FailJob" {
		t.Errorf("the job fails after %v, want %v", got, want)
	}
}
