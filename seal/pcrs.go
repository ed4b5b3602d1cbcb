package seal

import (
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/pcr"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// ReadPCRs returns the current values of the selected PCRs, all of one moment.
// It fails where the TPM has no such bank. The answer is not authenticated: it
// is good for choosing a branch and for explaining, and the TPM itself decides.
func ReadPCRs(tpm transport.TPM, sel pcr.BankSelection) (pcr.Values, error) {
	tpm = withPatience(tpm)
	// A TPM gives at most eight values at once; the counter tells whether a PCR
	// has changed between two answers.
	const attempts = 10
	for range attempts {
		values, stable, err := readPCRs(tpm, sel)
		if err != nil {
			return nil, fmt.Errorf("read PCRs %s: %w", sel, err)
		}
		if stable {
			return values, nil
		}
	}
	return nil, fmt.Errorf("read PCRs %s: they change all the time", sel)
}

func readPCRs(tpm transport.TPM, sel pcr.BankSelection) (values pcr.Values, stable bool, err error) {
	values = make(pcr.Values)
	left := sel.PCRs
	var counter uint32
	for first := true; left != 0; first = false {
		rsp, err := tpm2.PCRRead{PCRSelectionIn: selectionList(pcr.BankSelection{Bank: sel.Bank, PCRs: left})}.Execute(tpm)
		if err != nil {
			return nil, false, err
		}
		if !first && rsp.PCRUpdateCounter != counter {
			return nil, false, nil
		}
		counter = rsp.PCRUpdateCounter
		got, err := selectedPCRs(sel.Bank, rsp)
		if err != nil {
			return nil, false, err
		}
		if got == 0 {
			return nil, false, fmt.Errorf("the TPM has no bank %s, or not with PCRs %s", sel.Bank, left)
		}
		if extra := got.Without(left); extra != 0 {
			return nil, false, fmt.Errorf("the TPM answers with PCRs %s, which were not asked for", extra)
		}
		for n, i := range got.Indexes() {
			d := rsp.PCRValues.Digests[n].Buffer
			if len(d) != sel.Bank.Size() {
				return nil, false, fmt.Errorf("PCR %d has %d bytes: want %d", i, len(d), sel.Bank.Size())
			}
			values.Set(sel.Bank, i, d)
		}
		left = left.Without(got)
	}
	return values, true, nil
}

// selectedPCRs returns the PCRs of which a response has the values.
func selectedPCRs(bank pcr.Bank, rsp *tpm2.PCRReadResponse) (pcr.Selection, error) {
	var got pcr.Selection
	for _, s := range rsp.PCRSelectionOut.PCRSelections {
		if pcr.Bank(s.Hash) != bank {
			return 0, fmt.Errorf("the TPM answers with bank %s", pcr.Bank(s.Hash))
		}
		sel, err := pcr.FromOctets(s.PCRSelect)
		if err != nil {
			return 0, err
		}
		got = got.Union(sel)
	}
	if got.Len() != len(rsp.PCRValues.Digests) {
		return 0, errors.New("the TPM's answer has another number of values than of PCRs")
	}
	return got, nil
}

// selectionList returns a TPML_PCR_SELECTION with one entry.
func selectionList(sel pcr.BankSelection) tpm2.TPMLPCRSelection {
	return tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{
		Hash:      tpm2.TPMIAlgHash(sel.Bank),
		PCRSelect: sel.PCRs.Octets(),
	}}}
}

// Banks returns the TPM's allocated PCR banks, those that package pcr knows.
func Banks(tpm transport.TPM) ([]pcr.Bank, error) {
	rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapPCRs, PropertyCount: 1}.Execute(withPatience(tpm))
	if err != nil {
		return nil, fmt.Errorf("read the TPM's PCR banks: %w", err)
	}
	assigned, err := rsp.CapabilityData.Data.AssignedPCR()
	if err != nil {
		return nil, fmt.Errorf("read the TPM's PCR banks: %w", err)
	}
	var banks []pcr.Bank
	for _, s := range assigned.PCRSelections {
		bank := pcr.Bank(s.Hash)
		pcrs, err := pcr.FromOctets(s.PCRSelect)
		if err != nil {
			return nil, fmt.Errorf("read the TPM's PCR banks: %s: %w", bank, err)
		}
		if pcrs != 0 && bank.Available() {
			banks = append(banks, bank)
		}
	}
	return banks, nil
}
