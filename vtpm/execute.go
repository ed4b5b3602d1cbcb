package vtpm

import (
	"bytes"
	"fmt"
	"runtime/debug"

	"github.com/bootseal/bootseal/vtpm/internal/command"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// headerSize is the size of a command's and a response's header, in bytes.
const headerSize = 10

// Execute runs one command, as it came over the interface at the locality (0 to
// 4), and returns the response. It always returns a response: what is wrong with
// the command is in its response code (Part 1, "Command and response structure").
func (t *TPM) Execute(locality uint8, cmd []byte) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	// The command is decrypted in place, and slices of it outlive the call.
	t.x = execution{t: t.e, cmd: bytes.Clone(cmd), locality: locality}
	defer func() { t.x = execution{} }()
	return t.x.execute()
}

// execution is one command on its way through the pipeline.
type execution struct {
	t        *engine.TPM
	cmd      []byte
	locality uint8

	tag  wire.ST
	row  *command.Row
	call *command.Call
	c    *engine.Command

	decrypt, encrypt int // sessions with these attributes, -1 for none
	audit            int

	// Memory of what every command has.
	command    engine.Command
	reader     wire.Reader
	parameters wire.Reader
	handleMem  [maxHandles]wire.Handle
	nameMem    [maxHandles][]byte
	sessionMem [engine.MaxSessions]engine.SessionUse
}

// maxHandles is how many handles a command has at most.
const maxHandles = 3

// execute runs the command and makes what it changed durable before it returns
// the response. A panic is a bug: the TPM fails closed, and keeps its state.
func (x *execution) execute() (response []byte) {
	defer func() {
		if p := recover(); p != nil {
			x.t.Fail(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
			response = errorResponse(wire.RCFailure)
		}
	}()
	response, err := x.run()
	// A failed command may have counted a failed authorization.
	if commitErr := x.t.EndCommand(); commitErr != nil {
		err = commitErr
	}
	if err != nil {
		return errorResponse(err.(wire.RC))
	}
	return response
}

// run is the order of Part 3, "Command processing".
func (x *execution) run() ([]byte, error) {
	r := &x.reader
	r.Reset(x.cmd, x.t.Limits())
	if err := x.header(r); err != nil {
		return nil, err
	}
	if x.t.Failure() != nil {
		return x.runInFailureMode()
	}
	if err := x.admit(); err != nil {
		return nil, err
	}
	x.c = &x.command
	x.c.Code, x.c.Locality, x.c.Sessions = x.row.Code, x.locality, x.sessionMem[:0]
	x.t.BeginCommand(x.c)
	x.call = x.row.NewCall()
	if err := x.handles(r); err != nil {
		return nil, err
	}
	if err := x.authorize(r); err != nil {
		return nil, err
	}
	x.parameters.Reset(x.c.Parameters, x.t.Limits())
	if err := x.call.ReadParameters(&x.parameters); err != nil {
		return nil, err
	}
	if err := x.call.Run(x.t); err != nil {
		return nil, err
	}
	return x.respond(), nil
}

// header reads the command header and finds the command's row.
func (x *execution) header(r *wire.Reader) error {
	x.tag = wire.ST(r.U16())
	if !r.OK() {
		return wire.RCInsufficient
	}
	if x.tag != wire.STNoSessions && x.tag != wire.STSessions {
		return wire.RCBadTag
	}
	size := r.U32()
	if !r.OK() {
		return wire.RCInsufficient
	}
	if int64(size) != int64(len(x.cmd)) || len(x.cmd) > x.t.Profile.MaxCommand {
		return wire.RCCommandSize
	}
	code := wire.CC(r.U32())
	if !r.OK() {
		return wire.RCInsufficient
	}
	x.row = command.Lookup(code)
	if x.row == nil || !x.t.Commands.Implemented(code) {
		return wire.RCCommandCode
	}
	return nil
}

// admit says whether the command can run in the TPM's mode. Whether a TPM that is
// not started is in read-only mode is for TPM2_Startup to say.
func (x *execution) admit() error {
	if x.t.Started() == (x.row.Code == wire.CCStartup) {
		return wire.RCInitialize
	}
	if x.t.Hierarchies.ReadOnly && x.row.ReadOnlyRefused() {
		return wire.RCReadOnly
	}
	return nil
}

// handles reads the handle area and checks that what it names is here.
func (x *execution) handles(r *wire.Reader) error {
	handles, err := x.call.ReadHandles(r, x.handleMem[:0])
	if err != nil {
		return err
	}
	names := x.nameMem[:len(handles)]
	for i, h := range handles {
		if err := x.t.Exists(h, x.row.Code); err != nil {
			rc := err.(wire.RC)
			if rc == wire.RCReferenceH0 {
				return rc + wire.RC(i)
			}
			return rc.Handle(i + 1)
		}
		names[i] = x.t.Name(h) // which a change of the entity replaces
	}
	x.c.Handles = handles
	x.c.SetNames(names)
	return x.areas(r)
}

// areas splits what follows the handles into sessions and parameters.
func (x *execution) areas(r *wire.Reader) error {
	if x.tag == wire.STSessions {
		size := r.U32()
		if !r.OK() {
			return wire.RCInsufficient
		}
		// The smallest session is a handle, an empty nonce, attributes and an
		// empty HMAC: nine bytes.
		if size < 9 || int64(size) > int64(r.Len()) {
			return wire.RCSize
		}
		x.c.Parameters = r.Rest()[size:]
		return nil
	}
	x.c.Parameters = r.Rest()
	return nil
}
