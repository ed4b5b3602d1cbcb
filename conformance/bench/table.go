//go:build linux

package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// random is crypto/rand as a reader.
type random struct{}

func (random) Read(p []byte) (int, error) { return rand.Read(p) }

// result is what an operation took on each server.
type result struct {
	Operation string         `json:"operation"`
	Servers   []*measurement `json:"servers"`
}

// measurement is what an operation took on one server, in microseconds.
type measurement struct {
	Server string  `json:"server"`
	Count  int     `json:"count"`
	P50    float64 `json:"p50_us"`
	P99    float64 `json:"p99_us"`
	CPU    float64 `json:"cpu_us"` // of a command, the median of the turns
	CPUMin float64 `json:"cpu_min_us"`
	CPUMax float64 `json:"cpu_max_us"`

	times, turns []time.Duration
}

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// quantile returns the q-th of the sorted times.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// sum computes what is reported.
func (m *measurement) sum() {
	slices.Sort(m.times)
	slices.Sort(m.turns)
	m.P50, m.P99 = us(quantile(m.times, .5)), us(quantile(m.times, .99))
	m.CPU, m.CPUMin, m.CPUMax = us(quantile(m.turns, .5)), us(m.turns[0]), us(m.turns[len(m.turns)-1])
}

func writeJSON(out io.Writer, results []result) error {
	for _, r := range results {
		for _, m := range r.Servers {
			m.sum()
		}
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(results)
}

// writeTable prints microseconds, and how many times as much swtpm took.
func writeTable(out io.Writer, results []result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "operation\tserver\tcount\tp50 µs\tp99 µs\tCPU µs\tof turns\tswtpm: p50\tCPU\t")
	for _, r := range results {
		var base *measurement
		for _, m := range r.Servers {
			m.sum()
			if m.Server == "swtpm" {
				base = m
			}
		}
		for _, m := range r.Servers {
			fmt.Fprintf(w, "%s\t%s\t%d\t%.1f\t%.1f\t%.1f\t%.1f-%.1f\t", r.Operation, m.Server, m.Count, m.P50, m.P99, m.CPU, m.CPUMin, m.CPUMax)
			if base != nil && m != base {
				fmt.Fprintf(w, "%.2fx\t%.2fx\t\n", base.P50/m.P50, base.CPU/m.CPU)
			} else {
				fmt.Fprint(w, "\t\t\n")
			}
		}
	}
	return w.Flush()
}
