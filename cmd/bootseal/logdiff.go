package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/picture"
	"github.com/bootseal/bootseal/predict"
	"github.com/spf13/cobra"
)

// logDiffered is "log diff -o json".
type logDiffered struct {
	Same        bool                  `json:"same"`
	Path        string                `json:"path,omitempty"` // of the prediction, if the first file is one
	Headlines   []eventlog.Headline   `json:"headlines"`
	Differences []eventlog.Difference `json:"differences"`
}

func (a *app) logDiff() *cobra.Command {
	var svg string
	var brief bool
	cmd := &cobra.Command{
		Use:   "diff FILE FILE",
		Short: "Say what changed between two boots",
		Long: `Compare two logs and say what changed: first in the words that people use for it, with the
PCRs that it moves, then event by event, from what to what. Events are aligned by what was
measured, so that one that is new does not make all after it differ.

The first file can be a prediction ("bootseal predict -o json"): then the path is taken that the
log differs least from, and PCRs that were said to be unknown do not count.

Exit code 0: nothing differs, both lead to the same PCR values; 1: they differ.`,
		Example: `  bootseal log diff before.bin after.bin
  bootseal log diff --svg upgrade.svg before.bin after.bin
  bootseal log diff prediction.json ` + runningLog,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			after, err := a.readLog(args[1])
			if err != nil {
				return err
			}
			result, before, err := a.compareWith(args[0], after)
			if err != nil {
				return err
			}
			if svg != "" {
				if err := writeFile(svg, picture.Diff("What changed between two boots", before, after, result.Differences)); err != nil {
					return err
				}
			}
			if a.wantsJSON() {
				err = a.printJSON(result)
			} else {
				err = a.printDifferences(result, brief)
			}
			if err == nil && !result.Same {
				err = &noError{}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&svg, "svg", "", "draw the boot, with what moved marked, into this file")
	cmd.Flags().BoolVar(&brief, "brief", false, "only the summary")
	return cmd
}

// compareWith compares a log or a prediction with a log.
func (a *app) compareWith(path string, after *eventlog.Log) (*logDiffered, *eventlog.Log, error) {
	result := new(logDiffered)
	var before *eventlog.Log
	var err error
	if p, ok := readPrediction(path); ok {
		var nearest *predict.Path
		nearest, result.Differences, err = p.Nearest(after)
		if err == nil {
			result.Path, before = nearest.Name, nearest.Log()
		}
	} else if before, err = a.readLog(path); err == nil {
		result.Differences, err = eventlog.Compare(before, after)
	}
	if err != nil {
		return nil, nil, err
	}
	result.Same = len(result.Differences) == 0
	result.Headlines = eventlog.Headlines(result.Differences)
	if result.Same {
		result.Differences, result.Headlines = []eventlog.Difference{}, []eventlog.Headline{}
	}
	return result, before, nil
}

// readPrediction reads a prediction, false if the file is none.
func readPrediction(path string) (*predict.Prediction, bool) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	if !isJSON(f, make([]byte, 64)) {
		return nil, false
	}
	p, err := predict.Read(f)
	return p, err == nil
}

func writeFile(path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}

func (a *app) printDifferences(r *logDiffered, brief bool) error {
	paint := newPainter(a.out)
	if r.Path != "" {
		fmt.Fprintln(a.out, wrap("Against the predicted way "+r.Path+":", width(a.out), ""))
	}
	if r.Same {
		_, err := fmt.Fprintln(a.out, "Nothing differs: both boots lead to the same PCR values.")
		return err
	}
	for _, h := range r.Headlines {
		fmt.Fprintf(a.out, "%-12s %s\n", h.Stage, wrap(h.Text+"  (PCR "+selectionOf(h.PCRs)+")", width(a.out)-13, "             "))
	}
	if brief {
		return nil
	}
	stage := eventlog.Stage("")
	list := slices.Clone(r.Differences)
	slices.SortStableFunc(list, func(x, y eventlog.Difference) int { return stageOrder(x.Stage) - stageOrder(y.Stage) })
	for _, d := range list {
		if d.Stage != stage {
			stage = d.Stage
			fmt.Fprintln(a.out, "\n"+paint.paint(bold, stage.Title()))
		}
		if _, err := fmt.Fprintln(a.out, d); err != nil {
			return err
		}
	}
	return nil
}

func stageOrder(s eventlog.Stage) int {
	return slices.Index([]eventlog.Stage{eventlog.Firmware, eventlog.Shim, eventlog.GRUB, eventlog.SystemdBoot,
		eventlog.SystemdStub, eventlog.Kernel}, s)
}
