package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// fork makes a node in a new folder that begins as the saved one, and leaves that as it is.
func fork(ctx context.Context, saved, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := overlay(ctx, filepath.Join(saved, diskFile), "qcow2", dir); err != nil {
		return err
	}
	for _, name := range []string{varsFile, memoryFile} {
		if err := copyFile(filepath.Join(saved, name), filepath.Join(dir, name)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	tpm := filepath.Join(saved, tpmFolder)
	if _, err := os.Stat(tpm); os.IsNotExist(err) {
		return nil
	}
	return os.CopyFS(filepath.Join(dir, tpmFolder), os.DirFS(tpm))
}

// overlay makes the folder's disk one that begins as the other.
func overlay(ctx context.Context, disk, format, dir string) error {
	_, err := run(ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-F", format, "-b", disk, filepath.Join(dir, diskFile))
	return err
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// freeze stops the node where it is, with all that is in its memory, and switches it off. The
// next start goes on from there, as after a migration.
func (n *node) freeze(ctx context.Context) error {
	if n.running == nil {
		return errors.New("freeze: the node is off")
	}
	q := n.monitor
	if err := q.Do("stop", nil, nil); err != nil {
		return err
	}
	memory := filepath.Join(n.dir, memoryFile)
	if err := q.Do("migrate-set-parameters", map[string]any{"max-bandwidth": int64(4) << 30}, nil); err != nil {
		return err
	}
	if err := q.Migrate(ctx, "exec:cat >"+memory); err != nil {
		return err
	}
	if err := q.Do("quit", nil, nil); err != nil {
		return err
	}
	<-n.ended
	err := n.err
	n.running = nil
	return errors.Join(err, os.Remove(filepath.Join(n.dir, secondFile)))
}

// thaw gives a node that has just started the memory that it was frozen with.
func (n *node) thaw() error {
	if !n.frozen() {
		return nil
	}
	memory := filepath.Join(n.dir, memoryFile)
	if err := n.monitor.Do("migrate-incoming", map[string]string{"uri": "exec:cat " + memory}, nil); err != nil {
		return err
	}
	if err := n.monitor.Migrated(context.Background()); err != nil {
		return err
	}
	n.agent.mu.Lock()
	n.agent.boots = 1 // it was up
	n.agent.mu.Unlock()
	if err := n.monitor.Do("cont", nil, nil); err != nil {
		return err
	}
	return os.Remove(memory)
}
