package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bootseal/bootseal/manufacture"
)

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func request(t *testing.T) manufacture.Request {
	return manufacture.Request{Role: manufacture.RoleAK, Key: newKey(t).Public(), Use: manufacture.Use{Sign: true}}
}

func issue(t *testing.T, c *CA) *x509.Certificate {
	t.Helper()
	der, err := c.Issue(request(t))
	if err != nil {
		t.Fatal(err)
	}
	x, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// A directory has the files that it says, for the owner only, and issues what its root
// verifies.
func TestCreate(t *testing.T) {
	for _, algorithm := range Algorithms() {
		if algorithm == "rsa4096" {
			continue // takes seconds, and is the code of rsa3072
		}
		dir := filepath.Join(t.TempDir(), "above", "ca")
		c, err := Create(dir, Options{Algorithm: algorithm})
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("the directory: %v, %v", info.Mode(), err)
		}
		for _, name := range []string{rootFile, rootKeyFile, issuerFile, issuerKeyFile} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v", name, err)
			}
		}
		wantNames(t, filepath.Dir(dir), "ca")
		x := issue(t, c)
		if x.NotAfter.Year() != 9999 {
			t.Errorf("valid until %v", x.NotAfter)
		}
		roots, between := x509.NewCertPool(), x509.NewCertPool()
		roots.AddCert(c.Chain()[1])
		between.AddCert(c.Chain()[0])
		if _, err := x.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
			t.Error(err)
		}
	}
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, e := range entries {
		have = append(have, e.Name())
	}
	if strings.Join(have, " ") != strings.Join(want, " ") {
		t.Errorf("%s has %q, want %q", dir, have, want)
	}
}

// Serial numbers are positive, at most 20 bytes, and never the same.
func TestSerialNumbers(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		n := serialNumber()
		if n.Sign() <= 0 || len(n.Bytes()) != 20 || n.Bytes()[0]&0x80 != 0 || seen[n.String()] {
			t.Fatalf("serial number %x", n)
		}
		seen[n.String()] = true
	}
}

// Processes that start at once make one CA.
func TestCreateTogether(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	var wg sync.WaitGroup
	roots := make([][]byte, 8)
	for i := range roots {
		wg.Go(func() {
			c, err := OpenOrCreate(dir, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			roots[i] = c.Chain()[1].Raw
		})
	}
	wg.Wait()
	for _, r := range roots {
		if !bytes.Equal(r, roots[0]) {
			t.Fatal("two CAs were made")
		}
	}
}

// A creation that was cut off leaves a directory that is none, and is done again.
func TestCreateAfterCrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	for _, left := range []string{"", rootKeyFile, issuerFile} {
		if err := os.MkdirAll(dir+".new", 0o700); err != nil {
			t.Fatal(err)
		}
		if left != "" {
			if err := os.WriteFile(filepath.Join(dir+".new", left), []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := OpenOrCreate(dir, Options{}); err != nil {
			t.Fatal(err)
		}
		wantNames(t, filepath.Dir(dir), "ca")
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// An empty directory becomes a CA; one with something in it does not.
func TestCreateInPlace(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir, Options{}); !errors.Is(err, ErrExist) {
		t.Errorf("a second CA: %v", err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "a file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenOrCreate(other, Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a CA among other things: %v", err)
	}
	wantNames(t, other, "a file")
}

// Nothing needs the root's key once the issuer is there.
func TestOpenWithoutRootKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	if _, err := Create(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, rootKeyFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(filepath.Join(dir, issuerKeyFile), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "others can read the key") {
		t.Errorf("a key for the group: %v", err)
	}
}

// A CA whose files are damaged is refused, and not made anew.
func TestOpenDamaged(t *testing.T) {
	for _, name := range []string{issuerKeyFile, issuerFile, rootFile} {
		for why, damage := range map[string]func([]byte) []byte{
			"empty":     func([]byte) []byte { return nil },
			"truncated": func(b []byte) []byte { return b[:len(b)/2] },
			"rubbish":   func(b []byte) []byte { return bytes.Repeat([]byte("x"), len(b)) },
			"huge":      func(b []byte) []byte { return bytes.Repeat([]byte("x"), maxFile+1) },
		} {
			dir := filepath.Join(t.TempDir(), "ca")
			if _, err := Create(dir, Options{}); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, name)
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, damage(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenOrCreate(dir, Options{}); err == nil {
				t.Errorf("%s %s: accepted", name, why)
			}
		}
	}
}

// authority makes a CA certificate and its key, as somebody would bring them.
type authority struct {
	key  crypto.Signer
	cert *x509.Certificate
}

func newAuthority(t *testing.T, parent *authority, change func(*x509.Certificate)) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	template := caTemplate("brought", time.Now(), -1)
	template.MaxPathLen = -1
	if change != nil {
		change(template)
	}
	signer, above := a.key, (*x509.Certificate)(nil)
	if parent != nil {
		signer, above = parent.key, parent.cert
	}
	var err error
	if a.cert, err = sign(template, above, a.key.Public(), signer); err != nil {
		t.Fatal(err)
	}
	return a
}

func keyPEM(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	b, err := encodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func chainPEM(list ...*authority) []byte {
	var b []byte
	for _, a := range list {
		b = append(b, encodeCertificate(a.cert)...)
	}
	return b
}

// Keys of all kinds and forms that openssl writes.
func TestBroughtKeys(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecKey := newKey(t)
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		key  crypto.Signer
		pem  []byte
	}{
		{"PKCS #8 RSA", rsaKey, keyPEM(t, rsaKey)},
		{"PKCS #8 EC", ecKey, keyPEM(t, ecKey)},
		{"PKCS #8 Ed25519", edKey, keyPEM(t, edKey)},
		{"PKCS #1", rsaKey, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)})},
		{"SEC 1 behind parameters", ecKey, append(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 0}}),
			pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})...)},
	} {
		x, err := sign(caTemplate("brought", time.Now(), 0), nil, c.key.Public(), c.key)
		if err != nil {
			t.Fatal(err)
		}
		ca, err := Parse(c.pem, encodeCertificate(x))
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if leaf := issue(t, ca); leaf.CheckSignatureFrom(x) != nil {
			t.Errorf("%s: the certificate is not signed by the CA", c.what)
		}
	}
}

