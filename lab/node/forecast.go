package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/lab/matrix"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

// forecast is what the node's own bootseal said of its next boot, before the reboot.
type forecast struct {
	change     string
	prediction *predict.Prediction
	began      time.Time
}

// reboot is what an administrator does. Before that, the node predicts its next boot; if that
// boot opens the disk, it is held against the prediction.
//
// QEMU ends when the node resets, and a new one boots: an old one still has the code that it
// translated for the boot before, and the firmware's writes to its pages take minutes.
func (s *story) reboot(ts *testscript.TestScript, args []string) error {
	change := "nothing"
	if len(args) > 0 {
		change = strings.Join(args, " ")
	}
	if err := s.predict(change); err != nil {
		return err
	}
	a, err := s.node.do(s.ctx, "systemctl --no-block reboot")
	if err == nil && a.code != 0 {
		err = fmt.Errorf("systemd refuses to reboot: %s", strings.TrimSpace(a.stderr))
	}
	if err != nil {
		return err
	}
	if err := s.node.goesOff(s.ctx); err != nil {
		return err
	}
	s.boots = 0
	return s.node.start(s.ctx)
}

// predict asks a node that has bootseal.
func (s *story) predict(change string) error {
	s.forecast = nil
	a, err := s.node.do(s.ctx, "command -v bootseal >/dev/null || exit 100; bootseal predict -o json")
	if err != nil || a.code == 100 {
		return err
	}
	p, err := predict.Read(strings.NewReader(a.stdout))
	if err != nil {
		return fmt.Errorf("the node predicts no boot: exit code %d: %s: %w", a.code, strings.TrimSpace(a.stderr), err)
	}
	s.forecast = &forecast{change: change, prediction: p, began: time.Now()}
	return nil
}

// holdAgainst compares the boot that just ended with its prediction. What somebody chose at the
// console nobody could predict.
func (s *story) holdAgainst(ts *testscript.TestScript) error {
	f := s.forecast
	s.forecast = nil
	if f == nil || s.byHand {
		return nil
	}
	took := time.Since(f.began)
	pcrs, log, err := s.measured()
	if err != nil {
		return err
	}
	values, err := pcr.ParseValues(strings.NewReader(pcrs))
	if err != nil {
		return err
	}
	row, err := f.hold(whenOpened(values, []byte(log)), []byte(log), filepath.Join(s.kept, "not-as-predicted"))
	row.Seconds = took.Seconds()
	s.rows = append(s.rows, row)
	return err
}

// hold compares a boot with its forecast. One that came out otherwise is an error, and all about
// it is kept in the folder.
func (f *forecast) hold(values pcr.Values, log []byte, folder string) (matrix.Row, error) {
	row := matrix.Compare(&f.prediction.Paths[0], values, log)
	row.Change = f.change
	if !row.Wrong() {
		return row, nil
	}
	row.Kept = folder
	failure := matrix.Failure{What: row.What, Prediction: f.prediction, PCRs: values, Log: log}
	return row, errors.Join(errors.New("the boot was not as predicted: "+row.What), failure.Keep(folder))
}

// whenOpened are the values of a node that is up as they were when the disk was opened: systemd
// goes on measuring its phases into PCR 11.
func whenOpened(values pcr.Values, raw []byte) pcr.Values {
	log, err := eventlog.Parse(raw, eventlog.Limits{})
	if err != nil {
		return values
	}
	verdicts, err := eventlog.Verify(log, values)
	if err != nil {
		return values
	}
	for _, v := range verdicts {
		if len(v.After) == 0 {
			continue
		}
		at := v.Log
		if v.After[0] == "enter-initrd" {
			if at, err = pcr.Extend(v.Bank, at, v.Bank.Sum([]byte(v.After[0]))); err != nil {
				return values
			}
		}
		values.Set(v.Bank, v.PCR, at)
	}
	return values
}

// measured returns the PCRs and the event log of a node that is up.
func (s *story) measured() (pcrs, log string, err error) {
	const read = `cd /sys/class/tpm/tpm0; for b in sha1 sha256 sha384 sha512; do for i in $(seq 0 23); do
[ -e pcr-$b/$i ] && echo $b $i $(cat pcr-$b/$i); done; done`
	a, err := s.node.do(s.ctx, read)
	if err != nil {
		return "", "", err
	}
	l, err := s.node.do(s.ctx, "cat /sys/kernel/security/tpm0/binary_bios_measurements")
	return a.stdout, l.stdout, err
}
