package status

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal/pcrsig"
)

// Volume is a LUKS volume with what belongs to it.
type Volume struct {
	Path string // "/dev/sda3"
	Name string // that it is opened as, "" where that is not known
	UUID string // "" where the header cannot be read
	// Listed says that it is in the list of enrolled volumes.
	Listed bool
	// Header is nil where Err says why it cannot be read: luks.ErrDamaged and the like,
	// or an error of fs.
	Header     *luks.Header
	Enrollment *enrollment.Enrollment // nil without a header
	Err        error
	// Refused are tokens that this machine's TPM does not take, whatever is booted,
	// with the reason: see [Try].
	Refused map[int]string
	// Note is how this boot opened the volume, nil without one.
	Note *volumes.Note
	// Signatures are those of PCR policies that the machine has.
	Signatures []pcrsig.File
	// Unfinished is what began and did not end: "reseal", "enroll", or "".
	Unfinished string
	// Kept says that a secret is kept to reseal with.
	Kept bool
}

// ReadVolume reads the header that r holds.
func ReadVolume(name string, r io.ReaderAt) Volume {
	v := Volume{Path: name}
	v.Header, v.Err = luks.Read(r)
	if v.Err == nil {
		v.UUID, v.Enrollment = v.Header.UUID, enrollment.Inspect(v.Header)
	}
	return v
}

// FindVolumes returns the volumes of a machine: those that are listed as enrolled,
// and others that are open and have a token for a TPM. The error is about the list, and
// what was found is good in any case. No other device is touched: one that hangs is not
// to hang this.
func FindVolumes(root fs.FS) ([]Volume, error) {
	listed, err := readList(root)
	var out []Volume
	for _, l := range listed.Volumes {
		v := openVolume(root, "dev/disk/by-uuid/"+l.UUID)
		v.Name, v.UUID, v.Listed = l.Name, l.UUID, true
		out = append(out, v)
	}
	devices, _ := fs.ReadDir(root, "sys/class/block")
	for _, d := range devices {
		uuid, name, ok := mapping(root, d.Name())
		if !ok || slices.ContainsFunc(out, func(o Volume) bool { return o.UUID == uuid }) {
			continue
		}
		for _, v := range below(root, d.Name(), maxBelow) {
			if v.asksTPM() || errors.Is(v.Err, luks.ErrDamaged) {
				v.Name, v.UUID = name, uuid
				out = append(out, v)
			}
		}
	}
	return out, err
}

// mapping tells the UUID and the name of an open LUKS2 volume by its device-mapper UUID,
// CRYPT-LUKS2-UUID-NAME (cryptsetup, lib/utils_devpath.c, dm_prepare_uuid).
func mapping(root fs.FS, device string) (uuid, name string, ok bool) {
	const digits = 32
	text, ok := strings.CutPrefix(readWord(root, "sys/class/block/"+device+"/dm/uuid"), "CRYPT-LUKS2-")
	if !ok || len(text) < digits+2 || text[digits] != '-' {
		return "", "", false
	}
	uuid = strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:digits]}, "-")
	return uuid, text[digits+1:], volumes.IsUUID(uuid)
}

// maxBelow bounds how far down a header is looked for: below the mapping, or below
// dm-integrity.
const maxBelow = 3

// below returns the LUKS volumes that a mapping is made of: one, on a sound machine.
func below(root fs.FS, device string, depth int) []Volume {
	var out []Volume
	slaves, _ := fs.ReadDir(root, "sys/class/block/"+device+"/slaves")
	for _, s := range slaves {
		v := openVolume(root, "dev/"+s.Name())
		switch {
		case !errors.Is(v.Err, luks.ErrNotLUKS):
			out = append(out, v)
		case depth > 1:
			out = append(out, below(root, s.Name(), depth-1)...)
		}
	}
	return out
}

// readList reads the list of enrolled volumes, an empty one where there is none.
func readList(root fs.FS) (*volumes.List, error) {
	text, err := fs.ReadFile(root, strings.TrimPrefix(volumes.ListFile, "/"))
	if errors.Is(err, fs.ErrNotExist) {
		return new(volumes.List), nil
	}
	if err == nil {
		var l *volumes.List
		if l, err = volumes.Parse(text); err == nil {
			return l, nil
		}
	}
	return new(volumes.List), fmt.Errorf("%s: %w", volumes.ListFile, err)
}

