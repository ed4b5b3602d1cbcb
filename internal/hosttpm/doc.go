// Package hosttpm uses the TPM of the machine that hosts vTPMs for their states: a key
// that only this machine gets, and a counter by which an older copy of a state is
// noticed.
//
//	key.go      the key to the states, sealed: a file
//	counter.go  an NV counter, as a store.Counter
package hosttpm
