package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server/host/api"
	"github.com/bootseal/bootseal/vtpm/trace"
	"github.com/google/go-tpm/tpm2"
	"github.com/spf13/cobra"
)

func (a *app) vtpmTrace() *cobra.Command {
	var count int
	var words bool
	var pcap string
	cmd := &cobra.Command{
		Use:   "trace NAME",
		Short: "Watch the commands that one of the daemon's vTPMs executes",
		Long: `Watch the commands that a vTPM executes: when, at which locality, what came of it, and how
long it took. With --words also handles, sessions, and parameters with their sizes. Secrets are
never shown: passwords, HMACs, sensitive areas and data are sizes only.

--pcap writes packets that Wireshark's TPM 2.0 dissector reads, in which these are zero.

Watching does not slow the vTPM. When commands come faster than they can be shown, some are
left out, and how many is said. It ends with Ctrl-C, or when the vTPM is removed.`,
		Example: "  bootseal vtpm trace vm0\n  bootseal vtpm trace vm0 --words\n" +
			"  bootseal vtpm trace vm0 --count 100 -o json | jq 'select(.code != 0)'\n" +
			"  bootseal vtpm trace vm0 --pcap - | wireshark -k -i -",
		Args: cobra.ExactArgs(1),
	}
	d := daemonFlag(cmd)
	d.completeNames(cmd)
	cmd.Flags().IntVarP(&count, "count", "n", 0, "end after so many commands")
	cmd.Flags().BoolVarP(&words, "words", "w", false, "show handles, sessions and parameters, without secrets")
	cmd.Flags().StringVar(&pcap, "pcap", "", "write packets to `FILE` for Wireshark; - is standard output, and nothing else is there then")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		t := newTracer(a)
		t.left, t.words = count, words
		end, err := t.openPcap(pcap)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, end()) }()
		ready := func() { fmt.Fprintf(a.err, "watching %s\n", args[0]) }
		err = d.client().Trace(cmd.Context(), args[0], ready, t.show)
		if errors.Is(err, errTraced) || cmd.Context().Err() != nil {
			return nil
		}
		return err
	}
	return cmd
}

// errTraced ends a trace that has shown what it was to show.
var errTraced = errors.New("enough was traced")

// tracer shows commands as they go by.
type tracer struct {
	a     *app
	paint painter
	names map[uint32]string
	left  int  // to show; 0 or less is no end
	words bool // show what is in commands
	quiet bool // nothing but packets
	pcap  *trace.Pcap
}

func newTracer(a *app) *tracer {
	t := &tracer{a: a, paint: newPainter(a.out), names: make(map[uint32]string)}
	for _, info := range vtpm.Commands() {
		t.names[info.Code] = info.Name
	}
	return t
}

// openPcap begins the file with packets; end closes it. No name is no file.
func (t *tracer) openPcap(name string) (end func() error, err error) {
	end = func() error { return nil }
	if name == "" {
		return end, nil
	}
	out := t.a.out
	if t.quiet = name == "-"; !t.quiet {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return nil, err
		}
		out, end = f, f.Close
	}
	if t.pcap, err = trace.NewPcap(out); err != nil {
		return nil, errors.Join(err, end())
	}
	return end, nil
}

// tracedCommand is a line of `vtpm trace -o json`.
type tracedCommand struct {
	At       time.Time `json:"at"`
	Locality uint8     `json:"locality"`
	Command  string    `json:"command"`
	Size     int       `json:"size"` // bytes of the command
	Code     uint32    `json:"code"` // of the response
	Result   string    `json:"result"`
	Response int       `json:"responseSize"`
	Micros   int64     `json:"micros"`
	Dropped  uint64    `json:"dropped,omitempty"` // commands before it that are not shown

	Words *trace.Words `json:"words,omitempty"`
}

func (t *tracer) describe(l api.TraceLine) tracedCommand {
	c := tracedCommand{
		At: l.At, Locality: l.Locality, Command: "malformed", Size: len(l.Command), Result: "malformed",
		Response: len(l.Response), Micros: l.TookNanos / 1000, Dropped: l.Dropped,
	}
	if len(l.Command) >= 10 {
		code := binary.BigEndian.Uint32(l.Command[6:])
		if c.Command = t.names[code]; c.Command == "" {
			c.Command = fmt.Sprintf("%#x", code)
		}
	}
	if len(l.Response) >= 10 {
		c.Code = binary.BigEndian.Uint32(l.Response[6:])
		c.Result = resultText(c.Code)
	}
	if t.words {
		w := trace.Describe(l.Command, l.Response)
		c.Words = &w
	}
	return c
}

// resultText names a response code.
func resultText(code uint32) string {
	if code == 0 {
		return "success"
	}
	return tpm2.TPMRC(code).Error()
}

func (t *tracer) show(l api.TraceLine) error {
	if t.pcap != nil {
		if err := t.pcap.Write(l.At, time.Duration(l.TookNanos), l.Locality, l.Command, l.Response); err != nil {
			return err
		}
	}
	c := t.describe(l)
	if t.quiet {
		return t.shown()
	}
	if t.a.wantsJSON() {
		// A line each, for programs that read as it goes on.
		if err := json.NewEncoder(t.a.out).Encode(c); err != nil {
			return err
		}
	} else if err := t.print(c); err != nil {
		return err
	}
	return t.shown()
}

// shown counts what was shown.
func (t *tracer) shown() error {
	if t.left > 0 {
		if t.left--; t.left == 0 {
			return errTraced
		}
	}
	return nil
}

func (t *tracer) print(c tracedCommand) error {
	if c.Dropped > 0 {
		fmt.Fprintln(t.a.out, t.paint.paint(red, fmt.Sprintf("%d commands are left out", c.Dropped)))
	}
	result := c.Result
	if c.Code != 0 {
		result = t.paint.paint(red, result)
	}
	took := fmt.Sprintf("%.3f ms", float64(c.Micros)/1000)
	if c.Words != nil {
		_, err := fmt.Fprintf(t.a.out, "%s  %d  %12s  %s\n", c.At.Local().Format("15:04:05.000"), c.Locality, took, c.Words)
		return err
	}
	_, err := fmt.Fprintf(t.a.out, "%s  %d  %-30s %12s  %s\n", c.At.Local().Format("15:04:05.000"), c.Locality, c.Command, took, result)
	return err
}
