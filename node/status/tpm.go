package status

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// TPM is what a TPM says of itself.
type TPM struct {
	Manufacturer string // four letters, "IBM" (TCG TPM Vendor ID Registry)
	Model        string // of the vendor's own choice: "SW TPM"
	Firmware     string // "8217.4131": the two halves of each word, as tools show them
	Spec         string // "2.0 revision 1.64"
	Lockout      seal.Lockout
	// Locked says that the TPM refuses authorizations that count wrong tries.
	Locked bool
	Banks  []pcr.Bank
}

// ReadTPM asks a TPM for what [Judge] wants to know, and for the values of all PCRs. It
// changes nothing, and uses no authorization.
func ReadTPM(tpm transport.TPM) (*TPM, pcr.Values, error) {
	t, err := readProperties(tpm)
	if err != nil {
		return nil, nil, err
	}
	if t.Lockout, err = seal.ReadLockout(tpm); err != nil {
		return nil, nil, err
	}
	if t.Banks, err = seal.Banks(tpm); err != nil {
		return nil, nil, err
	}
	values := make(pcr.Values)
	for _, b := range t.Banks {
		read, err := seal.ReadPCRs(tpm, pcr.BankSelection{Bank: b, PCRs: pcr.AllPCRs})
		if err != nil {
			return nil, nil, err
		}
		values[b] = read[b]
	}
	return t, values, nil
}

func readProperties(tpm transport.TPM) (*TPM, error) {
	props, err := properties(tpm)
	if err != nil {
		return nil, err
	}
	t := &TPM{
		Manufacturer: word(props[tpm2.TPMPTManufacturer]),
		Spec:         fmt.Sprintf("%s revision %d.%02d", word(props[tpm2.TPMPTFamilyIndicator]), props[tpm2.TPMPTRevision]/100, props[tpm2.TPMPTRevision]%100),
		Locked:       props[tpm2.TPMPTPermanent]&inLockout != 0,
		Firmware:     version(props[tpm2.TPMPTFirmwareVersion1], props[tpm2.TPMPTFirmwareVersion2]),
	}
	for _, p := range []tpm2.TPMPT{tpm2.TPMPTVendorString1, tpm2.TPMPTVendorString2, tpm2.TPMPTVendorString3, tpm2.TPMPTVendorString4} {
		t.Model += text(props[p])
	}
	t.Model = strings.Join(strings.Fields(t.Model), " ")
	return t, nil
}

// inLockout is a bit of TPMA_PERMANENT (Part 2, "TPMA_PERMANENT").
const inLockout = 1 << 9

// properties returns the TPM's properties, the fixed and the variable ones.
func properties(tpm transport.TPM) (map[tpm2.TPMPT]uint32, error) {
	out := make(map[tpm2.TPMPT]uint32)
	for _, first := range []tpm2.TPMPT{tpm2.TPMPTFamilyIndicator, tpm2.TPMPTPermanent} {
		rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapTPMProperties, Property: uint32(first), PropertyCount: 64}.Execute(tpm)
		if err != nil {
			return nil, fmt.Errorf("read the TPM's properties: %w", err)
		}
		list, err := rsp.CapabilityData.Data.TPMProperties()
		if err != nil {
			return nil, fmt.Errorf("read the TPM's properties: %w", err)
		}
		for _, p := range list.TPMProperty {
			out[p.Property] = p.Value
		}
	}
	return out, nil
}

// text is a property that holds four characters; it goes to a terminal.
func text(v uint32) string {
	b := binary.BigEndian.AppendUint32(nil, v)
	b = slices.DeleteFunc(b, func(c byte) bool { return c < ' ' || c > '~' })
	return string(b)
}

func word(v uint32) string { return strings.TrimSpace(text(v)) }

// version writes a firmware version as vendors do: the halves of both words, the
// second word only where it is not zero.
func version(first, second uint32) string {
	s := fmt.Sprintf("%d.%d", first>>16, first&0xFFFF)
	if second != 0 {
		s += fmt.Sprintf(".%d.%d", second>>16, second&0xFFFF)
	}
	return s
}

// vendors are those that nodes meet (TCG TPM Vendor ID Registry).
func vendors() map[string]string {
	return map[string]string{"AMD": "AMD", "AMZN": "Amazon", "GOOG": "Google", "IBM": "IBM", "IFX": "Infineon", "INTC": "Intel",
		"MSFT": "Microsoft", "NTC": "Nuvoton", "STM": "STMicroelectronics", "VMW": "VMware", "ATML": "Atmel", "QCOM": "Qualcomm"}
}

func judgeTPM(t *TPM) []Line {
	name := t.Manufacturer
	if v, ok := vendors()[name]; ok {
		name = v
	}
	if t.Model != "" {
		name += " " + t.Model
	}
	return []Line{
		{What: "model", Verdict: OK, Says: fmt.Sprintf("%s, firmware %s, TPM %s", name, t.Firmware, t.Spec)},
		judgeBanks(t.Banks),
	}
}

func judgeBanks(banks []pcr.Bank) Line {
	var names []string
	for _, b := range banks {
		names = append(names, b.String())
	}
	l := Line{What: "PCR banks", Verdict: OK, Says: strings.Join(names, ", ")}
	switch {
	case len(banks) == 0:
		l.Verdict, l.Says, l.Remedy = Bad, "none: the TPM measures nothing", "turn the bank sha256 on in the firmware's setup, or with tpm2_pcrallocate and a reboot"
	case !slices.ContainsFunc(banks, func(b pcr.Bank) bool { return b != pcr.SHA1 }):
		l.Verdict, l.Says, l.Remedy = Warn, "only sha1, whose collisions can be made", "turn the bank sha256 on in the firmware's setup, or with tpm2_pcrallocate and a reboot, then reseal"
	}
	return l
}

// judgeLockout tells whether the TPM's dictionary attack protection is in the way.
// Sealed objects without a PIN are exempt from it, and so is the storage root key;
// the parent that systemd 252 makes is not.
func judgeLockout(t *TPM, volumes []Volume) Line {
	l := Line{What: "lockout", Verdict: OK, Says: fmt.Sprintf("%d of %d wrong tries", t.Lockout.Failures, t.Lockout.MaxFailures)}
	affected := slices.ContainsFunc(volumes, func(v Volume) bool {
		return slices.ContainsFunc(v.keys(), func(k key) bool { return k.protected() })
	})
	forgets := fmt.Sprintf("it forgets one every %s while the machine runs", t.Lockout.Interval)
	switch {
	case t.Locked && affected:
		l.Verdict, l.Says = Bad, "the TPM is in lockout: it gives out no key behind a PIN, nor one with systemd 252's parent"
		l.Remedy = "wait (" + forgets + "), or tpm2_dictionarylockout --clear-lockout; the recovery key opens the disk meanwhile"
	case t.Locked:
		l.Verdict, l.Says = Warn, "the TPM is in lockout, which these disks' keys are exempt from"
		l.Remedy = "find out who tried what: " + forgets
	case affected && t.Lockout.Failures > 0 && t.Lockout.MaxFailures-t.Lockout.Failures <= 3:
		l.Verdict, l.Remedy = Warn, "no more wrong PINs: "+forgets
	}
	return l
}
