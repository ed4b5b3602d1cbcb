package server

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/bootseal/bootseal/vtpm"
)

// What GET_INFO can be asked for, a bit each.
const (
	infoSpecification   = 1 << 0
	infoAttributes      = 1 << 1
	infoFeatures        = 1 << 2
	infoRuntimeCommands = 1 << 4
	infoActiveProfile   = 1 << 5
	infoProfiles        = 1 << 6
)

// Info is what GET_INFO says of a TPM, as JSON. Parts that were not asked for are nil.
// Tools that make certificates for a TPM take their statements from here.
type Info struct {
	Specification *InfoSpecification `json:"TPMSpecification,omitempty"`
	Attributes    *InfoAttributes    `json:"TPMAttributes,omitempty"`
	Features      *InfoFeatures      `json:"TPMFeatures,omitempty"`
	Commands      *InfoCommands      `json:"RuntimeCommands,omitempty"`
	ActiveProfile *InfoProfile       `json:"ActiveProfile,omitempty"`
	Profiles      []InfoProfile      `json:"AvailableProfiles,omitempty"`
}

// InfoSpecification is the edition of the TPM 2.0 Library Specification.
type InfoSpecification struct {
	Family   string `json:"family"`
	Level    uint32 `json:"level"`
	Revision uint32 `json:"revision"`
}

// InfoAttributes are the manufacturer, model and version, as in an EK certificate
// (EK Credential Profile, "Subject Alternative Name").
type InfoAttributes struct {
	Manufacturer string `json:"manufacturer"`
	Version      string `json:"version"`
	Model        string `json:"model"`
}

// InfoFeatures are the sizes of keys, in bits.
type InfoFeatures struct {
	RSAKeySizes []uint16 `json:"RSAKeySizes"`
}

// InfoCommands are the implemented commands, as ranges of codes.
type InfoCommands struct {
	Implemented string `json:"Implemented"`
}

// maxInfo is how much one answer may have: swtpm's clients have no more room.
const maxInfo = 3 << 10

// InfoProfile is what a TPM implements, by the profile's name.
type InfoProfile struct {
	Name     string `json:"Name"`
	Commands string `json:"Commands,omitempty"`
}

// getInfo answers the JSON that the flags ask for, from the offset on and with a NUL
// at its end: result, whole size, and a piece behind its size.
func (s *Swtpm) getInfo(fields []byte) []byte {
	if s.tpm == nil {
		return answer(resultBadOrdinal)
	}
	offset := binary.BigEndian.Uint32(fields[8:])
	text, err := json.Marshal(InfoOf(s.tpm, binary.BigEndian.Uint64(fields)))
	if err != nil {
		return answer(s.outcome(err))
	}
	if uint64(offset) >= uint64(len(text)) {
		return answer(resultBadParameter)
	}
	text = append(text, 0)
	piece := text[offset:]
	return sized(answer(resultOK, uint32(len(text))), piece[:min(len(piece), maxInfo)])
}

// InfoOf returns what GET_INFO would say of a TPM, for the flags of swtpm's "TPMLIB_GetInfo": the bits of swtpm_ioctl's --info.
func InfoOf(t *vtpm.TPM, flags uint64) Info {
	var info Info
	id := t.Identity()
	if flags&infoSpecification != 0 {
		info.Specification = &InfoSpecification{Family: "2.0", Level: id.Level, Revision: id.Revision}
	}
	if flags&infoAttributes != 0 {
		info.Attributes = &InfoAttributes{
			Manufacturer: fmt.Sprintf("id:%08X", id.Manufacturer),
			Version:      fmt.Sprintf("id:%08X", uint32(id.FirmwareVersion>>32)),
			Model:        id.Model,
		}
	}
	if flags&infoFeatures != 0 {
		info.Features = &InfoFeatures{RSAKeySizes: id.RSAKeySizes}
	}
	if flags&infoRuntimeCommands != 0 {
		info.Commands = &InfoCommands{Implemented: ranges(id.Commands)}
	}
	if flags&infoActiveProfile != 0 {
		info.ActiveProfile = &InfoProfile{Name: id.Profile, Commands: ranges(id.Commands)}
	}
	if flags&infoProfiles != 0 {
		info.Profiles = []InfoProfile{{Name: vtpm.PCClient().Name()}, {Name: vtpm.Libtpms().Name()}}
	}
	return info
}

// ranges writes ascending numbers as "0x11f-0x122,0x124".
func ranges(codes []uint32) string {
	var parts []string
	for i := 0; i < len(codes); {
		j := i
		for j+1 < len(codes) && codes[j+1] == codes[j]+1 {
			j++
		}
		part := fmt.Sprintf("%#x", codes[i])
		if j > i {
			part += fmt.Sprintf("-%#x", codes[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ",")
}
