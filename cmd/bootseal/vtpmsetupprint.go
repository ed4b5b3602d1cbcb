package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/bootseal/bootseal/manufacture"
	"github.com/bootseal/bootseal/pcr"
)

// printSetup says what was made.
func (a *app) printSetup(w io.Writer, r manufacture.Result, all bool) error {
	if a.wantsJSON() {
		return a.printJSON(r)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, k := range r.Keys {
		where := "made from its template when needed"
		if k.Handle != 0 {
			where = k.Handle.String()
		}
		fmt.Fprintf(t, "%s key\t%s\t%s\n", strings.ToUpper(string(k.Role)), k.Algorithm, where)
	}
	for _, x := range r.Templates {
		fmt.Fprintf(t, "%s template\t%s\tNV %v\n", strings.ToUpper(string(x.Role)), x.Algorithm, x.Index)
	}
	for _, c := range r.Certificates {
		role := strings.ToUpper(string(c.Role))
		if c.Role == manufacture.RolePlatform {
			role = string(c.Role)
		}
		fmt.Fprintf(t, "%s certificate\t%s\tNV %v\n", role, c.Algorithm, c.Index)
	}
	if len(r.PCRBanks) > 0 {
		fmt.Fprintf(t, "PCR banks\t%s\t\n", joinBanks(r.PCRBanks))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if all {
		if err := printSetupAll(w, r); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, "Successfully authored TPM state.")
	return err
}

// printSetupAll says the rest of what is known.
func printSetupAll(w io.Writer, r manufacture.Result) error {
	fmt.Fprintf(w, "\nTPM: %s, %s, firmware %#x, specification 2.0 level %d revision %d\n",
		r.TPM.Manufacturer, fit(r.TPM.Model, 40), r.TPM.Firmware, r.TPM.Level, r.TPM.Revision)
	for _, k := range r.Keys {
		fmt.Fprintf(w, "\n%s key, %s\n  Name    %x\n", strings.ToUpper(string(k.Role)), k.Algorithm, []byte(k.Name))
	}
	for _, c := range r.Certificates {
		fmt.Fprintf(w, "\n%s certificate, NV %v, %d bytes\n  subject %s\n  issuer  %s\n  serial  %s\n  SHA-256 %s\n",
			c.Role, c.Index, len(c.DER), fit(c.Subject, 90), fit(c.Issuer, 90), c.Serial, c.SHA256)
	}
	_, err := fmt.Fprintln(w)
	return err
}

// printKept says that there is a TPM, which stays.
func (a *app) printKept(w io.Writer, dir string) error {
	if a.wantsJSON() {
		return a.printJSON(struct {
			Directory string `json:"directory"`
			Kept      bool   `json:"kept"`
		}{dir, true})
	}
	_, err := fmt.Fprintln(w, "Not overwriting existing state file.")
	return err
}

func joinBanks(banks []pcr.Bank) string {
	var names []string
	for _, b := range banks {
		names = append(names, b.String())
	}
	return strings.Join(names, ",")
}

// printSetupCapabilities prints what libvirt asks before it uses the program.
func (a *app) printSetupCapabilities() error {
	return a.printJSON(struct {
		Type     string   `json:"type"`
		Features []string `json:"features"`
		Profiles []string `json:"profiles"`
		Version  string   `json:"version"`
	}{"swtpm_setup", []string{
		"tpm-2.0", "cmdarg-keyfile-fd", "cmdarg-pwdfile-fd", "tpm12-not-need-root", "cmdarg-write-ek-cert-files",
		"cmdarg-reconfigure-pcr-banks", "tpm2-rsa-keysize-2048", "tpm2-rsa-keysize-3072", "tpm2-rsa-keysize-4096",
		"cmdarg-profile", "cmdarg-ek1keyalgo", "cmdarg-ek2keyalgo", "cmdarg-iakkeyalgo", "cmdarg-idevidkeyalgo",
	}, []string{"null", "default-v1", "default-v2"}, swtpmVersion})
}

func (a *app) printProfiles() error {
	type profile struct{ Name, Description string }
	return a.printJSON(struct {
		Local   []profile `json:"local"`
		Distro  []profile `json:"distro"`
		BuiltIn []profile `json:"builtin"`
	}{[]profile{}, []profile{}, []profile{
		{"pcclient", "Bootseal's own: PC Client Platform TPM Profile, with many slots"},
		{"libtpms", "The commands, algorithms and limits of libtpms 0.9"},
		{"null", "The same as libtpms"},
		{"default-v1", "The same as libtpms"},
		{"default-v2", "The same as pcclient"},
	}})
}
