package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"
)

// Monitor is a connection to QEMU's monitor (QEMU, "QEMU Machine Protocol Specification").
type Monitor struct {
	conn net.Conn
	in   *json.Decoder
}

// AcceptMonitor waits for QEMU to connect, as it does with "-chardev socket,id=qmp,path=SOCKET" and
// "-mon chardev=qmp,mode=control".
func AcceptMonitor(l net.Listener) (*Monitor, error) {
	conn, err := l.Accept()
	if err != nil {
		return nil, fmt.Errorf("QEMU's monitor: %w", err)
	}
	m := &Monitor{conn, json.NewDecoder(conn)}
	var greeting json.RawMessage
	if err := m.in.Decode(&greeting); err != nil {
		return nil, errors.Join(fmt.Errorf("QEMU's monitor: %w", err), conn.Close())
	}
	if err := m.Do("qmp_capabilities", nil, nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return m, nil
}

// Close ends the connection, and leaves QEMU as it is.
func (m *Monitor) Close() error { return m.conn.Close() }

// Do runs a command with its arguments, and decodes what it returns into the result; both may be
// nil. Events that come meanwhile are passed over.
func (m *Monitor) Do(command string, arguments, result any) error {
	if arguments == nil {
		arguments = struct{}{}
	}
	if err := json.NewEncoder(m.conn).Encode(map[string]any{"execute": command, "arguments": arguments}); err != nil {
		return fmt.Errorf("QEMU's monitor: %s: %w", command, err)
	}
	for {
		var answer struct {
			Return json.RawMessage
			Error  *struct{ Desc string }
		}
		if err := m.in.Decode(&answer); err != nil {
			return fmt.Errorf("QEMU's monitor: %s: %w", command, err)
		}
		switch {
		case answer.Error != nil:
			return fmt.Errorf("QEMU's monitor: %s: %s", command, answer.Error.Desc)
		case answer.Return == nil: // an event
		case result == nil:
			return nil
		default:
			return json.Unmarshal(answer.Return, result)
		}
	}
}

// Line runs a line of the monitor for people: "savevm NAME". What that prints is an error.
func (m *Monitor) Line(line string) error {
	var said string
	if err := m.Do("human-monitor-command", map[string]string{"command-line": line}, &said); err != nil {
		return err
	}
	if said != "" {
		return fmt.Errorf("QEMU's monitor: %s: %s", line, said)
	}
	return nil
}

// Status is how the machine is: "running", "inmigrate", "postmigrate".
func (m *Monitor) Status() (string, error) {
	var r struct{ Status string }
	err := m.Do("query-status", nil, &r)
	return r.Status, err
}

// ErrMigrationFailed is how a migration ends that the target did not take in.
var ErrMigrationFailed = errors.New("the migration failed")

// Migrate moves the machine to where the URI says, "unix:PATH" or "exec:COMMAND", and returns when
// it has left; with ErrMigrationFailed it has not.
func (m *Monitor) Migrate(ctx context.Context, uri string) error {
	if err := m.Do("migrate", map[string]string{"uri": uri}, nil); err != nil {
		return err
	}
	return m.Migrated(ctx)
}

// Migrated waits until the machine has left, or has come in.
func (m *Monitor) Migrated(ctx context.Context) error {
	for {
		var r struct {
			Status      string
			Description string `json:"error-desc"`
		}
		if err := m.Do("query-migrate", nil, &r); err != nil {
			return err
		}
		switch r.Status {
		case "completed":
			return nil
		case "failed", "cancelled":
			return fmt.Errorf("%w: %s: %s", ErrMigrationFailed, r.Status, r.Description)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("a migration that is %s: %w", r.Status, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
