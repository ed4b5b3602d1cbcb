package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/bootseal/bootseal/manufacture"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/vtpm"
	"golang.org/x/term"
)

// setup does what the flags say.
func (a *app) setup(ctx context.Context, f *setupFlags) error {
	switch {
	case f.printCapabilities:
		return a.printSetupCapabilities()
	case f.printProfiles:
		return a.printProfiles()
	case f.createConfig:
		_, err := fmt.Fprintln(a.out, "Bootseal needs no configuration files.")
		return err
	case !f.tpm2:
		return errors.New("--tpm2 is missing: there is no TPM 1.2 here")
	case f.takeOwner:
		return errors.New("--take-ownership is for a TPM 1.2")
	}
	if f.runAs != "" {
		if err := runAs(f.runAs); err != nil {
			return err
		}
	}
	say, closeLog, err := f.openLog(a)
	if err != nil {
		return err
	}
	err = a.setupState(ctx, f, say)
	if err != nil && f.logFile != "" {
		fmt.Fprintf(say, "bootseal: %v\n", err)
	}
	return errors.Join(err, closeLog())
}

// openLog returns where to say what was done.
func (f *setupFlags) openLog(a *app) (io.Writer, func() error, error) {
	if f.logFile == "" {
		return a.out, func() error { return nil }, nil
	}
	w, err := openAppend(f.logFile)
	if err != nil {
		return nil, nil, fmt.Errorf("--logfile: %w", err)
	}
	return w, w.Close, nil
}

// setupState makes a TPM in the state's directory, or changes the one that is there.
func (a *app) setupState(ctx context.Context, f *setupFlags, say io.Writer) error {
	place, err := f.place()
	if err != nil {
		return err
	}
	conf, err := f.readConf()
	if err != nil {
		return err
	}
	banks, err := f.banks(conf)
	if err != nil {
		return err
	}
	if f.reconfigure {
		return a.reconfigure(f, place, banks, say)
	}
	if place.there() && !f.overwrite {
		return a.keep(f, place, say)
	}
	o, err := f.options(conf)
	if err != nil {
		return err
	}
	o.PCRBanks = banks
	profile, err := f.swtpmProfile(conf)
	if err != nil {
		return err
	}
	if o.EKCertificates || o.PlatformCertificate || o.Layout != manufacture.Swtpm {
		if o.Issuer, err = f.issuer(ctx, conf, say); err != nil {
			return err
		}
	}
	o.Progress = a.setupProgress()
	state, err := f.open(a, place)
	if err != nil {
		return err
	}
	if place.there() && !f.overwrite { // another setup was faster
		return errors.Join(state.Close(), a.keep(f, place, say))
	}
	r, err := manufacture.Create(vtpm.Options{Store: state, Profile: profile}, o)
	if err = errors.Join(err, state.Close()); err != nil {
		return err
	}
	return a.printSetup(say, r, f.display)
}

// keep leaves the TPM that is there.
func (a *app) keep(f *setupFlags, place swtpmPlace, say io.Writer) error {
	if f.notOverwrite {
		return a.printKept(say, place.path)
	}
	return &noError{fmt.Sprintf("there is a TPM in %s: --overwrite replaces it, --not-overwrite keeps it", place)}
}

func (a *app) reconfigure(f *setupFlags, place swtpmPlace, banks []pcr.Bank, say io.Writer) error {
	switch {
	case f.createEK || f.ekCert || f.platformCert || f.createSPK:
		return errors.New("--reconfigure changes PCR banks only: it creates no keys and no certificates")
	case f.profile+f.profileName+f.profileFile != "":
		return errors.New("--reconfigure does not change the profile")
	case !place.there():
		return fmt.Errorf("there is no TPM in %s", place)
	case banks == nil:
		_, err := fmt.Fprintln(say, "The PCR banks stay as they are.")
		return err
	}
	state, err := f.open(a, place)
	if err != nil {
		return err
	}
	active, err := manufacture.Reconfigure(vtpm.Options{Store: state}, banks)
	if err = errors.Join(err, state.Close()); err != nil {
		return err
	}
	if a.wantsJSON() {
		return a.printJSON(struct {
			PCRBanks []pcr.Bank `json:"pcrBanks"`
		}{active})
	}
	_, err = fmt.Fprintf(say, "PCR banks from the next start: %s\n", joinBanks(active))
	return err
}

