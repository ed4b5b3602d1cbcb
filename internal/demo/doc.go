// Package demo tells the story of a measured boot, a sealed disk and a kernel
// upgrade, on recordings of a real machine and on a real vTPM.
//
// Nothing in it is hard-wired: each step does its work with the packages that the
// verbs use, and checks what it tells. A step that does not come out as told ends
// the story with an error.
package demo
