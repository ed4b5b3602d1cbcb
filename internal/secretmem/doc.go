// Package secretmem keeps secrets in memory, and out of swap, core dumps and buffers
// that nobody zeroes.
package secretmem
