package engine

import "github.com/bootseal/bootseal/vtpm/internal/wire"

// PresenceDemanded reports whether platform authorization of the command needs
// physical presence (TPM2_PP_Commands).
func (t *TPM) PresenceDemanded(cc wire.CC) bool {
	_, ok := t.presence[cc]
	return ok
}

// DemandPresence says whether platform authorization of the command is to need
// physical presence.
func (t *TPM) DemandPresence(cc wire.CC, demand bool) {
	if t.PresenceDemanded(cc) == demand {
		return
	}
	if demand {
		t.presence[cc] = struct{}{}
	} else {
		delete(t.presence, cc)
	}
	t.Mark(RecordPresence)
}

// PresenceCommands returns the commands that need physical presence, ascending.
func (t *TPM) PresenceCommands() []wire.CC { return sortedKeys(t.presence) }
