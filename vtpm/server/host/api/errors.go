package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/bootseal/bootseal/vtpm/server/host"
)

// Codes of errors on the wire that are none of package host.
const (
	codeInternal  = "internal"
	codeForbidden = "forbidden"
	codeRequest   = "request"
)

// ErrForbidden is for a user who may not manage the host's instances.
var ErrForbidden = errors.New("the daemon refused")

// errRequest is for a request that is none of the interface.
var errRequest = errors.New("the request is wrong")

// kinds are the errors that arrive at the client as what they are.
var kinds = []struct {
	code   string
	status int
	err    error
}{
	{"name", http.StatusBadRequest, host.ErrName},
	{"spec", http.StatusUnprocessableEntity, host.ErrSpec},
	{"not-found", http.StatusNotFound, host.ErrNotFound},
	{"exists", http.StatusConflict, host.ErrExists},
	{"state", http.StatusConflict, host.ErrState},
	{"busy", http.StatusServiceUnavailable, host.ErrBusy},
	{"closed", http.StatusServiceUnavailable, host.ErrClosed},
	{codeRequest, http.StatusBadRequest, errRequest},
	{codeForbidden, http.StatusForbidden, ErrForbidden},
}

// ErrorBody is the body of an answer that is no success.
type ErrorBody struct {
	Code    string `json:"code"`  // for programs
	Message string `json:"error"` // for people
}

// kindOf returns the code and status of an error.
func kindOf(err error) (code string, status int) {
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.code, k.status
		}
	}
	return codeInternal, http.StatusInternalServerError
}

func errorJSON(code string, err error) []byte {
	b, err := json.Marshal(ErrorBody{code, err.Error()})
	if err != nil {
		return nil // two strings are always JSON
	}
	return append(b, '\n')
}

// remoteError is an error of the daemon. It is the error of package host that its code
// says, and reads as the daemon wrote it.
type remoteError struct {
	message string
	kind    error
}

func (e *remoteError) Error() string { return e.message }
func (e *remoteError) Unwrap() error { return e.kind }

// errorOf returns the error that a body describes.
func errorOf(b ErrorBody) error {
	e := &remoteError{message: b.Message}
	for _, k := range kinds {
		if k.code == b.Code {
			e.kind = k.err
		}
	}
	return e
}
