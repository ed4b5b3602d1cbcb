package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/bootseal/bootseal/manufacture/ca"
	"github.com/spf13/cobra"
)

func (a *app) vtpmCA() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "The CA that certifies vTPMs: make it, show it, export what verifiers trust",
		Long: `The CA that certifies vTPMs is a directory with two keys: a root, which verifiers trust, and an
issuer, which signs. Its files are the owner's alone, and the keys are not encrypted: protect
the machine, or the directory's file system. The root's key, root-key.pem, is needed for
nothing here: keep it elsewhere. docs/manufacture.md has more.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.vtpmCAInit(), a.vtpmCAShow(), a.vtpmCAExport())
	return cmd
}

func (a *app) vtpmCAInit() *cobra.Command {
	var dir string
	var o ca.Options
	cmd := &cobra.Command{
		Use:     "init",
		Short:   "Make a CA",
		Long:    `Make a CA in a directory that is empty or not there. "vtpm setup" does that when it needs one.`,
		Example: "  bootseal vtpm ca init\n  bootseal vtpm ca init --ca /srv/vtpm-ca --key rsa3072 --name \"Example Inc. vTPMs\"",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if dir == "" {
				var err error
				if dir, err = defaultCA(); err != nil {
					return err
				}
			}
			c, err := ca.Create(dir, o)
			if errors.Is(err, ca.ErrExist) {
				return &noError{err.Error()}
			}
			if err != nil {
				return err
			}
			return a.printCA(c)
		},
	}
	cmd.Flags().StringVar(&dir, "ca", "", "`DIR` of the CA (default "+defaultCAText+")")
	cmd.Flags().StringVar(&o.Algorithm, "key", "p384", "p384, rsa3072 or rsa4096; RSA makes certificates that may be too long for an NV index")
	cmd.Flags().StringVar(&o.Name, "name", "", "the CA's name in its certificates (default \"bootseal vTPM CA\" and random digits)")
	completeWords(cmd, "key", ca.Algorithms()...)
	return cmd
}

// openFlags defines the flags that name a CA that is there, and returns how to open it.
func openFlags(cmd *cobra.Command) func() (*ca.CA, error) {
	var f caFlags
	cmd.Flags().StringVar(&f.dir, "ca", "", "`DIR` of the CA (default "+defaultCAText+")")
	cmd.Flags().StringVar(&f.key, "ca-key", "", "`FILE`: the key of your own CA, PEM")
	cmd.Flags().StringVar(&f.cert, "ca-cert", "", "`FILE`: its certificate and those above it, PEM")
	return func() (*ca.CA, error) {
		if f.key+f.cert != "" {
			return f.open("")
		}
		dir := f.dir
		if dir == "" {
			var err error
			if dir, err = defaultCA(); err != nil {
				return nil, err
			}
		}
		return ca.Open(dir)
	}
}

func (a *app) vtpmCAShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "Say which certificates the CA has, and whether it can sign",
		Example: "  bootseal vtpm ca show\n  bootseal vtpm ca show --ca-key key.pem --ca-cert chain.pem -o json",
		Args:    cobra.NoArgs,
	}
	open := openFlags(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		c, err := open()
		if err != nil {
			return err
		}
		return a.printCA(c)
	}
	return cmd
}

func (a *app) vtpmCAExport() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the CA's certificates as a bundle for verifiers",
		Long: `Write the certificates of issuer and root, PEM, for verifiers. Which of them to trust is a
verifier's decision: the root is the last one.`,
		Example: "  bootseal vtpm ca export > vtpm-ca.pem\n  openssl verify -CAfile vtpm-ca.pem ek.pem",
		Args:    cobra.NoArgs,
	}
	open := openFlags(cmd)
	cmd.Flags().StringVar(&out, "to", "", "`FILE` (default standard output)")
	cmd.RunE = func(*cobra.Command, []string) error {
		c, err := open()
		if err != nil {
			return err
		}
		if out != "" {
			return publishFile(out, c.Bundle(), 0o644)
		}
		_, err = a.out.Write(c.Bundle())
		return err
	}
	return cmd
}

// caCertificate is what `vtpm ca show` prints of a certificate.
type caCertificate struct {
	Subject  string    `json:"subject"`
	Issuer   string    `json:"issuer"`
	Key      string    `json:"key"`
	NotAfter time.Time `json:"notAfter"`
	SHA256   string    `json:"sha256"` // of the DER
}

func (a *app) printCA(c *ca.CA) error {
	var list []caCertificate
	for _, x := range c.Chain() {
		sum := sha256.Sum256(x.Raw)
		list = append(list, caCertificate{
			x.Subject.String(), x.Issuer.String(), keyOf(x), x.NotAfter, hex.EncodeToString(sum[:]),
		})
	}
	if a.wantsJSON() {
		return a.printJSON(list)
	}
	for i, x := range list {
		role := "issuer"
		if i > 0 && x.Subject == x.Issuer {
			role = "root"
		}
		fmt.Fprintf(a.out, "%-8s %s\n  signed by %s\n  key       %s\n  until     %s\n  SHA-256   %s\n",
			role, fit(x.Subject, 88), fit(x.Issuer, 86), x.Key, until(x.NotAfter), x.SHA256)
	}
	return nil
}

// keyOf writes a certificate's key, such as "ECDSA secp384r1".
func keyOf(x *x509.Certificate) string {
	if x.PublicKeyAlgorithm == x509.Ed25519 {
		return x.PublicKeyAlgorithm.String()
	}
	return fmt.Sprintf("%v %s", x.PublicKeyAlgorithm, algorithmOf(x.PublicKey))
}

// until writes a time; the year 9999 stands for none (RFC 5280, 4.1.2.5).
func until(t time.Time) string {
	if t.Year() == 9999 {
		return "without end"
	}
	return t.UTC().Format(time.DateOnly)
}
