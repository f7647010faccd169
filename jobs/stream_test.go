package jobs

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestGroupFlags: what the flags say is what the consumer is told.
func TestGroupFlags(t *testing.T) {
	for _, tt := range []struct {
		flags      groupFlags
		serverSide bool
		instance   string
	}{
		{groupFlags{GroupProtocol: "classic"}, false, ""},
		{groupFlags{GroupProtocol: "consumer"}, true, ""},
		{groupFlags{GroupProtocol: "classic", GroupInstance: "stream-0"}, false, "stream-0"},
	} {
		client, err := kgo.NewClient(append(tt.flags.options(), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"))...)
		if err != nil {
			t.Fatal(err)
		}
		instance, _ := client.OptValue(kgo.InstanceID).(string)
		if serverSide := client.OptValue(kgo.ServerSideBalancer); serverSide != tt.serverSide || instance != tt.instance {
			t.Errorf("%+v: server-side %v, instance %q", tt.flags, serverSide, instance)
		}
		client.CloseAllowingRebalance()
	}
}
