package server

// Linger and LingerTime are for tests.
var (
	Linger     = linger
	LingerTime = lingerTime
)
