package main

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/predict"
)

// replaceFiles gives files of the volumes the contents of others: what is about to be written.
// Initial ramdisks that only the new contents join are not known then, and no boot with them.
func replaceFiles(m *machine, f *machineFlags, here bool) error {
	if len(f.files) == 0 {
		return nil
	}
	present := m.Files
	m.present = &present
	m.Files.Volumes = slices.Clone(present.Volumes)
	for i := range m.Files.Volumes {
		m.Files.Volumes[i].Files = maps.Clone(m.Files.Volumes[i].Files)
	}
	var mounts []mount
	if here {
		var err error
		if mounts, err = readMounts(runningMounts); err != nil {
			return err
		}
	}
	for _, text := range f.files {
		name, contents, ok := strings.Cut(text, "=")
		if !ok || name == "" || contents == "" {
			return fmt.Errorf("--file %s: want FILE=CONTENTS, as /boot/grub/grub.cfg=new.cfg", text)
		}
		if err := replaceFile(m, onVolume(name, mounts), contents); err != nil {
			return fmt.Errorf("--file %s: %w", text, err)
		}
	}
	return nil
}

// onVolume returns the path that a file of this machine has on its volume.
func onVolume(name string, mounts []mount) string {
	if mounts == nil {
		return path.Clean("/" + name)
	}
	_, folder := mountOf(mounts, path.Dir(path.Clean(name)))
	return path.Join("/", folder, path.Base(name))
}

func replaceFile(m *machine, name, contents string) error {
	var on []*bootchain.Volume
	for i := range m.Files.Volumes {
		if v := &m.Files.Volumes[i]; v.Files[name].Digests != nil {
			on = append(on, v)
		}
	}
	if len(on) != 1 {
		return fmt.Errorf("%d of the %d volumes that the machine boots from have the file %s", len(on), len(m.Files.Volumes), name)
	}
	f, err := openFile(contents)
	if err != nil {
		return err
	}
	defer f.Close()
	measured, err := bootchain.MeasureFile(name, f, m.Banks)
	if err != nil {
		return err
	}
	on[0].Files[name] = measured
	return nil
}

// predictNext predicts the next boot. Where files are about to be replaced, these are the ways of both:
// the likeliest with the new contents first, then the likeliest as things are.
func (m *machine) predictNext() (*predict.Prediction, error) {
	p, err := predict.Next(m.Input)
	if err != nil || m.present == nil {
		return p, err
	}
	now := m.Input
	now.Files = *m.present
	asItIs, err := predict.Next(now)
	if err != nil {
		return nil, err
	}
	p.Paths = slices.Concat(p.Paths[:1], asItIs.Paths[:1], p.Paths[1:], asItIs.Paths[1:])
	return p, nil
}
