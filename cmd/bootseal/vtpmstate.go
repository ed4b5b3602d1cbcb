package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/spf13/cobra"
)

func (a *app) vtpmState() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "state",
		Short: "Look at a vTPM's state at rest, accept one from a backup, change its key",
		Long: `A vTPM's state at rest is a directory with one file. --state-key names the key that it is
encrypted with. docs/state.md says what to do when a state is refused.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var instance string
	cmd.PersistentFlags().StringVar(&instance, "instance", "", "the vTPM's `NAME`, which its state is encrypted for (default the directory's)")
	cmd.AddCommand(a.vtpmStateShow(&instance), a.vtpmStateAccept(&instance), a.vtpmStateRekey(&instance), a.vtpmStateList(), a.vtpmStateRemove())
	return cmd
}

// stateReport is what `vtpm state show` prints.
type stateReport struct {
	Directory string         `json:"directory"`
	Exists    bool           `json:"exists"`
	Version   int            `json:"version,omitempty"`
	Encrypted bool           `json:"encrypted"`
	Size      int64          `json:"size,omitempty"`
	Free      int64          `json:"free,omitempty"`
	Count     uint64         `json:"count,omitempty"`
	Counter   *uint64        `json:"counter,omitempty"`
	Records   map[string]int `json:"records,omitempty"`
	Refused   string         `json:"refused,omitempty"`
}

func (a *app) vtpmStateShow(instance *string) *cobra.Command {
	return &cobra.Command{
		Use:   "show DIR",
		Short: "Say what is in a state, and whether it would be opened",
		Long: `Say what is in a state, and whether it would be opened. Nothing is changed, no counter moves,
and no secret is printed. Exit code 1: it is refused.`,
		Example: "  bootseal vtpm state show /var/lib/vm0/tpm\n  bootseal vtpm state show --state-key tpm:/etc/bootseal/states.key vm0 -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := a.inspectState(args[0], *instance)
			if err != nil {
				return err
			}
			if err := a.printState(r); err != nil {
				return err
			}
			if r.Refused != "" {
				return &noError{}
			}
			return nil
		},
	}
}

func (a *app) inspectState(dir, instance string) (stateReport, error) {
	r := stateReport{Directory: dir}
	k, err := a.openStateKey()
	if err != nil {
		return r, err
	}
	o, err := k.optionsOf(dir, instance)
	if err != nil {
		return r, err
	}
	info, refused, err := store.Inspect(dir, o)
	switch {
	case errors.Is(err, fs.ErrNotExist) && refused == nil:
		return r, fmt.Errorf("%s: there is no state", dir)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return r, fmt.Errorf("%s: %w", dir, err)
	}
	r.Exists = err == nil
	r.Version, r.Encrypted, r.Size, r.Free, r.Count = info.Version, info.Encrypted, info.Size, info.Free, info.Count
	r.Records = make(map[string]int)
	for _, record := range info.Records {
		r.Records[record.Name] = record.Size
	}
	if refused != nil {
		r.Refused = stateRemedy(dir, refused).Error()
	}
	if o.Counter != nil {
		c, err := o.Counter.Read()
		if err != nil {
			return r, err
		}
		r.Counter = &c.Value
	}
	return r, nil
}

func (a *app) printState(r stateReport) error {
	if a.wantsJSON() {
		return a.printJSON(r)
	}
	var sb strings.Builder
	if r.Exists {
		encrypted := "not encrypted: who reads it has the TPM's keys"
		if r.Encrypted {
			encrypted = "encrypted"
		}
		fmt.Fprintf(&sb, "format:   version %d, %s\n", r.Version, encrypted)
		fmt.Fprintf(&sb, "size:     %d bytes, %d of them free\n", r.Size, r.Free)
		total := 0
		for _, size := range r.Records {
			total += size
		}
		fmt.Fprintf(&sb, "records:  %d, %d bytes\n", len(r.Records), total)
	}
	switch {
	case r.Counter != nil && r.Exists:
		fmt.Fprintf(&sb, "count:    %d, the counter stands at %d\n", r.Count, *r.Counter)
	case r.Count != 0:
		fmt.Fprintf(&sb, "count:    %d\n", r.Count)
	case r.Exists:
		sb.WriteString("count:    none: an older copy is not noticed\n")
	}
	if r.Refused != "" {
		fmt.Fprintf(&sb, "refused:  %s\n", r.Refused)
	}
	_, err := fmt.Fprint(a.out, sb.String())
	return err
}

func (a *app) vtpmStateAccept(instance *string) *cobra.Command {
	var missing bool
	cmd := &cobra.Command{
		Use:   "accept DIR",
		Short: "Accept a state that its counter says is an older copy",
		Long: `Accept the state in DIR although the counter of the --state-key says that it is an older copy,
