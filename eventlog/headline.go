package eventlog

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Headline is what happened between two boots, in the words that people use for
// it: "kernel 6.1.0-54 to 6.1.0-56", "dbx 371 to 430 entries".
type Headline struct {
	Stage Stage  `json:"stage"` // which program of the boot it is about
	Text  string `json:"text"`
	PCRs  []int  `json:"pcrs"` // that it moves, ascending
}

// Headlines sums differences up, in the order of the boot. Each difference counts
// towards one headline.
func Headlines(differences []Difference) []Headline {
	versions := kernelVersions(differences)
	var out []Headline
	for i := range differences {
		d := &differences[i]
		stage, text := d.Stage, headline(d, versions)
		if isKernelNews(text) {
			stage = Kernel
		}
		at := slices.IndexFunc(out, func(h Headline) bool { return h.Text == text })
		if at < 0 {
			out = append(out, Headline{Stage: stage, Text: text})
			at = len(out) - 1
		}
		if !slices.Contains(out[at].PCRs, d.PCR) {
			out[at].PCRs = append(out[at].PCRs, d.PCR)
			slices.Sort(out[at].PCRs)
		}
	}
	order := []Stage{Firmware, Shim, GRUB, SystemdBoot, SystemdStub, Kernel}
	slices.SortStableFunc(out, func(a, b Headline) int { return slices.Index(order, a.Stage) - slices.Index(order, b.Stage) })
	return out
}

const (
	kernelNews = "kernel "
	initrdNews = "initial ramdisk: other contents"
)

func isKernelNews(text string) bool {
	return strings.HasPrefix(text, kernelNews) || text == initrdNews
}

// versionText finds the version in a kernel's file name or path.
var versionText = regexp.MustCompile(`[0-9]+\.[0-9]+(\.[0-9]+)?[-.0-9A-Za-z_+~]*`)

// kernelVersions returns the versions before and after, of a kernel that was
// replaced by another; "" if the logs do not name them.
func kernelVersions(differences []Difference) [2]string {
	for i := range differences {
		d := &differences[i]
		if d.Before == nil || d.After == nil || !namesKernel(d.Before) || !namesKernel(d.After) {
			continue
		}
		a, b := versionText.FindString(bodyText(d.Before)), versionText.FindString(bodyText(d.After))
		if a != "" && b != "" && a != b {
			return [2]string{a, b}
		}
	}
	return [2]string{}
}

// namesKernel reports whether an event names the file of a kernel.
func namesKernel(x *Explanation) bool {
	switch b := x.Body.(type) {
	case Image:
		return x.Loads == Kernel && b.Path.File != ""
	case BootString:
		return b.Source == KernelCommand || b.Source == BootFile && stageOfPath(DevicePath{File: b.Text}) == Kernel
	}
	return false
}

func bodyText(x *Explanation) string {
	switch b := x.Body.(type) {
	case Image:
		return b.Path.File
	case BootString:
		return b.Text
	}
	return x.Text
}

// headline puts one difference into words.
func headline(d *Difference, versions [2]string) string {
	x := d.After
	if x == nil {
		x = d.Before
	}
	switch b := x.Body.(type) {
	case Variable:
		return variableHeadline(d, b)
	case GPT:
		return gptHeadline(d)
	case Image:
		return imageHeadline(d, x, b, versions)
	case BootString:
		return stringHeadline(d, b, versions)
	case Tag:
		if b.Initrd() {
			return initrdNews
		}
		return d.verb(b.String())
	case Text:
		if d.InWords && d.Change == Changed {
			return fmt.Sprintf("%s: %s to %s", b.What, quote(d.From), quote(d.To))
		}
	}
	return d.verb(d.Subject)
}

// verb says what became of something.
func (d *Difference) verb(what string) string {
	switch d.Change {
	case Added:
		return what + " is new"
	case Removed:
		return what + " is gone"
	case Moved:
		return what + " comes at another place"
	}
	return what + " is another"
}

// both returns the two bodies, false unless the difference is between two of
// their type.
func both[T Body](d *Difference) (before, after T, ok bool) {
	if d.Before == nil || d.After == nil {
		return before, after, false
	}
	before, okB := d.Before.Body.(T)
	after, okA := d.After.Body.(T)
	return before, after, okB && okA
}

