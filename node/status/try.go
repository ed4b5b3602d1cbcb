package status

import (
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Try has the TPM load the sealed objects of tokens, and fills in Refused: a TPM
// that was cleared, or another one, does not take them, nor does any take a damaged
// one. Nothing is unsealed and no authorization that counts is used.
//
// Every token's parent is compared with the TPM's key; only the tokens in ids are
// loaded, which takes a hardware TPM a tenth of a second each.
//
// A token of systemd 252's form names no parent, and is believed.
func Try(tpm transport.TPM, v *Volume, ids []int) error {
	v.Refused = make(map[int]string)
	parents := make(map[seal.Handle]*seal.Parent)
	for _, t := range v.sealed() {
		srk := t.SystemdTPM2().SRK
		if srk == nil {
			continue
		}
		handle := seal.Handle(srk.Handle)
		if _, ok := parents[handle]; !ok {
			p, err := seal.ReadParent(tpm, handle)
			var other *seal.ParentError
			if err != nil && !errors.As(err, &other) {
				return err
			}
			parents[handle] = &p
		}
		if have := parents[handle].Name; have.String() != seal.Name(srk.Name).String() {
			v.Refused[t.ID] = "its parent key is not this TPM's"
		}
	}
	for _, id := range ids {
		t := v.Enrollment.Token(id)
		if t == nil || t.SystemdTPM2() == nil || t.SystemdTPM2().SRK == nil || v.Refused[id] != "" {
			continue
		}
		s := t.SystemdTPM2()
		if err := load(tpm, parents[seal.Handle(s.SRK.Handle)], s.Shards[0].Blob); err != nil {
			if !isResponse(err) {
				return err
			}
			v.Refused[id] = fmt.Sprintf("the TPM does not take it, it is damaged (%v)", err)
		}
	}
	return nil
}

// load loads an object and flushes it again. The parent's authValue is empty, as
// systemd's is.
func load(tpm transport.TPM, parent *seal.Parent, b luks.Blob) error {
	if b.Seed != nil {
		return nil // it has to be imported first, which only a start shows
	}
	rsp, err := tpm2.Load{
		ParentHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(parent.Handle), Name: tpm2.TPM2BName{Buffer: parent.Name}, Auth: tpm2.PasswordAuth(nil)},
		InPrivate:    tpm2.TPM2BPrivate{Buffer: b.Private},
		InPublic:     tpm2.BytesAs2B[tpm2.TPMTPublic](b.Public),
	}.Execute(tpm)
	if err != nil {
		return err
	}
	_, err = tpm2.FlushContext{FlushHandle: rsp.ObjectHandle}.Execute(tpm)
	return err
}

// isResponse tells what the TPM said about the object from a TPM that cannot be
// reached, is busy or has no room: codes of format one are about what it was given
// (Part 2, "Response Code Details").
func isResponse(err error) bool {
	const formatOne = 0x80
	var rc tpm2.TPMRC
	return errors.As(err, &rc) && rc&formatOne != 0
}
