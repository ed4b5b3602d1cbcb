package status

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// Log is the event log of the running boot.
type Log struct {
	Path string
	// Log is nil where there is none, and Err says why: [eventlog.ErrEmpty], an error
	// of fs, or what is wrong with it.
	Log *eventlog.Log
	Err error
	// Mounted says that securityfs is there, in which the kernel shows it.
	Mounted bool
}

const (
	securityfs = "sys/kernel/security"
	kernelLog  = securityfs + "/tpm0/binary_bios_measurements"
)

func readLog(root fs.FS) Log {
	l := Log{Path: "/" + kernelLog, Mounted: mounted(root, "securityfs", "/"+securityfs)}
	f, err := root.Open(kernelLog)
	if err != nil {
		l.Err = err
		return l
	}
	defer f.Close()
	l.Log, l.Err = eventlog.Read(f, eventlog.Limits{})
	return l
}

// judgeLog holds the log against the TPM's PCRs. Those that a disk is sealed to
// must agree: a prediction starts from the log.
func judgeLog(f *Facts) (Line, []eventlog.Verdict) {
	if f.Log.Log == nil {
		return judgeNoLog(&f.Log), nil
	}
	l := Line{What: "event log", Verdict: OK}
	count := fmt.Sprintf("%d events", len(f.Log.Log.Events))
	if len(f.Values) == 0 {
		l.Verdict, l.Says = Unknown, count+", and no PCRs to hold them against"
		return l, nil
	}
	verdicts, err := eventlog.Verify(f.Log.Log, f.Values)
	if err != nil {
		l.Verdict, l.Says = Bad, "it cannot be replayed: "+err.Error()
		l.Remedy = "the firmware wrote a log that contradicts itself: look for its update; keep what you see: cp " + f.Log.Path + " eventlog.bin"
		return l, nil
	}
	var agree, differ pcr.Selection
	var sealed pcr.Selection
	for i := range verdicts {
		v := &verdicts[i]
		switch v.Result {
		case eventlog.Agrees:
			agree = agree.With(v.PCR)
		case eventlog.Differs, eventlog.NotGiven:
			differ = differ.With(v.PCR)
			l.More = append(l.More, fmt.Sprintf("%s PCR %d: %s", v.Bank, v.PCR, v.Reason))
			if f.sealedTo(v.Bank).Has(v.PCR) {
				sealed = sealed.With(v.PCR)
			}
		}
	}
	switch {
	case sealed != 0:
		l.Verdict, l.Says = Bad, fmt.Sprintf("%s do not lead to PCR %s, which a disk is sealed to: the log or the boot was changed", count, sealed)
		l.Remedy = "if you do not know why, treat the machine as tampered with; bootseal log verify " + f.Log.Path + " has the details"
	case differ != 0:
		l.Verdict, l.Says = Warn, fmt.Sprintf("%s lead to PCRs %s, not to %s, which no disk is sealed to", count, agree.Without(differ), differ)
	default:
		l.Says = fmt.Sprintf("%s lead to the TPM's PCRs %s", count, agree)
	}
	return l, verdicts
}

func judgeNoLog(log *Log) Line {
	l := Line{What: "event log", Verdict: Warn}
	switch {
	case errors.Is(log.Err, fs.ErrPermission):
		l.Verdict, l.Says, l.Remedy = Unknown, "only root can read it", "run this as root"
	case errors.Is(log.Err, eventlog.ErrEmpty):
		l.Says = "it is empty, as on some clouds and kernels: boots are predicted from files and variables alone"
	case errors.Is(log.Err, fs.ErrNotExist) && !log.Mounted:
		l.Verdict, l.Says, l.Remedy = Unknown, "securityfs is not mounted", "mount -t securityfs securityfs /sys/kernel/security"
	case errors.Is(log.Err, fs.ErrNotExist):
		l.Says = "the kernel shows none: boots are predicted from files and variables alone"
	default:
		l.Verdict, l.Says = Bad, "it cannot be read: "+log.Err.Error()
		l.Remedy = "keep it (cp " + log.Path + " eventlog.bin) and look for an update of the firmware"
	}
	return l
}

// sealedTo returns the PCRs of a bank that any disk's token looks at.
func (f *Facts) sealedTo(b pcr.Bank) pcr.Selection {
	var sel pcr.Selection
	for _, v := range f.Volumes {
		sel = sel.Union(v.sealedTo(b))
	}
	return sel
}
