package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/bootseal/bootseal/internal/secretmem"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/luks/recoverykey"
	"github.com/bootseal/bootseal/node/enroll"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/expect"
	"github.com/bootseal/bootseal/node/kept"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/node/state"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/spf13/cobra"
)

// volumeFlags say where a volume's things are. Verbs that change volumes have them.
type volumeFlags struct {
	state, list, expect string
}

func (f *volumeFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.state, "state", state.Default, "folder for what belongs to the volumes")
	cmd.Flags().StringVar(&f.list, "volumes", volumes.ListFile, "list of the enrolled volumes")
	cmd.Flags().StringVar(&f.expect, "expect", "", "folder for what is expected of boots, with which a refused one is explained\n(default: the EFI system partition, else /boot; with --esp: none)")
}

// enrollFlags are those of enroll and adopt.
type enrollFlags struct {
	machine machineFlags
	volume  volumeFlags

	keyFile, pinFile, ownerFile string
	recoveryFile                string
	noRecovery, newRecovery     bool
	pin, force, dryRun          bool
	sealTo, name                string
	unmeasured, shell, guard    bool
	signedPolicy, signedPCRs    string
	systemd                     int
}

func (f *enrollFlags) register(cmd *cobra.Command) {
	f.machine.register(cmd)
	f.volume.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.keyFile, "key-file", "", "file with a passphrase that opens the volume; - for standard input (default: ask)")
	flags.BoolVar(&f.pin, "pin", false, "ask for a PIN at each boot, too")
	flags.StringVar(&f.pinFile, "pin-file", "", "file with the PIN, - for standard input (default with --pin: ask)")
	flags.StringVar(&f.recoveryFile, "recovery-key-file", "", "write the recovery key to this new file, in place of showing it")
	flags.BoolVar(&f.noRecovery, "no-recovery-key", false, "make no recovery key: the passphrase that is there is the only other way in")
	flags.BoolVar(&f.newRecovery, "new-recovery-key", false, "make a recovery key though the volume has one")
	flags.StringVar(&f.sealTo, "seal-to", "", "PCRs to seal to, as 4,7,9 (default: by what boots the machine)")
	flags.BoolVar(&f.unmeasured, "allow-unmeasured-initrd", false, "seal though anybody who writes to the boot partition can replace the initial ramdisk")
	flags.BoolVar(&f.shell, "allow-shell", false, "seal for boots that come up with a root shell, as recovery mode does")
	flags.StringVar(&f.signedPolicy, "signed-policy", "", "public key (PEM): add a token for boots whose PCRs its owner signs, as systemd-measure does")
	flags.StringVar(&f.signedPCRs, "signed-pcrs", "11", "the PCRs that are signed, with --signed-policy")
	flags.BoolVar(&f.guard, "rollback-guard", false, "have the TPM count, so that what is retired stays closed also to older copies of the header;\nno stock systemd opens the volume then, only \"bootseal unlock\"")
	flags.IntVar(&f.systemd, "systemd", 0, "release of the systemd that will read the tokens: 252, 255, 257 (default: the installed one's)")
	flags.StringVar(&f.name, "name", "", "name under /dev/mapper (default: as it is open, or as in /etc/crypttab)")
	flags.StringVar(&f.ownerFile, "owner-password-file", "", "file with the password of the TPM's owner hierarchy, if it has one")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would be done, and do nothing")
	cmd.MarkFlagsMutuallyExclusive("no-recovery-key", "recovery-key-file")
	cmd.MarkFlagsMutuallyExclusive("no-recovery-key", "new-recovery-key")
	cmd.MarkFlagsMutuallyExclusive("rollback-guard", "signed-policy")
	completeWords(cmd, "systemd", "252", "255", "257")
}

func (a *app) enroll() *cobra.Command {
	var flags enrollFlags
	cmd := &cobra.Command{
		Use:   "enroll DEVICE",
		Short: "Have the TPM open a LUKS2 volume for the boots that are meant",
		Long: `Have the TPM open a LUKS2 volume, for this machine's boots as they are meant and no others: the
running one and those that the files on the boot partition lead to.

A random passphrase is sealed in the TPM. It opens a keyslot of its own; nothing that was there
before is changed, and the volume may be in use. First of all a recovery key is added, in the form
of systemd-cryptenroll, which opens the volume when the TPM does not: it is shown once.

Which PCRs are sealed to follows from what boots the machine, and each is shown with its reason.
The tokens are systemd's, one for each boot: a stock systemd-cryptsetup opens the volume by them,
with tpm2-device=auto in /etc/crypttab, and so does "bootseal unlock". After that:

  bootseal reseal     before a reboot into other files; the installed hooks do it
  bootseal check      will the next boot open the volume?
` + machineHelp,
		Example: `  bootseal enroll /dev/sda3
  bootseal enroll --dry-run /dev/sda3
  bootseal enroll --pin /dev/nvme0n1p3
  bootseal enroll --key-file pass.txt --recovery-key-file recovery.txt -o json /dev/vda2`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			secretmem.Protect()
			return a.runEnroll(cmd.Context(), &flags, args[0])
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&flags.force, "force", false, "enroll anew a volume that is enrolled: what was there goes when the new is verified")
	return cmd
}

