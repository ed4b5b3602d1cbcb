package swtpmstate_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/swtpmstate"
)

// The samples were written by swtpm, and are moved in without it. Each folder has its
// file, and facts.json with what is known of the TPM in it.

func writeSample(t *testing.T, name string, file []byte, f *facts) {
	t.Helper()
	dir := filepath.Join("testdata", "libtpms-"+name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tpm2-00.permall"), file, 0o644); err != nil {
		t.Fatal(err)
	}
	if f == nil {
		return
	}
	text := must(json.MarshalIndent(f, "", " "))(t)
	if err := os.WriteFile(filepath.Join(dir, "facts.json"), append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// samples returns the folders whose names end so.
func samples(t testing.TB, kind string) []string {
	t.Helper()
	dirs := must(filepath.Glob(filepath.Join("testdata", "libtpms-*-"+kind)))(t)
	if len(dirs) == 0 {
		t.Fatalf("there is no sample %s", kind)
	}
	return dirs
}

func readSample(t testing.TB, dir string) ([]byte, *facts) {
	t.Helper()
	file := must(os.ReadFile(filepath.Join(dir, "tpm2-00.permall")))(t)
	text, err := os.ReadFile(filepath.Join(dir, "facts.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return file, nil
	}
	f := new(facts)
	if err := json.Unmarshal(must(text, err)(t), f); err != nil {
		t.Fatal(err)
	}
	return file, f
}

// TestSamples is TestMovingIn without swtpm.
func TestSamples(t *testing.T) {
	for _, dir := range append(samples(t, "plain"), samples(t, "password")...) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			file, f := readSample(t, dir)
			for _, p := range []vtpm.Profile{vtpm.PCClient(), vtpm.Libtpms()} {
				tpm := moveIn(t, file, swtpmstate.Keys{File: f.Key}, p)
				must(tpm2.Startup{StartupType: tpm2.TPMSUClear}.Execute(tpm))(t)
				verify(t, tpm, f)
			}
		})
	}
}

// moveIn returns our TPM with the state of swtpm's file, before Startup.
func moveIn(t testing.TB, file []byte, keys swtpmstate.Keys, p vtpm.Profile) *vtpm.TPM {
	t.Helper()
	tpm, _ := moveInto(t, file, keys, p)
	return tpm
}

func moveInto(t testing.TB, file []byte, keys swtpmstate.Keys, p vtpm.Profile) (*vtpm.TPM, memory) {
	t.Helper()
	moved := must(vtpm.FromLibtpms(must(swtpmstate.Permanent(file, keys))(t), p))(t)
	store := make(memory)
	if err := moved.Fill(store); err != nil {
		t.Fatal(err)
	}
	if err := moved.Fill(store); !errors.Is(err, vtpm.ErrOccupied) {
		t.Errorf("a second time: %v", err)
	}
	return must(vtpm.New(vtpm.Options{Store: store, Profile: p}))(t), store
}

// memory is a store.
type memory map[string][]byte

func (m memory) Load() (map[string][]byte, error) { return m, nil }

func (m memory) Commit(changes map[string][]byte) error {
	for name, value := range changes {
		if m[name] = value; value == nil {
			delete(m, name)
		}
	}
	return nil
}

// TestBlob: what moved in can also take the place of a TPM that is there.
func TestBlob(t *testing.T) {
	file, f := readSample(t, samples(t, "plain")[0])
	moved := must(vtpm.FromLibtpms(must(swtpmstate.Permanent(file, swtpmstate.Keys{}))(t), vtpm.PCClient()))(t)
	tpm := must(vtpm.New(vtpm.Options{}))(t)
	if err := tpm.RestoreState(vtpm.PermanentState, must(moved.Blob())(t)); err != nil {
		t.Fatal(err)
	}
	must(tpm2.Startup{StartupType: tpm2.TPMSUClear}.Execute(tpm))(t)
	verify(t, tpm, f)
}

const platformAuth = "platform"

