package main

import (
	"fmt"
	"io"
)

func printList(w io.Writer, scenarios []scenario) {
	for _, s := range scenarios {
		fmt.Fprintf(w, "%s: %s\n", s.Name, s.Chain)
		for _, step := range s.Steps {
			fmt.Fprintf(w, "    %s\n", step.Change)
		}
	}
}
