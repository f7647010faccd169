package redis

import "testing"

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
