package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// printMatrix prints Markdown: a table for each chain, a row for each change, a column for each
// PCR.
func printMatrix(w io.Writer, r *report) {
	fmt.Fprintln(w, "| package | version |\n|---|---|")
	for _, v := range r.Versions {
		fmt.Fprintf(w, "| %s | %s |\n", v.Package, v.Version)
	}
	for _, c := range r.Scenarios {
		if len(c.Results) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n## %s\n\n| %s: change |", c.Chain, c.Name)
		for _, i := range compared {
			fmt.Fprintf(w, " %d |", i)
		}
		fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("---|", len(compared)))
		for _, res := range c.Results {
			fmt.Fprintf(w, "| %s |", res.Change)
			for _, i := range compared {
				fmt.Fprintf(w, " %s |", res.PCRs[strconv.Itoa(i)])
			}
			fmt.Fprintln(w)
		}
		for _, res := range c.Results {
			if len(res.Doubts) > 0 || res.What != "" {
				fmt.Fprintf(w, "\n%s:\n\n", res.Change)
			}
			for _, d := range res.Doubts {
				fmt.Fprintf(w, "- unknown, %s\n", d)
			}
			if res.What != "" {
				fmt.Fprintf(w, "- wrong, %s; see %s\n", res.What, res.Kept)
			}
		}
	}
}

func printList(w io.Writer, scenarios []scenario) {
	for _, s := range scenarios {
		fmt.Fprintf(w, "%s: %s\n", s.Name, s.Chain)
		for _, step := range s.Steps {
			fmt.Fprintf(w, "    %s\n", step.Change)
		}
	}
}
