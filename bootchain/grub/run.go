package grub

import (
	"errors"
	"fmt"
	"strings"
)

// run is one outcome while it happens.
type run struct {
	world    World
	image    *Image
	facts    map[string]Fact
	choices  *choices
	maxSteps int

	// The language.
	ctx       *variables
	hooks     map[string]hook
	funcs     map[string]*function
	scope     *scope
	script    string // of the command that runs, with its line
	line      int
	depth     int
	loops     int // that the current function is in
	breaks    int // that are still to be left
	continues bool
	returning bool
	extractor int

	// The machine.
	modules   map[string]bool
	autoload  map[string]string // command -> module, of command.lst
	unread    map[string]string // lists of modules whose text is not known
	fsModules []string          // of fs.lst
	terminals map[string]string // terminal -> module, of terminal.lst
	entries   []*bls            // boot loader entries that were read, the newest first
	catalog   string            // the message catalog that is open
	messages  map[string]string // what is in it, nil if that is not known
	refs      map[string]int    // of modules: by insmod, and by those that need them
	needs     map[string][]string
	graphics  bool   // the graphical terminal was asked for
	verb      string // the command that loads something
	nested    int    // scripts that source each other

	authenticated bool            // somebody has entered a password
	exited        int             // levels of normal mode that are to be left
	normal        int             // levels of normal mode
	blocks        map[File][]byte // environment blocks that GRUB changed
	loadedBlocks  map[File][]byte // environment blocks as load_env found them first
	asked         map[string]bool // variables that were looked up

	out    Outcome
	output strings.Builder
	steps  int
	bytes  int
}

// Run runs GRUB from its start. It returns the outcomes, the likeliest first. An
// error means that the input is unusable; that an outcome is not known is no error.
func Run(w World, image *Image, o Options) ([]Outcome, error) {
	if image.Device == "" {
		return nil, errors.New("run GRUB: the device that it was loaded from is not given")
	}
	if o.MaxOutcomes <= 0 {
		o.MaxOutcomes = 16
	}
	if o.MaxSteps <= 0 {
		o.MaxSteps = 50000
	}
	return explore(o, func(c *choices, blocks map[File][]byte) *run {
		r := newRun(w, image, o, c)
		for f, b := range blocks {
			r.blocks[f] = b
		}
		r.start()
		return r
	}), nil
}

func newRun(w World, image *Image, o Options, c *choices) *run {
	r := &run{world: w, image: image, facts: o.Facts, choices: c, maxSteps: o.MaxSteps,
		ctx: &variables{vars: make(map[string]*envVar)}, hooks: make(map[string]hook), funcs: make(map[string]*function),
		modules: make(map[string]bool), autoload: make(map[string]string), terminals: make(map[string]string),
		unread: make(map[string]string), refs: make(map[string]int), needs: make(map[string][]string), blocks: make(map[File][]byte), loadedBlocks: make(map[File][]byte), asked: make(map[string]bool)}
	r.out.Environment = make(map[File][]byte)
	return r
}

// start does what GRUB's main function does.
func (r *run) start() {
	err := r.main()
	switch {
	case err == nil:
		r.out.End = AtPrompt
	case !errors.Is(err, errStop):
		r.out.End = Lost
		r.doubt(err.Error(), 4, 8, 9)
	}
	r.out.Because, r.out.Cost = r.choices.because()
	r.out.Output = r.output.String()
}

func (r *run) main() error {
	for _, m := range r.image.Modules {
		r.modules[m] = true
	}
	r.hooks["root"] = func(_ *run, v string) (string, error) {
		if len(v) >= 2 && v[0] == '(' && v[len(v)-1] == ')' {
			return v[1 : len(v)-1], nil
		}
		return v, nil
	}
	for name, value := range r.image.Vars {
		r.global(name, value)
	}
	if r.image.SecureBoot {
		r.global("lockdown", "y")
		r.global("shim_lock", "y")
	}
	if err := r.initModules(); err != nil {
		return err
	}
	r.bootLocation()
	if err := r.rescue(r.image.Config); err != nil {
		return err
	}
	// GRUB goes on to normal mode by itself if the built-in script does not.
	if _, err := r.loadModule("normal"); err != nil {
		return err
	}
	if r.has("normal") {
		if _, err := cmdNormal(r, &call{name: "normal"}); err != nil {
			return err
		}
	}
	return nil
}

// bootLocation sets cmdpath, prefix and root (GRUB's grub_set_prefix_and_root).
func (r *run) bootLocation() {
	device, path, prefix := "", r.image.Folder, r.image.Prefix
	r.global("cmdpath", File{r.image.Device, r.image.Folder}.String())
	if i := strings.LastIndexByte(prefix, ')'); strings.HasPrefix(prefix, "(") && i > 0 {
		device, prefix = prefix[1:i], prefix[i+1:]
	}
	if prefix != "" {
		path = prefix
	} else {
		path = strings.TrimSuffix(strings.TrimRight(path, "/"), r.image.target())
	}
	if disk, _, _ := strings.Cut(r.image.Device, ","); device == "" {
		device = r.image.Device
	} else if device[0] == ',' { // the partition is given, the disk is the firmware's
		device = disk + device
	}
	r.global("prefix", File{device, path}.String())
	r.global("root", device)
}

// measureString measures a string into PCR 8.
func (r *run) measureString(k Kind, s string) error {
	if err := r.charge(len(s)); err != nil {
		return err
	}
	if r.measures() {
		r.out.Effects = append(r.out.Effects, Effect{Kind: k, Text: s, Script: r.script, Line: r.line})
	}
	return nil
}

// measures reports whether GRUB measures at all: it has the module tpm, or the
// 2.02 forks' built-in code.
func (r *run) measures() bool { return r.image.Dialect.TPM202 || r.has("tpm") }

func (r *run) doubt(reason string, pcrs ...int) {
	r.out.Doubts = append(r.out.Doubts, Doubt{From: len(r.out.Effects), PCRs: pcrs, Reason: reason})
}

// lost ends the run because what follows is not known.
func (r *run) lost(reason string, pcrs ...int) error {
	if r.script != "" {
		reason = fmt.Sprintf("%s line %d: %s", r.script, r.line, reason)
	}
	if len(pcrs) == 0 || pcrs[0] == 8 {
		pcrs = []int{4, 8, 9}
	}
	r.doubt(reason, pcrs...)
	return r.end(Lost)
}

// end ends the run.
func (r *run) end(e End) error {
	r.out.End = e
	return errStop
}
