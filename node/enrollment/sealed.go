package enrollment

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2/transport"
)

// sealedVersion is the version of [seal.Sealed] that is filled in here.
const sealedVersion = 1

// What a token may be that package seal cannot open.
var (
	// ErrOtherBoot: the PCR values do not lead to the policy hash.
	ErrOtherBoot = errors.New("it was sealed for other PCR values")
	// ErrImport: the object has to be imported before it is loaded.
	ErrImport = errors.New("it was sealed outside of the TPM, and has to be imported first")
)

// Parent returns the token's parent key. Its Name is as good as the token, which
// whoever holds the disk can have written: where it is known from a better place, pin
// that. A parent that is made from a template has no Name in the token at all, and
// [seal.Unseal] asks for one; [seal.MakeParent] finds it out.
func Parent(t *luks.SystemdTPM2) seal.Parent {
	switch {
	case t.SRK != nil:
		return seal.Parent{Handle: seal.Handle(t.SRK.Handle), Name: t.SRK.Name, Public: t.SRK.Public}
	case t.PrimaryAlg == "rsa":
		return seal.Parent{Template: seal.SystemdRSA}
	}
	return seal.Parent{Template: seal.SystemdECC}
}

// ParentFor returns the parent key under which a release of systemd will look for an
// object: the SRK from 255 on, which is made where it is missing, and before that a
// key from a template. The owner hierarchy's authValue is empty on most machines.
func ParentFor(tpm transport.TPM, release int, ownerAuth []byte) (seal.Parent, error) {
	if release < luks.Systemd255 {
		return seal.MakeParent(tpm, ownerAuth, seal.SystemdECC, seal.SystemdRSA)
	}
	srk, _, err := seal.EnsureSRK(tpm, ownerAuth)
	return srk, err
}

// UnsaltedPIN reports whether a release of systemd derives PINs without a salt, for
// [seal.Options].
func UnsaltedPIN(release int) bool { return release < luks.Systemd255 }

// NewToken returns the token for a sealed object whose policy has one branch, and a
// keyslot. Its text for a release of systemd is [luks.SystemdTPM2.For]'s.
//
// s.Parent.Public must be there, as it is after [seal.Seal].
func NewToken(s *seal.Sealed, keyslot int) (*luks.SystemdTPM2, error) {
	if len(s.Policy.Branches) != 1 {
		return nil, fmt.Errorf("token of a policy with %d branches: a token is for one boot", len(s.Policy.Branches))
	}
	alg, err := keyAlg(s.Parent.Public)
	if err != nil {
		return nil, err
	}
	digest, err := seal.Digest(s.Policy)
	if err != nil {
		return nil, err
	}
	sel := s.Policy.Selection()
	t := &luks.SystemdTPM2{
		Keyslots: []int{keyslot},
		Shards: []luks.Shard{{
			Blob:       luks.Blob{Private: s.Private, Public: s.Public},
			PolicyHash: digest,
		}},
		PCRs:       sel.PCRs,
		Bank:       sel.Bank,
		PrimaryAlg: alg,
		PIN:        s.Policy.PIN,
		Salt:       s.PINSalt,
	}
	if s.Parent.Template == "" {
		t.SRK = &luks.ESYSObject{Kind: luks.ESYSKey, Handle: uint32(s.Parent.Handle), Name: s.Parent.Name, Public: s.Parent.Public}
	}
	return t, t.Check()
}

// keyAlg is systemd's name for the algorithm of a key's TPMT_PUBLIC.
func keyAlg(public []byte) (string, error) {
	const rsa, ecc = 0x0001, 0x0023 // Part 2, "TPM_ALG_ID"
	if len(public) < 2 {
		return "", errors.New("token: the parent's public area is missing")
	}
	switch alg := binary.BigEndian.Uint16(public); alg {
	case rsa:
		return "rsa", nil
	case ecc:
		return "ecc", nil
	default:
		return "", fmt.Errorf("token: the parent's algorithm is 0x%04x: systemd knows ecc and rsa", alg)
	}
}
