package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/bootseal/bootseal/internal/atomicfile"
	"github.com/bootseal/bootseal/internal/bounded"
	"github.com/bootseal/bootseal/manufacture"
	"github.com/bootseal/bootseal/manufacture/ca"
)

// issuer returns who signs the certificates: the CA of the flags, that of the configuration,
// or bootseal's own.
func (f *setupFlags) issuer(ctx context.Context, c swtpmConf, say io.Writer) (manufacture.Issuer, error) {
	i, err := f.chooseIssuer(ctx, c, say)
	if err != nil || f.certFiles == "" {
		return i, err
	}
	if info, err := os.Stat(f.certFiles); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("--write-ek-cert-files %s: there is no such directory", f.certFiles)
	}
	return certificateFiles{i, f.certFiles}, nil
}

func (f *setupFlags) chooseIssuer(ctx context.Context, c swtpmConf, say io.Writer) (manufacture.Issuer, error) {
	own := caFlags{f.ca, f.caKey, f.caCert}
	tool := c.values["create_certs_tool"]
	switch {
	case own != caFlags{} || tool == "":
		return own.open(f.aia)
	case !isLocalCA(tool):
		return externalTool{ctx: ctx, f: f, conf: c, say: say}, nil
	}
	localca, err := c.localCA()
	if err != nil {
		return nil, err
	}
	if localca == (caFlags{}) {
		return own.open(f.aia)
	}
	return localca.open(f.aia)
}

func isLocalCA(tool string) bool {
	name := filepath.Base(tool)
	return name == "swtpm_localca" || name == "swtpm-localca"
}

// localCA returns the CA of swtpm_localca's configuration; none if it was not made yet.
func (c swtpmConf) localCA() (caFlags, error) {
	file := c.values["create_certs_tool_config"]
	if file == "" {
		return caFlags{}, nil
	}
	conf, err := readSwtpmConf(file)
	if err != nil {
		return caFlags{}, fmt.Errorf("%s: create_certs_tool_config: %w", c.file, err)
	}
	key, cert := conf.values["signingkey"], conf.values["issuercert"]
	if strings.HasPrefix(key, "pkcs11:") || strings.HasPrefix(key, "tpmkey:") {
		return caFlags{}, fmt.Errorf("%s: signingkey = %s: only a key in a file is supported; "+
			"--ca, or --ca-key and --ca-cert, name another CA", file, key)
	}
	if key == "" || cert == "" || !fileExists(key) {
		return caFlags{}, nil
	}
	return caFlags{key: key, cert: cert}, nil
}

// certificateFiles is an issuer that leaves copies of endorsement and attestation keys'
// certificates in a directory, in DER.
type certificateFiles struct {
	manufacture.Issuer
	dir string
}

var _ manufacture.Issuer = certificateFiles{}

func (c certificateFiles) Issue(r manufacture.Request) ([]byte, error) {
	der, err := c.Issuer.Issue(r)
	if err != nil || r.Role == manufacture.RolePlatform {
		return der, err
	}
	name := filepath.Join(c.dir, fmt.Sprintf("%s-%s.crt", r.Role, algorithmOf(r.Key)))
	if err := publishFile(name, der, 0o640); err != nil {
		return nil, fmt.Errorf("--write-ek-cert-files: %w", err)
	}
	return der, nil
}

// publishFile writes a file that others may read, at once and durably.
func publishFile(name string, content []byte, mode os.FileMode) error {
	if err := atomicfile.Write(name, content, 0o600); err != nil {
		return err
	}
	return os.Chmod(name, mode)
}

// algorithmOf returns the name of the key's algorithm, as swtpm_setup has it.
func algorithmOf(key crypto.PublicKey) manufacture.Algorithm {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return manufacture.Algorithm(fmt.Sprintf("rsa%d", k.N.BitLen()))
	case *ecdsa.PublicKey:
		return manufacture.Algorithm(fmt.Sprintf("secp%dr1", k.Curve.Params().BitSize))
	}
	return "unknown" // Ed25519, of a CA
}

// externalTool is an issuer that runs the create_certs_tool of swtpm_setup's configuration,
// with the arguments that swtpm_setup gives it. It leaves the certificate in a file.
type externalTool struct {
	ctx  context.Context
	f    *setupFlags
	conf swtpmConf
	say  io.Writer
}

