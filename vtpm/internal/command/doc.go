// Package command is Part 3 of the TPM 2.0 Library Specification: one file a
// command, and one table (table.go) that says everything else about each.
//
// A body has a fixed order: input validation, update of internal data, output.
// Nothing changes before the last validation, so that a command that fails has
// done nothing. What it returns is a wire.RC; the position of a wrong handle or
// parameter is added with RC.Handle and RC.Param, counted from 1.
//
// A body's parameters are a struct of wire values in Part 3's order: first the
// handles, whose types have a method Handle, then the parameters. The tag
// `tpm:"+"` marks the "+" form of Part 3's tables, in which TPM_ALG_NULL or
// TPM_RH_NULL is allowed, `tpm:"parameter"` a handle that Part 3 has among the
// parameters. The handle area and the parameters are decoded and encoded from the
// struct (call.go), never by the body.
package command
