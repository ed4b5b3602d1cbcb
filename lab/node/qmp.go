package main

import (
	"encoding/json"
	"fmt"
	"net"
)

// qmp is QEMU's monitor (QEMU, "QMP protocol specification").
type qmp struct {
	conn net.Conn
	in   *json.Decoder
}

func acceptQMP(l net.Listener) (*qmp, error) {
	conn, err := l.Accept()
	if err != nil {
		return nil, err
	}
	q := &qmp{conn, json.NewDecoder(conn)}
	var greeting json.RawMessage
	if err := q.in.Decode(&greeting); err != nil {
		return nil, fmt.Errorf("QEMU's monitor: %w", err)
	}
	return q, q.do("qmp_capabilities", nil, nil)
}

// do runs a command, and passes over events.
func (q *qmp) do(command string, arguments, result any) error {
	if err := json.NewEncoder(q.conn).Encode(map[string]any{"execute": command, "arguments": orEmpty(arguments)}); err != nil {
		return fmt.Errorf("QEMU's monitor: %s: %w", command, err)
	}
	for {
		var m struct {
			Return json.RawMessage
			Error  *struct{ Desc string }
			Event  string
		}
		if err := q.in.Decode(&m); err != nil {
			return fmt.Errorf("QEMU's monitor: %s: %w", command, err)
		}
		switch {
		case m.Error != nil:
			return fmt.Errorf("QEMU's monitor: %s: %s", command, m.Error.Desc)
		case m.Return != nil && result != nil:
			return json.Unmarshal(m.Return, result)
		case m.Return != nil:
			return nil
		}
	}
}

func orEmpty(arguments any) any {
	if arguments == nil {
		return struct{}{}
	}
	return arguments
}
