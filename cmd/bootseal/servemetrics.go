package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// serveMetrics serves GET /metrics until ctx is done.
func serveMetrics(ctx context.Context, l net.Listener, h *host.Host) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newHostCollector(h), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	s := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if err := s.Serve(l); ctx.Err() == nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

// hostCollector gives Prometheus a host's counters.
type hostCollector struct {
	host     *host.Host
	commands map[uint32]string // names by code

	vtpms, up, clients, executed, authFailures, lockouts *prometheus.Desc
	results, latency, commits, commitFailures            *prometheus.Desc
	failures, dropped                                    *prometheus.Desc
}

func newHostCollector(h *host.Host) *hostCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("bootseal_vtpm_"+name, help, labels, nil)
	}
	c := &hostCollector{
		host: h, commands: make(map[uint32]string),
		vtpms:          desc("instances", "vTPMs by state.", "state"),
		up:             desc("instance_running", "1 if the vTPM runs.", "name"),
		clients:        desc("instance_clients", "Connections to the vTPM.", "name"),
		executed:       desc("instance_commands_total", "Commands that the vTPM executed.", "name"),
		authFailures:   desc("instance_auth_failures_total", "Commands that the vTPM refused for a wrong authorization.", "name"),
		lockouts:       desc("instance_lockouts_total", "Commands that the vTPM refused while locked out.", "name"),
		results:        desc("commands_total", "Commands of all vTPMs, by class of response code.", "command", "result"),
		latency:        desc("command_seconds", "Time from a command to its response, its commit included.", "command"),
		commits:        desc("commit_seconds", "Time to make a change durable."),
		commitFailures: desc("commit_failures_total", "Changes that could not be made durable."),
		failures:       desc("failures_total", "vTPMs that ended by themselves or did not start."),
		dropped:        desc("trace_dropped_total", "Commands that somebody who traces did not take in time."),
	}
	for _, info := range vtpm.Commands() {
		c.commands[info.Code] = info.Name
	}
	return c
}

func (c *hostCollector) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, out) }

func (c *hostCollector) Collect(out chan<- prometheus.Metric) {
	s := c.host.Stats()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for _, state := range host.States() {
		gauge(c.vtpms, float64(s.States[state]), string(state))
	}
	for _, i := range s.Instances {
		running := 0.0
		if i.State == host.StateRunning {
			running = 1
		}
		gauge(c.up, running, i.Name)
		gauge(c.clients, float64(i.Clients), i.Name)
		counter(c.executed, i.Commands, i.Name)
		counter(c.authFailures, i.AuthFailures, i.Name)
		counter(c.lockouts, i.Lockouts, i.Name)
	}
	for _, cmd := range s.Commands {
		name := c.commands[cmd.Code]
		if name == "" {
			name = "unknown"
		}
		for _, r := range host.Results() {
			if n := cmd.Results[r]; n > 0 {
				counter(c.results, n, name, r.String())
			}
		}
		out <- histogram(c.latency, cmd.Latency, name)
	}
	out <- histogram(c.commits, s.Commits)
	counter(c.commitFailures, s.CommitFailures)
	counter(c.failures, s.Failures)
	counter(c.dropped, s.Dropped)
}

// histogram returns a histogram as Prometheus has it: cumulative.
func histogram(d *prometheus.Desc, h host.Histogram, labels ...string) prometheus.Metric {
	buckets := make(map[float64]uint64, len(host.Buckets))
	sum := uint64(0)
	for b, bound := range host.Buckets {
		sum += h.Counts[b]
		buckets[bound] = sum
	}
	return prometheus.MustNewConstHistogram(d, h.Count(), h.Sum, buckets, labels...)
}
