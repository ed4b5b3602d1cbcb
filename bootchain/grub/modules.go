package grub

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"strings"
)

// has reports whether a module is built in or loaded.
func (r *run) has(module string) bool { return r.image.Modules == nil || r.modules[module] }

// initModules does what built-in modules do when GRUB starts. Its prefix is not
// set yet then, so that nothing is loaded.
func (r *run) initModules() error {
	for _, m := range []string{"normal", "gettext"} {
		if r.has(m) {
			if err := r.initModule(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// initModule does what a module does when it is loaded, as far as it matters.
func (r *run) initModule(name string) error {
	switch name {
	case "normal":
		if _, prefixed := r.lookup("prefix"); prefixed {
			if _, err := r.loadModule("gzio"); err != nil {
				return err
			}
		}
		for _, f := range r.image.Dialect.Features {
			r.global("feature_"+f, "y")
		}
		cpu, platform, _ := strings.Cut(r.image.target(), "-")
		r.global("grub_cpu", cpu)
		r.global("grub_platform", platform)
		for _, v := range []string{"pager", "color_normal", "color_highlight"} {
			r.global(v, r.get(v))
		}
	case "gettext":
		return r.initGettext()
	}
	return nil
}

// loadModule loads a module with those that it depends on, unless it is there
// already. A failure is printed.
func (r *run) loadModule(name string) (bool, error) {
	if r.has(name) {
		return true, nil
	}
	prefix, set := r.lookup("prefix")
	if !set {
		r.fail(errFileNotFound, "variable `prefix' isn't set")
		return false, nil
	}
	return r.loadModuleFile(prefix+"/"+r.image.target()+"/"+name+".mod", name)
}

func (r *run) loadModuleFile(path, name string) (bool, error) {
	if r.image.SecureBoot && r.image.Dialect.NoModules {
		if !r.image.Dialect.RedHat {
			r.fail(errAccessDenied, "Secure Boot forbids loading module from %s", path)
		}
		return false, nil
	}
	o, status, err := r.open(path, Module, false)
	if err != nil || status != ok {
		return false, err
	}
	if r.image.Dialect.TPM202 {
		r.measureFile(o, Module)
	}
	r.modules[name] = true // so that a circle of modules ends
	needs, err := r.dependencies(o, name)
	if err != nil {
		return false, err
	}
	for _, m := range needs {
		if loaded, err := r.loadModule(m); err != nil || !loaded {
			delete(r.modules, name)
			return false, err
		}
		r.refs[m]++
	}
	r.needs[name] = needs
	return true, r.initModule(name)
}

// dependencies returns the modules that a module needs, in the order in which
// GRUB loads them: from the file's section .moddeps, or from moddep.lst beside
// it, which the sections are made of.
func (r *run) dependencies(o opened, name string) ([]string, error) {
	b, err := r.read(o)
	if err == nil {
		needs, err := moduleNeeds(b)
		if err != nil {
			r.doubt(fmt.Sprintf("%s: %v", o.file, err), 9)
		}
		return needs, nil
	}
	if errors.Is(err, errStop) {
		return nil, err
	}
	dir := o.file.Path[:strings.LastIndexByte(o.file.Path, '/')+1]
	if b, err = r.read(opened{file: File{o.file.Device, dir + "moddep.lst"}}); err == nil {
		for line := range strings.Lines(string(b)) {
			if m, needs, found := strings.Cut(line, ":"); found && m == name {
				return strings.Fields(needs), nil
			}
		}
	} else if errors.Is(err, errStop) {
		return nil, err
	}
	r.doubt(fmt.Sprintf("it is not known which modules %s needs", o.file), 9)
	return nil, nil
}

// moduleNeeds reads the names in a module's section .moddeps.
func moduleNeeds(b []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("read the module: %w", err)
	}
	s := f.Section(".moddeps")
	if s == nil {
		return nil, nil
	}
	data, err := s.Data()
	if err != nil {
		return nil, fmt.Errorf("read the module: %w", err)
	}
	return strings.FieldsFunc(string(data), func(c rune) bool { return c == 0 }), nil
}

// readLists opens the lists of what can be loaded on demand (GRUB's read_lists).
func (r *run) readLists(prefix string) error {
	dir := prefix + "/" + r.image.target() + "/"
	for _, name := range []string{"command.lst", "fs.lst", "crypto.lst", "terminal.lst"} {
		o, status, err := r.open(dir+name, ModuleList, true)
		if err != nil {
			return err
		}
		if status != ok {
			continue
		}
		b, err := r.read(o)
		switch {
		case errors.Is(err, errStop):
			return err
		case err != nil:
			r.unread[name] = o.file.String() // which matters only if something is looked up in it
			continue
		}
		delete(r.unread, name)
		r.readList(name, string(b))
	}
	return r.openCatalog(r.get("lang"), r.get("locale_dir"), prefix)
}

// loadFileSystems loads the modules of fs.lst, the last one first. GRUB does so
// when it meets a device with a file system that it does not know, as each whole
// disk with partitions is, and when it has searched in vain.
func (r *run) loadFileSystems() error {
	if list := r.unread["fs.lst"]; list != "" && !(r.image.SecureBoot && r.image.Dialect.NoModules) {
		r.doubt(fmt.Sprintf("GRUB loads modules for file systems, but the text of %s is not known", list), 9)
	}
	for i := len(r.fsModules) - 1; i >= 0; i-- {
		if _, err := r.loadModule(r.fsModules[i]); err != nil {
			return err
		}
	}
	r.fsModules = nil
	return nil
}

func (r *run) readList(name, text string) {
	pairs := make(map[string]string)
	if name == "fs.lst" {
		r.fsModules = nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name == "fs.lst" && len(line) > 1 {
			r.fsModules = append(r.fsModules, line)
		}
		if k, module, found := strings.Cut(strings.TrimPrefix(line, "*"), ":"); found {
			pairs[k] = strings.TrimSpace(module)
		}
	}
	switch name {
	case "command.lst":
		r.autoload = pairs
	case "terminal.lst":
		r.terminals = make(map[string]string)
		for k, module := range pairs {
			if k != "" && (k[0] == 'i' || k[0] == 'o') {
				r.terminals[k] = module
			}
		}
	}
}

// initGettext makes the variables that name a catalog of messages open it.
func (r *run) initGettext() error {
	r.hooks["lang"] = func(r *run, v string) (string, error) {
		return v, r.openCatalog(v, r.get("locale_dir"), r.get("prefix"))
	}
	r.hooks["locale_dir"] = func(r *run, v string) (string, error) {
		return v, r.openCatalog(r.get("lang"), v, r.get("prefix"))
	}
	for _, v := range []string{"lang", "locale_dir", "secondary_locale_dir"} {
		r.global(v, r.get(v))
	}
	return r.openCatalog(r.get("lang"), r.get("locale_dir"), r.get("prefix"))
}

// openCatalog opens the catalog of messages for a language, if there is one.
func (r *run) openCatalog(lang, dir, prefix string) error {
	if !r.has("gettext") || r.hooks["lang"] == nil {
		return nil
	}
	r.catalog, r.messages = "", nil
	if dir == "" && prefix != "" {
		dir = prefix + "/locale"
	}
	if lang == "" || dir == "" {
		return nil
	}
	short, _, regional := strings.Cut(lang, "_")
	for _, l := range []string{lang, short} {
		for _, ending := range []string{".mo", ".mo.gz", ".gmo"} {
			o, status, err := r.open(dir+"/"+l+ending, Locale, true)
			if err != nil {
				return err
			}
			if status != ok {
				continue
			}
			b, err := r.read(o)
			if errors.Is(err, errStop) {
				return err
			}
			r.catalog = o.name
			if err == nil {
				if r.messages, err = parseCatalog(b); err != nil {
					r.catalog = "" // GRUB prints an error, and tries no other
				}
			}
			return nil
		}
		if !regional {
			return nil
		}
	}
	return nil
}
