package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/user"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/bootseal/bootseal/vtpm/server/host/api"
	systemd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
)

// serveFlags are the flags of `bootseal vtpm serve`.
type serveFlags struct {
	dir, store, listen, metrics, ca, log string
	users, groups                        []string
	primes                               int
}

func (a *app) vtpmServe() *cobra.Command {
	f := new(serveFlags)
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Host any number of vTPMs in one process",
		Long: `Host the vTPMs of a directory, each apart from the others: with its own sockets, state, seeds
and keys. What was running is started; "bootseal vtpm create", "list" and so on manage them
over the daemon's socket, which root, the daemon's user, and those of --allow-user and
--allow-group may use.

A write is on disk before it is acknowledged. When the daemon ends, however it ends, and is
started again, its vTPMs go on where they were; a VM needs to be powered off and on, since
QEMU does not connect to a TPM again.

With --state-key states are encrypted. With --store they are in etcd, so that another host can
take a vTPM up when this one has died ("bootseal vtpm create --adopt"); a vTPM whose state
is lost to another host stops at once. Under systemd the daemon says when it is ready, and
takes the socket that it is given; docs/bootseal-vtpm.service is a unit for it, and
docs/vtpm-host.md says more.`,
		Example: `  bootseal vtpm serve
  bootseal vtpm serve --dir /srv/vtpm --state-key tpm:/etc/bootseal/states.key --metrics 127.0.0.1:9440
  bootseal vtpm serve --dir vtpms --listen vtpms.sock &
  bootseal vtpm create vm0 --socket vtpms.sock`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context(), f) },
	}
	x := cmd.Flags()
	x.StringVar(&f.dir, "dir", daemonDir(), "`DIR` of the vTPMs, made if it is not there")
	x.StringVar(&f.store, "store", "", "`URL` of the vTPMs' states in etcd: "+storeUsage)
	x.StringVar(&f.listen, "listen", daemonSocket(), "the daemon's own `SOCKET`; systemd's, if there is one; $"+daemonVariable)
	x.StringVar(&f.metrics, "metrics", "", "serve Prometheus' metrics at `unix:PATH|HOST:PORT`, HOST being of this machine")
	x.StringVar(&f.ca, "ca", "", "`DIR` of the CA that signs the vTPMs' certificates (default one of its own, in --dir)")
	x.IntVar(&f.primes, "primes", primesByDefault(), "keep so many primes ready for the RSA keys that VMs create, two for a key; 0 for a machine that is copied while it runs")
	x.StringVar(&f.log, "log", "text", "how to log on standard error: text or json")
	x.StringSliceVar(&f.users, "allow-user", nil, "`USER` who may manage the vTPMs; can be repeated")
	x.StringSliceVar(&f.groups, "allow-group", nil, "`GROUP` whose members may; can be repeated")
	completeWords(cmd, "log", "text", "json")
	return cmd
}

const (
	// startPatience is how long the daemon waits for its vTPMs before it says that it is
	// ready, and stopTimeout how long they may take to stop. systemd waits longer.
	startPatience = 30 * time.Second
	stopTimeout   = 30 * time.Second
)

// serve hosts until ctx is done.
func (a *app) serve(ctx context.Context, f *serveFlags) (err error) {
	log, err := a.serveLog(f.log)
	if err != nil {
		return err
	}
	o := api.Options{Report: logRequest(log)}
	if o.Users, err = numbers("--allow-user", f.users, userNumber); err != nil {
		return err
	}
	if o.Groups, err = numbers("--allow-group", f.groups, groupNumber); err != nil {
		return err
	}
	raiseLimits(log)
	if os.Getenv("GOGC") == "" {
		// The memory of many vTPMs that wait is worth more than the time to collect.
		debug.SetGCPercent(50)
	}
	primes, err := newPrimes(f.primes)
	if err != nil {
		return err
	}
	defer primes.Close()
	var states io.Closer
	if o.Host, states, err = a.openHost(f, primes, log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeHost(o.Host, log), states.Close()) }()
	l, err := listenAPI(f.listen, len(o.Users)+len(o.Groups) > 0)
	if err != nil {
		return err
	}
	log.Info("managed", "socket", l.Addr().String())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 2)
	go func() { ended <- api.Serve(ctx, l, o) }()
	servers := 1
	if f.metrics != "" {
		m, err := listenMetrics(f.metrics)
		if err != nil {
			cancel()
			return errors.Join(err, <-ended)
		}
		log.Info("metrics", "address", m.Addr().String())
		servers++
		go func() { ended <- serveMetrics(ctx, m, o.Host) }()
	}
	startAll(ctx, o.Host, log)
	select {
	case <-ctx.Done():
	case err = <-ended:
		servers--
	}
	notify(log, systemd.SdNotifyStopping)
	cancel()
	for range servers {
		err = errors.Join(err, <-ended)
	}
	return err
}

