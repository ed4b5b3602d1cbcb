package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bootseal/bootseal/internal/bounded"
	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/spf13/cobra"
)

// setupFlags are the flags of swtpm_setup, and those of bootseal's own.
type setupFlags struct {
	state, config, vmid, logFile, runAs      string
	keyFile, pwdFile, cipher                 string
	keyFD, pwdFD                             int
	ek1, ek2, iak, idevid, rsaKeySize        string
	pcrBanks                                 []string
	profile, profileName, profileFile        string
	certFiles                                string
	tpm2, createEK, createSPK, ecc           bool
	ekCert, platformCert, lockNV             bool
	allowSigning, decryption                 bool
	overwrite, notOverwrite, reconfigure     bool
	display, printCapabilities               bool
	printProfiles, createConfig, takeOwner   bool
	layout, ca, caKey, caCert, aia           string
	zone, project, instanceID, projectNumber string
}

func (a *app) vtpmSetup() *cobra.Command {
	f := new(setupFlags)
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Manufacture a vTPM: endorsement keys, certificates, PCR banks, as swtpm_setup does",
		Long: `Make a vTPM in a directory, with what a factory gives a TPM: endorsement keys, their
certificates, a platform certificate. The flags are swtpm_setup's; what starts it can start
bootseal through a link of that name. No server is needed, and the TPM is there whole or not
at all, whatever happens in between.

Certificates are signed by a CA of bootseal's own, which is made when there is none
("bootseal vtpm ca" shows it), or by the key and chain of --ca-key and --ca-cert. A
configuration file whose create_certs_tool is swtpm_localca, and whose CA is there, makes
that the CA; any other create_certs_tool is run.

--layout azure and gcp put keys and certificates where guests of these clouds find them, so
that tools for them can be tested at home. These certificates say that they are not the cloud's.

Exit codes: 0 done, or there is a TPM and --not-overwrite; 1 there is a TPM; 2 not done.`,
		Example: `  bootseal vtpm setup --tpm2 --tpmstate /var/lib/vm0/tpm --create-ek-cert --create-platform-cert --lock-nvram
  bootseal vtpm setup --tpm2 --tpmstate vm1 --ek1keyalgo secp384r1 --ek2keyalgo secp384r1 --create-ek-cert --vmid vm1
  bootseal vtpm setup --tpm2 --tpmstate vm2 --layout azure --vmid 6fb1c2d3
  bootseal vtpm setup --tpm2 --tpmstate vm0 --reconfigure --pcr-banks sha256,sha384`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.setup(cmd.Context(), f) },
	}
	f.define(cmd)
	return cmd
}

