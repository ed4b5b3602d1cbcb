package vtpm_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

var record = flag.Bool("record", false, "write testdata/libtpms.txt anew, with swtpm")

// allCapabilities are what a client can ask about a TPM as it is made: all the groups,
// each from its beginning.
var allCapabilities = []struct {
	capability wire.Cap
	property   uint32
}{
	{wire.CapAlgs, 0},
	{wire.CapHandles, uint32(wire.PCRFirst)},
	{wire.CapHandles, uint32(wire.NVIndexFirst)},
	{wire.CapHandles, uint32(wire.HMACSessionFirst)},
	{wire.CapHandles, uint32(wire.PolicySessionFirst)},
	{wire.CapHandles, uint32(wire.HandleOwner)},
	{wire.CapHandles, uint32(wire.TransientFirst)},
	{wire.CapHandles, uint32(wire.PersistentFirst)},
	{wire.CapCommands, 0},
	{wire.CapPPCommands, 0},
	{wire.CapAuditCommands, 0},
	{wire.CapPCRs, 0},
	{wire.CapTPMProperties, uint32(wire.PTFixed)},
	{wire.CapTPMProperties, uint32(wire.PTVar)},
	{wire.CapPCRProperties, 0},
	{wire.CapECCCurves, 0},
	{wire.CapAuthPolicies, uint32(wire.HandleOwner)},
	{wire.CapACT, uint32(wire.HandleACT0)},
}

// getCapability returns moreData and the TPMS_CAPABILITY_DATA.
func getCapability(t *testing.T, tpm transport.TPM, c wire.Cap, property uint32) []byte {
	t.Helper()
	var w wire.Writer
	w.U16(uint16(wire.STNoSessions))
	w.U32(22)
	w.U32(uint32(wire.CCGetCapability))
	c.Write(&w)
	w.U32(property)
	w.U32(1000)
	response, err := tpm.Send(w.Data())
	if err != nil || len(response) < 10 || !bytes.Equal(response[6:10], make([]byte, 4)) {
		t.Fatalf("capability %d from %#x: %x, %v", c, property, response, err)
	}
	return response[10:]
}

// makers are the properties that tell who made a TPM.
func isMakers(p wire.PT) bool {
	return p >= wire.PTManufacturer && p <= wire.PTVendorString4 || p == wire.PTFirmwareVersion1 || p == wire.PTFirmwareVersion2
}

// lines returns a capability as text, one element a line, so that a difference can be
// read.
func lines(t *testing.T, data []byte) []string {
	t.Helper()
	limits := wire.DefaultLimits()
	limits.Curves = append(limits.Curves, wire.CurveNISTP192, wire.CurveBNP638)
	r := wire.NewReader(data, limits)
	all := []string{fmt.Sprintf("more: %d", r.U8())}
	var d wire.TPMSCapabilityData
	d.Read(r)
	if err := r.Err(); err != nil || r.Len() != 0 {
		t.Fatalf("capability data %x: %v", data, err)
	}
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, x := range d.Data.Algorithms {
		add("%v %#x", x.Alg, uint32(x.AlgProperties))
	}
	for _, x := range d.Data.Handles {
		add("%#x", uint32(x))
	}
	for _, x := range d.Data.Command {
		add("%v %#x", wire.CC(x&0xFFFF), uint32(x))
	}
	for _, x := range append(d.Data.PPCommands, d.Data.AuditCommands...) {
		add("%v", x)
	}
	for _, x := range d.Data.AssignedPCR {
		add("%v %x", x.Hash, x.PCRSelect)
	}
	for _, x := range d.Data.TPMProperties {
		if isMakers(x.Property) {
			x.Value = 0
		}
		add("property %#x: %#x", uint32(x.Property), x.Value)
	}
	for _, x := range d.Data.PCRProperties {
		add("property %#x: %x", uint32(x.Tag), x.PCRSelect)
	}
	for _, x := range d.Data.ECCCurves {
		add("%v", x)
	}
	for _, x := range d.Data.AuthPolicies {
		add("%#x %v %x", uint32(x.Handle), x.PolicyHash.HashAlg, x.PolicyHash.Digest)
	}
	for _, x := range d.Data.ACTData {
		add("%#x", uint32(x.Handle))
	}
	return all
}

// TestLibtpmsCapabilities: the profile answers as libtpms 0.9.2 did, a new TPM after
// Startup(CLEAR).
func TestLibtpmsCapabilities(t *testing.T) {
	if *record {
		recordCapabilities(t)
	}
	ours := vtpmtest.OpenOptions(t, vtpm.Options{Profile: vtpm.Libtpms()})
	f, err := os.Open("testdata/libtpms.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	for _, c := range allCapabilities {
		if !in.Scan() {
			t.Fatal("testdata/libtpms.txt is too short")
		}
		data, err := hex.DecodeString(in.Text())
		if err != nil {
			t.Fatal(err)
		}
		want, got := lines(t, data), lines(t, getCapability(t, ours, c.capability, c.property))
		for _, line := range want {
			if !slices.Contains(got, line) {
				t.Errorf("capability %d from %#x: libtpms has %s", c.capability, c.property, line)
			}
		}
		for _, line := range got {
			if !slices.Contains(want, line) {
				t.Errorf("capability %d from %#x: libtpms has not %s", c.capability, c.property, line)
			}
		}
	}
}

