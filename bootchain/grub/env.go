package grub

import (
	"maps"
	"slices"
)

// variables are those of a context, with its menu. configfile and submenus open a new one,
// which starts with the exported variables only (GRUB's normal/context.c).
type variables struct {
	vars map[string]*envVar
	menu *menu
	prev *variables
}

type envVar struct {
	value  string
	global bool // exported
}

// hook is called before a variable takes a new value, and may change it.
type hook func(r *run, value string) (string, error)

// get returns a variable's value; "" if it is not set.
func (r *run) get(name string) string {
	v, _ := r.lookup(name)
	return v
}

func (r *run) lookup(name string) (string, bool) {
	r.asked[name] = true
	if v := r.ctx.vars[name]; v != nil {
		return v.value, true
	}
	return "", false
}

// set gives a variable a value.
func (r *run) set(name, value string) error {
	if h := r.hooks[name]; h != nil {
		var err error
		if value, err = h(r, value); err != nil {
			return err
		}
	}
	r.store(name, value)
	return nil
}

// store sets a variable that has no hook.
func (r *run) store(name, value string) {
	if v := r.ctx.vars[name]; v != nil {
		v.value = value
		return
	}
	r.ctx.vars[name] = &envVar{value: value}
}

func (r *run) unset(name string) error {
	if r.hooks[name] != nil {
		return r.set(name, "")
	}
	delete(r.ctx.vars, name)
	return nil
}

// restore gives a variable back the value that lookup returned.
func (r *run) restore(name, value string, was bool) error {
	if was {
		return r.set(name, value)
	}
	return r.unset(name)
}

func (r *run) export(name string) {
	if r.ctx.vars[name] == nil {
		r.store(name, "")
	}
	r.ctx.vars[name].global = true
}

// global sets a variable and exports it.
func (r *run) global(name, value string) {
	r.store(name, value)
	r.export(name)
}

// openContext starts a context; all copies every variable, not only the exported.
func (r *run) openContext(all bool) {
	c := &variables{vars: make(map[string]*envVar), prev: r.ctx}
	for _, name := range slices.Sorted(maps.Keys(r.ctx.vars)) {
		if v := r.ctx.vars[name]; v.global || all {
			c.vars[name] = &envVar{value: v.value, global: true}
		}
	}
	r.ctx = c
}

func (r *run) closeContext() {
	if r.ctx.prev != nil {
		r.ctx = r.ctx.prev
	}
}
