package main

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/bootseal/bootseal/cmd/internal/tpmlink"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/lukstest"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/vtpm"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/rogpeppe/go-internal/testscript"
)

const scriptUUID = "0a1b2c3d-1111-4222-8333-444455556666"

// enrolledHeader writes a LUKS2 header that is enrolled for recorded boots, without
// cryptsetup: enrolled FILE SOCKET PCRS LABEL=LOG... The TPM at SOCKET seals, or with
// "-" one that is gone afterwards.
func enrolledHeader(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: enrolled FILE SOCKET PCRS LABEL=LOG...")
	}
	sel, err := pcr.ParseSelection(args[2])
	ts.Check(err)
	var boots []lukstest.Boot
	for _, arg := range args[3:] {
		label, path, _ := strings.Cut(arg, "=")
		data, err := os.ReadFile(ts.MkAbs(path))
		ts.Check(err)
		log, err := eventlog.Parse(data, eventlog.Limits{})
		ts.Check(err)
		values, err := log.Replay()
		ts.Check(err)
		boots = append(boots, lukstest.Boot{Label: label, Values: values})
	}
	tpm, err := sealingTPM(ts, args[1])
	ts.Check(err)
	h, err := lukstest.Enrolled(tpm, lukstest.Options{UUID: scriptUUID, PCRs: pcr.BankSelection{Bank: pcr.SHA256, PCRs: sel}}, boots...)
	ts.Check(closeAfter(tpm, err))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), h.Bytes(), 0o600))
}

func sealingTPM(ts *testscript.TestScript, socket string) (transport.TPMCloser, error) {
	if socket != "-" {
		return tpmlink.Socket(ts.MkAbs(socket))
	}
	t, err := vtpm.New(vtpm.Options{})
	if err != nil {
		return nil, err
	}
	_, err = tpm2.Startup{StartupType: tpm2.TPMSUClear}.Execute(t)
	return &embedded{TPM: t}, err
}

// efivarfsFolder makes a folder in the form of efivarfs of a dump: efivarfs FOLDER DUMP.
func efivarfsFolder(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: efivarfs FOLDER DUMP")
	}
	text, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	var dump map[string]string
	ts.Check(json.Unmarshal(text, &dump))
	folder := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(folder, 0o755))
	for name, value := range dump {
		data, err := hex.DecodeString(value)
		ts.Check(err)
		ts.Check(os.WriteFile(filepath.Join(folder, name), data, 0o600))
	}
}
