package redis

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"
	"pgregory.net/rapid"
)

// dialled is what an address has to come to.
type dialled struct {
	Cluster                bool
	Master, User, Password string
	Hosts                  string
	DB                     int
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]dialled{
		"127.0.0.1:6379":                                {Hosts: "127.0.0.1:6379"},
		"a:1,b:2":                                       {Hosts: "a:1,b:2", Cluster: true},
		"redis://cache":                                 {Hosts: "cache:6379"},
		"redis://[::1]":                                 {Hosts: "[::1]:6379"},
		"redis://[::1]:7/2":                             {Hosts: "[::1]:7", DB: 2},
		"redis://cache:1/":                              {Hosts: "cache:1"},
		"redis://:secret@cache:1":                       {Hosts: "cache:1", Password: "secret"},
		"redis://u:p%40%2F%3Aw:x@cache:1/3":             {Hosts: "cache:1", User: "u", Password: "p@/:w:x", DB: 3},
		"redis+cluster://u:p@a,b:2":                     {Hosts: "a:6379,b:2", User: "u", Password: "p", Cluster: true},
		"redis+cluster://a:1":                           {Hosts: "a:1", Cluster: true},
		"rediss+sentinel://u:p@a,b:2/orders/1":          {Hosts: "a:26379,b:2", User: "u", Password: "p", Master: "orders", DB: 1},
		"redis+sentinel://a:1/orders?sentinel_user=ops": {Hosts: "a:1", Master: "orders"},
	} {
		a, err := parseAddress(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		opts, err := a.universal()
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := dialled{opts.IsClusterMode, opts.MasterName, opts.Username, opts.Password, strings.Join(opts.Addrs, ","), opts.DB}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
		client, err := Dial(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if _, ok := client.(*goredis.ClusterClient); ok != want.Cluster {
			t.Errorf("%s: %T", text, client)
		}
		if err := client.Close(); err != nil {
			t.Errorf("%s: close: %v", text, err)
		}
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "host 1",
		"localhost":                          `host 1, "localhost": want host:port`,
		"a:1,b":                              `host 2, "b"`,
		"u:secret@a:1":                       "need a scheme",
		"http://a:1":                         `scheme "http", want redis, redis+cluster`,
		"redis://":                           "name is missing",
		"redis://a:1,b:2":                    "2 hosts in a redis:// address",
		"redis://a:port":                     "no number from 1 to 65535",
		"redis://a:0":                        "no number from 1 to 65535",
		"redis://a:1/x":                      `database "x": want a number`,
		"redis://a:1/1/2":                    "number of a database and nothing more",
		"redis+cluster://a:1/1":              "no databases",
		"redis+sentinel://a:1":               "master's name is missing",
		"redis+sentinel://a:1/m?tls_ca=x":    `option "tls_ca" is not known for redis+sentinel://`,
		"redis://a:1?pool_size=-1":           `option pool_size = "-1": want a whole number`,
		"redis://a:1?dial_timeout=3":         `option dial_timeout = "3": want a duration`,
		"redis://a:1?poolsize=1":             `option "poolsize" is not known`,
		"redis://a:1?pool_size=1&pool_size=": "given twice",
		"redis://a:1?a=%zz":                  "options behind ? are malformed",
		"redis://u:%zz@a:1":                  "user or password",
		"redis://u:se/cret@a:1":              "@ behind the hosts",
		"redis://u:1?secret@a:1":             "@ behind the hosts",
		"rediss://a:1?tls_ca=/does/not/be":   "option tls_ca: open /does/not/be",
		"rediss://a:1?tls_ca=dial_test.go":   "holds no certificate",
		"rediss://a:1?tls_cert=x":            "want both or none",
		"rediss://a:1?tls_cert=x&tls_key=y":  "options tls_cert and tls_key",
	} {
		_, err := Dial(text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "dial redis: ") {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}

// Whatever is wrong with an address, and however badly its password is encoded, no error and no message
// shows a part of the password.
func TestNoPasswordIsShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`Zq[0-9]{2}[:/?#&=,%@]?Zq[0-9]{2}`).Draw(t, "password")
		form := rapid.SampledFrom([]string{
			"redis://u:%s@a:1", "redis://u:%s@a:1/x", "redis://%s@:x", "http://u:%s@a", "redis+cluster://u:%s@a:1,b", "u:%s@a:1",
			"redis://a:1?password=%s", "redis+sentinel://a:1/m?sentinel_password=%s", "redis+sentinel://u:%s@a:1/m/x?poolsize=3",
		}).Draw(t, "form")
		text := fmt.Sprintf(form, secret)
		shown := Redact(text)
		if client, err := Dial(text); err != nil {
			shown += err.Error()
		} else if err := client.Close(); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(shown, "Zq") {
			t.Fatalf("%s: shown is %s", text, shown)
		}
	})
}

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"a:1":                           "a:1",
		"a:1,b:2":                       "a:1,b:2",
		"redis://u:p@a/1?pool_size=1":   "redis://a:6379/1",
		"rediss+sentinel://u:p@a,b/m/0": "rediss+sentinel://a:26379,b:26379/m/0",
		"redis://u:p@":                  "(malformed address)",
	} {
		if got := Redact(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestOptionsReachTheClient(t *testing.T) {
	dir := t.TempDir()
	files := newAuthority(t, dir)
	client, err := Dial("rediss://u:p@localhost:1?client_name=stream&dial_timeout=1s&read_timeout=2s&write_timeout=3s&pool_timeout=4s" +
		"&pool_size=5&min_idle_conns=0&max_retries=7&tls_server_name=redis.test&tls_ca=" + files.ca + "&tls_cert=" + files.cert + "&tls_key=" + files.key)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	o := client.(*goredis.Client).Options()
	got := fmt.Sprint(o.ClientName, o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout, o.PoolSize, o.MaxRetries, o.TLSConfig.ServerName)
	if want := fmt.Sprint("stream", time.Second, 2*time.Second, 3*time.Second, 4*time.Second, 5, 7, "redis.test"); got != want {
		t.Errorf("options %s, want %s", got, want)
	}
	if len(o.TLSConfig.Certificates) != 1 || o.TLSConfig.RootCAs == nil {
		t.Error("the certificates did not reach the client")
	}
	if err := os.WriteFile(filepath.Join(dir, "cert.pem"), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial("rediss://a:1?tls_cert=" + files.cert + "&tls_key=" + files.key); err == nil {
		t.Error("a torn certificate was taken")
	}
}