func openVolume(root fs.FS, name string) Volume {
	f, err := root.Open(name)
	if err != nil {
		return Volume{Path: "/" + name, Err: err}
	}
	defer f.Close()
	r, ok := f.(io.ReaderAt)
	if !ok {
		return Volume{Path: "/" + name, Err: fmt.Errorf("%s cannot be read at a place", name)}
	}
	v := ReadVolume("/"+name, r)
	if target, err := fs.ReadLink(root, name); err == nil { // /dev/sda3 says more than a UUID
		v.Path = path.Join("/", path.Dir(name), target)
	}
	return v
}

// Attach reads what else is known of the volume: the note that its unlocking left
// below root, and its part of the state folder.
func (v *Volume) Attach(root, state fs.FS) {
	v.Signatures = readSignatures(root)
	if !volumes.IsUUID(v.UUID) {
		return
	}
	if text, err := fs.ReadFile(root, strings.TrimPrefix(volumes.NoteDir, "/")+"/"+v.UUID+".json"); err == nil {
		if n, err := volumes.ParseNote(text); err == nil && n.UUID == v.UUID {
			v.Note = n
		}
	}
	has := func(name string) bool { _, err := fs.Stat(state, v.UUID+"/"+name); return err == nil }
	v.Kept = has("secret.json")
	switch { // the journals of node/reseal and node/enroll
	case has("journal.json"):
		v.Unfinished = "reseal"
	case has("enroll.json"):
		v.Unfinished = "enroll"
	}
	if v.Name == "" && v.Note != nil {
		v.Name = v.Note.Name
	}
}

// readSignatures reads the signatures of PCR policies where systemd looks for them on a
// running system. What cannot be read is passed over: nothing in it is believed before it
// is verified.
func readSignatures(root fs.FS) []pcrsig.File {
	var all []pcrsig.File
	for _, path := range pcrsig.Places() {
		text, err := fs.ReadFile(root, path)
		if err != nil {
			continue
		}
		if f, err := pcrsig.Parse(text); err == nil {
			all = append(all, f)
		}
	}
	return all
}

// asksTPM reports whether any token has a TPM asked for the passphrase.
func (v *Volume) asksTPM() bool {
	return v.Enrollment != nil && (len(v.keys()) > 0 || slices.ContainsFunc(v.Enrollment.Tokens, func(t enrollment.Token) bool {
		c, ok := t.Token.(*luks.Clevis)
		return ok && c.TPM2 != nil
	}))
}

// sealedTo returns the PCRs of a bank that the volume's tokens look at. A token that
// names no bank is read in SHA-256 first.
func (v *Volume) sealedTo(b pcr.Bank) pcr.Selection {
	var sel pcr.Selection
	for _, k := range v.keys() {
		if k.Banks[0] == b {
			sel = sel.Union(k.needs())
		}
	}
	return sel
}

// Banks returns the banks that the volumes' tokens look at, ascending: those that are
// worth predicting. None where there is no such token.
func Banks(list []Volume) []pcr.Bank {
	var out []pcr.Bank
	for _, b := range pcr.Banks() {
		if slices.ContainsFunc(list, func(v Volume) bool { return v.sealedTo(b) != 0 }) {
			out = append(out, b)
		}
	}
	return out
}

// Fallback says what opens the volume when the TPM does not, "" for nothing. A keyslot
// that no token is for has a passphrase that somebody chose.
func (v *Volume) Fallback() string {
	if v.Enrollment == nil {
		return ""
	}
	if slots := v.Enrollment.Recovery; len(slots) > 0 {
		return fmt.Sprintf("the recovery key (keyslot %d)", slots[0])
	}
	used := make(map[int]bool)
	for _, t := range v.Enrollment.Tokens {
		for _, slot := range t.Token.Slots() {
			used[slot] = true
		}
	}
	for slot := range luks.MaxKeyslots {
		if k, ok := v.Enrollment.Keyslots[slot]; ok && !used[slot] && k.Type == "luks2" {
			return fmt.Sprintf("a passphrase (keyslot %d)", slot)
		}
	}
	return ""
}

// title is what people call the volume.
func (v *Volume) title() string {
	if v.Name != "" {
		return v.Name
	}
	return v.Path
}
