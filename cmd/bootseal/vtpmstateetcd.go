package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/bootseal/bootseal/vtpm/store/etcd"
	"github.com/spf13/cobra"
)

// storedReport is a line of `vtpm state list`.
type storedReport struct {
	Name  string      `json:"name"`
	Owner *etcd.Owner `json:"owner,omitempty"`
}

func (a *app) vtpmStateList() *cobra.Command {
	return &cobra.Command{
		Use:     "list URL",
		Short:   "List the states in etcd, and which host has them open",
		Long:    `List the states of vTPMs in etcd below the prefix of the URL, and which host has each of them open.`,
		Example: "  bootseal vtpm state list etcd://10.0.0.1:2379/vtpm?cacert=ca.crt",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := dialEtcd(args[0])
			if err != nil {
				return err
			}
			defer client.Close()
			list, err := client.List(cmd.Context())
			if err != nil {
				return err
			}
			reports := []storedReport{}
			for _, s := range list {
				reports = append(reports, storedReport(s))
			}
			if a.wantsJSON() {
				return a.printJSON(reports)
			}
			w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tOPEN ON\tSINCE")
			for _, r := range reports {
				host, since := "-", ""
				if r.Owner != nil {
					host, since = r.Owner.Host, r.Owner.Since.Local().Format(time.DateTime)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", r.Name, fit(host, 40), since)
			}
			return w.Flush()
		},
	}
}

func (a *app) vtpmStateRemove() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "rm --yes URL",
		Short: "Remove a vTPM's state from etcd",
		Long: `Remove the state that the path of the URL ends with from etcd, for good: what was sealed to the
vTPM stays sealed. One that a host has open is refused.`,
		Example: "  bootseal vtpm state rm --yes etcd://10.0.0.1:2379/vtpm/vm0?cacert=ca.crt",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			url, name, err := cutStateName(args[0])
			if err != nil {
				return err
			}
			client, err := dialEtcd(url)
			if err != nil {
				return err
			}
			defer client.Close()
			if !yes {
				return errors.New("what was sealed to the vTPM is lost with its state: say --yes")
			}
			return client.Remove(cmd.Context(), name)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "remove it")
	return cmd
}

func dialEtcd(url string) (*etcd.Client, error) {
	c, err := etcd.ParseURL(url)
	if err != nil {
		return nil, err
	}
	return etcd.Dial(c)
}
