// Package eventlog reads the measured-boot event log that firmware and boot
// loaders write (TCG PC Client Platform Firmware Profile, PFP), and says what it
// means.
//
// The log explains PCR values and proves nothing by itself: anybody who can
// write to memory can change it. It counts as far as a TPM's PCRs agree with it,
// and of an event, only the digest does. So the package keeps apart what the log
// claims and what the digests bear out.
//
//	Parse, Read       bytes to Log; strict, bounded, never partial
//	Log.Replay        the PCR values that the log leads to
//	Verify            the log against PCR values, PCR by PCR, with reasons
//	Decode            an event's data as a struct
//	Check             does the data explain the digest?
//	Stages            which program measured each event, and which it loaded
//	Explain           all of it, in words and as JSON
//	Compare           what changed between two boots
//	New, Measure      a log to write; Bytes encodes it
//
// Crypto-agile logs (Spec ID Event03) and SHA-1 logs with and without a header
// are read. Everything is a pure function of its input; nothing reads a TPM.
package eventlog
