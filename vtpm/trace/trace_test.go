package trace_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/trace"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// tapped is a TPM whose commands are kept.
type tapped struct {
	*vtpmtest.TPM
	exchanges [][2][]byte
}

func (x *tapped) Send(cmd []byte) ([]byte, error) {
	rsp, err := x.TPM.Send(cmd)
	x.exchanges = append(x.exchanges, [2][]byte{bytes.Clone(cmd), bytes.Clone(rsp)})
	return rsp, err
}

// What must never come out of a trace.
const (
	password = "an authValue"
	secret   = "what was sealed"
	data     = "in an NV index"
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// scene uses a TPM in the ways in which secrets go over its interface: passwords, HMAC
// and policy sessions, encrypted parameters, data that is sealed, unsealed, written, read.
func scene(t *testing.T) *tapped {
	x := &tapped{TPM: vtpmtest.Open(t)}
	auth := tpm2.TPM2BAuth{Buffer: []byte(password)}
	srk := must(tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(x))(t)
	parent := tpm2.AuthHandle{Handle: srk.ObjectHandle, Name: srk.Name, Auth: tpm2.PasswordAuth(nil)}
	sealed := must(tpm2.Create{
		ParentHandle: parent,
		InPublic: tpm2.New2B(tpm2.TPMTPublic{
			Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256,
			ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, UserWithAuth: true},
		}),
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			UserAuth: auth, Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: []byte(secret)}),
		}},
	}.Execute(x))(t)
	loaded := must(tpm2.Load{ParentHandle: parent, InPublic: sealed.OutPublic, InPrivate: sealed.OutPrivate}.Execute(x))(t)
	for _, session := range []tpm2.Session{
		tpm2.PasswordAuth([]byte(password)),
		tpm2.HMAC(tpm2.TPMAlgSHA256, 16, tpm2.Auth([]byte(password))),
		tpm2.HMAC(tpm2.TPMAlgSHA256, 16, tpm2.Auth([]byte(password)), tpm2.AESEncryption(128, tpm2.EncryptOut)),
	} {
		item := tpm2.AuthHandle{Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: session}
		if out := must(tpm2.Unseal{ItemHandle: item}.Execute(x))(t); string(out.OutData.Buffer) != secret {
			t.Fatalf("unsealed %q", out.OutData.Buffer)
		}
	}
	wrong := tpm2.AuthHandle{Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: tpm2.PasswordAuth([]byte(password + "?"))}
	if _, err := (tpm2.Unseal{ItemHandle: wrong}).Execute(x); err == nil {
		t.Fatal("a wrong password is right")
	}
	nv(t, x, auth)
	must(tpm2.ContextSave{SaveHandle: loaded.ObjectHandle}.Execute(x))(t)
	must(tpm2.HierarchyChangeAuth{AuthHandle: tpm2.TPMRHEndorsement, NewAuth: auth}.Execute(x))(t)
	for _, selected := range [][]byte{{0x81, 0, 0x01}, {0x10, 0, 0}} {
		must(tpm2.PCRRead{PCRSelectionIn: tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{
			{Hash: tpm2.TPMAlgSHA256, PCRSelect: selected},
		}}}.Execute(x))(t)
	}
	return x
}

func nv(t *testing.T, x *tapped, auth tpm2.TPM2BAuth) {
	public := tpm2.TPMSNVPublic{
		NVIndex: 0x01500000, NameAlg: tpm2.TPMAlgSHA256, DataSize: uint16(len(data)),
		Attributes: tpm2.TPMANV{AuthRead: true, AuthWrite: true, NoDA: true},
	}
	must(tpm2.NVDefineSpace{AuthHandle: tpm2.TPMRHOwner, Auth: auth, PublicInfo: tpm2.New2B(public)}.Execute(x))(t)
	index := func() (tpm2.AuthHandle, tpm2.NamedHandle) {
		name := must(tpm2.NVReadPublic{NVIndex: public.NVIndex}.Execute(x))(t).NVName
		return tpm2.AuthHandle{Handle: public.NVIndex, Name: name, Auth: tpm2.PasswordAuth(auth.Buffer)},
			tpm2.NamedHandle{Handle: public.NVIndex, Name: name}
	}
	by, at := index()
	must(tpm2.NVWrite{AuthHandle: by, NVIndex: at, Data: tpm2.TPM2BMaxNVBuffer{Buffer: []byte(data)}}.Execute(x))(t)
	by, at = index()
	must(tpm2.NVRead{AuthHandle: by, NVIndex: at, Size: uint16(len(data))}.Execute(x))(t)
}

