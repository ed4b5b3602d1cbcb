package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"

	"github.com/bootseal/bootseal/internal/atomicfile"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/spf13/cobra"
)

type policySignFlags struct {
	boots                        bootFlags
	key, signer, publicKey, file string
}

// signedPolicy is a line of "policy sign --file -o json".
type signedPolicy struct {
	bootPolicy
	New bool `json:"new"` // it was not signed before
}

func (a *app) policySign() *cobra.Command {
	var f policySignFlags
	cmd := &cobra.Command{
		Use:   "sign [UKI ...]",
		Short: "Sign the PCR values that kernel images will lead to",
		Long: `Compute PCR 11 as it will be when the initial ramdisk of a unified kernel image unlocks the disk,
and sign the policy that it leads to: systemd-measure's job, with its JSON. An image with
several profiles gets a signature for each. Sign before the signatures themselves are put into the
image (section .pcrsig): they are not measured.

Systemd in an initial ramdisk (dracut) measures that it was entered. One without systemd, that of
initramfs-tools, does not: say --phase : for it.

The key is RSA of 2048, 3072 or 4096 bits, in a file; or elsewhere, with a program that asks for
the signature. That is run by /bin/sh, gets the SHA-256 digest on standard input, 32 bytes, and
writes the RSASSA-PKCS1-v1_5 signature to standard output, as it is. It is verified.

With --file signatures are added to a file, which is replaced whole; without, they are written
to standard output.`,
		Example: `  bootseal policy sign --key private.pem linux.efi > tpm2-pcr-signature.json
  bootseal policy sign --key private.pem --file tpm2-pcr-signature.json linux-6.1.0-5[46].efi
  bootseal policy sign --key private.pem --phase : initramfs-tools.efi > tpm2-pcr-signature.json
  bootseal policy sign --public-key public.pem --file sig.json linux.efi \
    --signer 'openssl pkeyutl -sign -inkey hsm.pem -pkeyopt digest:sha256'
  bootseal policy sign --public-key public.pem --file sig.json linux.efi \
    --signer 'aws kms sign --key-id alias/boot --message-type DIGEST --message fileb:///dev/stdin
      --signing-algorithm RSASSA_PKCS1_V1_5_SHA_256 --query Signature --output text | base64 -d'
  bootseal pcrs --bank sha256 | bootseal policy sign --key private.pem --values - --pcrs 7,11`,
		RunE: func(cmd *cobra.Command, args []string) error {
			k, sign, err := a.openSigner(cmd.Context(), &f)
			if err != nil {
				return err
			}
			boots, err := a.policies(&f.boots, args)
			if err != nil {
				return err
			}
			return a.signPolicies(&f, boots, k, sign)
		},
	}
	f.boots.register(cmd)
	cmd.Flags().StringVar(&f.key, "key", "", "the private key, PEM without a passphrase; - for standard input")
	cmd.Flags().StringVar(&f.signer, "signer", "", "a command that signs in place of --key")
	cmd.Flags().StringVar(&f.publicKey, "public-key", "", "the public key, PEM: needed with --signer, compared with --key")
	cmd.Flags().StringVar(&f.file, "file", "", "add to this file, made if it is not there")
	return cmd
}

// openSigner returns the public key, and what signs with the private one.
func (a *app) openSigner(ctx context.Context, f *policySignFlags) (*pcrsig.Key, pcrsig.Signer, error) {
	switch {
	case (f.key == "") == (f.signer == ""):
		return nil, nil, errors.New("say who signs: --key FILE, or --signer COMMAND")
	case f.key == "-" && f.boots.values == "-":
		return nil, nil, errors.New("--key and --values cannot both be standard input")
	case f.signer != "" && f.publicKey == "":
		return nil, nil, errors.New("--signer: name the public key with --public-key")
	}
	var public *pcrsig.Key
	if f.publicKey != "" {
		var err error
		if public, err = readPublicKey(f.publicKey); err != nil {
			return nil, nil, err
		}
	}
	if f.signer != "" {
		return public, a.external(ctx, f.signer), nil
	}
	text, err := a.secretFile(f.key)
	if err != nil {
		return nil, nil, err
	}
	defer clear(text)
	k, sign, err := pcrsig.ParsePrivateKey(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", f.key, err)
	}
	if public != nil && public.Fingerprint() != k.Fingerprint() {
		return nil, nil, fmt.Errorf("%s is the key %s, but %s is %s", f.key, k.Fingerprint(), f.publicKey, public.Fingerprint())
	}
	return k, sign, nil
}

// external is a program that signs.
func (a *app) external(ctx context.Context, command string) pcrsig.Signer {
	return func(digest []byte) ([]byte, error) {
		const most = 4096 // bytes; a signature has at most 512
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
		cmd.Stdin, cmd.Stderr = bytes.NewReader(digest), a.err
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, fmt.Errorf("--signer: %w", err)
		}
		sig, readErr := io.ReadAll(io.LimitReader(out, most))
		_, _ = io.Copy(io.Discard, out) // so that the program can end
		if err := errors.Join(cmd.Wait(), readErr); err != nil {
			return nil, fmt.Errorf("--signer: %w", err)
		}
		switch len(sig) {
		case 256, 384, 512:
			return sig, nil
		}
		return nil, fmt.Errorf("--signer: it wrote %d bytes: want the signature as it is, 256, 384 or 512 bytes", len(sig))
	}
}

// signPolicies signs, and writes only when all is signed.
func (a *app) signPolicies(f *policySignFlags, boots []bootPolicy, k *pcrsig.Key, sign pcrsig.Signer) error {
	file := make(pcrsig.File)
	if f.file != "" {
		var err error
		if file, err = a.readSignatures(f.file); errors.Is(err, fs.ErrNotExist) {
			file = make(pcrsig.File)
		} else if err != nil {
			return err
		}
	}
	var done []signedPolicy
	for _, b := range boots {
		s, err := pcrsig.Sign(k, sign, b.selection(), b.Policy)
		if err != nil {
			return err
		}
		done = append(done, signedPolicy{b, file.Add(b.Bank, s) > 0})
	}
	text, err := file.Bytes()
	if err != nil {
		return err
	}
	if f.file == "" {
		_, err := a.out.Write(text)
		return err
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(f.file); err == nil {
		mode = info.Mode().Perm()
	}
	if err := atomicfile.Write(f.file, text, mode); err != nil {
		return fmt.Errorf("write the signatures: %w", err)
	}
	return a.printSigned(done, k)
}

func (a *app) printSigned(done []signedPolicy, k *pcrsig.Key) error {
	if a.wantsJSON() {
		return a.printJSON(done)
	}
	fmt.Fprintf(a.out, "key %s\n", k.Fingerprint())
	for _, s := range done {
		word := "signed"
		if !s.New {
			word = "signed again"
		}
		fmt.Fprintf(a.out, "%s: %s, %s PCR %s, policy %s\n", s.String(), word, s.Bank, s.selection(), s.Policy)
	}
	return nil
}