// TestSessionWithTDES: parameters are encrypted with blocks of another size than
// AES'; a mode other than CFB is refused.
func TestSessionWithTDES(t *testing.T) {
	c := &client{TB: t, TPM: vtpmtest.OpenOptions(t, vtpm.Options{Profile: vtpm.Libtpms()})}
	tdes := wire.TPMTSymDef{Algorithm: wire.AlgTDES, KeyBits: 192, Mode: wire.AlgCFB}
	if rc := c.encryptedSession(tdes); rc != wire.RCSuccess {
		t.Error(rc)
	}
	tdes.Mode = wire.AlgCBC
	c.fails(request{cc: wire.CCStartAuthSession, handles: []entity{{handle: wire.HandleNull}, {handle: wire.HandleNull}},
		params: params(make([]byte, 16), "", uint8(wire.SEHMAC), tdes, wire.AlgSHA256)}, wire.RCMode.Param(4))
}

// TestStorageWithOtherCiphers: storage parents protect their children with any cipher.
func TestStorageWithOtherCiphers(t *testing.T) {
	c := &client{TB: t, TPM: vtpmtest.OpenOptions(t, vtpm.Options{Profile: vtpm.Libtpms()})}
	for _, alg := range []wire.Alg{wire.AlgTDES, wire.AlgCamellia} {
		area := eccArea(wire.CurveBNP256, wire.ObjDecrypt|wire.ObjRestricted, wire.AlgNull)
		area.Parameters.ECC.Symmetric = wire.TPMTSymDefObject{Algorithm: alg, KeyBits: 128, Mode: wire.AlgCFB}
		parent, _, rc := c.primary(area)
		if rc != wire.RCSuccess {
			t.Fatal(rc)
		}
		x := c.by(wire.CCCreate, parent, params("", ""), wire.Marshal(hmacArea()), "", uint32(0))
		if x.rc != wire.RCSuccess {
			t.Fatalf("%v: create: %v", alg, x.rc)
		}
		r := wire.NewReader(x.params, knownLimits())
		private, public := r.Sized(1024), r.Sized(1024)
		loaded := c.by(wire.CCLoad, parent, private, public)
		if loaded.rc != wire.RCSuccess {
			t.Fatalf("%v: load: %v", alg, loaded.rc)
		}
		c.flush(entity{handle: loaded.handle})
		c.flush(parent)
	}
}

// recordCapabilities writes what swtpm answers, a line for each capability.
func recordCapabilities(t *testing.T) {
	dir, err := os.MkdirTemp("", "swtpm") // a socket's path must be short, and t.TempDir's is not
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	cmd := osexec.Command("swtpm", "socket", "--tpm2", "--tpmstate", "dir="+dir,
		"--server", "type=unixio,path="+socket, "--flags", "not-need-init,startup-clear")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	var tpm transport.TPMCloser
	for tpm == nil {
		tpm, _ = linuxudstpm.Open(socket)
	}
	defer tpm.Close()
	var all strings.Builder
	for _, c := range allCapabilities {
		fmt.Fprintf(&all, "%x\n", getCapability(t, tpm, c.capability, c.property))
	}
	if err := os.WriteFile("testdata/libtpms.txt", []byte(all.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A TPM stays what it was made with, unless it is opened with a profile.
func TestStateKeepsProfile(t *testing.T) {
	s := make(memory)
	name := func(p vtpm.Profile) string {
		tpm, err := vtpm.New(vtpm.Options{Store: s, Profile: p})
		if err != nil {
			t.Fatal(err)
		}
		return tpm.Identity().Profile
	}
	for _, test := range []struct {
		with vtpm.Profile
		want string
	}{
		{vtpm.Libtpms(), "libtpms"}, // it is made
		{vtpm.Profile{}, "libtpms"},
		{vtpm.PCClient(), "pcclient"},
		{vtpm.Profile{}, "libtpms"},
	} {
		if got := name(test.with); got != test.want {
			t.Errorf("opened with %q: %s, want %s", test.with.Name(), got, test.want)
		}
	}
	for _, record := range []string{"\x00\x08libtpms2", "\x00\x07libtpms+", "\xFF\xFF", ""} {
		if err := s.Commit(map[string][]byte{"profile": []byte(record)}); err != nil {
			t.Fatal(err)
		}
		if _, err := vtpm.New(vtpm.Options{Store: s}); err == nil {
			t.Errorf("a state of the profile %q opens", record)
		}
	}
}