// options returns what to manufacture, without the issuer and the PCR banks.
func (f *setupFlags) options(c swtpmConf) (manufacture.Options, error) {
	layout, err := manufacture.ParseLayout(f.layout)
	if err != nil {
		return manufacture.Options{}, fmt.Errorf("--layout: %w", err)
	}
	platform, err := c.platform()
	if err != nil {
		return manufacture.Options{}, err
	}
	o := manufacture.Options{
		Layout: layout, EKCertificates: f.ekCert, PlatformCertificate: f.platformCert, LockNV: f.lockNV, Name: f.vmid,
		Use:      manufacture.Use{Sign: f.allowSigning, Decrypt: f.decryption},
		Platform: platform,
		Instance: manufacture.Instance{Zone: f.zone, ProjectID: f.project},
	}
	for number, text := range map[*int64]string{&o.Instance.ProjectNumber: f.projectNumber, &o.Instance.InstanceID: f.instanceID} {
		if text == "" {
			continue
		}
		if *number, err = strconv.ParseInt(text, 10, 64); err != nil || *number < 0 {
			return o, fmt.Errorf("--gcp-project-number, --gcp-instance-id: %q is no number up to 2^63", text)
		}
	}
	if f.createSPK {
		o.SRK = manufacture.RSA3072
		if f.ecc {
			o.SRK = manufacture.P384
		}
	}
	for a, name := range map[*manufacture.Algorithm]string{
		&o.IAK: firstOf(f.iak, c.values["iakkeyalgo"]), &o.IDevID: firstOf(f.idevid, c.values["idevidkeyalgo"]),
	} {
		if name == "" {
			continue
		}
		if *a, err = manufacture.ParseAlgorithm(name); err != nil {
			return o, fmt.Errorf("--iakkeyalgo, --idevidkeyalgo: %w", err)
		}
	}
	o.EKs, err = f.eks(c, layout)
	return o, err
}

// eks returns the endorsement keys: swtpm_setup's with its layout, a cloud's own otherwise,
// unless others are asked for.
func (f *setupFlags) eks(c swtpmConf, layout manufacture.Layout) ([]manufacture.EK, error) {
	first, second := firstOf(f.ek1, c.values["ek1keyalgo"]), firstOf(f.ek2, c.values["ek2keyalgo"])
	if layout != manufacture.Swtpm && f.ek1+f.ek2+f.rsaKeySize == "" {
		return nil, nil
	}
	if layout == manufacture.Swtpm && !f.createEK && !f.ekCert && !f.platformCert {
		return []manufacture.EK{}, nil
	}
	if first == "" {
		size := firstOf(f.rsaKeySize, c.values["rsa_keysize"], "2048")
		if size == "max" {
			size = "4096"
		}
		first = "rsa" + size
	}
	eks := make([]manufacture.EK, 0, 2)
	for _, name := range []string{first, firstOf(second, string(manufacture.P384))} {
		k, err := manufacture.ParseEK(name)
		if err != nil {
			return nil, fmt.Errorf("endorsement key: %w", err)
		}
		if !slices.Contains(eks, k) {
			eks = append(eks, k)
		}
	}
	return eks, nil
}

// firstOf returns the first text that is not empty.
func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

// banks returns the PCR banks to activate; nil leaves them.
func (f *setupFlags) banks(c swtpmConf) ([]pcr.Bank, error) {
	list := firstOf(strings.Join(f.pcrBanks, ","), c.values["active_pcr_banks"], "sha256")
	if list == "-" {
		return nil, nil
	}
	var banks []pcr.Bank
	for name := range strings.SplitSeq(list, ",") {
		name = strings.ReplaceAll(strings.TrimSpace(name), "-", "_") // sha3-256, sm3-256 in swtpm's writing
		if name == "" {
			continue
		}
		b, err := pcr.ParseBank(name)
		if err != nil {
			return nil, fmt.Errorf("--pcr-banks: %w", err)
		}
		banks = append(banks, b)
	}
	if len(banks) == 0 {
		return nil, fmt.Errorf("--pcr-banks %s: there is no bank", list)
	}
	return banks, nil
}

// setupProgress says on a terminal what is being made; a long RSA key takes a while.
func (a *app) setupProgress() func(manufacture.Role, string) {
	w, ok := a.err.(*os.File)
	if !ok || !term.IsTerminal(int(w.Fd())) {
		return nil
	}
	return func(role manufacture.Role, algorithm string) {
		fmt.Fprintf(w, "making the %s key, %s ...\n", strings.ToUpper(string(role)), algorithm)
	}
}

// profileOf returns the profile that a text names: bootseal's own names, or swtpm's JSON. Of
// its built-in profiles "null" and "default-v1" are libtpms 0.9's TPM and the same with four
// commands more, later ones have what bootseal's own has.
func profileOf(text string) (vtpm.Profile, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return vtpm.Profile{}, nil // what the TPM was made with
	}
	if strings.HasPrefix(text, "{") {
		var p struct{ Name string }
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return vtpm.Profile{}, fmt.Errorf("the profile is no JSON: %w", err)
		}
		text = p.Name
	}
	text = strings.TrimPrefix(text, "builtin:")
	switch text {
	case "null", "default-v1":
		return vtpm.Libtpms(), nil
	case "default-v2":
		return vtpm.PCClient(), nil
	}
	p, err := vtpm.ProfileNamed(text)
	if err != nil {
		return p, fmt.Errorf("%w, or null, default-v1, default-v2 of swtpm", err)
	}
	return p, nil
}
