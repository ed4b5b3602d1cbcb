// Package reseal carries out what package plan decides about a volume's tokens, so that
// the volume opens at every moment, whatever happens in between.
//
// The order is always the same. Sealing and deciding come first and change nothing. Then
// a backup of the header and a journal are brought to disk. Then tokens are added, read
// back and compared; then tokens are dropped, each only while it is the one that was meant;
// then what is expected of each is written; then the journal is closed. Each change of
// the header is one run of cryptsetup, which writes one copy of it after the other.
//
// A run that is cut off needs nothing to be undone: the tokens that were added are good,
// and those that were to be dropped are still there. The next run plans from what is on
// the disk. The journal tells it what the header does not: that keyslots are being
// exchanged, and where the header was, should both copies be damaged.
//
// Files in the state folder of the volume, all for root alone:
//
//	journal.json   what is being done, while it is
//	header.img     the header and keyslots as they were before, while the journal is there
//	pending.json   tokens that were added for boots which have not been booted yet
//	retired.json   boots that are not to open the volume any more
package reseal