// startAll starts the vTPMs that are to run, and says when they do: systemd may wait for it
// with what needs them. One that takes its time, such as for an etcd that does not answer,
// keeps the others from that for a while only.
func startAll(ctx context.Context, h *host.Host, log *slog.Logger) {
	begin, ended := time.Now(), make(chan struct{})
	go func() {
		defer close(ended)
		if h.StartAll(ctx) == nil {
			debug.FreeOSMemory() // what it took to read all states
		}
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	case <-time.After(startPatience):
	}
	if ctx.Err() == nil {
		states := h.Stats().States
		log.Info("ready", "dir", h.Dir(), "running", states[host.StateRunning], "starting", states[host.StateStarting],
			"failed", states[host.StateFailed], "broken", states[host.StateBroken], "took", time.Since(begin).Round(time.Millisecond))
		notify(log, systemd.SdNotifyReady)
	}
}

// closeHost stops the vTPMs. That some do not stop in time is said, and no reason to wait:
// what they acknowledged is on disk.
func closeHost(h *host.Host, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := h.Close(ctx)
	log.Info("stopped")
	return err
}

// notify tells systemd, if it waits to be told.
func notify(log *slog.Logger, state string) {
	if _, err := systemd.SdNotify(false, state); err != nil {
		log.Warn("tell systemd", "error", err)
	}
}

// openHost opens the host that the flags describe, and where its states are.
func (a *app) openHost(f *serveFlags, primes *vtpm.PrimePool, log *slog.Logger) (h *host.Host, states io.Closer, err error) {
	o := host.Options{Manufacture: newFactory(f).make, Primes: primes, Report: logEvent(log)}
	states = closers{}
	if f.store != "" {
		etcd, err := a.openEtcd(f.store)
		if err != nil {
			return nil, nil, err
		}
		o.OpenStore, o.StoreOptions, states = etcd.Open, etcd.key.options, etcd
	} else {
		key, err := a.openStateKey()
		if err != nil {
			return nil, nil, err
		}
		o.StoreOptions = key.options
	}
	if h, err = host.Open(f.dir, o); err != nil {
		return nil, nil, errors.Join(err, states.Close())
	}
	return h, states, nil
}

// listenAPI returns systemd's socket, or listens at the path. Who may do something with it
// is asked for each connection; the mode spares others the attempt.
func listenAPI(path string, others bool) (net.Listener, error) {
	if l, err := inheritedListener(); l != nil || err != nil {
		return l, err
	}
	mode := os.FileMode(0o600)
	if others {
		mode = 0o666
	}
	return listenPath(path, mode)
}

// numbers returns the numbers of users or groups that are given by name or number.
func numbers(flag string, names []string, find func(string) (string, error)) ([]uint32, error) {
	var list []uint32
	for _, name := range names {
		text := name
		if _, err := strconv.ParseUint(name, 10, 32); err != nil {
			if text, err = find(name); err != nil {
				return nil, fmt.Errorf("%s: %w", flag, err)
			}
		}
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", flag, name, err)
		}
		list = append(list, uint32(n))
	}
	return list, nil
}

func userNumber(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

func groupNumber(name string) (string, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}
