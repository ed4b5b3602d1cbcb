// Package manufacture makes a TPM what a factory hands over: endorsement keys and their
// certificates, attestation keys, a storage root key, each where the TCG's profiles, swtpm
// or a cloud have them.
//
//	algorithm.go   the kinds of keys, by name
//	policy.go      the endorsement keys' policies
//	template.go    the keys' templates
//	device.go      IAK and IDevID keys
//	layout.go      which key, certificate and NV index goes where, as a list
//	manufacture.go the list is carried out
//	key.go nv.go   a key, an NV index, on the TPM
//	create.go      a TPM that is there whole, or not at all
//	identity.go    what the TPM says it is
//	request.go     what a certificate is to say; an Issuer signs it
//	tcg.go gce.go  extensions of certificates
//	result.go      what was made
//
// It decides nothing about trust: package ca is an Issuer with keys in files.
package manufacture
