package crypt_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

var update = flag.Bool("update", false, "write testdata/swtpm.json anew, with swtpm")

// recordedChild is an object that swtpm created below recordedParent, in hex.
type recordedChild struct {
	Public  string `json:"public"`  // TPMT_PUBLIC
	Private string `json:"private"` // TPM2B_PRIVATE's contents
}

func recordedParent(t *testing.T) testKey {
	return importable(eccKey(t, wire.CurveNISTP256, 0x42), wire.AlgSHA256, 128)
}

// TestPrivateOfSwtpm is the half of TestProtectedStorageWithSwtpm that needs no
// swtpm: recorded private areas open.
func TestPrivateOfSwtpm(t *testing.T) {
	b, err := os.ReadFile("testdata/swtpm.json")
	if err != nil {
		t.Fatal(err)
	}
	var children map[string]recordedChild
	if err := json.Unmarshal(b, &children); err != nil {
		t.Fatal(err)
	}
	parent := recordedParent(t)
	p := crypt.NewProtection(parent.pub, parent.sens.SeedValue)
	for name, c := range children {
		var pub wire.TPMTPublic
		if err := wire.Unmarshal(unhex(t, c.Public), &pub, wire.DefaultLimits()); err != nil {
			t.Fatal(err)
		}
		sens, err := crypt.PrivateToSensitive(p, crypt.ObjectName(&pub), unhex(t, c.Private), wire.DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := crypt.NewPrivate(&pub, &sens); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name == "sealed" && string(sens.Sensitive) != "sealed data" {
			t.Errorf("%s: %q", name, sens.Sensitive)
		}
	}
	if len(children) != len(childTemplates(t)) {
		t.Errorf("%d recorded objects", len(children))
	}
}

// swtpm starts a software TPM that others wrote, and skips the test where there
// is none. What we wrap it must open, and the other way round.
func swtpm(t *testing.T) transport.TPM {
	t.Helper()
	if os.Getenv("BOOTSEAL_TEST_TPM") != "swtpm" {
		t.Skip("works with swtpm: set BOOTSEAL_TEST_TPM=swtpm where it is installed")
	}
	if _, err := exec.LookPath("swtpm"); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "swtpm") // a socket's path must be short, and t.TempDir's is not
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.Command("swtpm", "socket", "--tpm2", "--tpmstate", "dir="+dir,
		"--server", "type=unixio,path="+socket, "--flags", "not-need-init,startup-clear")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
		os.RemoveAll(dir)
	})
	for {
		if tpm, err := linuxudstpm.Open(socket); err == nil {
			if _, err := (tpm2.GetRandom{BytesRequested: 1}).Execute(tpm); err == nil {
				return tpm
			}
		}
		select {
		case <-exited:
			t.Fatalf("swtpm ended: %s", log.String())
		default:
		}
	}
}

// ours returns a structure of the client as the engine reads it.
func ours[T any, P interface {
	*T
	Read(*wire.Reader)
}](t *testing.T, theirs tpm2.Marshallable) *T {
	t.Helper()
	v := new(T)
	if err := wire.Unmarshal(tpm2.Marshal(theirs), P(v), wire.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	return v
}

func password(h tpm2.TPMHandle, name tpm2.TPM2BName, auth string) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: h, Name: name, Auth: tpm2.PasswordAuth([]byte(auth))}
}

// loadParent imports k, a storage key that we know everything about, below a
// new primary key of tpm. The duplicate is ours: TPM2_Import takes it.
func loadParent(t *testing.T, tpm transport.TPM, k testKey) *tpm2.LoadResponse {
	t.Helper()
	primary, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	area, err := primary.OutPublic.Contents()
	if err != nil {
		t.Fatal(err)
	}
	primaryPub := ours[wire.TPMTPublic](t, area)
	seed, enc, err := crypt.EncryptSecret(rand.Reader, primaryPub, "DUPLICATE")
	if err != nil {
		t.Fatal(err)
	}
	inner := crypt.InnerWrap{Sym: wire.AlgAES, KeyBits: 128, Key: bytes.Repeat([]byte{0x1E}, 16)}
	blob, err := crypt.SensitiveToDuplicate(crypt.NewProtection(primaryPub, seed), inner, crypt.ObjectName(k.pub), k.pub.NameAlg, k.sens)
	if err != nil {
		t.Fatal(err)
	}
	imported, err := tpm2.Import{
		ParentHandle:  password(primary.ObjectHandle, primary.Name, ""),
		EncryptionKey: tpm2.TPM2BData{Buffer: inner.Key},
		ObjectPublic:  tpm2.New2B(*client(t, k.pub)),
		Duplicate:     tpm2.TPM2BPrivate{Buffer: blob},
		InSymSeed:     tpm2.TPM2BEncryptedSecret{Buffer: enc},
		Symmetric: tpm2.TPMTSymDef{
			Algorithm: tpm2.TPMAlgAES,
			KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(128)),
			Mode:      tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
		},
	}.Execute(tpm)
	if err != nil {
		t.Fatalf("import our duplicate: %v", err)
	}
	parent, err := tpm2.Load{
		ParentHandle: password(primary.ObjectHandle, primary.Name, ""),
		InPrivate:    imported.OutPrivate,
		InPublic:     tpm2.New2B(*client(t, k.pub)),
	}.Execute(tpm)
	if err != nil {
		t.Fatalf("load the imported parent: %v", err)
	}
	if _, err := (tpm2.FlushContext{FlushHandle: primary.ObjectHandle}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	return parent
}

