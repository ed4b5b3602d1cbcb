package main

import (
	"fmt"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
	"github.com/spf13/cobra"
)

// logVerified is "log verify -o json".
type logVerified struct {
	Agrees     bool                   `json:"agrees"`
	Verdicts   []eventlog.Verdict     `json:"verdicts"`
	Mismatches []eventlog.Explanation `json:"mismatches"` // events whose data does not explain their digest
}

func (a *app) logVerify() *cobra.Command {
	var pcrs string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check a log against PCR values",
		Long: `Replay a log and hold the result against PCR values: the TPM's own, or those of a file
with lines "ALG INDEX HEX", as "bootseal pcrs" prints them.

Exit code 0 says that every PCR the log may speak of agrees, in every bank that has values.
A PCR without events must hold its reset value. PCR 10 belongs to the kernel's own log
(IMA), 16 and 23 to anybody, 17-22 to a dynamic launch.`,
		Example: "  bootseal log verify " + runningLog + "\n  bootseal log verify eventlog.bin --pcrs pcrs.txt",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := a.readLog(args[0])
			if err != nil {
				return err
			}
			values, err := a.valuesFor(l, pcrs)
			if err != nil {
				return err
			}
			verdicts, err := eventlog.Verify(l, values)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			result := logVerified{eventlog.Verified(verdicts), verdicts, mismatches(l)}
			if a.wantsJSON() {
				err = a.printJSON(result)
			} else {
				err = a.printVerdicts(result)
			}
			if err == nil && !result.Agrees {
				err = &noError{"the log and the PCRs do not agree"}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&pcrs, "pcrs", "", "file with PCR values, - for standard input (default: ask the TPM)")
	return cmd
}

// valuesFor returns the PCR values to hold the log against.
func (a *app) valuesFor(l *eventlog.Log, path string) (_ pcr.Values, err error) {
	if path != "" {
		return a.readValues(path)
	}
	tpm, err := a.openTPM()
	if err != nil {
		return nil, fmt.Errorf("%w\n\nOr give the PCR values in a file with --pcrs", err)
	}
	defer func() { err = closeAfter(tpm, err) }()
	sel, err := pcr.ParseSelection(allPCRs)
	if err != nil {
		return nil, err
	}
	return readPCRs(tpm, l.Banks(), sel)
}

func (a *app) readValues(path string) (pcr.Values, error) {
	in, name := a.in, "standard input"
	if path != "-" {
		f, err := openFile(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in, name = f, path
	}
	values, err := pcr.ParseValues(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return values, nil
}

func mismatches(l *eventlog.Log) []eventlog.Explanation {
	marked := []eventlog.Explanation{}
	for _, x := range eventlog.Explain(l) {
		if x.Check.Status == eventlog.Mismatch {
			marked = append(marked, x)
		}
	}
	return marked
}

// printVerdicts prints a line a PCR, the banks' results beside each other.
func (a *app) printVerdicts(r logVerified) error {
	var banks []pcr.Bank
	byPCR := make(map[int]map[pcr.Bank]eventlog.Verdict)
	for _, v := range r.Verdicts {
		if len(banks) == 0 || banks[len(banks)-1] != v.Bank {
			banks = append(banks, v.Bank)
		}
		if byPCR[v.PCR] == nil {
			byPCR[v.PCR] = make(map[pcr.Bank]eventlog.Verdict)
		}
		byPCR[v.PCR][v.Bank] = v
	}
	fmt.Fprintf(a.out, "%3s  %6s", "PCR", "EVENTS")
	for _, b := range banks {
		fmt.Fprintf(a.out, "  %-11s", b)
	}
	fmt.Fprintln(a.out)
	var silent pcr.Selection
	for i := range pcr.Count {
		switch row := byPCR[i]; {
		case row == nil:
		case notCovered(row):
			silent = silent.With(i)
		default:
			a.printVerdictRow(i, banks, row)
		}
	}
	if silent != 0 {
		fmt.Fprintf(a.out, "\nPCRs %s are not for this log to speak of.\n", silent)
	}
	return a.printVerdictSum(r)
}

// notCovered reports whether the log speaks of the PCR in no bank.
func notCovered(row map[pcr.Bank]eventlog.Verdict) bool {
	for _, v := range row {
		if v.Result != eventlog.NotCovered {
			return false
		}
	}
	return true
}

func (a *app) printVerdictRow(index int, banks []pcr.Bank, row map[pcr.Bank]eventlog.Verdict) {
	events := 0
	for _, v := range row {
		events = max(events, v.Events)
	}
	fmt.Fprintf(a.out, "%3d  %6d", index, events)
	for _, b := range banks {
		result := "-"
		if v, ok := row[b]; ok {
			result = string(v.Result)
		}
		fmt.Fprintf(a.out, "  %-11s", result)
	}
	fmt.Fprintln(a.out)
}

// printVerdictSum says what differs and why, then the sum.
func (a *app) printVerdictSum(r logVerified) error {
	for _, v := range r.Verdicts {
		if v.Result == eventlog.Differs || v.Result == eventlog.NotGiven {
			fmt.Fprintf(a.out, "\n%s PCR %d: %s\n  log %s\n  TPM %s\n", v.Bank, v.PCR, v.Reason, v.Log, v.TPM)
		}
	}
	for _, x := range r.Mismatches {
		fmt.Fprintf(a.out, "\nevent %d, PCR %d: its data does not explain its digest: %s\n", x.Index, x.PCR, fit(x.Text, width(a.out)-50))
	}
	if r.Agrees {
		_, err := fmt.Fprintln(a.out, "\nThe log explains the PCRs.")
		return err
	}
	return nil
}
