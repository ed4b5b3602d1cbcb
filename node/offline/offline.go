// Package offline tells which of a node's boot files were changed while the node was off.
//
// The boot files are not encrypted. Those that a boot reads are measured, so that a boot
// with other files is refused. But a kernel that is not booted can be given another
// initial ramdisk, or the EFI system partition another boot loader with an entry of its
// own, by whoever has the disk for an hour; nothing measures these, and the next reseal
// would predict such a boot and seal the disk for it, like any other way that the next boot
// may take. So a node remembers, on its encrypted disk, what it could boot from when it was
// last seen running, and seals for no boot with what came up while it was not.
//
//	Contents   what a boot loads: programs, files, initial ramdisks, command lines
//	Files      all that lies where a boot could load it from
//	Record     what is known of them; Look brings it up to date
package offline

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// Content is something that a boot loads.
type Content struct {
	Digest pcr.Digest `json:"digest"`
	What   string     `json:"what"` // for people
	// file is the path on its volume, for what is a file that is opened by name; parts are
	// the paths of those that several initial ramdisks are joined from.
	file  string
	parts []string
}

// Contents returns what the boot with the log loads, in a bank, each once. Left out is what
// the firmware measures of itself, and what follows from contents: the commands that GRUB
// runs are in the files that it reads.
func Contents(log *eventlog.Log, bank pcr.Bank) []Content {
	var out []Content
	for i, x := range eventlog.Explain(log) {
		e := &log.Events[i]
		d := e.Digests[bank]
		if len(d) == 0 || !isContent(&x) || slices.ContainsFunc(out, func(c Content) bool { return c.Digest.Equal(d) }) {
			continue
		}
		c := Content{Digest: d, What: x.Text}
		if s, ok := x.Body.(eventlog.BootString); ok && s.Source == eventlog.BootFile {
			c.What, c.file = s.Text, s.Text[strings.LastIndexByte(s.Text, ')')+1:]
		}
		out = append(out, c)
	}
	return out
}

func isContent(x *eventlog.Explanation) bool {
	switch x.Type {
	case eventlog.EFIBootApplication, eventlog.EFIBootDriver, eventlog.EFIRuntimeDriver:
		return true
	}
	switch b := x.Body.(type) {
	case eventlog.BootString:
		return b.Source == eventlog.BootFile || b.Source == eventlog.BootArchive || b.Source == eventlog.LoadOptions
	case eventlog.Tag:
		return x.PCR == 9 && (x.Stage == eventlog.Kernel || b.Initrd())
	}
	return false
}

// Files returns the contents of all files that a node could boot from, whether or not a boot
// that can come loads them: what lies there may be in the boot menu after the next update.
func Files(m bootchain.Manifest, bank pcr.Bank) []Content {
	var out []Content
	for _, v := range m.Volumes {
		for path, f := range v.Files {
			path = "/" + strings.TrimPrefix(path, "/")
			for _, d := range digests(&f, bank) {
				out = append(out, Content{Digest: d, What: path, file: path})
			}
		}
		for names, joined := range v.Joined {
			if d := joined[bank]; len(d) > 0 {
				parts := strings.FieldsFunc(names, func(r rune) bool { return r == '+' || r == '|' })
				out = append(out, Content{Digest: d, What: names, parts: parts})
			}
		}
	}
	slices.SortFunc(out, func(a, b Content) int { return strings.Compare(a.What, b.What) })
	return out
}

// digests are those under which a file is measured: as it is, and as a program.
func digests(f *bootchain.File, bank pcr.Bank) []pcr.Digest {
	out := []pcr.Digest{f.Digests[bank]}
	if f.Program != nil {
		out = append(out, f.Program.Authenticode[bank])
	}
	return slices.DeleteFunc(out, func(d pcr.Digest) bool { return len(d) == 0 })
}