// importable is storage without the attributes that forbid an import, with
// another hash and cipher for each.
func importable(k testKey, hash wire.Alg, keyBits uint16) testKey {
	k = k.storage().change(func(pub *wire.TPMTPublic, sens *wire.TPMTSensitive) {
		pub.NameAlg = hash
		pub.ObjectAttributes = wire.ObjDecrypt | wire.ObjRestricted | wire.ObjUserWithAuth
		pub.Parameters.RSA.Symmetric.KeyBits, pub.Parameters.ECC.Symmetric.KeyBits = keyBits, keyBits
		sens.SeedValue = bytes.Repeat([]byte{0x5E}, crypt.Size(hash))
	})
	return k
}

// Children of a parent with a known seed: what swtpm creates we open, and it
// belongs to the public area; what we wrap swtpm loads and uses.
func TestProtectedStorageWithSwtpm(t *testing.T) {
	tpm := swtpm(t)
	const recorded = "ECC, SHA-256, AES-128"
	record := map[string]recordedChild{}
	for name, k := range map[string]testKey{
		recorded:                recordedParent(t),
		"ECC, SHA-384, AES-256": importable(eccKey(t, wire.CurveNISTP384, 0x42), wire.AlgSHA384, 256),
		"RSA, SHA-512, AES-256": importable(rsa2048(t), wire.AlgSHA512, 256),
	} {
		t.Run(name, func(t *testing.T) {
			parent := loadParent(t, tpm, k)
			defer func() { _, _ = tpm2.FlushContext{FlushHandle: parent.ObjectHandle}.Execute(tpm) }()
			p := crypt.NewProtection(k.pub, k.sens.SeedValue)
			for child, template := range childTemplates(t) {
				made := createChild(t, tpm, parent, child, template)
				if name == recorded {
					record[child] = recordedChild{hex.EncodeToString(tpm2.Marshal(made.pub)), hex.EncodeToString(made.rsp.OutPrivate.Buffer)}
				}
				pub := ours[wire.TPMTPublic](t, made.pub)
				sens, err := crypt.PrivateToSensitive(p, crypt.ObjectName(pub), made.rsp.OutPrivate.Buffer, wire.DefaultLimits())
				if err != nil {
					t.Fatalf("%s: open swtpm's private area: %v", child, err)
				}
				if _, err := crypt.NewPrivate(pub, &sens); err != nil {
					t.Errorf("%s: %v", child, err)
				}
				wantAuth := append([]byte("pin"), make([]byte, crypt.Size(pub.NameAlg)-3)...)
				if !bytes.Equal(sens.AuthValue, wantAuth) {
					t.Errorf("%s: authValue %x, want %x", child, sens.AuthValue, wantAuth)
				}

				blob, err := crypt.SensitiveToPrivate(rand.Reader, p, crypt.ObjectName(pub), pub.NameAlg, &sens)
				if err != nil {
					t.Fatal(err)
				}
				if len(blob) != len(made.rsp.OutPrivate.Buffer) {
					t.Errorf("%s: our private area has %d bytes, swtpm's %d", child, len(blob), len(made.rsp.OutPrivate.Buffer))
				}
				loaded, err := tpm2.Load{
					ParentHandle: password(parent.ObjectHandle, parent.Name, ""),
					InPrivate:    tpm2.TPM2BPrivate{Buffer: blob},
					InPublic:     made.rsp.OutPublic,
				}.Execute(tpm)
				if err != nil {
					t.Errorf("%s: load our private area: %v", child, err)
					continue
				}
				_, _ = tpm2.FlushContext{FlushHandle: loaded.ObjectHandle}.Execute(tpm)
			}
		})
	}
	if *update {
		b, err := json.MarshalIndent(record, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/swtpm.json", append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// madeChild is an object that swtpm created.
type madeChild struct {
	rsp *tpm2.CreateResponse
	pub *tpm2.TPMTPublic
}

func createChild(t *testing.T, tpm transport.TPM, parent *tpm2.LoadResponse, name string, template testKey) madeChild {
	t.Helper()
	create := tpm2.Create{
		ParentHandle: password(parent.ObjectHandle, parent.Name, ""),
		InPublic:     tpm2.New2B(*client(t, template.pub)),
	}
	create.InSensitive.Sensitive = &tpm2.TPMSSensitiveCreate{UserAuth: tpm2.TPM2BAuth{Buffer: []byte("pin")}}
	if template.sens != nil {
		create.InSensitive.Sensitive.Data = tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: template.sens.Sensitive})
	}
	rsp, err := create.Execute(tpm)
	if err != nil {
		t.Fatalf("create %s: %v", name, err)
	}
	pub, err := rsp.OutPublic.Contents()
	if err != nil {
		t.Fatal(err)
	}
	return madeChild{rsp, pub}
}

// childTemplates has what a parent may have below it; sens only for data that is
// brought along.
func childTemplates(t *testing.T) map[string]testKey {
	const attributes = wire.ObjFixedParent | wire.ObjUserWithAuth
	made := func(k testKey, more wire.TPMAObject) testKey {
		k = k.change(func(pub *wire.TPMTPublic, _ *wire.TPMTSensitive) {
			pub.ObjectAttributes = attributes | wire.ObjSensitiveDataOrigin | more
			pub.Unique = wire.TPMUPublicID{}
		})
		return testKey{pub: k.pub}
	}
	sealed := hmacKey(wire.AlgSHA256, []byte("sealed data")).change(func(pub *wire.TPMTPublic, _ *wire.TPMTSensitive) {
		pub.ObjectAttributes = attributes
		pub.Parameters.KeyedHash.Scheme = wire.TPMTKeyedHashScheme{Scheme: wire.AlgNull}
		pub.Unique = wire.TPMUPublicID{}
	})
	return map[string]testKey{
		"RSA":    made(rsa2048(t), wire.ObjSign),
		"P-256":  made(eccKey(t, wire.CurveNISTP256, 1), wire.ObjSign),
		"P-384":  made(eccKey(t, wire.CurveNISTP384, 1), wire.ObjSign),
		"HMAC":   made(hmacKey(wire.AlgSHA256, nil), wire.ObjSign),
		"AES":    made(aesKey(make([]byte, 16)), wire.ObjDecrypt|wire.ObjSign),
		"sealed": sealed,
	}
}

// Credentials that swtpm makes for a key of ours open, and hold what was put in.
func TestCredentialOfSwtpm(t *testing.T) {
	tpm := swtpm(t)
	for name, k := range map[string]testKey{
		"ECC": eccKey(t, wire.CurveNISTP256, 0x42).storage(), "RSA": rsa2048(t).storage(),
	} {
		loaded, err := tpm2.LoadExternal{InPublic: tpm2.New2B(*client(t, k.pub)), Hierarchy: tpm2.TPMRHNull}.Execute(tpm)
		if err != nil {
			t.Fatal(err)
		}
		about := crypt.ObjectName(k.pub)
		made, err := tpm2.MakeCredential{
			Handle:     loaded.ObjectHandle,
			Credential: tpm2.TPM2BDigest{Buffer: []byte("credential")},
			ObjectName: tpm2.TPM2BName{Buffer: about},
		}.Execute(tpm)
		if err != nil {
			t.Fatal(err)
		}
		seed, err := crypt.DecryptSecret(k.pub, k.private(t), "IDENTITY", made.Secret.Buffer)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := crypt.CredentialToSecret(crypt.NewProtection(k.pub, seed), about, made.CredentialBlob.Buffer)
		if err != nil || string(got) != "credential" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		_, _ = tpm2.FlushContext{FlushHandle: loaded.ObjectHandle}.Execute(tpm)
	}
}

// Our signatures verify in swtpm, and spoiled ones get the code that ours get.
func TestSignaturesInSwtpm(t *testing.T) {
	tpm := swtpm(t)
	digest := crypt.Digest(wire.AlgSHA256, []byte("message"))
	for _, tt := range []struct {
		name   string
		key    testKey
		scheme wire.Alg
	}{
		{"RSASSA", rsa2048(t), wire.AlgRSASSA},
		{"RSAPSS", rsa2048(t), wire.AlgRSAPSS},
		{"ECDSA P-256", eccKey(t, wire.CurveNISTP256, 1), wire.AlgECDSA},
		{"ECDSA P-384", eccKey(t, wire.CurveNISTP384, 1), wire.AlgECDSA},
	} {
		loaded, err := tpm2.LoadExternal{InPublic: tpm2.New2B(*client(t, tt.key.pub)), Hierarchy: tpm2.TPMRHNull}.Execute(tpm)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := crypt.Sign(rand.Reader, tt.key.pub, tt.key.private(t), scheme(tt.scheme, wire.AlgSHA256), digest)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := tpm2.Unmarshal[tpm2.TPMTSignature](wire.Marshal(sig))
		if err != nil {
			t.Fatal(err)
		}
		verify := tpm2.VerifySignature{KeyHandle: loaded.ObjectHandle, Digest: tpm2.TPM2BDigest{Buffer: digest}, Signature: *theirs}
		if _, err := verify.Execute(tpm); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		verify.Digest.Buffer = crypt.Digest(wire.AlgSHA256, []byte("another"))
		if _, err := verify.Execute(tpm); !errors.Is(err, tpm2.TPMRCSignature) {
			t.Errorf("%s, another digest: %v", tt.name, err)
		}
		_, _ = tpm2.FlushContext{FlushHandle: loaded.ObjectHandle}.Execute(tpm)
	}
}
