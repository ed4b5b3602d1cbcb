package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"

	"github.com/bootseal/bootseal/vtpm/server/host"
)

// Client manages the instances of a host in another process. Its errors are those of
// package host, as errors.Is says, and ErrForbidden.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient returns a client of the daemon at the socket, which is connected to when it is
// asked for something.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &Client{socket, &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// List returns all instances, by name.
func (c *Client) List(ctx context.Context) (list []host.Info, err error) {
	return list, c.call(ctx, http.MethodGet, "", nil, &list)
}

// Show returns one instance.
func (c *Client) Show(ctx context.Context, name string) (info host.Info, err error) {
	return info, c.call(ctx, http.MethodGet, instancePath(name), nil, &info)
}

// Create makes an instance.
func (c *Client) Create(ctx context.Context, name string, spec host.Spec) (info host.Info, err error) {
	return info, c.call(ctx, http.MethodPost, instancePath(name), spec, &info)
}

// Start starts an instance.
func (c *Client) Start(ctx context.Context, name string) (info host.Info, err error) {
	return info, c.call(ctx, http.MethodPost, instancePath(name)+"/start", nil, &info)
}

// Stop stops an instance.
func (c *Client) Stop(ctx context.Context, name string) (info host.Info, err error) {
	return info, c.call(ctx, http.MethodPost, instancePath(name)+"/stop", nil, &info)
}

// Remove removes an instance.
func (c *Client) Remove(ctx context.Context, name string, how host.Removal) error {
	query := url.Values{"force": {strconv.FormatBool(how.Force)}, "keepState": {strconv.FormatBool(how.KeepState)}}
	return c.call(ctx, http.MethodDelete, instancePath(name)+"?"+query.Encode(), nil, nil)
}

// Export returns an instance as an archive.
func (c *Client) Export(ctx context.Context, name string) (*host.Archive, error) {
	a := new(host.Archive)
	return a, c.call(ctx, http.MethodPost, instancePath(name)+"/export", nil, a)
}

// Import makes an instance of an archive.
func (c *Client) Import(ctx context.Context, name string, a *host.Archive, spec host.Spec) (info host.Info, err error) {
	return info, c.call(ctx, http.MethodPost, instancePath(name)+"/import", ImportRequest{a, spec}, &info)
}

// Trace calls see with each command of the instance that goes by, until it returns an
// error or ctx is done, which are returned, or the instance or the daemon is gone. ready,
// which may be nil, is called when no further command can be missed.
func (c *Client) Trace(ctx context.Context, name string, ready func(), see func(TraceLine) error) error {
	response, err := c.do(ctx, http.MethodGet, instancePath(name)+"/trace", nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if ready != nil {
		ready()
	}
	for d := json.NewDecoder(response.Body); ; {
		var line TraceLine
		err := d.Decode(&line)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the trace of %s: %w", name, err)
		}
		if err := see(line); err != nil {
			return err
		}
	}
}

// instancePath is relative to /v1/instances.
func instancePath(name string) string { return "/" + url.PathEscape(name) }

// call sends v as JSON, unless it is nil, and reads the answer into out.
func (c *Client) call(ctx context.Context, method, path string, v, out any) error {
	var body []byte
	if v != nil {
		var err error
		if body, err = json.Marshal(v); err != nil {
			return err
		}
		defer clear(body)
	}
	response, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 2*maxArchive)).Decode(out); err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	return nil
}

// do sends a request and returns a response of success.
func (c *Client) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://bootseal/v1/instances"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.explain(err)
	}
	if response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close()
	var e ErrorBody
	data, err := io.ReadAll(io.LimitReader(response.Body, maxSpec))
	if err == nil {
		err = json.Unmarshal(data, &e)
	}
	if err != nil || e.Message == "" {
		return nil, fmt.Errorf("the daemon at %s answers %s", c.socket, response.Status)
	}
	return nil, errorOf(e)
}

// explain returns what to do about a daemon that cannot be asked.
func (c *Client) explain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no daemon serves at %s; start one with: bootseal vtpm serve (%w)", c.socket, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: you may not connect to %s; its daemon's --allow-user and --allow-group say who may (%w)", ErrForbidden, c.socket, err)
	}
	return fmt.Errorf("ask the daemon at %s: %w", c.socket, err)
}
