package server

// ServeRawFor is ServeRaw with the patience of the test.
var ServeRawFor = serveRaw
