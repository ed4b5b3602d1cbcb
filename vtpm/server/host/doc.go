// Package host runs any number of vTPMs in one process, each with its own sockets,
// state, keys and goroutines. What goes wrong with one ends that one.
//
//	host.go       the host: its directory, its instances
//	create.go     an instance comes, whole or not at all, and goes
//	instance.go   an instance is started and stopped
//	sockets.go    where clients reach it
//	config.go     what is kept of it beside its state
//	directory.go  the files of it all, and who may own them
//	archive.go    a stopped or running instance as one value, to carry away
//	tap.go        the commands that go by, for who watches
//	stats.go      counters
//	event.go      what happens, for a log
//
// The directory has a subdirectory for each instance:
//
//	NAME/instance.json  its configuration
//	NAME/state/         its TPM's state, as package store keeps it
//	NAME/sock           TPM commands, as on swtpm's data channel
//	NAME/sock.ctrl      swtpm's control channel: what QEMU connects to
//
// What memory safety cannot contain ends the process, and with it all instances: memory
// that is used up, or a fatal error of Go's runtime. They are started again with the next
// process, and find what they acknowledged.
package host
