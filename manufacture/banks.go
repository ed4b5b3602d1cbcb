package manufacture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/pcr"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// AllocatePCRs activates the banks from the next power-on, all PCRs of each, and no others,
// with the platform's empty authorization. It returns those of them that the TPM has; with
// none it returns an error and changes nothing.
func AllocatePCRs(tpm transport.TPM, banks []pcr.Bank) ([]pcr.Bank, error) {
	rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapPCRs, PropertyCount: 64}.Execute(tpm)
	if err != nil {
		return nil, fmt.Errorf("read the PCR banks: %w", err)
	}
	list, err := rsp.CapabilityData.Data.AssignedPCR()
	if err != nil {
		return nil, fmt.Errorf("read the PCR banks: %w", err)
	}
	var active, all []pcr.Bank
	for _, s := range list.PCRSelections {
		b := pcr.Bank(s.Hash)
		all = append(all, b)
		if slices.Contains(banks, b) {
			active = append(active, b)
		}
	}
	if len(active) == 0 {
		return nil, fmt.Errorf("activate PCR banks %v: the TPM has %v only", banks, all)
	}
	if err := pcrAllocate(tpm, all, active); err != nil {
		return nil, fmt.Errorf("activate PCR banks %v: %w", active, err)
	}
	return active, nil
}

// pcrAllocate is TPM2_PCR_Allocate (Part 3, 22.5), which go-tpm does not have.
func pcrAllocate(tpm transport.TPM, all, active []pcr.Bank) error {
	const code = 0x0000012B
	cmd := []byte{0x80, 0x02, 0, 0, 0, 0}
	cmd = binary.BigEndian.AppendUint32(cmd, code)
	cmd = binary.BigEndian.AppendUint32(cmd, uint32(tpm2.TPMRHPlatform))
	cmd = append(cmd, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0) // TPM_RS_PW, empty
	cmd = binary.BigEndian.AppendUint32(cmd, uint32(len(all)))
	for _, b := range all {
		cmd = binary.BigEndian.AppendUint16(cmd, uint16(b))
		octet := byte(0)
		if slices.Contains(active, b) {
			octet = 0xFF
		}
		cmd = append(cmd, 3, octet, octet, octet)
	}
	binary.BigEndian.PutUint32(cmd[2:], uint32(len(cmd)))
	rsp, err := tpm.Send(cmd)
	if err != nil {
		return err
	}
	const header, parameters = 10, 4 + 1 // response code, size of parameters, allocationSuccess
	if len(rsp) < header {
		return fmt.Errorf("TPM2_PCR_Allocate: a response of %d bytes", len(rsp))
	}
	if rc := binary.BigEndian.Uint32(rsp[6:]); rc != 0 {
		return fmt.Errorf("TPM2_PCR_Allocate: %w", tpm2.TPMRC(rc))
	}
	if len(rsp) < header+parameters || rsp[header+4] != 1 {
		return errors.New("TPM2_PCR_Allocate: the TPM has no room for these banks")
	}
	return nil
}