func (f *setupFlags) define(cmd *cobra.Command) {
	x := cmd.Flags()
	x.BoolVar(&f.tpm2, "tpm2", false, "a TPM 2.0; needed, since there is no other")
	x.StringVar(&f.state, "tpmstate", "", "`DIR` or dir://DIR: where the state goes")
	x.StringVar(&f.state, "tpm-state", "", "the same as --tpmstate")
	x.BoolVar(&f.createEK, "createek", false, "create the endorsement keys")
	x.BoolVar(&f.ekCert, "create-ek-cert", false, "certify them; implies --createek")
	x.BoolVar(&f.platformCert, "create-platform-cert", false, "create a platform certificate; implies --createek")
	x.BoolVar(&f.createSPK, "create-spk", false, "create a storage root key: RSA 3072, with --ecc P-384")
	x.BoolVar(&f.ecc, "ecc", false, "an elliptic curve for --create-spk")
	x.StringVar(&f.ek1, "ek1keyalgo", "", "first endorsement key: rsa2048, rsa3072, rsa4096, secp256r1, secp384r1, secp521r1; rsa2048-high and secp256r1-high are in the high range (default rsa2048)")
	x.StringVar(&f.ek2, "ek2keyalgo", "", "second endorsement key; the same as the first makes one key (default secp384r1)")
	x.StringVar(&f.iak, "iakkeyalgo", "", "create an initial attestation key (IAK) with a certificate; needs --create-ek-cert")
	x.StringVar(&f.idevid, "idevidkeyalgo", "", "create an initial device identity (IDevID) likewise")
	x.StringVar(&f.rsaKeySize, "rsa-keysize", "", "2048, 3072, 4096 or max: size of the first endorsement key, without --ek1keyalgo")
	x.BoolVar(&f.allowSigning, "allow-signing", false, "endorsement keys that sign, which nobody expects; their templates go to NV")
	x.BoolVar(&f.decryption, "decryption", false, "with --allow-signing: they decrypt, too")
	x.BoolVar(&f.lockNV, "lock-nvram", false, "lock the NV indices that were written")
	x.StringArrayVar(&f.pcrBanks, "pcr-banks", nil, "PCR banks to activate, such as `sha256,sha384`; - leaves all active (default sha256)")
	x.StringVar(&f.vmid, "vmid", "", "the VM's name in its certificates")
	x.StringVar(&f.certFiles, "write-ek-cert-files", "", "write the certificates to `DIR`, too, as ek-rsa2048.crt and so on")
	x.BoolVar(&f.overwrite, "overwrite", false, "replace a TPM that is there")
	x.BoolVar(&f.notOverwrite, "not-overwrite", false, "leave a TPM that is there, and say that all is well")
	x.BoolVar(&f.reconfigure, "reconfigure", false, "only change the active PCR banks of a TPM that is there")
	x.StringVar(&f.keyFile, "keyfile", "", "encrypt the state with the key in `FILE`, in hexadecimal")
	x.IntVar(&f.keyFD, "keyfile-fd", -1, "the same, from an open descriptor")
	x.StringVar(&f.pwdFile, "pwdfile", "", "encrypt the state with the password in `FILE`")
	x.IntVar(&f.pwdFD, "pwdfile-fd", -1, "the same, from an open descriptor")
	x.StringVar(&f.cipher, "cipher", "aes-128-cbc", "aes-128-cbc or aes-256-cbc: how long the key is; as for the server")
	x.StringVar(&f.profile, "profile", "", `what the TPM implements: pcclient, libtpms, or swtpm's JSON, '{"Name":"default-v1"}'; the state keeps it`)
	x.StringVar(&f.profileName, "profile-name", "", "the same by a name alone")
	x.StringVar(&f.profileFile, "profile-file", "", "the same from `FILE`")
	x.StringVar(&f.config, "config", "", "swtpm_setup.conf (default that of the user, or /etc/swtpm_setup.conf, if it is there)")
	x.StringVar(&f.logFile, "logfile", "", "append what is said to `FILE`")
	x.StringVar(&f.runAs, "runas", "", "`USER` to become first")
	x.BoolVar(&f.display, "display", false, "say all about what was made")
	x.BoolVar(&f.printCapabilities, "print-capabilities", false, "print what this program can do, as swtpm_setup's JSON")
	x.BoolVar(&f.printProfiles, "print-profiles", false, "print the profiles as JSON")

	x.StringVar(&f.layout, "layout", "swtpm", "swtpm, azure or gcp: where keys and certificates go")
	x.StringVar(&f.ca, "ca", "", "`DIR` of the CA, made if it is not there (default "+defaultCAText+")")
	x.StringVar(&f.caKey, "ca-key", "", "`FILE`: the key of your own CA, PEM, not encrypted")
	x.StringVar(&f.caCert, "ca-cert", "", "`FILE`: its certificate and those above it, PEM")
	x.StringVar(&f.aia, "ca-url", "", "`URL` of the issuer's certificate, to be in the certificates")
	x.StringVar(&f.zone, "gcp-zone", "", "zone in certificates of --layout gcp (default home1-a)")
	x.StringVar(&f.project, "gcp-project", "", "project's ID in them (default bootseal)")
	x.StringVar(&f.projectNumber, "gcp-project-number", "", "project's number in them (default 1)")
	x.StringVar(&f.instanceID, "gcp-instance-id", "", "instance's ID in them (default from --vmid)")
	f.defineAccepted(cmd)
	completeWords(cmd, "layout", "swtpm", "azure", "gcp")
	completeWords(cmd, "cipher", "aes-128-cbc", "aes-256-cbc")
	completeWords(cmd, "rsa-keysize", "2048", "3072", "4096", "max")
	completeWords(cmd, "profile-name", "pcclient", "libtpms")
	keys := append(ekNames(), "rsa2048-high", "secp256r1-high")
	completeWords(cmd, "ek1keyalgo", keys...)
	completeWords(cmd, "ek2keyalgo", keys...)
	completeWords(cmd, "iakkeyalgo", ekNames()...)
	completeWords(cmd, "idevidkeyalgo", ekNames()...)
}