// enrolling is an enrollment between its decisions and its effects.
type enrolling struct {
	flags   *enrollFlags
	machine enroll.Machine
	header  *luks.Header
	now     *enrollment.Enrollment
	choice  plan.Choice
	req     enroll.Request
	report  enrolled
	// after, if it is set, is done when all that is new is final.
	after func(*enroll.Added) error
}

// enrolled is "enroll -o json".
type enrolled struct {
	Device  string        `json:"device"`
	UUID    string        `json:"uuid"`
	Name    string        `json:"name"`
	Systemd int           `json:"systemd"`
	Bank    pcr.Bank      `json:"bank"`
	PCRs    []plan.Reason `json:"pcrs"`
	NotPCRs []plan.Reason `json:"pcrs_left_out,omitempty"`
	// What was added; a dry run has none of it.
	Keyslot         *int            `json:"keyslot,omitempty"`
	RecoveryKeyslot *int            `json:"recovery_keyslot,omitempty"` // the new recovery key's
	RecoveryFile    string          `json:"recovery_key_file,omitempty"`
	Boots           []enrolledBoot  `json:"boots"`
	Left            []plan.Left     `json:"left,omitempty"`
	Signed          *signedToken    `json:"signed,omitempty"`
	RollbackGuard   bool            `json:"rollback_guard,omitempty"`
	Verified        bool            `json:"verified"` // the TPM gave out the key for the running boot
	Removed         *enroll.Old     `json:"removed,omitempty"`
	Cleaned         *enroll.Cleaned `json:"cleaned,omitempty"`
	Notes           []string        `json:"notes,omitempty"`
}

type enrolledBoot struct {
	Label string `json:"label"`
	Token *int   `json:"token,omitempty"`
}

// signedToken is what was sealed for PCRs that are signed.
type signedToken struct {
	PCRs   pcr.Selection `json:"pcrs"`
	Beside pcr.Selection `json:"beside"` // that are sealed to literally
	Tokens []int         `json:"tokens,omitempty"`
}

func (r *enrolled) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// checkInput refuses to read several secrets from one standard input.
func (f *enrollFlags) checkInput(others ...string) error {
	n := 0
	for _, path := range append(others, f.keyFile, f.pinFile, f.ownerFile, f.machine.log) {
		if path == "-" {
			n++
		}
	}
	if n > 1 {
		return errors.New("only one thing can come from standard input (-)")
	}
	return nil
}

func (a *app) runEnroll(ctx context.Context, flags *enrollFlags, device string) error {
	if err := flags.checkInput(); err != nil {
		return err
	}
	tpm, err := a.openTPM()
	if err != nil {
		return err
	}
	e := &enrolling{flags: flags}
	e.machine.TPM, e.machine.State = tpm, flags.volume.state
	return withAdvice(closeAfter(tpm, a.enrollDevice(ctx, e, device)))
}

func (a *app) enrollDevice(ctx context.Context, e *enrolling, device string) error {
	if err := a.examine(ctx, e, device); err != nil {
		return fmt.Errorf("enroll %s: %w", device, err)
	}
	if isEnrolled(e.now) && !e.flags.force {
		return fmt.Errorf("enroll %s: %w", device, enroll.ErrEnrolled)
	}
	if err := a.decide(e); err != nil {
		return fmt.Errorf("enroll %s: %w", device, err)
	}
	a.printIntent(e)
	if e.flags.dryRun {
		if a.wantsJSON() {
			return a.printJSON(e.report)
		}
		return nil
	}
	open, err := a.readPassphrase(ctx, e.machine.Volume, e.flags.keyFile)
	if err != nil {
		return fmt.Errorf("enroll %s: %w", device, err)
	}
	defer open.clear()
	if err := a.carryOut(ctx, e, open); err != nil {
		return fmt.Errorf("enroll %s: %w", device, err)
	}
	return a.printEnrolled(e)
}

