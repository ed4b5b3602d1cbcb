package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/bootseal/bootseal/vtpm/server"
)

// TraceLine is a line of the stream: a command and its response, with all secrets in it.
type TraceLine struct {
	At        time.Time `json:"at"`
	TookNanos int64     `json:"tookNanos"`
	Locality  uint8     `json:"locality"`
	Command   []byte    `json:"command"`
	Response  []byte    `json:"response"`
	// Dropped is how many were lost before this one, because they were not taken in time.
	Dropped uint64 `json:"dropped,omitempty"`
}

// Exchange returns the line's command and response.
func (l TraceLine) Exchange() server.Exchange {
	return server.Exchange{At: l.At, Took: time.Duration(l.TookNanos), Locality: l.Locality, Command: l.Command, Response: l.Response}
}

const (
	// traceRoom is how many commands wait for a slow client: at most 8 MB of them.
	traceRoom = 1024
	// traceWrite is how long a client may take for a line.
	traceWrite = 30 * time.Second
)

// trace streams until the client leaves, the instance is removed, or the server ends.
func (o *Options) trace(w http.ResponseWriter, r *http.Request) (any, error) {
	tap, err := o.Host.Tap(r.PathValue("name"), traceRoom)
	if err != nil {
		return nil, err
	}
	defer tap.Close()
	c := http.NewResponseController(w)
	// The request was read; how long the answer takes the client says.
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	if err := c.Flush(); err != nil {
		return nil, err
	}
	enc := json.NewEncoder(w)
	var dropped uint64
	for {
		select {
		case x, open := <-tap.C:
			if !open {
				return nil, nil
			}
			lost := tap.Dropped()
			line := TraceLine{x.At, int64(x.Took), x.Locality, x.Command, x.Response, lost - dropped}
			dropped = lost
			if err := c.SetWriteDeadline(time.Now().Add(traceWrite)); err != nil {
				return nil, err
			}
			if enc.Encode(line) != nil || len(tap.C) == 0 && c.Flush() != nil {
				return nil, nil // the client left
			}
		case <-r.Context().Done():
			return nil, nil
		}
	}
}
