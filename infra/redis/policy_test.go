package redis

import (
	"errors"
	"os"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"
)

func TestPolicyOfTheEmbeddedServerIsUnknownNotAssumed(t *testing.T) {
	server, err := StartEmbedded("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	policy, err := CheckPolicy(t.Context(), dial(t, server.Addr()))
	if err != nil || policy.Known || policy.Reason == "" {
		t.Errorf("got %+v, %v, want unknown with the server's answer", policy, err)
	}
}

func TestPolicyRefusesEviction(t *testing.T) {
	if os.Getenv(realServer) == "" {
		t.Skipf("set %s=host:port of a redis-server 7.0 or later (Debian: apt-get install redis-server)", realServer)
	}
	client := dial(t, os.Getenv(realServer))
	before, err := client.ConfigGet(t.Context(), "maxmemory-policy").Result()
	if err != nil {
		t.Fatal(err)
	}
	set := func(value string) {
		if err := client.ConfigSet(t.Context(), "maxmemory-policy", value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	defer set(before["maxmemory-policy"])
	for value, wantErr := range map[string]bool{"noeviction": false, "allkeys-lru": true, "volatile-ttl": true} {
		set(value)
		policy, err := CheckPolicy(t.Context(), client)
		if !policy.Known || policy.Value != value || errors.Is(err, ErrEvicts) != wantErr {
			t.Errorf("%s: %+v, %v", value, policy, err)
		}
		info, err := client.Info(t.Context(), "memory").Result()
		if err != nil || infoField(info, "maxmemory_policy") != value {
			t.Errorf("%s: INFO says %q, %v", value, infoField(info, "maxmemory_policy"), err)
		}
	}
}

func TestPolicyErrorWhenNobodyAnswers(t *testing.T) {
	server, err := StartEmbedded("")
	if err != nil {
		t.Fatal(err)
	}
	client := dial(t, server.Addr())
	server.Close()
	if policy, err := CheckPolicy(t.Context(), client); err == nil {
		t.Errorf("got %+v from a server that is gone", policy)
	}
}

func TestDialForms(t *testing.T) {
	for address, cluster := range map[string]bool{
		"127.0.0.1:6379": false, "redis://u:p@127.0.0.1:6379/1": false, "rediss://127.0.0.1:6379": false,
		"127.0.0.1:6379,127.0.0.1:6380": true,
	} {
		client, err := Dial(address)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if _, ok := client.(*goredis.ClusterClient); ok != cluster {
			t.Errorf("%s: %T", address, client)
		}
		if err := client.Close(); err != nil {
			t.Errorf("%s: close: %v", address, err)
		}
	}
	for _, address := range []string{"", "localhost", "http://127.0.0.1:1", "redis://u:secret@:x:y"} {
		if _, err := Dial(address); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want an error without the password", address, err)
		}
	}
}
