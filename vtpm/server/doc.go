// Package server makes a vTPM reachable over sockets.
//
//	mssim.go     the protocol of the TCG's TPM simulator: commands and platform signals
//	raw.go       bare commands and responses, as on swtpm's data channel
//	swtpm*.go    swtpm's control channel, and the data channel beside it
//	exchange.go  a command and its response, for who observes them
//	conns.go     what all protocols share: connections, their end, their limits
//	nvswitch.go  a store that the platform can take away
//
// Whoever reaches a socket can use the TPM, and over the simulator's protocol
// reset or stop it. None of the protocols knows a client: listen on loopback, or on a
// unix socket with a mode.
package server