// examine looks at the volume and the TPM.
func (a *app) examine(ctx context.Context, e *enrolling, device string) error {
	tool, err := cryptsetup.Find(ctx)
	if err != nil {
		return err
	}
	if e.machine.Volume, err = tool.Volume(device); err != nil {
		return err
	}
	if e.header, err = e.machine.Volume.Header(); err != nil {
		return err
	}
	e.now = enrollment.Inspect(e.header)
	e.report.Device, e.report.UUID = e.machine.Volume.Path(), e.header.UUID
	if err := enroll.Check(e.header, device, 0, 0); err != nil {
		return err
	}
	if e.header.Stale != nil {
		e.report.note("One of the header's two copies is not good (%v): cryptsetup repairs it now.", e.header.Stale)
	}
	for _, p := range e.now.Problems {
		e.report.note("A token that cannot be read stays as it is: %v.", p)
	}
	l, err := seal.ReadLockout(e.machine.TPM)
	if err == nil && l.MaxFailures > 0 && l.Failures >= l.MaxFailures {
		err = &seal.LockoutError{Lockout: &l}
	}
	return err
}

// decide predicts the boots and chooses the PCRs.
func (a *app) decide(e *enrolling) error {
	f := e.flags
	m, err := a.readMachine(&f.machine)
	a.doneReading()
	if err != nil {
		return err
	}
	e.report.Notes = append(e.report.Notes, m.notes...)
	p, err := predict.Next(m.Input)
	if err != nil {
		return err
	}
	o := plan.Options{AllowUnmeasuredInitrd: f.unmeasured, AllowShell: f.shell}
	if o.PCRs, err = pcr.ParseSelection(f.sealTo); f.sealTo != "" && err != nil {
		return fmt.Errorf("--seal-to: %w", err)
	}
	if len(m.Banks) == 1 {
		o.Bank = m.Banks[0]
	}
	if e.choice, err = plan.Choose(p, o); err != nil {
		return err
	}
	e.report.Bank, e.report.PCRs, e.report.NotPCRs = e.choice.Bank, e.choice.Reasons, e.choice.Left
	e.req.Boots, e.report.Left = plan.Boots(p, e.choice)
	if err := addRunning(e.machine.TPM, e, m); err != nil {
		return err
	}
	if len(e.req.Boots) == 0 {
		return fmt.Errorf("there is no boot to seal to: %s: %s", e.report.Left[0].Label, e.report.Left[0].Reason)
	}
	for _, b := range e.req.Boots {
		e.report.Boots = append(e.report.Boots, enrolledBoot{Label: b.Label})
	}
	return a.settle(e)
}

// addRunning adds the running boot, if it is none of those that can come: by it the TPM
// is tried at once.
func addRunning(tpm transport.TPM, e *enrolling, m *machine) error {
	now, err := seal.ReadPCRs(tpm, e.choice.Selection())
	if err != nil {
		return err
	}
	for _, b := range e.req.Boots {
		for _, values := range plan.Running(now, m.Log) {
			if matches(b, values) {
				return nil
			}
		}
	}
	const phases = 11
	if e.choice.PCRs.Has(phases) {
		e.report.Left = append(e.report.Left, plan.Left{Label: "the running boot",
			Reason: "PCR 11 has moved on since the volume was opened, and no file leads to this boot any more"})
		return nil
	}
	b := plan.Boot{Label: "the running boot", Bank: e.choice.Bank, PCRs: now[e.choice.Bank]}
	if m.Log != nil {
		b.Log = m.Log
	}
	at := min(1, len(e.req.Boots)) // behind the likeliest
	e.req.Boots = append(e.req.Boots[:at:at], append([]plan.Boot{b}, e.req.Boots[at:]...)...)
	return nil
}

func matches(b plan.Boot, values pcr.Values) bool {
	for i, want := range b.PCRs {
		if have, ok := values.Get(b.Bank, i); !ok || !have.Equal(want) {
			return false
		}
	}
	return true
}

