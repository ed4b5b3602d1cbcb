package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/bootseal/bootseal/internal/atomicfile"
	"github.com/bootseal/bootseal/vtpm/server/host/archive"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *app) vtpmExport() *cobra.Command {
	var file string
	var s secretFlags
	cmd := &cobra.Command{
		Use:   "export NAME",
		Short: "Write one of the daemon's vTPMs to a file, encrypted",
		Long: `Write a vTPM with all its keys and NV contents to a file that "bootseal vtpm import" reads. The
file is encrypted and authenticated with a key or a passphrase from a file.

A vTPM that runs goes on; what is written is its state as after a loss of power. Whoever
imports the file and goes on with the original has the same TPM twice.`,
		Example: `  head -c 32 /dev/urandom > backup.key; chmod 600 backup.key
  bootseal vtpm export vm0 --file vm0.tpm --key-file backup.key
  bootseal vtpm export vm0 --file - --passphrase-file pass | ssh other bootseal vtpm import vm0 --file - --passphrase-file pass`,
		Args: cobra.ExactArgs(1),
	}
	d := daemonFlag(cmd)
	d.completeNames(cmd)
	s.define(cmd)
	cmd.Flags().StringVar(&file, "file", "", "`FILE` to write, which must not be there; - is standard output")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if file == "" {
			return errors.New("--file is missing: where to write the vTPM; - is standard output")
		}
		if out, ok := a.out.(*os.File); file == "-" && ok && term.IsTerminal(int(out.Fd())) {
			return errors.New("--file -: a terminal is no place for a vTPM's secrets, encrypted or not: name a file or a pipe")
		}
		secret, err := s.read()
		if err != nil {
			return err
		}
		defer secret.clear()
		var content []byte
		err = a.during("exporting "+args[0], func() error {
			exported, err := d.client().Export(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer clear(exported.State)
			content, err = archive.Seal(exported, secret.Secret)
			return err
		})
		if err != nil {
			return err
		}
		if file == "-" {
			_, err := a.out.Write(content)
			return err
		}
		if err := atomicfile.Create(file, content, 0o600); err != nil {
			return fmt.Errorf("write the vTPM: %w", err)
		}
		if a.wantsJSON() {
			return a.printJSON(map[string]any{"name": args[0], "file": file, "size": len(content)})
		}
		_, err = fmt.Fprintf(a.out, "%s: %d bytes, encrypted\n", file, len(content))
		return err
	}
	return cmd
}

// secretFlags say what an exported vTPM is encrypted with.
type secretFlags struct{ key, passphrase string }

func (s *secretFlags) define(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.key, "key-file", "", "`FILE` with the key: 32 bytes, or 64 hexadecimal digits")
	cmd.Flags().StringVar(&s.passphrase, "passphrase-file", "", "`FILE` with the passphrase, in its first line")
	cmd.MarkFlagsMutuallyExclusive("key-file", "passphrase-file")
}

// exportSecret is a secret that is erased after use.
type exportSecret struct{ archive.Secret }

func (s exportSecret) clear() {
	clear(s.Key)
	clear(s.Passphrase)
}

const maxPassphrase = 4096

func (s *secretFlags) read() (secret exportSecret, err error) {
	switch {
	case s.key != "":
		secret.Key, err = store.KeyFromFile(s.key)
		return secret, err
	case s.passphrase == "":
		return secret, errors.New("--key-file or --passphrase-file is missing: a vTPM is not written without encryption")
	}
	f, err := os.Open(s.passphrase)
	if err != nil {
		return secret, fmt.Errorf("--passphrase-file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPassphrase))
	if err != nil {
		return secret, fmt.Errorf("--passphrase-file: %w", err)
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	secret.Passphrase = bytes.TrimSuffix(line, []byte("\r"))
	if len(secret.Passphrase) == 0 {
		return secret, fmt.Errorf("--passphrase-file %s: its first line is empty", s.passphrase)
	}
	return secret, nil
}
