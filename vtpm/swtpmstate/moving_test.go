//go:build unix

package swtpmstate_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/swtpmstate"
)

// Samples are written by the swtpm that is in the PATH: give its version of libtpms.
var update = flag.String("update", "", "write testdata/libtpms-VERSION-* anew, with swtpm")

// fileSecret is the content of the file with the key or the password in TestMovingIn.
const fileSecret = "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef\n"

// ways are how swtpm keeps its state.
var ways = []struct {
	name   string
	option string // of --key, after file= or pwdfile=
	key    func() ([]byte, error)
	sample bool
}{
	{name: "plain", sample: true},
	{name: "aes-256-hex", option: "file=KEY,mode=aes-256-cbc", key: hexKey},
	{name: "aes-128-binary", option: "file=KEY16,format=binary,mode=aes-cbc", key: func() ([]byte, error) { return []byte(fileSecret[:16]), nil }},
	{name: "password", option: "pwdfile=KEY,mode=aes-256-cbc", key: passwordKey(swtpmstate.PBKDF2, 32), sample: true},
	{name: "password-sha512", option: "pwdfile=KEY,kdf=sha512", key: passwordKey(swtpmstate.SHA512, 16)},
}

func hexKey() ([]byte, error) {
	b := make([]byte, 32)
	for i := range b {
		b[i] = []byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF}[i%8]
	}
	return b, nil
}

func passwordKey(kdf string, size int) func() ([]byte, error) {
	return func() ([]byte, error) { return swtpmstate.PasswordKey([]byte(fileSecret), kdf, size) }
}

// TestMovingIn fills a TPM of swtpm, checks that it is as verify says, and then that
// ours is the same TPM, which goes on from the same state.
func TestMovingIn(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			s := newSwtpm(t)
			var keys swtpmstate.Keys
			if way.key != nil {
				s.options = []string{"--key", s.secretFiles(t, way.option)}
				keys.File = must(way.key())(t)
			}
			s.profile = strings.Fields(os.Getenv("BOOTSEAL_TEST_SWTPM_PROFILE"))
			tpm := s.start(t, tpm2.TPMSUClear)
			f := furnish(t, tpm)
			must(tpm2.Shutdown{ShutdownType: tpm2.TPMSUClear}.Execute(tpm))(t)
			s.kill()
			file := s.state(t)
			if f.Key = keys.File; way.sample && *update != "" {
				writeSample(t, *update+"-"+way.name, file, f)
			}

			t.Run("swtpm", func(t *testing.T) { verify(t, s.start(t, tpm2.TPMSUClear), f) })
			t.Run("bootseal", func(t *testing.T) {
				ours := moveIn(t, file, keys, vtpm.PCClient())
				must(tpm2.Startup{StartupType: tpm2.TPMSUClear}.Execute(ours))(t)
				verify(t, ours, f)
			})
		})
	}
}

// secretFiles replaces KEY and KEY16 in an option by files with the secret and with its
// first 16 bytes.
func (s *swtpm) secretFiles(t *testing.T, option string) string {
	t.Helper()
	for name, content := range map[string]string{"KEY16": fileSecret[:16], "KEY": fileSecret} {
		file := filepath.Join(s.dir, strings.ToLower(name))
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		option = strings.ReplaceAll(option, "="+name+",", "="+file+",")
	}
	return option
}

// TestMigrationBlob: what swtpm gives out over its control channel, encrypted with the
// migration key, and inside of that with the file's key or not.
func TestMigrationBlob(t *testing.T) {
	s := newSwtpm(t)
	keys := swtpmstate.Keys{File: []byte(fileSecret[:16]), Migration: must(passwordKey(swtpmstate.PBKDF2, 32)())(t)}
	control := filepath.Join(s.dir, "control")
	s.options = []string{
		"--migration-key", s.secretFiles(t, "pwdfile=KEY,mode=aes-256-cbc"), "--ctrl", "type=unixio,path=" + control,
		"--key", s.secretFiles(t, "file=KEY16,format=binary"),
	}
	tpm := s.start(t, tpm2.TPMSUClear)
	f := &facts{EK: primaries(t, tpm)}
	const encrypted, decrypted = 0, 1
	for _, kind := range []uint32{encrypted, decrypted} {
		blob := getStateBlob(t, control, kind)
		if *update != "" && kind == encrypted {
			f.Key, f.MigrationKey = keys.File, keys.Migration
			writeSample(t, *update+"-migration", blob, f)
		}
		checkPrimaries(t, moveIn(t, blob, keys, vtpm.PCClient()), f)
	}
}

// getStateBlob fetches the permanent state as CMD_GET_STATEBLOB returns it.
func getStateBlob(t *testing.T, control string, flags uint32) []byte {
	t.Helper()
	conn := must(net.Dial("unix", control))(t)
	defer conn.Close()
	const getStateBlob, permanent = 0xC, 1
	request := struct{ Command, Flags, Kind, Offset uint32 }{getStateBlob, flags, permanent, 0}
	if err := binary.Write(conn, binary.BigEndian, request); err != nil {
		t.Fatal(err)
	}
	var response struct{ Result, Flags, Total, Length uint32 }
	if err := binary.Read(conn, binary.BigEndian, &response); err != nil {
		t.Fatal(err)
	}
	if response.Result != 0 || response.Length != response.Total {
		t.Fatalf("%+v", response)
	}
	blob := make([]byte, response.Length)
	must(io.ReadFull(conn, blob))(t)
	return blob
}