// fallAsleep gives a TPM what a resume must bring back, and puts it to sleep.
func fallAsleep(t *testing.T, tpm transport.TPM) {
	c := client{t, tpm}
	c.boot()
	c.run(tpm2.TPMCCHierarchyChanegAuth, []tpm2.TPMHandle{tpm2.TPMRHPlatform}, []string{""}, sized(platformAuth))
	session := must(tpm2.StartAuthSession{
		TPMKey: tpm2.TPMRHNull, Bind: tpm2.TPMRHNull, NonceCaller: tpm2.TPM2BNonce{Buffer: make([]byte, 16)},
		SessionType: tpm2.TPMSEHMAC, Symmetric: tpm2.TPMTSymDef{Algorithm: tpm2.TPMAlgNull}, AuthHash: tpm2.TPMAlgSHA256,
	}.Execute(tpm))(t)
	must(tpm2.ContextSave{SaveHandle: session.SessionHandle}.Execute(tpm))(t)
	c.run(tpm2.TPMCCHierarchyControl, []tpm2.TPMHandle{tpm2.TPMRHPlatform}, []string{platformAuth}, uint32(tpm2.TPMRHEndorsement), uint8(0))
	must(tpm2.Shutdown{ShutdownType: tpm2.TPMSUState}.Execute(tpm))(t)
}

// resume returns our TPM after Startup(STATE).
func resume(t *testing.T, file []byte) transport.TPM {
	tpm := moveIn(t, file, swtpmstate.Keys{}, vtpm.PCClient())
	must(tpm2.Startup{StartupType: tpm2.TPMSUState}.Execute(tpm))(t)
	return tpm
}

// awake checks a TPM that fallAsleep has put to sleep.
func awake(t *testing.T, tpm transport.TPM) {
	c := client{t, tpm}
	measured := sha256.Sum256([]byte("the right boot"))
	want := sha256.Sum256(append(make([]byte, 32), measured[:]...))
	rsp := must(tpm2.PCRRead{PCRSelectionIn: pcr7}.Execute(tpm))(t)
	if d := rsp.PCRValues.Digests; len(d) != 1 || !bytes.Equal(d[0].Buffer, want[:]) {
		t.Errorf("PCR 7: %x", d)
	}
	if clock := must(tpm2.ReadClock{}.Execute(tpm))(t).CurrentTime.ClockInfo; clock.RestartCount != 1 || clock.ResetCount != 1 {
		t.Errorf("clock %+v", clock)
	}
	const ptStartupClear, ehEnable = 0x201, 1 << 2
	if v := c.properties(ptPermanent)[ptStartupClear]; v&0xF != 0xF&^ehEnable {
		t.Errorf("TPMA_STARTUP_CLEAR %#x", v)
	}
	c.run(tpm2.TPMCCHierarchyChanegAuth, []tpm2.TPMHandle{tpm2.TPMRHPlatform}, []string{platformAuth}, sized(nil))
}

// TestAsleepSample is TestAsleep without swtpm.
func TestAsleepSample(t *testing.T) {
	for _, dir := range samples(t, "asleep") {
		file, _ := readSample(t, dir)
		awake(t, resume(t, file))
	}
}

// TestLeft: what cannot move is told.
func TestLeft(t *testing.T) {
	for _, c := range []struct{ dir, old, new, want string }{
		{"0.10.0-asleep", "", "", "contexts of sessions outside of the TPM (1): they can only be flushed"},
		{"0.10.0-plain", "", "", ""},
		{"0.11.0-plain", "", "", ""},
		{"0.10.0-plain", "default-v1", "custom:low", `the restrictions of libtpms' profile "custom:low": what it forbids is allowed`},
	} {
		file, _ := readSample(t, filepath.Join("testdata", "libtpms-"+c.dir))
		moved := must(convert(t, bytes.Replace(file, []byte(c.old), []byte(c.new), 1)))(t)
		if left := strings.Join(moved.Left, "; "); left != c.want {
			t.Errorf("%s: %q", c.dir, left)
		}
	}
}

// primaries returns the public areas of an RSA and an ECC key of each hierarchy.
func primaries(t *testing.T, tpm transport.TPM) (public [][]byte) {
	for _, h := range []tpm2.TPMHandle{tpm2.TPMRHEndorsement, tpm2.TPMRHOwner, tpm2.TPMRHPlatform} {
		for _, template := range []tpm2.TPMTPublic{tpm2.RSASRKTemplate, tpm2.ECCSRKTemplate} {
			rsp := must(tpm2.CreatePrimary{PrimaryHandle: h, InPublic: tpm2.New2B(template)}.Execute(tpm))(t)
			must(tpm2.FlushContext{FlushHandle: rsp.ObjectHandle}.Execute(tpm))(t)
			public = append(public, rsp.OutPublic.Bytes())
		}
	}
	return public
}

