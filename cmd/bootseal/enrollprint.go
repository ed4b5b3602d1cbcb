package main

import (
	"bytes"
	"fmt"
	"strings"
)

// showRecoveryKey shows the key on the terminal: once, and nowhere else.
func (a *app) showRecoveryKey(e *enrolling, keyslot int) error {
	paint := newPainter(a.out)
	picture, err := e.req.Recovery.QR(paint.on)
	if err != nil {
		return err
	}
	defer clear(picture)
	head := fmt.Sprintf("The recovery key of %s, in keyslot %d. It is shown once: write it down, or photograph it, now.", e.report.Device, keyslot)
	var b bytes.Buffer
	defer func() { clear(b.Bytes()) }()
	b.Grow(len(picture) + 1024)
	fmt.Fprintf(&b, "\n%s\n\n    ", paint.paint(bold, wrap(head, width(a.out), "")))
	b.Write(e.req.Recovery.Passphrase())
	b.WriteString("\n\n")
	b.Write(picture)
	b.WriteByte('\n')
	_, err = a.out.Write(b.Bytes())
	return err
}

// printIntent says what is about to be done, and why.
func (a *app) printIntent(e *enrolling) {
	if a.wantsJSON() {
		return
	}
	r := &e.report
	fmt.Fprintf(a.out, "%s, LUKS2 volume %s, name %s\n\n", r.Device, r.UUID, fit(r.Name, 60))
	fmt.Fprintf(a.out, "Sealed to, in bank %s:\n", r.Bank)
	for _, p := range r.PCRs {
		fmt.Fprintf(a.out, "  PCR %-3d %s\n", p.PCR, wrap(p.Reason, width(a.out)-10, strings.Repeat(" ", 10)))
	}
	for _, p := range r.NotPCRs {
		fmt.Fprintf(a.out, "  not %-3d %s\n", p.PCR, wrap(p.Reason, width(a.out)-10, strings.Repeat(" ", 10)))
	}
	fmt.Fprint(a.out, "\nFor the boots:\n")
	for _, b := range r.Boots {
		fmt.Fprintf(a.out, "  %s\n", wrap(b.Label, width(a.out)-2, "    "))
	}
	for _, l := range r.Left {
		fmt.Fprintf(a.out, "  not %s\n", wrap(l.Label+": "+l.Reason, width(a.out)-6, "      "))
	}
	if r.Signed != nil {
		fmt.Fprintf(a.out, "  and those with a signature for PCRs %s (by the key in %s), with PCRs %s as they are\n", r.Signed.PCRs, e.flags.signedPolicy, r.Signed.Beside)
	}
	adds := fmt.Sprintf("a keyslot for the TPM, tokens for systemd %d", r.Systemd)
	if r.RollbackGuard {
		adds = "a keyslot for the TPM, tokens that \"bootseal unlock\" alone opens, a counter in the TPM"
	}
	if e.req.Recovery != nil {
		adds = "a recovery key, " + adds
	}
	fmt.Fprintf(a.out, "\nAdds %s. Changes nothing that is there.\n", adds)
	if e.flags.force && isEnrolled(e.now) {
		fmt.Fprintln(a.out, "Then removes what the last enrollment has put there.")
	}
	fmt.Fprintln(a.out)
}

// printEnrolled says what was done.
func (a *app) printEnrolled(e *enrolling) error {
	r := &e.report
	if a.wantsJSON() {
		return a.printJSON(r)
	}
	paint := newPainter(a.out)
	for _, n := range r.Notes {
		fmt.Fprintln(a.out, wrap(n, width(a.out), ""))
	}
	if r.RecoveryFile != "" && r.RecoveryKeyslot != nil {
		fmt.Fprintf(a.out, "The recovery key of keyslot %d is in %s: keep it away from this machine.\n", *r.RecoveryKeyslot, r.RecoveryFile)
	}
	if r.Removed != nil {
		fmt.Fprintf(a.out, "Removed what that replaces: keyslots %v, tokens %v.\n", r.Removed.Keyslots, r.Removed.Tokens)
	}
	if r.Keyslot == nil { // nothing was added, only something old removed
		return nil
	}
	if r.Verified {
		fmt.Fprintln(a.out, paint.paint(green, fmt.Sprintf("Enrolled: for the running boot the TPM gave out the key, and it opened keyslot %d.", *r.Keyslot)))
	} else {
		fmt.Fprintln(a.out, paint.paint(green, fmt.Sprintf("Enrolled in keyslot %d.", *r.Keyslot))+
			" No token is for the PCRs as they are at this moment: the next boot shows whether it opens.")
	}
	fmt.Fprintf(a.out, "%s is what the boot checks the volume against: bring it into the initial ramdisk\n"+
		"(update-initramfs -u, dracut -f), and then run: bootseal reseal\n", e.flags.volume.list)
	return nil
}
