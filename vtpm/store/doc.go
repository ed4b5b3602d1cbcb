// Package store keeps the state of vTPMs: it implements vtpm.Store.
//
//	Directory  a directory of its own on a local file system
//
// A state in memory needs no package: it is the zero value of vtpm.Options.
package store