// TestAsleep moves a TPM that was put to sleep with TPM2_Shutdown(STATE): it resumes.
func TestAsleep(t *testing.T) {
	s := newSwtpm(t)
	tpm := s.start(t, tpm2.TPMSUClear)
	fallAsleep(t, tpm)
	s.kill()
	file := s.state(t)
	if *update != "" {
		writeSample(t, *update+"-asleep", file, nil)
	}
	t.Run("swtpm", func(t *testing.T) { awake(t, s.start(t, tpm2.TPMSUState)) })
	t.Run("bootseal", func(t *testing.T) { awake(t, resume(t, file)) })
}

// TestPowerCut moves a TPM whose power was cut after authorizations had failed. Ours
// must take it for one, and say what swtpm says after its next start.
func TestPowerCut(t *testing.T) {
	s := newSwtpm(t)
	furnish(t, s.start(t, tpm2.TPMSUClear))
	s.kill()
	file := s.state(t)
	ours := moveIn(t, file, swtpmstate.Keys{}, vtpm.PCClient())
	must(tpm2.Startup{StartupType: tpm2.TPMSUClear}.Execute(ours))(t)
	theirs := s.start(t, tpm2.TPMSUClear)
	if have, want := afterCut(t, ours), afterCut(t, theirs); !slices.Equal(have, want) {
		t.Errorf("failures, safe, resets, counters: %v, and of swtpm %v", have, want)
	}
}

// sign makes a signature, which the TPM itself must accept.
func (c client) sign(h tpm2.TPMHandle) {
	sum := sha256.Sum256([]byte("message"))
	rsp := must(tpm2.Sign{
		KeyHandle: c.auth(h, ""), Digest: tpm2.TPM2BDigest{Buffer: sum[:]},
		InScheme: tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull}, Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull},
	}.Execute(c.tpm))(c)
	must(tpm2.VerifySignature{
		KeyHandle: tpm2.NamedHandle{Handle: h, Name: c.name(h)}, Digest: tpm2.TPM2BDigest{Buffer: sum[:]}, Signature: rsp.Signature,
	}.Execute(c.tpm))(c)
}

// afterCut returns what a power cut has changed, or could have: failed tries, whether
// Clock is safe, resets, and the counters.
func afterCut(t *testing.T, tpm transport.TPM) []uint64 {
	c := client{t, tpm}
	clock := must(tpm2.ReadClock{}.Execute(tpm))(t).CurrentTime.ClockInfo
	safe := uint64(0)
	if clock.Safe {
		safe = 1
	}
	list := []uint64{uint64(c.properties(ptPermanent)[ptLockoutCounter]), safe, uint64(clock.ResetCount)}
	for _, h := range []tpm2.TPMHandle{counter, hybrid} {
		list = append(list, number(c.readWith(h, nvAuth, 8)))
	}
	return list
}

// TestOldSeeds moves a TPM with seeds of libtpms before 0.8, whose RSA keys are made
// in another way. The state of such a TPM is that of a newer one with other numbers
// beside the seeds.
func TestOldSeeds(t *testing.T) {
	s := newSwtpm(t)
	s.start(t, tpm2.TPMSUClear)
	s.kill()
	file := s.state(t)
	levels := []byte{1, 0, 6, 1, 1, 1, 1, 0, 0} // a block of 6 bytes: three levels, and a block
	if bytes.Count(file, levels) != 1 {
		t.Fatal("the levels are not found")
	}
	file = bytes.Replace(file, levels, []byte{1, 0, 6, 0, 0, 0, 1, 0, 0}, 1)
	if err := os.WriteFile(filepath.Join(s.dir, "tpm2-00.permall"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	theirs := s.start(t, tpm2.TPMSUClear)
	f := &facts{EK: primaries(t, theirs)}
	if *update != "" {
		writeSample(t, *update+"-old-seeds", file, f)
	}
	checkOldSeeds(t, file, f)
}

// TestExotic moves a TPM with a key on a curve that only one of our profiles has.
func TestExotic(t *testing.T) {
	s := newSwtpm(t)
	c := client{t, s.start(t, tpm2.TPMSUClear)}
	rsp := must(tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(eccSigner(tpm2.TPMECCNistP192))}.Execute(c.tpm))(t)
	c.persist(&facts{Persistent: make(map[tpm2.TPMHandle][]byte)}, tpm2.TPMRHOwner, "", rsp.ObjectHandle, 0x81000020)
	s.kill()
	file := s.state(t)
	if *update != "" {
		writeSample(t, *update+"-exotic", file, nil)
	}
	ours := moveIn(t, file, swtpmstate.Keys{}, vtpm.Libtpms())
	must(tpm2.Startup{StartupType: tpm2.TPMSUClear}.Execute(ours))(t)
	client{t, ours}.sign(0x81000020)
}

// TestNVFull moves a TPM without room for another NV index.
func TestNVFull(t *testing.T) {
	s := newSwtpm(t)
	tpm := s.start(t, tpm2.TPMSUClear)
	c := client{t, tpm}
	n := 0
	for ; n < 1000; n++ {
		public := tpm2.TPMSNVPublic{
			NVIndex: tpm2.TPMHandle(0x01500000 + n), NameAlg: tpm2.TPMAlgSHA256, DataSize: 2048,
			Attributes: tpm2.TPMANV{AuthRead: true, AuthWrite: true, NoDA: true},
		}
		if _, err := c.try(tpm2.TPMCCNVDefineSpace, []tpm2.TPMHandle{tpm2.TPMRHOwner}, []string{""}, sized(nil), sized(tpm2.Marshal(public))); err != nil {
			break
		}
	}
	s.kill()
	moved := must(vtpm.FromLibtpms(must(swtpmstate.Permanent(s.state(t), swtpmstate.Keys{}))(t), vtpm.PCClient()))(t)
	if len(moved.NVIndices) != n {
		t.Errorf("%d of %d NV indices", len(moved.NVIndices), n)
	}
}