func (x externalTool) Issue(r manufacture.Request) (der []byte, err error) {
	if r.Role != manufacture.RoleEK && r.Role != manufacture.RolePlatform {
		return nil, fmt.Errorf("%s makes no certificate of role %q: name a CA with --ca or --ca-key",
			x.conf.values["create_certs_tool"], r.Role)
	}
	dir, err := os.MkdirTemp("", "bootseal-certs-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	tool := x.conf.values["create_certs_tool"]
	out, err := exec.CommandContext(x.ctx, tool, x.arguments(r, dir)...).CombinedOutput()
	if text := strings.TrimSpace(strings.Map(printableLine, string(out))); text != "" {
		fmt.Fprintf(x.say, "%s: %s\n", filepath.Base(tool), text)
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", tool, err)
	}
	return bounded.ReadFile(filepath.Join(dir, string(r.Role)+".cert"), maxSmallFile)
}

func printableLine(r rune) rune {
	if r == '\n' {
		return r
	}
	return printable(r)
}

func (x externalTool) arguments(r manufacture.Request, dir string) []string {
	args := []string{"--type", string(r.Role), "--ek", keyParameters(r), "--dir", dir}
	if r.Use.Sign {
		args = append(args, "--allow-signing")
		if r.Use.Decrypt {
			args = append(args, "--decryption")
		}
	}
	if x.f.logFile != "" {
		args = append(args, "--logfile", x.f.logFile)
	}
	if x.f.vmid != "" {
		args = append(args, "--vmid", x.f.vmid)
	}
	args = append(args,
		"--tpm-spec-family", "2.0", "--tpm-spec-level", fmt.Sprint(r.TPM.Level), "--tpm-spec-revision", fmt.Sprint(r.TPM.Revision),
		"--tpm-manufacturer", r.TPM.ManufacturerID(), "--tpm-model", r.TPM.Model, "--tpm-version", r.TPM.FirmwareID(), "--tpm2")
	for key, flag := range map[string]string{"create_certs_tool_config": "--configfile", "create_certs_tool_options": "--optsfile"} {
		if v := x.conf.values[key]; v != "" {
			args = append(args, flag, v)
		}
	}
	return args
}

// keyParameters writes a key as swtpm_localca reads it: a modulus, or x=,y=,id= of a curve.
func keyParameters(r manufacture.Request) string {
	switch k := r.Key.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("%x", k.N.Bytes())
	case *ecdsa.PublicKey:
		if point, err := k.Bytes(); err == nil {
			half := (len(point) - 1) / 2
			return fmt.Sprintf("x=%x,y=%x,id=%s", point[1:1+half], point[1+half:], algorithmOf(k))
		}
	}
	return ""
}

// caFlags name a CA: a directory, or a key and a chain of certificates.
type caFlags struct{ dir, key, cert string }

// open opens the CA, or makes the one of the directory if it is not there.
func (c caFlags) open(url string) (*ca.CA, error) {
	var opened *ca.CA
	var err error
	switch {
	case c.dir != "" && c.key+c.cert != "":
		return nil, errors.New("--ca excludes --ca-key and --ca-cert")
	case (c.key == "") != (c.cert == ""):
		return nil, errors.New("--ca-key and --ca-cert go together")
	case c.key != "":
		opened, err = ca.Load(c.key, c.cert)
	default:
		dir := c.dir
		if dir == "" {
			if dir, err = defaultCA(); err != nil {
				return nil, err
			}
		}
		opened, err = ca.OpenOrCreate(dir, ca.Options{})
	}
	if err != nil {
		return nil, err
	}
	opened.IssuerURL = url
	return opened, nil
}

const (
	systemCA      = "/var/lib/bootseal/ca"
	defaultCAText = systemCA + " if it is yours or you are root, or ~/.local/state/bootseal/ca"
)

// defaultCA returns the directory of the CA that is used when no other is named. libvirt
// starts this program for a user of its own, and with the HOME of another.
func defaultCA() (string, error) {
	if os.Geteuid() == 0 || mine(systemCA) {
		return systemCA, nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "bootseal", "ca"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil || !mine(home) {
		u, err := user.Current()
		if err != nil || !mine(u.HomeDir) {
			return "", fmt.Errorf("where is the CA? user %d has no home for it: make %s and give it to that user", os.Geteuid(), systemCA)
		}
		home = u.HomeDir
	}
	return filepath.Join(home, ".local", "state", "bootseal", "ca"), nil
}
