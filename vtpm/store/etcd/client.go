package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/logutil"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Config says which etcd it is, and who we are to it.
type Config struct {
	Endpoints []string // HOST:PORT each
	// Prefix is what the names of all keys begin with, without a slash at the end.
	Prefix string
	// TLS is nil for a connection without.
	TLS                *tls.Config
	Username, Password string

	// TTL is how long an owner that is not heard of keeps a state; 0 is DefaultTTL.
	TTL time.Duration
	// Wait is how long Open waits for another owner to leave or be lost.
	Wait time.Duration
}

// Limits of Config.TTL. An etcd that elects a leader needs a second or two.
const (
	DefaultTTL = 15 * time.Second
	minTTL     = 2 * time.Second
	maxTTL     = time.Hour
)

// DefaultPrefix is the prefix of a URL without a path.
const DefaultPrefix = "bootseal/vtpm"

// ParseURL parses etcd://HOST:PORT[,HOST:PORT...][/PREFIX][?OPTION=VALUE&...] and reads
// the files that its options name:
//
//	cacert=FILE         certificates of the CA that etcd's certificate is from
//	cert=FILE key=FILE  our certificate and its key
//	tls=true            TLS with the system's CAs
//	user=NAME passwordfile=FILE
//	ttl=15s wait=0s     Config.TTL and Config.Wait
//
// Each of the first three makes it TLS. A password in the URL is refused: URLs stand in
// the arguments of processes.
func ParseURL(text string) (Config, error) {
	c, err := parseURL(text)
	if err != nil {
		return Config{}, fmt.Errorf("%.100s: %w", redact(text), err)
	}
	return c, nil
}

// redact leaves out what may be a password.
func redact(text string) string {
	if _, rest, ok := strings.Cut(text, "@"); ok {
		return "etcd://...@" + rest
	}
	return text
}

func parseURL(text string) (Config, error) {
	// Several hosts are no URL to net/url, so they are taken out first.
	rest, ok := strings.CutPrefix(text, "etcd://")
	if !ok {
		return Config{}, errors.New("not an etcd:// URL")
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	hosts := rest[:end]
	if strings.Contains(hosts, "@") {
		return Config{}, errors.New("a user goes into user=NAME, a password into the file of passwordfile=FILE")
	}
	u, err := url.Parse("etcd://hosts" + rest[end:])
	if err != nil {
		return Config{}, err
	}
	c := Config{Prefix: strings.Trim(u.Path, "/"), TTL: DefaultTTL}
	if c.Prefix == "" {
		c.Prefix = DefaultPrefix
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if !strings.Contains(host, ":") || strings.HasPrefix(host, ":") {
			return Config{}, fmt.Errorf("endpoint %q is not HOST:PORT", host)
		}
		c.Endpoints = append(c.Endpoints, host)
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Config{}, err
	}
	return c, c.set(values)
}

// set sets what the options say.
func (c *Config) set(values url.Values) error {
	var t tlsFiles
	var passwordFile string
	var err error
	for name, all := range values {
		value := all[0]
		switch {
		case len(all) > 1:
			return fmt.Errorf("the option %s is there twice", name)
		case name == "cacert":
			t.ca = value
		case name == "cert":
			t.cert = value
		case name == "key":
			t.key = value
		case name == "tls" && (value == "true" || value == "false"):
			t.on = value == "true"
		case name == "user":
			c.Username = value
		case name == "passwordfile":
			passwordFile = value
		case name == "ttl":
			c.TTL, err = time.ParseDuration(value)
		case name == "wait":
			c.Wait, err = time.ParseDuration(value)
		default:
			err = errors.New("no such option, or no value for it")
		}
		if err != nil {
			return fmt.Errorf("%s=%s: %w", name, value, err)
		}
	}
	if c.TTL < minTTL || c.TTL > maxTTL || c.Wait < 0 {
		return fmt.Errorf("ttl=%v, wait=%v: a TTL is from %v to %v", c.TTL, c.Wait, minTTL, maxTTL)
	}
	if (c.Username == "") != (passwordFile == "") {
		return errors.New("user and passwordfile need each other")
	}
	if passwordFile != "" {
		password, err := os.ReadFile(passwordFile)
		if err != nil {
			return fmt.Errorf("read the password: %w", err)
		}
		c.Password = strings.TrimRight(string(password), "\r\n")
	}
	c.TLS, err = t.config()
	return err
}

// tlsFiles are what a URL says of TLS.
type tlsFiles struct {
	ca, cert, key string
	on            bool
}

func (t tlsFiles) config() (*tls.Config, error) {
	if t == (tlsFiles{}) {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.ca != "" {
		pem, err := os.ReadFile(t.ca)
		if err != nil {
			return nil, fmt.Errorf("read the CA's certificates: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificates in PEM", t.ca)
		}
	}
	if (t.cert == "") != (t.key == "") {
		return nil, errors.New("cert and key need each other")
	}
	if t.cert != "" {
		pair, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return nil, fmt.Errorf("read our certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Client is a connection to etcd. It can have any number of states open.
type Client struct {
	etcd   *clientv3.Client
	config Config
}

// fatalLevel keeps etcd's client from logging: what it has to say comes back as errors.
const fatalLevel = 5

// Dial returns a client. The connection is made when it is needed, and again when it
// breaks.
func Dial(c Config) (*Client, error) {
	if len(c.Endpoints) == 0 {
		return nil, errors.New("etcd: no endpoint")
	}
	if c.TTL == 0 {
		c.TTL = DefaultTTL
	}
	logger, err := logutil.CreateDefaultZapLogger(fatalLevel)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	e, err := clientv3.New(clientv3.Config{
		Endpoints: c.Endpoints, TLS: c.TLS, Username: c.Username, Password: c.Password,
		// A connection that is dead without a word is given up before a lease is.
		DialTimeout: 5 * time.Second, DialKeepAliveTime: max(c.TTL/5, time.Second), DialKeepAliveTimeout: max(c.TTL/5, time.Second),
		MaxCallRecvMsgSize: maxAnswer, Logger: logger,
	})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd at %s: %w", strings.Join(c.Endpoints, ","), err)
	}
	return &Client{e, c}, nil
}

// maxAnswer bounds what etcd can send us at once, in bytes.
const maxAnswer = 16 << 20

// Close closes the connection. States that are open are lost.
func (c *Client) Close() error { return c.etcd.Close() }

// nameSyntax is what the name of a state can be: it does not begin with a dot, which is
// for our own keys.
var nameSyntax = regexp.MustCompile(`^[A-Za-z0-9_@][A-Za-z0-9._@+-]{0,127}$`)

// key returns the key of a part of a state.
func (c *Client) key(name string, part ...string) string {
	return c.config.Prefix + "/" + name + "/" + strings.Join(part, "/")
}

func checkName(name string) error {
	if !nameSyntax.MatchString(name) {
		return fmt.Errorf("%.130q is no name of a state: letters, digits and . _ @ + - inside", name)
	}
	return nil
}

// until calls f until it works, ctx is done, or f says that it is of no use.
func until(ctx context.Context, f func() (again bool, err error)) error {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		again, err := f()
		if err == nil || !again {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}
