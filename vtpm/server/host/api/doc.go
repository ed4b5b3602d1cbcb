// Package api manages the instances of a host from other processes: HTTP with JSON bodies
// over a unix socket, for users that the kernel vouches for.
//
//	GET    /v1/instances              all instances: []host.Info
//	GET    /v1/instances/NAME         one: host.Info
//	POST   /v1/instances/NAME         make one: host.Spec -> host.Info
//	DELETE /v1/instances/NAME         remove one; ?force=true even if it runs, &keepState=true
//	POST   /v1/instances/NAME/start   -> host.Info
//	POST   /v1/instances/NAME/stop    -> host.Info
//	POST   /v1/instances/NAME/export  -> host.Archive
//	POST   /v1/instances/NAME/import  ImportRequest -> host.Info
//	GET    /v1/instances/NAME/trace   the commands that go by: a TraceLine each, until the client leaves
//
// An answer that is no success has an ErrorBody.
//
//	peer*.go   who is at the other end
//	guard.go   who is let in
//	server.go  the server
//	trace.go   the stream
//	errors.go  errors on the wire
//	client.go  the client
package api
