package vtpm

import "github.com/bootseal/bootseal/vtpm/internal/command"

// CommandInfo is what the TPM knows of one command of Part 3.
type CommandInfo struct {
	Code        uint32 `json:"code"`
	Name        string `json:"name"`    // as Part 3 spells it: "TPM2_Unseal"
	Section     string `json:"section"` // of Part 3
	Implemented bool   `json:"implemented"`
	Reason      string `json:"reason"` // why it is not implemented
}

// Commands returns every command of the specification, in Part 3's order.
func Commands() []CommandInfo {
	rows := command.Rows()
	list := make([]CommandInfo, len(rows))
	for i := range rows {
		r := &rows[i]
		list[i] = CommandInfo{uint32(r.Code), r.Name, r.Section, r.Implemented(), r.Reason()}
	}
	return list
}
