package main

import (
	"fmt"
	"strings"

	"github.com/bootseal/bootseal/manufacture"
	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/spf13/cobra"
)

// specFlags are the flags of verbs that make an instance.
type specFlags struct {
	host.Spec
	noStart bool
}

func (f *specFlags) define(cmd *cobra.Command) {
	x := cmd.Flags()
	x.StringVar(&f.Owner, "owner", "", "`USER` who owns the sockets (default the daemon's)")
	x.StringVar(&f.Group, "group", "", "`GROUP` of the sockets (default the daemon's)")
	x.StringVar(&f.Mode, "mode", "", "`MODE` of the sockets, octal (default 0660)")
	x.BoolVar(&f.PowerOn, "power-on", false, "switch the TPM on at each start, for clients that are no VM")
	x.BoolVar(&f.Start, "start", true, "start it now and with the daemon")
	x.BoolVar(&f.noStart, "no-start", false, "leave it stopped")
	cmd.MarkFlagsMutuallyExclusive("start", "no-start")
}

// spec returns what was asked for.
func (f *specFlags) spec() host.Spec {
	s := f.Spec
	s.Start = s.Start && !f.noStart
	return s
}

func (a *app) vtpmCreate() *cobra.Command {
	var f specFlags
	var eks []string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a vTPM that the daemon hosts",
		Long: `Make a vTPM that "bootseal vtpm serve" hosts, with keys and certificates where the layout has
them, and start it. It is there whole, or not at all.

NAME is one to 63 of a-z, 0-9, dot, underscore and hyphen, and begins with a letter or digit.

The sockets are printed: the control channel is for QEMU and libvirt, the data channel for
programs that send commands.`,
		Example: `  bootseal vtpm create vm0
  bootseal vtpm create vm0 --layout swtpm --ek secp384r1 --owner libvirt-qemu --group kvm
  bootseal vtpm create test --layout none --power-on && tpm2_pcrread -T swtpm:path=.../test/sock`,
		Args: cobra.ExactArgs(1),
	}
	d := daemonFlag(cmd)
	f.define(cmd)
	cmd.Flags().StringVar(&f.Profile, "profile", "pcclient", "what the TPM implements: pcclient or libtpms")
	cmd.Flags().StringVar(&f.Layout, "layout", string(manufacture.Swtpm), "where keys and certificates are: swtpm, azure, gcp, or none")
	cmd.Flags().StringSliceVar(&eks, "ek", nil, "`ALGORITHM` of an endorsement key, instead of the layout's; can be repeated")
	cmd.Flags().BoolVar(&f.Adopt, "adopt", false, "take over the vTPM that is in the daemon's --store already, from another host")
	completeWords(cmd, "profile", "pcclient", "libtpms")
	completeWords(cmd, "layout", "swtpm", "azure", "gcp", "none")
	completeWords(cmd, "ek", ekNames()...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		spec := f.spec()
		var err error
		if spec.Layout, err = layoutSpec(f.Layout, eks); err != nil {
			return err
		}
		var info host.Info
		err = a.during("making "+args[0], func() (err error) {
			info, err = d.client().Create(cmd.Context(), args[0], spec)
			return err
		})
		if err != nil {
			return err
		}
		return a.printInstance(info)
	}
	return cmd
}

func ekNames() []string {
	var names []string
	for _, algorithm := range manufacture.Algorithms() {
		names = append(names, string(algorithm))
	}
	return names
}

// layoutSpec returns the layout as the daemon takes it: its name, and after a colon
// endorsement keys that are not the layout's own.
func layoutSpec(layout string, eks []string) (string, error) {
	if layout == "none" {
		if len(eks) > 0 {
			return "", fmt.Errorf("--ek makes no sense with --layout none")
		}
		return "", nil
	}
	if len(eks) > 0 {
		layout += ":" + strings.Join(eks, ",")
	}
	_, err := parseLayoutSpec(layout)
	return layout, err
}

// parseLayoutSpec reads what layoutSpec returns.
func parseLayoutSpec(spec string) (o manufacture.Options, err error) {
	name, eks, own := strings.Cut(spec, ":")
	if o.Layout, err = manufacture.ParseLayout(name); err != nil || !own {
		return o, err
	}
	for name := range strings.SplitSeq(eks, ",") {
		ek, err := manufacture.ParseEK(name)
		if err != nil {
			return o, err
		}
		o.EKs = append(o.EKs, ek)
	}
	return o, nil
}
