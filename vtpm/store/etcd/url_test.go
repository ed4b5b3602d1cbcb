package etcd_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bootseal/bootseal/internal/etcdtest"
	"github.com/bootseal/bootseal/vtpm/store/etcd"
)

// A URL names etcd, what is ours in it, and how to get in.
func TestParseURL(t *testing.T) {
	c, err := etcd.ParseURL("etcd://10.0.0.1:2379,[::1]:2379,etcd.example:2379/a/b/?ttl=20s&wait=1m")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(c.Endpoints, " ") != "10.0.0.1:2379 [::1]:2379 etcd.example:2379" || c.Prefix != "a/b" || c.TTL != 20*time.Second || c.Wait != time.Minute || c.TLS != nil {
		t.Errorf("%+v", c)
	}
	if c, err = etcd.ParseURL("etcd://h:1?tls=true"); err != nil || c.Prefix != etcd.DefaultPrefix || c.TTL != etcd.DefaultTTL || c.TLS == nil {
		t.Errorf("%+v, %v", c, err)
	}
	for text, want := range map[string]string{
		"http://h:1":                      "not an etcd:// URL",
		"etcd://":                         "not HOST:PORT",
		"etcd://h":                        "not HOST:PORT",
		"etcd://h:1,":                     "not HOST:PORT",
		"etcd://root:secret@h:1":          "passwordfile",
		"etcd://h:1?password=secret":      "no such option",
		"etcd://h:1?ttl=1s":               "from 2s to 1h",
		"etcd://h:1?ttl=x":                "ttl=x",
		"etcd://h:1?ttl=3s&ttl=4s":        "twice",
		"etcd://h:1?user=root":            "need each other",
		"etcd://h:1?cert=c":               "need each other",
		"etcd://h:1?cacert=/no/such":      "no such file",
		"etcd://h:1?cacert=url_test.go":   "no certificates",
		"etcd://h:1?tls=yes":              "no value for it",
		"etcd://h:1/%zz":                  "invalid URL escape",
		"etcd://h:1?user=u&passwordfile=": "need each other",
	} {
		_, err := etcd.ParseURL(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "root:secret") {
			t.Errorf("%s: the error has the password", text)
		}
	}
}

// Over TLS, etcd and client know each other by certificates of one CA; others are refused.
func TestTLS(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	dir := ca.dir
	e := etcdtest.Start(t, "--cert-file", ca.issue(t, "server"), "--key-file", filepath.Join(dir, "server.key"),
		"--client-cert-auth", "--trusted-ca-file", filepath.Join(dir, "ca.crt"))
	client := ca.issue(t, "client")
	other := newCA(t)
	open := func(cacert, cert, key string) error {
		c, err := etcd.ParseURL("etcd://" + e.Endpoint + "/tls?ttl=5s&cacert=" + cacert + "&cert=" + cert + "&key=" + key)
		if err != nil {
			t.Fatal(err)
		}
		d, err := etcd.Dial(c)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		s, err := d.Open(t.Context(), "vm0", testKey)
		if err != nil {
			return err
		}
		defer s.Close()
		return s.Commit(map[string][]byte{"a": []byte("1")})
	}
	var err error
	for range 20 { // etcd is starting
		if err = open(filepath.Join(dir, "ca.crt"), client, filepath.Join(dir, "client.key")); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	stranger := other.issue(t, "client")
	if err := open(filepath.Join(dir, "ca.crt"), stranger, filepath.Join(other.dir, "client.key")); err == nil {
		t.Error("a client of another CA was let in")
	}
	if err := open(filepath.Join(other.dir, "ca.crt"), client, filepath.Join(dir, "client.key")); err == nil {
		t.Error("an etcd of another CA was believed")
	}
}

// With etcd's users, a name and a password from a file.
func TestPassword(t *testing.T) {
	t.Parallel()
	e := etcdtest.Start(t)
	etcdctl := raw(t, e.Endpoint)
	ctx := t.Context()
	for _, f := range []func() error{
		func() error { _, err := etcdctl.UserAdd(ctx, "root", "secret"); return err },
		func() error { _, err := etcdctl.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := etcdctl.AuthEnable(ctx); return err },
	} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	for password, want := range map[string]bool{"secret\n": true, "wrong": false} {
		file := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(file, []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := etcd.ParseURL("etcd://" + e.Endpoint + "?ttl=3s&user=root&passwordfile=" + file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := etcd.Dial(c)
		if err == nil {
			defer d.Close()
			var s *etcd.Store
			if s, err = d.Open(ctx, "vm0", testKey); err == nil {
				defer s.Close()
				err = s.Commit(map[string][]byte{"a": []byte("1")})
			}
		}
		if (err == nil) != want {
			t.Errorf("password %q: %v", password, err)
		}
	}
}

// testCA issues certificates to files.
type testCA struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t *testing.T) *testCA {
	t.Helper()
	ca := &testCA{dir: t.TempDir()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	ca.key = ca.write(t, "ca", template, template, nil)
	ca.cert = template
	return ca
}

// issue returns the file of a certificate for loopback, whose key is beside it.
func (ca *testCA) issue(t *testing.T, name string) string {
	t.Helper()
	ca.write(t, name, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, ca.cert, ca.key)
	return filepath.Join(ca.dir, name+".crt")
}

func (ca *testCA) write(t *testing.T, name string, template, parent *x509.Certificate, signer *ecdsa.PrivateKey) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for suffix, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(filepath.Join(ca.dir, name+suffix), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return key
}