// TestNoSecrets: neither words nor packets have a secret, and packets have the sizes of
// the real ones.
func TestNoSecrets(t *testing.T) {
	x := scene(t)
	in := 0
	for _, e := range x.exchanges {
		words := trace.Describe(e[0], e[1])
		cmd, rsp := trace.Blank(e[0], e[1])
		if len(cmd) != len(e[0]) || len(rsp) != len(e[1]) {
			t.Errorf("%s: other sizes", words.Command)
		}
		if words.Broken != "" {
			t.Errorf("%s: %s", words.Command, words.Broken)
		}
		for _, s := range []string{password, secret, data} {
			for _, b := range e {
				if bytes.Contains(b, []byte(s)) {
					in++
				}
			}
			for _, b := range [][]byte{cmd, rsp, []byte(words.String())} {
				if bytes.Contains(b, []byte(s)) || bytes.Contains(b, []byte(hex.EncodeToString([]byte(s)))) {
					t.Errorf("%s shows %q", words.Command, s)
				}
			}
		}
	}
	if in < 10 {
		t.Errorf("only %d secrets went over the interface", in)
	}
}

// TestWords: what a trace says.
func TestWords(t *testing.T) {
	var lines []string
	for _, e := range scene(t).exchanges {
		lines = append(lines, trace.Describe(e[0], e[1]).String())
	}
	all := strings.Join(lines, "\n")
	for _, want := range []string{
		"TPM2_CreatePrimary(primaryHandle=owner; password; inSensitive=4 bytes, inPublic=90 bytes, outsideInfo=0 bytes, creationPCR=none) = TPM_RC_SUCCESS(objectHandle=0x80000000; outPublic=",
		"TPM2_Create(parentHandle=0x80000000; password; inSensitive=31 bytes, ",
		"TPM2_Unseal(itemHandle=0x80000001; password) = TPM_RC_SUCCESS(outData=15 bytes)",
		"TPM2_Unseal(itemHandle=0x80000001; HMAC session 0x02000000 encrypt) = TPM_RC_SUCCESS(outData=15 bytes, encrypted)",
		"TPM2_Unseal(itemHandle=0x80000001; password) = TPM_RC_AUTH_FAIL (session 1)",
		"TPM2_NV_Write(authHandle=0x01500000, nvIndex=0x01500000; password; data=14 bytes, offset=0) = TPM_RC_SUCCESS",
		"TPM2_HierarchyChangeAuth(authHandle=endorsement; password; newAuth=12 bytes) = TPM_RC_SUCCESS",
		"TPM2_PCR_Read(pcrSelectionIn=sha256:0,7,16) = TPM_RC_SUCCESS(pcrUpdateCounter=",
		"TPM2_PCR_Read(pcrSelectionIn=sha256:4) = TPM_RC_SUCCESS(pcrUpdateCounter=20, pcrSelectionOut=sha256:4, pcrValues=38 bytes)",
		"TPM2_StartAuthSession(tpmKey=null, bind=null; nonceCaller=16 bytes, encryptedSalt=0 bytes, sessionType=0x0, symmetric=",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%s\nis not in:\n%s", want, all)
		}
	}
}

// TestEveryCommand: every command of the table can be read, as far as its bytes go.
func TestEveryCommand(t *testing.T) {
	for _, info := range vtpm.Commands() {
		cmd := make([]byte, 600)
		binary.BigEndian.PutUint16(cmd, 0x8001)
		binary.BigEndian.PutUint32(cmd[2:], uint32(len(cmd)))
		binary.BigEndian.PutUint32(cmd[6:], info.Code)
		rsp := bytes.Clone(cmd)
		clear(rsp[6:10])
		if w := trace.Describe(cmd, rsp); !strings.HasPrefix(w.Command, "TPM2_") {
			t.Errorf("%s is %q", info.Name, w.Command)
		}
		trace.Blank(cmd, rsp)
	}
}

