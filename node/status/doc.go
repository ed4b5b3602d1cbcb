// Package status tells whether a node is in order, and whether its disks will open
// at the next boot.
//
//	Gather     the facts of a machine, read below a root folder
//	ReadTPM    what its TPM says
//	Facts      all of that, plain data
//	Judge      facts to a Report: a line each with a verdict and the remedy
//	Foresee    each way that the next boot may take, and what opens each volume there
//
// Nothing is changed. The effects are in Gather and ReadTPM, the decisions are
// pure functions.
package status
