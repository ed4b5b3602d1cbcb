package manufacture

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Identity is what a TPM says it is.
type Identity struct {
	Manufacturer string `json:"manufacturer"` // TPM_PT_MANUFACTURER as text
	Model        string `json:"model"`        // TPM_PT_VENDOR_STRING_1 to _4
	Firmware     uint64 `json:"firmware"`     // TPM_PT_FIRMWARE_VERSION_1 and _2
	Level        uint32 `json:"level"`        // of the TPM 2.0 Library Specification
	Revision     uint32 `json:"revision"`
	NVIndexMax   int    `json:"-"` // TPM_PT_NV_INDEX_MAX, bytes
	NVBufferMax  int    `json:"-"` // TPM_PT_NV_BUFFER_MAX, bytes

	manufacturer uint32
}

// ManufacturerID returns the manufacturer as certificates and swtpm write it:
// "id:" and eight hexadecimal digits.
func (id Identity) ManufacturerID() string { return fmt.Sprintf("id:%08X", id.manufacturer) }

// FirmwareID returns TPM_PT_FIRMWARE_VERSION_1 in the same writing.
func (id Identity) FirmwareID() string { return fmt.Sprintf("id:%08X", id.Firmware>>32) }

// ReadIdentity asks a TPM what it is.
func ReadIdentity(tpm transport.TPM) (Identity, error) {
	properties, err := fixedProperties(tpm)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{
		Level:        properties[tpm2.TPMPTLevel],
		Revision:     properties[tpm2.TPMPTRevision],
		Firmware:     uint64(properties[tpm2.TPMPTFirmwareVersion1])<<32 | uint64(properties[tpm2.TPMPTFirmwareVersion2]),
		NVIndexMax:   int(properties[tpm2.TPMPTNVIndexMax]),
		NVBufferMax:  int(properties[tpm2.TPMPTNVBufferMax]),
		manufacturer: properties[tpm2.TPMPTManufacturer],
	}
	id.Manufacturer = text(id.manufacturer)
	for p := tpm2.TPMPTVendorString1; p <= tpm2.TPMPTVendorString4; p++ {
		id.Model += text(properties[p])
	}
	if id.NVIndexMax == 0 || id.NVBufferMax == 0 {
		return Identity{}, fmt.Errorf("read the TPM's properties: it does not say how large an NV index can be")
	}
	return id, nil
}

func fixedProperties(tpm transport.TPM) (map[tpm2.TPMPT]uint32, error) {
	const most = 128
	rsp, err := tpm2.GetCapability{
		Capability: tpm2.TPMCapTPMProperties, Property: uint32(tpm2.TPMPTFamilyIndicator), PropertyCount: most,
	}.Execute(tpm)
	if err != nil {
		return nil, fmt.Errorf("read the TPM's properties: %w", err)
	}
	list, err := rsp.CapabilityData.Data.TPMProperties()
	if err != nil {
		return nil, fmt.Errorf("read the TPM's properties: %w", err)
	}
	properties := make(map[tpm2.TPMPT]uint32)
	for _, p := range list.TPMProperty {
		properties[p.Property] = p.Value
	}
	return properties, nil
}

// text reads four bytes as text. What is not printable ASCII ends it, so that nothing but
// text gets into a certificate.
func text(v uint32) string {
	b := binary.BigEndian.AppendUint32(nil, v)
	end := strings.IndexFunc(string(b), func(r rune) bool { return r < ' ' || r > '~' })
	if end < 0 {
		end = len(b)
	}
	return string(b[:end])
}
