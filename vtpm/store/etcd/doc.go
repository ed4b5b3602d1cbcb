// Package etcd keeps the states of vTPMs in etcd, so that a vTPM can be started on
// another machine when its own has died, and never runs on two.
//
//	client.go  the connection: endpoints, TLS, who we are; names of keys
//	owner.go   who has a state: a key under a lease, and when it is lost
//	store.go   a state, as a vtpm.Store
//	seal.go    what is in etcd: encryption, order
//	commit.go  one transaction for each Commit, and what became of it
//	counter.go a store.Counter in etcd, for states that rest elsewhere
//
// # Keys in etcd
//
// Below PREFIX/NAME/ a state has
//
//	owner         who has it: there as long as the owner keeps its lease alive
//	head          the manifest: the generation and its key, how many frames there are
//	g/GEN/s/N     the records when the generation was made, in chunks
//	g/GEN/f/N     a frame: what one Commit changed
//
// A Commit is one transaction that puts a frame and a new head, if the owner key is the
// one that this process created and the head the one that it saw last. Who lost its
// lease can therefore not write any more, however late its request arrives, and no
// request counts twice. When there are many frames, a transaction begins a new
// generation and deletes the old one.
//
// All but the owner key is encrypted and authenticated, bound to the state's name and to
// its place in the order. What an etcd can do that nobody should trust: destroy a state;
// show an owner an older head with all that belongs to it, when the state is opened; let
// two owners believe that they are alone.
package etcd
