package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/bootseal/bootseal/vtpm/server/host/archive"
	"github.com/spf13/cobra"
)

// namedImport is an import into the daemon: a vTPM with a name.
type namedImport struct {
	daemon *daemon
	file   string
	secret secretFlags
	spec   specFlags
}

func (n *namedImport) define(cmd *cobra.Command) {
	n.daemon = daemonFlag(cmd)
	cmd.Flags().StringVar(&n.file, "file", "", "`FILE` of \"bootseal vtpm export\"; - is standard input")
	n.secret.define(cmd)
	n.spec.define(cmd)
}

// importExport makes a vTPM of the daemon's from a file of `bootseal vtpm export`.
func (a *app) importExport(ctx context.Context, name string, n *namedImport) error {
	secret, err := n.secret.read()
	if err != nil {
		return err
	}
	defer secret.clear()
	content, err := a.readExport(n.file)
	if err != nil {
		return err
	}
	var exported *host.Archive
	err = a.during("decrypting", func() (err error) {
		exported, err = archive.Open(content, secret.Secret)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", n.file, err)
	}
	return a.importArchive(ctx, name, exported, n)
}

func (a *app) readExport(file string) ([]byte, error) {
	in := a.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	content, err := io.ReadAll(io.LimitReader(in, archive.MaxSize+1))
	if err == nil && len(content) > archive.MaxSize {
		err = errors.New("the file is larger than any exported vTPM")
	}
	return content, err
}

// importMoved makes a vTPM of the daemon's from the permanent state of a TPM of the profile.
func (a *app) importMoved(ctx context.Context, name, profile string, blob []byte, n *namedImport) error {
	now := time.Now().UTC()
	return a.importArchive(ctx, name, &host.Archive{
		Version: host.ArchiveVersion, Name: name, Profile: profile, Created: now, Exported: now, State: blob,
	}, n)
}

func (a *app) importArchive(ctx context.Context, name string, exported *host.Archive, n *namedImport) error {
	defer clear(exported.State)
	var info host.Info
	err := a.during("importing "+name, func() (err error) {
		info, err = n.daemon.client().Import(ctx, name, exported, n.spec.spec())
		return err
	})
	if err != nil {
		return err
	}
	return a.printInstance(info)
}