// checkPrimaries starts a TPM and checks that it has the keys of primaries.
func checkPrimaries(t *testing.T, tpm transport.TPM, f *facts) {
	t.Helper()
	must(tpm2.Startup{StartupType: tpm2.TPMSUClear}.Execute(tpm))(t)
	for i, public := range primaries(t, tpm) {
		if !bytes.Equal(public, f.EK[i]) {
			t.Errorf("primary key %d is another one", i)
		}
	}
}

// TestMigrationSample is TestMigrationBlob without swtpm.
func TestMigrationSample(t *testing.T) {
	for _, dir := range samples(t, "migration") {
		blob, f := readSample(t, dir)
		for _, c := range []struct {
			keys swtpmstate.Keys
			want error
		}{
			{swtpmstate.Keys{}, swtpmstate.ErrMigrationEncrypted},
			{swtpmstate.Keys{Migration: f.MigrationKey}, swtpmstate.ErrEncrypted},
			{swtpmstate.Keys{File: f.Key, Migration: make([]byte, 32)}, swtpmstate.ErrWrongKey},
		} {
			if _, err := swtpmstate.Permanent(blob, c.keys); !errors.Is(err, c.want) {
				t.Errorf("%v instead of %v", err, c.want)
			}
		}
		checkPrimaries(t, moveIn(t, blob, swtpmstate.Keys{File: f.Key, Migration: f.MigrationKey}, vtpm.PCClient()), f)
	}
}

// TestOldSeedsSample is TestOldSeeds without swtpm.
func TestOldSeedsSample(t *testing.T) {
	for _, dir := range samples(t, "old-seeds") {
		file, f := readSample(t, dir)
		checkOldSeeds(t, file, f)
	}
}

// checkOldSeeds checks that keys of seeds from libtpms before 0.8 are the same, after
// another start, too, and that nothing of it is left with new seeds.
func checkOldSeeds(t *testing.T, file []byte, f *facts) {
	tpm, store := moveInto(t, file, swtpmstate.Keys{}, vtpm.PCClient())
	for range 2 {
		checkPrimaries(t, tpm, f)
		tpm = must(vtpm.New(vtpm.Options{Store: store}))(t)
	}
	must(tpm2.Startup{StartupType: tpm2.TPMSUClear}.Execute(tpm))(t)
	const record = "seedversions"
	if store[record] == nil {
		t.Errorf("there is no record %s", record)
	}
	c := client{t, tpm}
	for _, cc := range []tpm2.TPMCC{tpm2.TPMCCChangeEPS, tpm2.TPMCCChangePPS, tpm2.TPMCCClear} {
		c.run(cc, []tpm2.TPMHandle{tpm2.TPMRHPlatform}, []string{""})
	}
	if store[record] != nil {
		t.Errorf("record %s of new seeds: %x", record, store[record])
	}
	for i, public := range primaries(t, tpm) {
		if bytes.Equal(public, f.EK[i]) {
			t.Errorf("primary key %d of a new seed is the old one", i)
		}
	}
}

// TestProfileLacks: what the profile does not have is named.
func TestProfileLacks(t *testing.T) {
	for _, dir := range samples(t, "exotic") {
		file, _ := readSample(t, dir)
		state := must(swtpmstate.Permanent(file, swtpmstate.Keys{}))(t)
		_, err := vtpm.FromLibtpms(state, vtpm.PCClient())
		if err == nil || !strings.Contains(err.Error(), "persistent object 0x81000020 (TPM_ALG_ECC on TPM_ECC_NIST_P192, nameAlg TPM_ALG_SHA256)") {
			t.Errorf("%v", err)
		}
		moveIn(t, file, swtpmstate.Keys{}, vtpm.Libtpms())
	}
}

func number(b []byte) uint64 { return binary.BigEndian.Uint64(b) }