// Record is what a node knows of what it can boot from.
type Record struct {
	Version int `json:"version"`
	// Boot is the kernel's identifier of the boot that wrote it (proc(5), boot_id).
	Boot string   `json:"boot"`
	Bank pcr.Bank `json:"bank"`
	// Known are the contents of the boots that could come.
	Known []pcr.Digest `json:"known"`
	// Changed came up while the node was off. Boots with them are not sealed to until
	// somebody accepts them.
	Changed []Content `json:"changed,omitempty"`
}

// Now is what there is to see of a running node.
type Now struct {
	Boot string // the running boot's identifier
	Bank pcr.Bank
	// Coming is what the boots load that can come, and all [Files].
	Coming []Content
	// Running is what the running boot has loaded.
	Running []Content
	// ByTPM is whether the TPM opened the disk for the running boot: then what that boot
	// read by name was not changed before it.
	ByTPM bool
}

// Look returns the record as it is from now on. before is nil where there is none: then
// everything is believed, once.
//
// In the first look of a boot, what was not known is new since the node was off, unless
// the running boot has loaded it; afterwards, whatever is new was done by this system.
func Look(before *Record, now Now) *Record {
	after := &Record{Version: version, Boot: now.Boot, Bank: now.Bank}
	if before != nil && before.Bank == now.Bank {
		for _, c := range now.Coming {
			known := has(before.Changed, c.Digest)
			fresh := before.Boot != now.Boot && !before.knows(c.Digest) && !now.accounts(c)
			if (known && !has(now.Running, c.Digest) || fresh) && !has(after.Changed, c.Digest) {
				after.Changed = append(after.Changed, c)
			}
		}
	}
	for _, c := range now.Coming {
		if slices.ContainsFunc(c.parts, after.isChanged) && !has(after.Changed, c.Digest) {
			after.Changed = append(after.Changed, c)
		}
	}
	for _, c := range now.Coming {
		if !has(after.Changed, c.Digest) && !after.knows(c.Digest) {
			after.Known = append(after.Known, c.Digest)
		}
	}
	slices.SortFunc(after.Known, func(a, b pcr.Digest) int { return bytes.Compare(a, b) })
	return after
}

// accounts reports whether the running boot explains a content: it has loaded it, or has
// read a file of that name, which GRUB may have written to since (its environment block).
func (n *Now) accounts(c Content) bool {
	return has(n.Running, c.Digest) || n.ByTPM && c.file != "" &&
		slices.ContainsFunc(n.Running, func(r Content) bool { return r.file == c.file })
}

func (r *Record) isChanged(path string) bool {
	return slices.ContainsFunc(r.Changed, func(c Content) bool { return c.file == path })
}

func has(list []Content, d pcr.Digest) bool {
	return slices.ContainsFunc(list, func(c Content) bool { return c.Digest.Equal(d) })
}

func (r *Record) knows(d pcr.Digest) bool {
	return slices.ContainsFunc(r.Known, func(k pcr.Digest) bool { return k.Equal(d) })
}

// Refuse returns what of a boot was changed while the node was off, "" if nothing was.
func (r *Record) Refuse(log *eventlog.Log) string {
	if r == nil || len(r.Changed) == 0 {
		return ""
	}
	for _, c := range Contents(log, r.Bank) {
		if has(r.Changed, c.Digest) {
			return c.What
		}
	}
	return ""
}

// Equal reports whether both records say the same.
func (r *Record) Equal(s *Record) bool {
	same := func(a, b Content) bool { return a.Digest.Equal(b.Digest) && a.What == b.What }
	return r != nil && s != nil && r.Boot == s.Boot && r.Bank == s.Bank && slices.EqualFunc(r.Changed, s.Changed, same) &&
		slices.EqualFunc(r.Known, s.Known, func(a, b pcr.Digest) bool { return a.Equal(b) })
}

func (r *Record) check() error {
	switch {
	case r.Version != version:
		return errors.New("another bootseal wrote it")
	case r.Bank.Size() == 0:
		return errors.New("it names no bank")
	}
	return nil
}
