package eventlog

import (
	"fmt"
	"strings"
)

// subject identifies what an event measures, apart from its contents, so that
// two logs can be aligned.
type subject struct {
	label  string // for people: "GRUB, /EFI/BOOT/grubx64.efi"
	exact  string // equal for the same thing in both logs
	family string // equal for things that replace each other, as two kernels do
	value  string // the contents, where the log has them in words
}

// subjectOf derives the subject from the explanation of an event.
func subjectOf(x *Explanation) subject {
	s := describeSubject(x)
	if s.exact == "" {
		s.exact = s.label
	}
	if s.family == "" {
		s.family = s.exact
	}
	// The type keeps unlike things apart that happen to have the same words.
	s.exact = x.Type.String() + "|" + s.exact
	s.family = x.Type.String() + "|" + s.family
	if x.Check.Status == Mismatch {
		s.value = "" // the data does not say what was measured
	}
	return s
}

func describeSubject(x *Explanation) subject {
	switch b := x.Body.(type) {
	case Separator:
		return subject{label: "separator", value: fmt.Sprintf("0x%08x", b.Value)}
	case Action:
		return subject{label: b.String(), exact: b.Text}
	case Variable:
		return variableSubject(b)
	case Image:
		return imageSubject(x, b)
	case GPT:
		return subject{label: "partition table of the boot disk", value: b.String()}
	case Blob:
		return subject{label: b.String(), exact: fmt.Sprintf("blob %s 0x%x", b.Name, b.Base), family: "blob"}
	case Tables:
		return subject{label: "hardware tables from the firmware"}
	case BootString:
		return bootStringSubject(x, b)
	case Tag:
		return subject{label: b.String(), exact: fmt.Sprintf("tag %08x %s", b.ID, b.Name),
			family: fmt.Sprintf("tag %08x", b.ID)}
	case Text:
		return subject{label: b.What, value: b.Text}
	}
	return subject{label: x.Text}
}

func variableSubject(v Variable) subject {
	if v.Authority {
		return subject{label: "authority from " + quote(v.Name), exact: "authority " + v.Vendor.String() + v.Name,
			value: v.contents()}
	}
	return subject{label: "firmware variable " + quote(v.Name), exact: "variable " + v.Vendor.String() + v.Name,
		value: v.contents()}
}

func imageSubject(x *Explanation, img Image) subject {
	who := "program"
	if x.Loads != "" && x.Loads != Unknown {
		who = x.Loads.Title()
	}
	label := who + ", " + img.where()
	if img.Path.File != "" {
		label = who + ", " + quote(img.Path.File)
	}
	family := fmt.Sprintf("image %s driver=%t", x.Loads, img.Driver)
	return subject{label: label, exact: family + img.Path.File, family: family}
}

func bootStringSubject(x *Explanation, b BootString) subject {
	switch b.Source {
	case GRUBCommand:
		return subject{label: "GRUB command", exact: "grub " + b.Text, family: "grub " + commandWords(b.Text),
			value: b.Text}
	case KernelCommand, ModuleCommand, LoadOptions:
		return subject{label: "kernel command line", exact: string(b.Source), value: b.Text}
	case BootFile:
		return subject{label: "file " + quote(b.Text), exact: "file " + b.Text, family: "file " + foldDigits(b.Text)}
	case UKISection:
		part := "contents of section "
		if x.Check.What == whatName {
			part = "name of section "
		}
		return subject{label: "unified kernel image, " + part + b.Text}
	case MokVariable:
		return subject{label: mokText(b.Text), exact: "mok " + b.Text}
	case BootArchive:
		return subject{label: b.String()}
	}
	return subject{label: "text from a boot loader", exact: "text " + b.Text, family: "text", value: b.Text}
}

// commandWords returns what makes two GRUB commands variants of each other: the
// command, and for an assignment its variable.
func commandWords(cmd string) string {
	first, rest, _ := strings.Cut(cmd, " ")
	if first == "set" {
		name, _, _ := strings.Cut(rest, "=")
		return first + " " + name
	}
	return first
}

// foldDigits replaces every run of digits by one "#", so that versions compare
// equal.
func foldDigits(s string) string {
	var sb strings.Builder
	inRun := false
	for _, r := range s {
		digit := r >= '0' && r <= '9'
		switch {
		case !digit:
			sb.WriteRune(r)
		case !inRun:
			sb.WriteByte('#')
		}
		inRun = digit
	}
	return sb.String()
}
