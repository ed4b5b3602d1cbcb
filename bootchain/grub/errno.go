package grub

// The statuses of commands (GRUB's include/grub/err.h). They are the same in 2.02
// to 2.14, and $? shows them.
const (
	ok               = 0
	errTestFailure   = 1
	errBadModule     = 2
	errBadFileType   = 4
	errFileNotFound  = 5
	errBadFilename   = 7
	errUnknownFS     = 8
	errBadNumber     = 10
	errOutOfRange    = 11
	errUnknownDevice = 12
	errBadDevice     = 13
	errInvalid       = 17
	errBadArgument   = 18
	errNoKernel      = 22
	errBadFont       = 23
	errNotYet        = 24
	errMenu          = 27
	errIO            = 29
	errAccessDenied  = 30
	errExtractor     = 31
	errTooDeep       = 48
)
