package status_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/bootseal/bootseal/node/status"
)

// What firmware says of machines, and what a machine without a TPM is advised.
func TestPlatforms(t *testing.T) {
	for _, c := range []struct {
		vendor, product, tag string
		want                 status.Cloud
		remedy               string
	}{
		{"Microsoft Corporation", "Virtual Machine", "7783-7084-3265-9085-8269-3286-77", status.Azure, "Trusted Launch"},
		{"Microsoft Corporation", "Virtual Machine", "None", status.HyperV, "virtual TPM"},
		{"Google", "Google Compute Engine", "", status.GCP, "--shielded-vtpm"},
		{"Amazon EC2", "m6i.large", "Amazon EC2", status.AWS, "--tpm-support v2.0"},
		{"QEMU", "Standard PC (Q35 + ICH9, 2009)", "", status.KVM, "bootseal vtpm socket"},
		{"Red Hat", "Standard PC (i440FX + PIIX, 1996)", "", status.KVM, "swtpm"},
		{"VMware, Inc.", "VMware20,1", "No Asset Tag", status.VMware, "virtual TPM"},
		{"LENOVO", "20XW", "", status.Machine, "PTT"},
		{"", "", "", status.Machine, "fTPM"},
	} {
		m := fstest.MapFS{"sys/class/dmi/id/sys_vendor": file(c.vendor), "sys/class/dmi/id/product_name": file(c.product),
			"sys/class/dmi/id/chassis_asset_tag": file(c.tag)}
		f := status.Gather(m, now)
		if f.Platform.Cloud != c.want {
			t.Errorf("%s, %s: %s", c.vendor, c.product, f.Platform.Cloud)
		}
		if l := find(status.Judge(f), "device"); l == nil || !strings.Contains(l.Remedy, c.remedy) {
			t.Errorf("%s, %s: %+v", c.vendor, c.product, l)
		}
	}
}

func TestAzure(t *testing.T) {
	for _, c := range []struct {
		name     string
		platform status.Platform
		verdict  status.Verdict
		says     string
	}{
		{"not asked", status.Platform{Cloud: status.Azure}, status.OK, "--imds"},
		{"Trusted Launch", status.Platform{Azure: &status.AzureProfile{SecureBoot: "true", VTPM: "true", SecurityType: "TrustedLaunch"}},
			status.OK, "TrustedLaunch with a vTPM, Secure Boot on"},
		{"without a vTPM", status.Platform{Azure: &status.AzureProfile{VTPM: "false", SecurityType: "TrustedLaunch"}}, status.Warn, "without a vTPM"},
		{"standard", status.Platform{Azure: &status.AzureProfile{VTPM: "false"}}, status.Warn, "standard security type"},
		{"nobody answers", status.Platform{AzureErr: errors.New("no route to host")}, status.Warn, "no route to host"},
	} {
		f := status.Gather(fstest.MapFS{}, now)
		f.Platform = c.platform
		if l := find(status.Judge(f), "Azure"); l == nil || l.Verdict != c.verdict || !strings.Contains(l.Says, c.says) {
			t.Errorf("%s: %+v", c.name, l)
		}
	}
	if l := find(status.Judge(status.Gather(fstest.MapFS{}, now)), "Azure"); l != nil {
		t.Errorf("elsewhere: %+v", l)
	}
}