// The certificate does not outlive its issuer, and names it even if the issuer has no key
// identifier.
func TestBroughtIssuer(t *testing.T) {
	end := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second)
	a := newAuthority(t, nil, func(x *x509.Certificate) { x.NotAfter = end })
	c, err := Parse(keyPEM(t, a.key), chainPEM(a))
	if err != nil {
		t.Fatal(err)
	}
	c.IssuerURL = "http://ca.example/issuer.crt"
	x := issue(t, c)
	if !x.NotAfter.Equal(end) || len(x.IssuingCertificateURL) != 1 {
		t.Errorf("valid until %v, issuer at %q", x.NotAfter, x.IssuingCertificateURL)
	}
	without := *a.cert
	without.SubjectKeyId = nil
	id, err := keyID(&without)
	if err != nil || len(id) != 20 {
		t.Errorf("key identifier %x, %v", id, err)
	}
	c.now = func() time.Time { return end.Add(time.Second) }
	if _, err := c.Issue(request(t)); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("issued after the end: %v", err)
	}
}

// What cannot be a CA is refused, and the error says what it is.
func TestHostileInput(t *testing.T) {
	root := newAuthority(t, nil, nil)
	good := newAuthority(t, root, nil)
	key := keyPEM(t, good.key)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("this Go does not make short keys: ", err)
	}
	for _, c := range []struct {
		key, chain []byte
		want       string
	}{
		{nil, chainPEM(good), "no private key"},
		{[]byte("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"), chainPEM(good), "parse it"},
		{[]byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"), chainPEM(good), "openssl pkey"},
		{[]byte("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMAA=\n-----END EC PRIVATE KEY-----\n"), chainPEM(good), "openssl pkey"},
		{keyPEM(t, short), chainPEM(good), "too short"},
		{bytes.Repeat(key, 1000), chainPEM(good), "more than"},
		{key, nil, "there is none"},
		{key, key, "there is none"},
		{key, chainPEM(root), "not that of the CA's key"},
		{key, chainPEM(good, good), "not signed by the next"},
		{key, chainPEM(good, newAuthority(t, nil, nil)), "not signed by the next"},
		{key, bytes.Repeat(chainPEM(good), 9), "more than 8"},
		{key, bytes.Repeat(chainPEM(good), 1000), "more than"},
		{key, []byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"), "parse number 1"},
	} {
		if _, err := Parse(c.key, c.chain); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	for want, change := range map[string]func(*x509.Certificate){
		"CA:TRUE":       func(x *x509.Certificate) { x.IsCA = false },
		"keyCertSign":   func(x *x509.Certificate) { x.KeyUsage = x509.KeyUsageDigitalSignature },
		"has expired":   func(x *x509.Certificate) { x.NotAfter = time.Now().Add(-time.Minute) },
		"valid only":    func(x *x509.Certificate) { x.NotBefore = time.Now().Add(time.Hour) },
		"(pathlen)":     nil,
		"not the issue": nil,
	} {
		a := newAuthority(t, nil, change)
		chain, key := chainPEM(a), keyPEM(t, a.key)
		switch want {
		case "(pathlen)":
			above := newAuthority(t, nil, func(x *x509.Certificate) { x.MaxPathLen, x.MaxPathLenZero = 0, true })
			below := newAuthority(t, above, nil)
			chain, key = chainPEM(below, above), keyPEM(t, below.key)
		case "not the issue":
			if _, err := Parse(key, chain); err != nil {
				t.Errorf("a good one: %v", err)
			}
			continue
		}
		if _, err := Parse(key, chain); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// No input makes the parsers panic, and what they accept can issue.
func FuzzParse(f *testing.F) {
	files, err := create(Options{}, time.Now())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(files[issuerKeyFile], files[issuerFile])
	f.Add(files[issuerKeyFile], append(files[issuerFile], files[rootFile]...))
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nDEK-Info: x\n\nMAA=\n-----END EC PRIVATE KEY-----\n"), []byte{})
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key, chain []byte) {
		c, err := Parse(key, chain)
		if err != nil {
			return
		}
		if _, err := c.Issue(manufacture.Request{Role: manufacture.RoleAK, Key: leaf.Public(), Use: manufacture.Use{Sign: true}}); err != nil {
			t.Errorf("accepted, and cannot issue: %v", err)
		}
	})
}