or another's, since you restored a backup on purpose. It is counted from then on. The TPM in it
goes back in time: NV counters, failed authorizations, and what was stored since are those of
the backup.

Without a counter in the key, the state is not counted any more. With --missing, there is no
state, and the next start may make a new TPM.`,
		Example: `  bootseal vtpm state accept --state-key tpm:/etc/bootseal/states.key /var/lib/vm0/tpm
  bootseal vtpm state accept --missing --state-key tpm:/etc/bootseal/states.key /var/lib/vm0/tpm`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.acceptState(args[0], *instance, missing) },
	}
	cmd.Flags().BoolVar(&missing, "missing", false, "the state is gone, and a new TPM is to be made")
	return cmd
}

func (a *app) acceptState(dir, instance string, missing bool) error {
	k, err := a.openStateKey()
	if err != nil {
		return err
	}
	o, err := k.optionsOf(dir, instance)
	if err != nil {
		return err
	}
	_, _, err = store.Inspect(dir, o)
	gone := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !gone:
		return fmt.Errorf("%s: %w", dir, err)
	case gone && !missing:
		return fmt.Errorf("%s: there is no state; --missing lets a new TPM be made in its place", dir)
	case !gone && missing:
		return fmt.Errorf("%s: there is a state, it is not missing", dir)
	case gone && o.Counter == nil:
		return nil // nobody counts
	case gone:
		return k.counter(o.Instance).Retire()
	case o.Counter == nil:
		counted := o
		counted.Accept = true
		return rekeyState(dir, counted, o)
	}
	o.Accept = true
	state, err := store.OpenDirectoryOptions(dir, o)
	if err != nil {
		return err
	}
	return state.Close()
}

func (a *app) vtpmStateRekey(instance *string) *cobra.Command {
	var next string
	var none bool
	cmd := &cobra.Command{
		Use:   "rekey DIR...",
		Short: "Encrypt states with another key",
		Long: `Encrypt states that --state-key opens with --new-key, and count them with its counter where it
has one. Without --state-key they are not encrypted now. After a power cut each state opens with
the one key or the other; run it again to go on: states that have the new key already stay.

What was on the disk before may still be found on it, under the old key.`,
		Example: `  bootseal vtpm state rekey --state-key file:old.key --new-key tpm:/etc/bootseal/states.key /var/lib/vtpm/*
  bootseal vtpm state rekey --new-key credential:states vm0`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if (next == "") == !none {
				return errors.New("say --new-key KEY, or --no-key to have the states not encrypted")
			}
			if *instance != "" && len(args) > 1 {
				return errors.New("--instance names one state, and there are several")
			}
			from, err := a.openStateKey()
			if err != nil {
				return err
			}
			to, err := openStateKey(next, a.hostTPM)
			if err == nil && !none {
				err = to.countedIn(a.stateCounter)
			}
			if err != nil {
				return err
			}
			for _, dir := range args {
				if err := a.rekeyTo(dir, *instance, from, to); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&next, "new-key", "", "the new `KEY`, as for --state-key")
	cmd.Flags().BoolVar(&none, "no-key", false, "leave the states without encryption")
	return cmd
}

func (a *app) rekeyTo(dir, instance string, from, to *stateKey) error {
	before, err := from.optionsOf(dir, instance)
	if err != nil {
		return err
	}
	after, err := to.optionsOf(dir, instance)
	if err != nil {
		return err
	}
	info, _, err := store.Inspect(dir, after)
	if err == nil && info.Encrypted == (after.Key != nil) {
		fmt.Fprintf(a.err, "%s: has the new key already\n", dir)
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrInUse) {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return rekeyState(dir, before, after)
}

func rekeyState(dir string, before, after store.Options) error {
	state, err := store.OpenDirectoryOptions(dir, before)
	if err != nil {
		return stateRemedy(dir, err)
	}
	return errors.Join(state.Rekey(after), state.Close())
}
