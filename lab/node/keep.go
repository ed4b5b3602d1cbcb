package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/pcr"
)

// heard takes a line of the node's console. What is longer than a terminal is wide is GRUB's, which
// draws menus by sending the cursor about.
func (s *story) heard(line string, _ time.Duration) {
	if len(line) <= 100 {
		s.tellLine(line)
	}
}

func (s *story) tellLine(line string) {
	if s.l.watch != nil {
		s.l.watch(s.name, line)
	}
}

// tellOutput shows the beginning of what a program wrote: all is in the script's log.
func (s *story) tellOutput(lines []string) {
	const most = 8
	for _, line := range lines[:min(most, len(lines))] {
		s.tellLine(line)
	}
	if more := len(lines) - most; more > 0 {
		s.tellLine(fmt.Sprintf("… %d more lines", more))
	}
}

// end switches the node off, and keeps its console. Of a story that failed it keeps the PCRs and,
// where the node is up, its event log and its journal, too.
func (s *story) end(failed bool) error {
	if s.node == nil {
		return nil
	}
	var errs []error
	if failed && s.node.running != nil {
		errs = append(errs, s.keepPCRs(), s.keepLogs())
	}
	s.node.cut()
	return errors.Join(append(errs, s.keepConsole())...)
}

func (s *story) keepConsole() error {
	err := copyFile(filepath.Join(s.node.dir, consoleFile), filepath.Join(s.kept, consoleFile))
	if os.IsNotExist(err) { // the node was saved, or never on
		return nil
	}
	return err
}

// keepPCRs asks the TPM behind the node's back.
func (s *story) keepPCRs() error {
	s.node.tpmLock.Lock()
	t := s.node.tpm
	s.node.tpmLock.Unlock()
	if t == nil { // swtpm has no second entrance
		return nil
	}
	var text strings.Builder
	for _, bank := range pcr.Banks() {
		for i := range 24 {
			selection := tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{
				Hash: tpm2.TPMAlgID(bank), PCRSelect: tpm2.PCClientCompatible.PCRs(uint(i))}}}
			got, err := tpm2.PCRRead{PCRSelectionIn: selection}.Execute(t)
			if err != nil {
				return fmt.Errorf("read PCR %d of %s: %w", i, bank, err)
			}
			if len(got.PCRValues.Digests) == 1 {
				fmt.Fprintf(&text, "%s %d %s\n", bank, i, hex.EncodeToString(got.PCRValues.Digests[0].Buffer))
			}
		}
	}
	return os.WriteFile(filepath.Join(s.kept, "pcrs.txt"), []byte(text.String()), 0o644)
}

// keepLogs takes what a node that is up can say, and does not wait long for one that is not.
func (s *story) keepLogs() error {
	if s.node.agent.bootCount() == 0 {
		return nil
	}
	s.node.patience = 30 * time.Second
	for name, script := range map[string]string{
		"eventlog.bin": "cat /sys/kernel/security/tpm0/binary_bios_measurements",
		"journal.txt":  "journalctl -b --no-pager",
	} {
		a, err := s.node.do(s.ctx, script)
		if err != nil || a.code != 0 {
			return err
		}
		if err := os.WriteFile(filepath.Join(s.kept, name), []byte(a.stdout), 0o644); err != nil {
			return err
		}
	}
	return nil
}
