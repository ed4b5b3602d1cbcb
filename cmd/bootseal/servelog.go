package main

import (
	"fmt"
	"log/slog"

	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/bootseal/bootseal/vtpm/server/host/api"
)

// serveLog returns a daemon's log.
func (a *app) serveLog(format string) (*slog.Logger, error) {
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(a.err, nil)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.err, nil)), nil
	}
	return nil, fmt.Errorf("--log %s: choose text or json", format)
}

// logEvent logs what happens to vTPMs.
func logEvent(log *slog.Logger) func(host.Event) {
	return func(e host.Event) {
		switch {
		case e.Kind == host.EventFailed:
			log.Error("vTPM failed", "vtpm", e.Instance, "error", e.Err)
		case e.Err != nil:
			log.Warn("vTPM has a problem", "vtpm", e.Instance, "error", e.Err)
		default:
			log.Info("vTPM "+string(e.Kind), "vtpm", e.Instance)
		}
	}
}

// logRequest logs who managed what. To look is not worth a line, unless it was refused.
func logRequest(log *slog.Logger) func(api.Request) {
	return func(r api.Request) {
		attrs := []any{"uid", r.Peer.UID, "pid", r.Peer.PID, "method", r.Method, "path", r.Path, "status", r.Status, "took", r.Took}
		switch {
		case r.Err != nil:
			log.Warn("request refused", append(attrs, "error", r.Err)...)
		case r.Method == "GET":
			log.Debug("request", attrs...)
		default:
			log.Info("request", attrs...)
		}
	}
}