// TestBroken: what is no command is said to be none, and nothing of it is shown.
func TestBroken(t *testing.T) {
	for _, c := range []struct{ name, cmd, rsp, want string }{
		{"nothing", "", "", "0x0() = TPM_RC_SUCCESS [command: the header is cut short; response: the header is cut short]"},
		{"no command", "8001 0000000c 00001234 abcd", "8001 0000000a 00000143", "0x1234() = TPM_RC_COMMAND_CODE"},
		{"another size", "8001 000000ff 0000017b 0010", "8001 0000000a 00000142", "TPM2_GetRandom() = TPM_RC_COMMAND_SIZE"},
		{"too long", "8001 0000000e 0000017b 0010 7777", "8001 0000000a 00000095", "TPM2_GetRandom(bytesRequested=16) = TPM_RC_SIZE"},
		{"a session cut short", "8002 00000012 0000015e 80000000 00000009", "8001 0000000a 00000144", "TPM2_Unseal(itemHandle=0x80000000) = TPM_RC_AUTHSIZE"},
	} {
		cmd, rsp := unhex(t, c.cmd), unhex(t, c.rsp)
		if text := trace.Describe(cmd, rsp).String(); text != c.want {
			t.Errorf("%s: %s", c.name, text)
		}
		blank, _ := trace.Blank(cmd, rsp)
		if bytes.Contains(blank, []byte{0xAB}) || bytes.Contains(blank, []byte{0x77}) {
			t.Errorf("%s: %x", c.name, blank)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	return must(hex.DecodeString(strings.ReplaceAll(s, " ", "")))(t)
}

// TestWireshark: its dissector finds every command and response in the file, and nothing
// wrong with them or with the packets around.
func TestWireshark(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("reads packets with tshark: install Debian's tshark")
	}
	x := scene(t)
	var file bytes.Buffer
	p := must(trace.NewPcap(&file))(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	for i, e := range x.exchanges {
		if err := p.Write(at.Add(time.Duration(i)*time.Second), time.Millisecond, uint8(i%5), e[0], e[1]); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(t.TempDir(), "trace.pcap")
	if err := os.WriteFile(name, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tshark, "-r", name, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
		"-T", "fields", "-e", "frame.time_epoch", "-e", "tpm.req.cc", "-e", "tpm.resp.rc",
		"-e", "_ws.malformed", "-e", "_ws.expert.message").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != 2*len(x.exchanges) {
		t.Fatalf("%d packets of %d commands:\n%s", len(lines), len(x.exchanges), out)
	}
	for i, e := range x.exchanges {
		begun := at.Add(time.Duration(i) * time.Second)
		want := []string{
			fmt.Sprintf("%d.%09d\t0x%08x\t\t\t", begun.Unix(), begun.Nanosecond(), binary.BigEndian.Uint32(e[0][6:])),
			fmt.Sprintf("%d.%09d\t\t0x%08x\t\t", begun.Unix(), begun.Add(time.Millisecond).Nanosecond(), binary.BigEndian.Uint32(e[1][6:])),
		}
		for j, w := range want {
			// To Wireshark 4.0 TPM2_NV_Read has one handle, and it is two.
			if w == lines[2*i+j] || strings.HasSuffix(w, "\t0x0000014e\t\t\t") && strings.HasPrefix(lines[2*i+j], w[:len(w)-2]) {
				continue
			}
			if lines[2*i+j] != w {
				t.Errorf("packet %d: %q instead of %q", 2*i+j, lines[2*i+j], w)
			}
		}
	}
}

// FuzzTrace: nothing breaks it, sizes stay, and only bytes that were there are shown.
func FuzzTrace(f *testing.F) {
	f.Add([]byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7B, 0, 8}, []byte{0x80, 0x01, 0, 0, 0, 14, 0, 0, 0, 0, 0, 2, 1, 2})
	f.Add([]byte{0x80, 0x02, 0, 0, 0, 27, 0, 0, 0x01, 0x5E, 0x80, 0, 0, 0, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0}, []byte{0x80, 0x02, 0, 0, 0, 10, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, cmd, rsp []byte) {
		_ = trace.Describe(cmd, rsp).String()
		blankCmd, blankRsp := trace.Blank(cmd, rsp)
		for _, b := range [][2][]byte{{cmd, blankCmd}, {rsp, blankRsp}} {
			if len(b[0]) != len(b[1]) {
				t.Fatal("another size")
			}
			for i := range b[0] {
				if b[1][i] != 0 && b[1][i] != b[0][i] {
					t.Fatalf("byte %d is %#x and was %#x", i, b[1][i], b[0][i])
				}
			}
		}
	})
}
