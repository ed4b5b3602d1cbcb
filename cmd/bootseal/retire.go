package main

import (
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/node/reseal"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/spf13/cobra"
)

func (a *app) retire() *cobra.Command {
	var flags resealFlags
	var list, undo bool
	cmd := &cobra.Command{
		Use:   "retire BOOT [DEVICE...]",
		Short: "Have a boot no longer open the disks",
		Long: `Have the boots that have BOOT in their name, or in that of their menu entry, no longer open the
enrolled volumes: a kernel with a hole, say, that is still in the boot menu. Their tokens are
dropped, and later reseals leave them out until --undo.

The running boot is not retired, nor the last one that opens a volume, unless forced.
` + machineHelp,
		Example: `  bootseal retire 6.1.0-54
  bootseal retire --list
  bootseal retire --undo 6.1.0-54
  bootseal retire --dry-run "recovery mode" /dev/sda3`,
		Args: func(_ *cobra.Command, args []string) error {
			if !list && len(args) == 0 {
				return errors.New("say which boot: a part of its name, as 6.1.0-54")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if list {
				return a.listRetired(&flags, args)
			}
			flags.retire = args[0]
			if undo {
				return a.restoreRetired(&flags, args[1:])
			}
			return a.runReseal(cmd.Context(), &flags, args[1:])
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&flags.force, "force", false, "retire even the running boot, or the last one")
	cmd.Flags().BoolVar(&list, "list", false, "list the retired boots")
	cmd.Flags().BoolVar(&undo, "undo", false, "a retired boot may open the volumes again, after the next reseal")
	cmd.MarkFlagsMutuallyExclusive("list", "undo", "force")
	return cmd
}

// retiredBoots is an entry of "retire --list -o json".
type retiredBoots struct {
	Device string           `json:"device"`
	UUID   string           `json:"uuid"`
	Boots  []reseal.Retired `json:"boots"`
}

func (a *app) listRetired(flags *resealFlags, devices []string) error {
	all, err := a.retiredOf(flags, devices)
	if err != nil {
		return err
	}
	if a.wantsJSON() {
		return a.printJSON(all)
	}
	for _, v := range all {
		fmt.Fprintln(a.out, v.Device)
		if len(v.Boots) == 0 {
			fmt.Fprintln(a.out, "  no boot is retired")
		}
		for _, b := range v.Boots {
			fmt.Fprintf(a.out, "  %s  %s\n", b.Time.Local().Format("2006-01-02 15:04"), fit(b.Text, 80))
		}
	}
	return nil
}

func (a *app) restoreRetired(flags *resealFlags, devices []string) error {
	all, err := a.retiredOf(flags, devices)
	if err != nil {
		return err
	}
	restored := false
	for _, v := range all {
		was, err := reseal.Restore(flags.volume.state, v.UUID, flags.retire)
		if err != nil {
			return err
		}
		restored = restored || was
	}
	if !restored {
		return fmt.Errorf("no boot is retired as %q: bootseal retire --list shows what is", flags.retire)
	}
	_, err = fmt.Fprintln(a.out, "It may open the volumes again: bootseal reseal seals for it.")
	return err
}

// retiredOf reads which boots are retired for the devices, or for the enrolled volumes.
func (a *app) retiredOf(flags *resealFlags, devices []string) ([]retiredBoots, error) {
	if len(devices) == 0 {
		list, err := volumes.Read(flags.volume.list)
		if err != nil {
			return nil, err
		}
		devices = enrolledDevices(list)
	}
	all := []retiredBoots{}
	for _, d := range devices {
		v, err := (&cryptsetup.Tool{}).Volume(d)
		if err != nil {
			return nil, err
		}
		h, err := v.Header()
		if err != nil {
			return nil, err
		}
		boots, err := reseal.ReadRetired(flags.volume.state, h.UUID)
		if err != nil {
			return nil, err
		}
		all = append(all, retiredBoots{v.Path(), h.UUID, boots})
	}
	return all, nil
}
