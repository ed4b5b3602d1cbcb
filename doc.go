// Package bootseal is the map of the project: one line a package.
//
// Data flows one way. What was booted becomes predicted PCR values, these become
// a policy, and the policy guards a disk's key; a quote and an event log become a
// verdict.
//
//	pcr                    PCR banks, selections, values; Extend
//	eventlog               TCG event logs: parse, replay, verify, explain, compare
//	bootchain              what each boot stage measures, and what it starts next
//	bootchain/grub         GRUB's scripts: what they run, open and boot, by outcome
//	predict                a machine and the coming files -> PCR values, with reasons
//	seal                   policies, seal, unseal, reseal, over any go-tpm transport
//	seal/pcrsig            signatures of PCR policies, as systemd-measure writes them
//	luks                   LUKS2 headers and the tokens in them, read-only
//	luks/cryptsetup        changes volumes, with the program
//	luks/recoverykey       keys that people write down
//	node/adopt             opens volumes by the tokens of clevis and systemd-cryptenroll
//	node/enroll            puts a volume's key into a TPM, and takes it out: all or nothing
//	node/offline           what of the boot files was changed while the node was off
//	node/plan              which PCRs to seal to, and which tokens a volume should have
//	node/reseal            carries plans out, crash-safe: reseal, commit, retire
//	node/state             the folder with what belongs to a node's volumes
//	node/expect            the events that were expected of boots, in a file beside them
//	node/kept              the secret that is kept for reseals, on the volume itself
//	node/unlock            opens a volume at boot, or says why not and asks for the recovery key
//	node/volumes           what a machine knows of its volumes: identities, notes
//	node/status            is a node in order, and will its next boot open the disks?
//	node/enrollment        a header's tokens as boots that open it; tokens and sealed objects
//	attest                 evidence: an attestation key and a quote
//	attest/verify          is the evidence authentic?
//	manufacture            a new TPM: endorsement keys, certificates, a cloud's layout
//	manufacture/ca         who signs these certificates: keys in files
//	vtpm                   a TPM 2.0: New, Execute, the platform's signals
//	vtpm/internal/wire     Part 2: structures and their codec, response codes
//	vtpm/internal/crypt    Part 1: KDFs, Names, tickets, secrets, wrapping, signing
//	vtpm/internal/libtpms  the permanent state of libtpms, to move in from it
//	vtpm/internal/keygen   keys from random streams; primary keys from seeds
//	vtpm/internal/engine   the TPM's state, by what resets it
//	vtpm/internal/command  Part 3: a file and a table row for each command
//	vtpm/store             where a vTPM's state rests
//	vtpm/store/etcd        a state in etcd, for many machines: owners, leases, fencing
//	vtpm/store/internal/record  what a state's records are to every store
//	vtpm/swtpmstate        swtpm's files and blobs, with their encryption
//	vtpm/server            the protocols a vTPM is reached by: swtpm, mssim, raw sockets
//	vtpm/server/host       many vTPMs in one process, each on its own
//	vtpm/server/host/api   managing them from other processes
//	vtpm/server/host/archive  an exported vTPM in a file
//	vtpm/trace             commands in words, and as packets for Wireshark, without secrets
//	vtpm/vtpmtest          a vTPM for a test
//	lab                    real machines: QEMU, OVMF, the vTPM, Debian's signed programs
//	lab/fleet              what guests sent to their TPMs, replayed by many at once
//	lab/guest/tpm          a guest's program that uses its TPM, and says what became of it
//	lab/matrix             holds predictions against boots, prints and keeps what came of them
//	lab/migrate            moves machines that run, with their vTPMs
//	lab/node               a Debian node in LUKS2, and stories of it, each with real boots
//	lab/predict            boots them, predicts each next boot, and compares
//	internal/atomicfile    files that are there whole and on disk, or not at all
//	internal/bounded       reads files that others may have made too large
//	internal/boots         recordings of real boots, embedded
//	internal/boots/gen     makes the recordings' manifests from the booted files
//	internal/demo          the story that `bootseal demo` tells
//	internal/etcdtest      a real etcd for a test
//	internal/gztest        samples of tests that are kept packed
//	internal/hosttpm       the host TPM keeps the key to vTPM states, and counts them
//	internal/disk          the file systems of a disk image
//	internal/folder        an open folder of a file system, listed in pages
//	internal/ext4          ext2, ext3 and ext4, read-only
//	internal/fat           FAT12, FAT16 and FAT32, read-only
//	internal/efivars       UEFI variables and signature lists
//	internal/gpt           GUID partition tables, and what is measured of them
//	internal/killtest      processes that are killed, for tests of what survives
//	internal/lukstest      LUKS2 headers for tests, without cryptsetup
//	internal/picture       a boot as a picture (SVG)
//	internal/reboot        brings a TPM to the PCR values of a logged boot
//	internal/utf16le       text as UEFI has it
//	internal/pe            PE files: Authenticode digests, signers, sections
//	internal/secretmem     secrets in memory: locked, never dumped, zeroed
//	internal/version       which bootseal a program is
//	conformance            suites that others wrote, run against the vTPM
//	conformance/bench      the vTPM beside swtpm, measured over a socket
//	cmd/bootseal-unlock    `bootseal unlock` as a small program, for initial ramdisks
//	cmd/internal/tpmlink   a TPM's device file or socket
//	cmd/bootseal           the command line: one file a verb
package bootseal
