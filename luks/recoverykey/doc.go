// Package recoverykey makes the keys that people write down: 256 random bits in the
// form of systemd-cryptenroll, which systemd-cryptsetup accepts with or without
// dashes and in any case.
package recoverykey
