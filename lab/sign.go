package lab

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bootseal/bootseal/internal/efivars"
)

// Signer signs with the test key of the package ovmf, whose variables [SnakeoilKeys] trust it.
// Its private key is public, as is its passphrase.
type Signer struct{ dir string }

// snakeoil is the key and the certificate; the key's passphrase is its name.
const snakeoil = "/usr/share/ovmf/PkKek-1-snakeoil"

// SnakeoilCertificate is the certificate of the [Signer]'s key, in DER.
func SnakeoilCertificate() ([]byte, error) {
	text, err := os.ReadFile(snakeoil + ".pem")
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s.pem has no certificate", snakeoil)
	}
	return block.Bytes, nil
}

// NewSigner keeps its files in a folder.
func NewSigner(ctx context.Context, dir string) (*Signer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	s := &Signer{dir}
	_, err := run(ctx, "openssl", "pkey", "-in", snakeoil+".key", "-passin", "pass:snakeoil", "-out", s.path("key"))
	return s, err
}

func (s *Signer) path(name string) string { return filepath.Join(s.dir, name) }

// Program signs a PE program, beside the signatures that it has.
func (s *Signer) Program(ctx context.Context, program []byte) ([]byte, error) {
	if err := os.WriteFile(s.path("program"), program, 0o644); err != nil {
		return nil, err
	}
	if _, err := run(ctx, "sbsign", "--key", s.path("key"), "--cert", snakeoil+".pem", "--output", s.path("signed"), s.path("program")); err != nil {
		return nil, err
	}
	return os.ReadFile(s.path("signed"))
}

// owner is who adds entries to dbx.
const owner = "77777777-2222-4333-8444-555555555555"

// Revoke returns the contents of a file of efivarfs that appends the SHA-256 Authenticode digest
// of a program to dbx: attributes, then the signed update (UEFI specification, section
// "Using the EFI_VARIABLE_AUTHENTICATION_2 descriptor").
func (s *Signer) Revoke(ctx context.Context, digest []byte) ([]byte, error) {
	if len(digest) != 32 {
		return nil, errors.New("revoke a program: the digest is not SHA-256")
	}
	var id [16]byte
	copy(id[:], owner)
	if err := os.WriteFile(s.path("dbx.esl"), efivars.HashList(id[:], digest), 0o644); err != nil {
		return nil, err
	}
	if _, err := run(ctx, "sbvarsign", "--key", s.path("key"), "--cert", snakeoil+".pem", "--include-attrs",
		"--attr", "NON_VOLATILE,BOOTSERVICE_ACCESS,RUNTIME_ACCESS,TIME_BASED_AUTHENTICATED_WRITE_ACCESS,APPEND_WRITE",
		"--guid", efivars.ImageSecurity, "--output", s.path("dbx.auth"), "dbx", s.path("dbx.esl")); err != nil {
		return nil, err
	}
	return os.ReadFile(s.path("dbx.auth"))
}

// UKI makes a unified kernel image of a stub, as objcopy can without ukify.
func UKI(ctx context.Context, dir, stub string, kernel, initrd []byte, release, commandLine string) ([]byte, error) {
	work, err := os.MkdirTemp(dir, "uki-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	args := []string{}
	for _, section := range []struct {
		name string
		at   int // far enough from the one before
		data []byte
	}{
		{".osrel", 0x20000, []byte(release)},
		{".cmdline", 0x30000, []byte(commandLine)},
		{".linux", 0x2000000, kernel},
		{".initrd", 0x4000000, initrd},
	} {
		file := filepath.Join(work, section.name)
		if err := os.WriteFile(file, section.data, 0o644); err != nil {
			return nil, err
		}
		args = append(args, "--add-section", section.name+"="+file, "--change-section-vma", fmt.Sprintf("%s=%#x", section.name, section.at))
	}
	image := filepath.Join(work, "image")
	if _, err := run(ctx, "objcopy", append(args, stub, image)...); err != nil {
		return nil, err
	}
	return os.ReadFile(image)
}