// settle decides what is left: the systemd, the name, the recovery key.
func (a *app) settle(e *enrolling) error {
	f := e.flags
	e.req.RollbackGuard, e.report.RollbackGuard = f.guard, f.guard
	e.req.Release = f.systemd
	if e.req.Release == 0 {
		e.req.Release = installedSystemd("/")
	}
	e.report.Systemd = e.req.Release
	if e.report.Name = f.name; f.name == "" {
		e.report.Name = enroll.MappingName("/", e.machine.Volume.Path(), e.header.UUID)
	}
	switch {
	case f.noRecovery:
	case len(e.now.Recovery) > 0 && !f.newRecovery && f.recoveryFile == "":
		e.report.note("The recovery key of keyslot %d stays; --new-recovery-key makes another one.", e.now.Recovery[0])
	case f.recoveryFile == "" && !f.dryRun && (!a.terminalOut() || a.wantsJSON()):
		return errors.New("where is the recovery key to go? The output is no terminal, which shows it once and keeps nothing: " +
			"name a new file with --recovery-key-file, or say --no-recovery-key")
	default:
		e.req.Recovery, e.req.KeyFile = recoverykey.New(), f.recoveryFile
		e.report.RecoveryFile = f.recoveryFile
	}
	keyslots, tokens := 1, 2
	if e.req.Recovery != nil {
		keyslots, tokens = keyslots+1, tokens+1
	}
	if f.signedPolicy != "" {
		if err := e.readSigned(); err != nil {
			return err
		}
		tokens++
	}
	return enroll.Check(e.header, e.machine.Volume.Path(), keyslots, tokens)
}

// readSigned reads the key of a signed policy.
func (e *enrolling) readSigned() error {
	text, err := readSmall(e.flags.signedPolicy)
	if err != nil {
		return fmt.Errorf("--signed-policy: %w", err)
	}
	key, err := pcrsig.ParseKey(string(text))
	if err != nil {
		return fmt.Errorf("--signed-policy %s: %w", e.flags.signedPolicy, err)
	}
	s := &seal.Signed{PublicKey: key.PEM}
	if s.PCRs, err = pcr.ParseSelection(e.flags.signedPCRs); err != nil {
		return fmt.Errorf("--signed-pcrs: %w", err)
	}
	if err := enroll.CheckSigned(s, e.req.Boots); err != nil {
		return fmt.Errorf("--signed-policy: %w", err)
	}
	e.req.Signed, e.report.Signed = s, &signedToken{PCRs: s.PCRs}
	for i := range enroll.Beside(e.req.Boots[0].PCRs, s.PCRs) {
		e.report.Signed.Beside = e.report.Signed.Beside.With(i)
	}
	return nil
}

// sharedLibrary is systemd's own, whose name has the release.
var sharedLibrary = regexp.MustCompile(`libsystemd-shared-(\d{3})`)

// installedSystemd returns the release of the systemd that is installed below root, or
// what most machines read where there is none.
func installedSystemd(root string) int {
	for _, pattern := range []string{"usr/lib/*/systemd/libsystemd-shared-*.so", "usr/lib/systemd/libsystemd-shared-*.so", "usr/lib64/systemd/libsystemd-shared-*.so", "lib/systemd/libsystemd-shared-*.so"} {
		found, _ := filepath.Glob(filepath.Join(root, pattern)) // the pattern is right
		for _, path := range found {
			if m := sharedLibrary.FindStringSubmatch(path); m != nil {
				release, _ := strconv.Atoi(m[1]) // digits
				return max(release, luks.Systemd252)
			}
		}
	}
	return luks.Systemd255
}

// withAdvice adds what a person can do, where the error knows it.
func withAdvice(err error) error {
	var r seal.Remedier
	if errors.As(err, &r) {
		return fmt.Errorf("%w\nWhat to do: %s", err, r.Remedy())
	}
	return err
}

// writeExpected writes the events that are expected of the boots, for explanations: the
// volume is enrolled without them, too.
func (e *enrolling) writeExpected(added *enroll.Added) {
	folder := e.flags.volume.expect
	if folder == "" && len(e.flags.machine.esp) == 0 {
		folder = expectFolder()
	}
	if folder == "" {
		return
	}
	var list []expect.Boot
	for _, b := range added.Boots {
		if b.Log != nil {
			list = append(list, expect.New(b.Label, b.Bank, b.PCRs, b.Log))
		}
	}
	if _, err := expect.Write(folder, e.header.UUID, list); err != nil {
		e.report.note("A boot that is refused will be explained by PCR values alone: %v.", err)
	}
}

// keepSecret keeps the secret for reseals, where that is allowed.
func (e *enrolling) keepSecret(added *enroll.Added) {
	if err := kept.Allowed("/", e.machine.State, e.header.UUID); err != nil {
		e.report.note("No secret is kept for reseals: %v. A reseal at a time when no token opens asks for the recovery key.", err)
		return
	}
	if err := kept.Keep(e.machine.TPM, e.machine.State, e.header.UUID, added.Keyslot, added.Secret(), e.machine.OwnerAuth); err != nil {
		e.report.note("No secret is kept for reseals: %v.", err)
	}
}
