package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/bootseal/bootseal/node/status"
)

const (
	// azureMetadata is where an Azure VM asks about itself. The traffic does not leave
	// the host.
	azureMetadata = "http://169.254.169.254"
	azureProfile  = "/metadata/instance/compute/securityProfile?api-version=2021-12-13"
	azurePatience = time.Second
	azureMost     = 64 << 10 // bytes of an answer
)

// askAzure asks the metadata service for the VM's security profile. The answer is not
// authenticated: it is good for advice.
func askAzure(ctx context.Context, base string) (*status.AzureProfile, error) {
	ctx, stop := context.WithTimeout(ctx, azurePatience)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+azureProfile, nil)
	if err != nil {
		return nil, fmt.Errorf("--imds: %w", err)
	}
	request.Header.Set("Metadata", "true")
	client := http.Client{
		Transport: &http.Transport{Proxy: nil}, // the service is not behind a proxy
		// Somebody who answers in its place is not to send us elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask Azure's metadata service: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask Azure's metadata service: %s", answer.Status)
	}
	p := new(status.AzureProfile)
	if err := json.NewDecoder(io.LimitReader(answer.Body, azureMost)).Decode(p); err != nil {
		return nil, fmt.Errorf("ask Azure's metadata service: the answer is no security profile: %w", err)
	}
	return p, nil
}
