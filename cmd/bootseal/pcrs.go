package main

import (
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/spf13/cobra"
)

func (a *app) pcrs() *cobra.Command {
	var bank, selection string
	cmd := &cobra.Command{
		Use:   "pcrs",
		Short: "Print the TPM's PCR values",
		Long: `Print the TPM's PCR values, a line "ALG INDEX HEX" each: the form that
"bootseal log verify --pcrs" reads. Without --bank, all banks that the TPM has.`,
		Example: "  bootseal pcrs\n  bootseal pcrs --bank sha256 --pcrs 0-7,14\n  bootseal pcrs --tpm swtpm:/run/vm1/tpm.sock -o json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) (err error) {
			sel, err := pcr.ParseSelection(selection)
			if err != nil {
				return fmt.Errorf("--pcrs: %w", err)
			}
			banks := pcr.Banks()
			if bank != "" {
				b, err := pcr.ParseBank(bank)
				if err != nil {
					return fmt.Errorf("--bank: %w", err)
				}
				banks = []pcr.Bank{b}
			}
			tpm, err := a.openTPM()
			if err != nil {
				return err
			}
			defer func() { err = closeAfter(tpm, err) }()
			values, err := readPCRs(tpm, banks, sel)
			if err != nil {
				return err
			}
			if bank != "" && len(values) == 0 {
				return fmt.Errorf("the TPM has no %s bank", bank)
			}
			if a.wantsJSON() {
				return a.printJSON(values)
			}
			_, err = fmt.Fprint(a.out, values)
			return err
		},
	}
	cmd.Flags().StringVar(&bank, "bank", "", "only this bank: sha1, sha256, sha384 or sha512")
	cmd.Flags().StringVar(&selection, "pcrs", "0-23", "only these PCRs: numbers and ranges")
	completeWords(cmd, "bank", "sha1", "sha256", "sha384", "sha512")
	return cmd
}

// closeAfter closes the TPM and returns the first error.
func closeAfter(tpm transport.TPMCloser, err error) error {
	if closeErr := tpm.Close(); err == nil && closeErr != nil {
		return fmt.Errorf("close the TPM: %w", closeErr)
	}
	return err
}

// readPCRs reads the selected PCRs of those banks that the TPM has.
func readPCRs(tpm transport.TPM, banks []pcr.Bank, sel pcr.Selection) (pcr.Values, error) {
	has, err := seal.Banks(tpm)
	if err != nil {
		return nil, err
	}
	values := make(pcr.Values)
	for _, bank := range banks {
		if !slices.Contains(has, bank) {
			continue
		}
		read, err := seal.ReadPCRs(tpm, pcr.BankSelection{Bank: bank, PCRs: sel})
		if err != nil {
			return nil, err
		}
		for index, digest := range read[bank] {
			values.Set(bank, index, digest)
		}
	}
	return values, nil
}