// defineAccepted defines the flags that are accepted so that a command line of swtpm_setup
// works, or refused with a reason.
func (f *setupFlags) defineAccepted(cmd *cobra.Command) {
	x := cmd.Flags()
	x.String("tpm", "", "accepted for swtpm_setup's sake: no other program is needed")
	x.String("swtpm_ioctl", "", "")
	x.String("tcsd-system-ps-file", "", "")
	x.String("ownerpass", "", "")
	x.Bool("owner-well-known", false, "")
	x.String("srkpass", "", "")
	x.Bool("srk-well-known", false, "")
	x.Bool("no-iak", false, "")
	x.String("profile-remove-disabled", "", "")
	x.BoolVar(&f.takeOwner, "take-ownership", false, "")
	x.BoolVar(&f.createConfig, "create-config-files", false, "")
	for _, name := range []string{"swtpm_ioctl", "tcsd-system-ps-file", "ownerpass", "owner-well-known", "srkpass",
		"srk-well-known", "no-iak", "profile-remove-disabled", "take-ownership",
		"create-config-files", "tpm-state"} {
		if err := x.MarkHidden(name); err != nil {
			panic(err) // the flag was defined above
		}
	}
}

// place returns where the state is: DIR, or a URI of swtpm's.
func (f *setupFlags) place() (p swtpmPlace, err error) {
	switch {
	case f.state == "":
		return p, errors.New("--tpmstate DIR is missing")
	case strings.Contains(f.state, "://"):
		if p, err = placeOf(f.state); err != nil {
			return p, err
		}
	default:
		p.path = f.state
	}
	return p, p.refuseSwtpm()
}

// open opens the state.
func (f *setupFlags) open(a *app, p swtpmPlace) (*store.Directory, error) {
	spec, err := f.keySpec()
	if err != nil {
		return nil, err
	}
	if spec == "" {
		return a.openPlace(p)
	}
	if a.stateKey != "" {
		return nil, errors.New("--state-key excludes --keyfile and --pwdfile")
	}
	key, err := readKey("key", spec)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return p.open(store.Options{Key: key})
}

// keySpec returns what --key of `vtpm socket` would be.
func (f *setupFlags) keySpec() (string, error) {
	var specs []string
	for kind, name := range map[string]string{"file": f.keyFile, "pwdfile": f.pwdFile} {
		if name != "" {
			specs = append(specs, kind+"="+name)
		}
	}
	for kind, fd := range map[string]int{"fd": f.keyFD, "pwdfd": f.pwdFD} {
		if fd >= 0 {
			specs = append(specs, fmt.Sprintf("%s=%d", kind, fd))
		}
	}
	switch len(specs) {
	case 0:
		return "", nil
	case 1:
		return specs[0] + ",mode=" + f.cipher, nil
	}
	return "", errors.New("--keyfile, --keyfile-fd, --pwdfile and --pwdfile-fd exclude each other")
}

// swtpmProfile returns the profile of the flags.
func (f *setupFlags) swtpmProfile(c swtpmConf) (vtpm.Profile, error) {
	texts := 0
	for _, s := range []string{f.profile, f.profileName, f.profileFile} {
		if s != "" {
			texts++
		}
	}
	text := f.profile + f.profileName
	switch {
	case texts > 1:
		return vtpm.Profile{}, errors.New("--profile, --profile-name and --profile-file exclude each other")
	case f.profileFile != "":
		content, err := bounded.ReadFile(f.profileFile, maxSmallFile)
		if err != nil {
			return vtpm.Profile{}, fmt.Errorf("--profile-file: %w", err)
		}
		text = string(content)
	case texts == 0:
		text = c.values["profile"]
	}
	return profileOf(text)
}
