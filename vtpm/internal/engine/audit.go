package engine

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Audit is the command audit (Part 1, "Command audit") and which session is the
// exclusive audit session.
type Audit struct {
	Alg      wire.Alg             // hash algorithm of the audit digest
	Counter  uint64               // audit digests that were started
	Commands map[wire.CC]struct{} // commands that are audited

	Digest []byte // of the commands since the last report; empty between
	Skip   bool   // the command in flight changed Alg and is not audited

	Exclusive wire.Handle // the exclusive audit session, 0 when there is none
}

func (a *Audit) manufacture() {
	*a = Audit{Alg: ContextHash, Commands: map[wire.CC]struct{}{wire.CCSetCommandCodeAuditStatus: {}}}
}

func (a *Audit) startup(kind startupKind) {
	a.Exclusive = 0
	if kind == startupReset {
		a.Digest = nil
	}
}

// Audited reports whether the command code is audited.
func (a *Audit) Audited(cc wire.CC) bool {
	_, ok := a.Commands[cc]
	return ok
}

// List returns the audited commands, ascending.
func (a *Audit) List() []wire.CC { return sortedKeys(a.Commands) }

// ExtendAudit extends the command audit digest with a command that succeeded.
func (t *TPM) ExtendAudit(cpHash, rpHash []byte) {
	a := &t.Audit
	if a.Skip {
		a.Skip = false
		return
	}
	if len(a.Digest) == 0 {
		a.Digest = make([]byte, crypt.Size(a.Alg))
		a.Counter++
		t.Mark(RecordAudit)
	}
	a.Digest = crypt.Digest(a.Alg, a.Digest, cpHash, rpHash)
}

// SetAuditAlg changes the algorithm of the audit digest and starts it afresh. The
// command that does so is not audited: there is no algorithm to do it with.
func (t *TPM) SetAuditAlg(alg wire.Alg) {
	t.Audit.Alg, t.Audit.Digest, t.Audit.Skip = alg, nil, true
	t.Mark(RecordAudit)
}

// AuditCommand says whether the command is to be audited.
func (t *TPM) AuditCommand(cc wire.CC, audited bool) {
	if t.Audit.Audited(cc) == audited {
		return
	}
	if audited {
		t.Audit.Commands[cc] = struct{}{}
	} else {
		delete(t.Audit.Commands, cc)
	}
	t.Mark(RecordAudit)
}

// CommandDigest returns the digest of the codes of all audited commands, ascending.
func (a *Audit) CommandDigest() []byte {
	var w wire.Writer
	for _, cc := range sortedKeys(a.Commands) {
		cc.Write(&w)
	}
	return crypt.Digest(a.Alg, w.Data())
}

func (a *Audit) write(w *wire.Writer) {
	w.U16(uint16(a.Alg))
	w.U64(a.Counter)
	writeCommands(w, a.Commands)
}

func (a *Audit) read(r *wire.Reader) {
	a.Alg = readHash(r)
	a.Counter = r.U64()
	a.Commands = readCommands(r)
}
