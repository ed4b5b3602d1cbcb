// Package ca issues the certificates of manufactured TPMs. It is a
// [github.com/bootseal/bootseal/manufacture.Issuer] whose keys are files: a directory of its
// own, or a key and a chain of certificates that somebody brings.
//
//	issue.go      a certificate is signed
//	create.go     a root and an issuer are made, in memory
//	directory.go  they are a directory: made whole or not at all, opened
//	parse.go      a key and a chain in PEM
//
// A directory has
//
//	root.pem        the root's certificate: what a verifier trusts
//	root-key.pem    its key; nothing reads it, so it can be taken off the machine
//	issuer.pem      the certificate of the issuer, signed by the root
//	issuer-key.pem  its key, which signs the TPMs' certificates
//
// There is no list of what was issued and no counter: serial numbers are random, so that
// two processes need not know of each other.
package ca
