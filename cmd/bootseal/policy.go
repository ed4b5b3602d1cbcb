package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/internal/pe"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/spf13/cobra"
)

func (a *app) policy() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Sign the PCR values of boots to come",
		Long: `A disk that is sealed to a public key opens for every boot whose PCR values the key's owner
has signed: a new kernel needs a signature, made where the key is, and no machine is touched.
The signatures are in the JSON of systemd-measure, and systemd-cryptsetup takes them, too.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.policyShow(), a.policySign())
	return cmd
}

// bootFlags name boots whose PCR values are signed, or looked for among signatures.
type bootFlags struct {
	values, pcrs  string
	banks, phases []string
}

func (f *bootFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.values, "values", "", "in place of images, PCR values in lines \"ALG INDEX HEX\"\n(bootseal pcrs); - for standard input")
	flags.StringVar(&f.pcrs, "pcrs", "11", "with --values: these PCRs")
	flags.StringSliceVar(&f.banks, "bank", []string{"sha256"}, "for these PCR banks")
	flags.StringArrayVar(&f.phases, "phase", []string{"enter-initrd"},
		"with images: the words that systemd-pcrphase has measured, with\ncolons in between; \":\" for none; repeat for more phases")
	completeWords(cmd, "bank", "sha1", "sha256", "sha384", "sha512")
	completeWords(cmd, "phase", "enter-initrd", "enter-initrd:leave-initrd", "enter-initrd:leave-initrd:sysinit", ":")
}

// bootPolicy is what is signed of a boot.
type bootPolicy struct {
	Image   string             `json:"image,omitempty"`
	Profile int                `json:"profile,omitempty"`
	Phase   string             `json:"phase,omitempty"`
	Bank    pcr.Bank           `json:"bank"`
	PCRs    map[int]pcr.Digest `json:"pcrs"`
	Policy  pcr.Digest         `json:"policy"`
}

// String names the boot.
func (b *bootPolicy) String() string {
	if b.Image == "" {
		return "these values"
	}
	text := b.Image
	if b.Profile > 0 {
		text += fmt.Sprintf(", profile %d", b.Profile)
	}
	if b.Phase == "" {
		return text
	}
	return text + ", " + b.Phase
}

func (b *bootPolicy) selection() pcr.Selection {
	var s pcr.Selection
	for i := range b.PCRs {
		s = s.With(i)
	}
	return s
}

// policies are those of the images, or of the values.
func (a *app) policies(f *bootFlags, images []string) ([]bootPolicy, error) {
	if (len(images) > 0) == (f.values != "") {
		return nil, errors.New("name unified kernel images, or PCR values with --values")
	}
	banks, err := parseBanks(f.banks)
	if err != nil {
		return nil, err
	}
	if f.values != "" {
		return a.policiesOfValues(f, banks)
	}
	var list []bootPolicy
	for _, image := range images {
		more, err := policiesOfImage(image, banks, f.phases)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", image, err)
		}
		list = append(list, more...)
	}
	return list, nil
}

func parseBanks(names []string) ([]pcr.Bank, error) {
	var banks []pcr.Bank
	for _, name := range names {
		bank, err := pcr.ParseBank(name)
		if err != nil {
			return nil, fmt.Errorf("--bank: %w", err)
		}
		banks = append(banks, bank)
	}
	return banks, nil
}

func (a *app) policiesOfValues(f *bootFlags, banks []pcr.Bank) ([]bootPolicy, error) {
	values, err := a.readValues(f.values)
	if err != nil {
		return nil, err
	}
	sel, err := pcr.ParseSelection(f.pcrs)
	if err != nil {
		return nil, fmt.Errorf("--pcrs: %w", err)
	}
	var list []bootPolicy
	for _, bank := range banks {
		p, err := newBootPolicy(bootPolicy{Bank: bank}, values, sel)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.values, err)
		}
		list = append(list, p)
	}
	return list, nil
}

func newBootPolicy(p bootPolicy, values pcr.Values, pcrs pcr.Selection) (bootPolicy, error) {
	sel := pcr.BankSelection{Bank: p.Bank, PCRs: pcrs}
	b, err := seal.NewBranch("", values, sel)
	if err != nil {
		return p, err
	}
	p.PCRs = b.PCRs
	p.Policy, err = seal.PCRPolicy(values, sel)
	return p, err
}

// policiesOfImage computes PCR 11 for each profile, phase and bank, in systemd-measure's
// order.
func policiesOfImage(path string, banks []pcr.Bank, phases []string) ([]bootPolicy, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := bootchain.MeasureFile(path, f, banks)
	if err != nil {
		return nil, err
	}
	if m.Program == nil {
		return nil, errors.New("it is no program of the firmware (PE)")
	}
	if m.Program.Problem != "" {
		return nil, errors.New(m.Program.Problem)
	}
	var list []bootPolicy
	for profile := range m.Program.Profiles() {
		for _, phase := range phases {
			words := strings.FieldsFunc(phase, func(r rune) bool { return r == ':' })
			for _, bank := range banks {
				value, err := m.Program.UnifiedPCR(bank, profile, words...)
				if err != nil {
					return nil, err
				}
				p := bootPolicy{Image: path, Profile: profile, Phase: strings.Join(words, ":"), Bank: bank}
				if p, err = newBootPolicy(p, pcr.Values{bank: {11: value}}, pcr.Select(11)); err != nil {
					return nil, err
				}
				list = append(list, p)
			}
		}
	}
	return list, nil
}

// readSignatures reads a file of signatures, or the section .pcrsig of an image that has
// them embedded.
func (a *app) readSignatures(path string) (pcrsig.File, error) {
	var text []byte
	var err error
	if path == "-" {
		text, err = io.ReadAll(io.LimitReader(a.in, pcrsig.MaxFile+1))
	} else {
		text, err = signaturesIn(path)
	}
	if err != nil {
		return nil, err
	}
	f, err := pcrsig.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func signaturesIn(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	image, err := pe.Open(f, info.Size())
	if errors.Is(err, pe.ErrNotPE) {
		return io.ReadAll(io.LimitReader(f, pcrsig.MaxFile+1))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, s := range image.Sections() {
		if s.Name == ".pcrsig" {
			text, err := image.Contents(s, pcrsig.MaxFile)
			return bytes.TrimRight(text, "\x00"), err
		}
	}
	return nil, fmt.Errorf("%s: the image has no section .pcrsig", path)
}

func readPublicKey(path string) (*pcrsig.Key, error) {
	text, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	k, err := pcrsig.ParseKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}
