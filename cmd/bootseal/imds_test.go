package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/node/status"
)

// The answer has the form of Azure's documentation.
func TestAskAzure(t *testing.T) {
	for _, c := range []struct {
		name   string
		code   int
		answer string
		want   status.AzureProfile
		err    string
	}{
		{"Trusted Launch", 200, `{"secureBootEnabled":"true","virtualTpmEnabled":"true","encryptionAtHost":"false","securityType":"TrustedLaunch"}`,
			status.AzureProfile{SecureBoot: "true", VTPM: "true", SecurityType: "TrustedLaunch"}, ""},
		{"somebody else's", 404, "", status.AzureProfile{}, "404 Not Found"},
		{"elsewhere", 302, "", status.AzureProfile{}, "302 Found"},
		{"no JSON", 200, "<html>", status.AzureProfile{}, "no security profile"},
		{"without end", 200, `{"securityType":"` + strings.Repeat("x", azureMost), status.AzureProfile{}, "no security profile"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Metadata") != "true" || r.URL.Path != "/metadata/instance/compute/securityProfile" || r.URL.Query().Get("api-version") == "" {
				t.Errorf("%s: %s %v", c.name, r.URL, r.Header)
			}
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(c.code)
			if _, err := w.Write([]byte(c.answer)); err != nil {
				t.Logf("%s: %v", c.name, err)
			}
		}))
		p, err := askAzure(context.Background(), s.URL)
		s.Close()
		if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) || c.err == "" && (err != nil || *p != c.want) {
			t.Errorf("%s: %+v, %v", c.name, p, err)
		}
	}
}