func variableHeadline(d *Difference, v Variable) string {
	a, b, ok := both[Variable](d)
	switch {
	case v.Name == "SbatLevel" && ok:
		return fmt.Sprintf("SBAT revocation level %s to %s", levelDate(a.Text), levelDate(b.Text))
	case v.Authority && ok:
		return fmt.Sprintf("a program is accepted for %s, before for %s", signaturesText(b.Signatures), signaturesText(a.Signatures))
	case v.Authority:
		return d.verb("acceptance of a program for " + signaturesText(v.Signatures))
	case !ok:
		return d.verb(quote(v.Name))
	case a.On != nil && b.On != nil:
		return fmt.Sprintf("%s %s to %s", quote(v.Name), onOff(*a.On), onOff(*b.On))
	case isSignatureDB(v.Name) && len(a.Signatures) != len(b.Signatures):
		return fmt.Sprintf("%s %d to %d entries", v.Name, len(a.Signatures), len(b.Signatures))
	case isSignatureDB(v.Name):
		return fmt.Sprintf("%s: other entries, %d as before", v.Name, len(a.Signatures))
	case v.Name == "BootOrder":
		return fmt.Sprintf("boot order %s to %s", strings.Join(a.BootOrder, ", "), strings.Join(b.BootOrder, ", "))
	case a.BootOption != nil && b.BootOption != nil:
		return fmt.Sprintf("boot entry %s: %s, before %s", v.Name, b.BootOption, a.BootOption)
	}
	return quote(v.Name) + " is another"
}

// levelDate returns the date of a revocation level, "sbat,1,2025021800\n...".
func levelDate(level string) string {
	first, _, _ := strings.Cut(level, "\n")
	if f := strings.Split(first, ","); len(f) > 2 {
		return quote(f[2])
	}
	return "without a date"
}

func gptHeadline(d *Difference) string {
	a, b, ok := both[GPT](d)
	if !ok {
		return d.verb("partition table")
	}
	if len(a.Partitions) != len(b.Partitions) {
		return fmt.Sprintf("partition table: %s to %s", count(len(a.Partitions), "partition", "partitions"),
			count(len(b.Partitions), "partition", "partitions"))
	}
	var changed []string
	for i := range a.Partitions {
		if a.Partitions[i] != b.Partitions[i] {
			changed = append(changed, fmt.Sprintf("%d (%s)", i+1, b.Partitions[i]))
		}
	}
	if len(changed) == 0 {
		return "partition table: other header"
	}
	return "partition table: partition " + strings.Join(changed, ", ") + " changes"
}

func imageHeadline(d *Difference, x *Explanation, img Image, versions [2]string) string {
	if x.Loads == Kernel {
		return kernelHeadline(d, versions)
	}
	if d.Change == Changed && img.Path.File != "" {
		return x.Loads.Title() + " " + quote(img.Path.File) + " is another program"
	}
	return d.verb(d.Subject)
}

func kernelHeadline(d *Difference, versions [2]string) string {
	switch {
	case versions[0] != "" && d.Change == Changed:
		return kernelNews + versions[0] + " to " + versions[1]
	case d.Change == Changed:
		return "kernel is another"
	}
	return d.verb("measurement of the kernel")
}

func stringHeadline(d *Difference, b BootString, versions [2]string) string {
	before, after, ok := both[BootString](d)
	if ok && versions[0] != "" && strings.ReplaceAll(before.Text, versions[0], versions[1]) == after.Text &&
		(before.Text != after.Text || b.Source == BootFile && strings.Contains(after.Text, versions[1])) {
		if b.Source == BootFile && strings.Contains(strings.ToLower(path.Base(b.Text)), "initr") {
			return initrdNews
		}
		return kernelNews + versions[0] + " to " + versions[1]
	}
	switch b.Source {
	case BootFile:
		name := path.Base(b.Text)
		switch {
		case strings.Contains(strings.ToLower(name), "initr"):
			return initrdNews
		case d.Change == Changed:
			return quote(name) + ": other contents"
		}
		return d.verb("reading " + quote(name))
	case KernelCommand, LoadOptions:
		if ok {
			return "kernel command line: " + wordsChange(before.Text, after.Text)
		}
	case GRUBCommand:
		if ok && len(before.Text)+len(after.Text) < 2*maxWords {
			return fmt.Sprintf("GRUB runs %q, before %q", quote(after.Text), quote(before.Text))
		}
		first, _, _ := strings.Cut(b.Text, " ")
		return d.verb("GRUB's command " + quote(first))
	case UKISection:
		return "section " + b.Text + " of the unified kernel image: other contents"
	case MokVariable:
		return d.verb("shim's " + b.Text)
	}
	return d.verb(d.Subject)
}

// wordsChange says which words came and went.
func wordsChange(before, after string) string {
	a, b := strings.Fields(before), strings.Fields(after)
	var out []string
	for _, w := range b {
		if !slices.Contains(a, w) {
			out = append(out, "+"+quote(w))
		}
	}
	for _, w := range a {
		if !slices.Contains(b, w) {
			out = append(out, "-"+quote(w))
		}
	}
	if len(out) == 0 {
		return "other order"
	}
	return strings.Join(out, " ")
}
