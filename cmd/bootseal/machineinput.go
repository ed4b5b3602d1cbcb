package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/disk"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/internal/gpt"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
	"github.com/spf13/cobra"
)

// runningVariables is where Linux shows the variables of the firmware.
const runningVariables = "/sys/firmware/efi/efivars"

// machineFlags say what is known of a machine. A verb that predicts has them.
type machineFlags struct {
	log, efivars, pcrs, gpt, bank string
	esp, booted                   []string
	db, dbx, mok, files           []string
	sbatPolicy, bootNext          string
	only                          []pcr.Bank // the banks to predict without --bank, none for those of the log
	values                        pcr.Values // of the running boot, where they were read already
}

const machineHelp = `
Without flags, about this machine: its log (root can read it), the volumes mounted at /boot/efi,
/efi and /boot, its variables, its TPM. With --esp, about another: only what flags name is read.`

func (f *machineFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.log, "log", "", "event log of the running boot, the baseline; - for standard input, none for no log\n(default "+runningLog+")")
	flags.StringArrayVar(&f.esp, "esp", nil, "what the next boot reads: a folder, a disk image, or a manifest of \"bootseal measure\";\nrepeat for more volumes, the EFI system partition first")
	flags.StringArrayVar(&f.booted, "booted", nil, "the same as it was at the running boot: the models are held against the log with it")
	flags.StringVar(&f.efivars, "efivars", "", "UEFI variables: a folder in the form of efivarfs, or a dump in JSON\n(default "+runningVariables+")")
	flags.StringVar(&f.pcrs, "pcrs", "", "PCR values of the running boot, lines \"ALG INDEX HEX\" (default: ask the TPM)")
	flags.StringVar(&f.gpt, "gpt", "", "first sectors of the boot disk, with its partition table (default: as in the log, or --esp)")
	flags.StringVar(&f.bank, "bank", "", "only this bank: sha1, sha256, sha384 or sha512 (default: those of the log)")
	flags.StringArrayVar(&f.files, "file", nil, "what if the file had the contents of another? As /boot/grub/grub.cfg=new.cfg; with --esp, its path\non the volume")
	flags.StringArrayVar(&f.db, "db", nil, "what if this list is appended to db? (a signature list, or an update)")
	flags.StringArrayVar(&f.dbx, "dbx", nil, "what if this list is appended to dbx?")
	flags.StringArrayVar(&f.mok, "mok", nil, "what if this certificate (DER) is enrolled in shim?")
	flags.StringVar(&f.sbatPolicy, "sbat-policy", "", "what if shim's SbatPolicy is latest, automatic or delete?")
	flags.StringVar(&f.bootNext, "boot-next", "", "what if BootNext is this load option, as Boot0003?")
	completeWords(cmd, "bank", "sha1", "sha256", "sha384", "sha512")
	completeWords(cmd, "sbat-policy", "latest", "automatic", "delete")
}

// machine is what was read, and what there is to say about it.
type machine struct {
	predict.Input
	present *bootchain.Manifest // the files as they are, where the input has others (--file); else nil
	notes   []string
}

func (m *machine) note(format string, args ...any) {
	m.notes = append(m.notes, fmt.Sprintf(format, args...))
}

// readMachine reads what the flags name.
func (a *app) readMachine(f *machineFlags) (*machine, error) {
	m := new(machine)
	here := len(f.esp) == 0
	m.Banks = f.only
	if f.bank != "" {
		b, err := pcr.ParseBank(f.bank)
		if err != nil {
			return nil, fmt.Errorf("--bank: %w", err)
		}
		m.Banks = []pcr.Bank{b}
	}
	for _, read := range []func(*machine, *machineFlags, bool) error{a.readBaseline, a.readBootFiles, replaceFiles, readVariables, readTable,
		a.readReported, readChanges} {
		if err := read(m, f, here); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// readBaseline reads the log. That the running boot has none is no error.
func (a *app) readBaseline(m *machine, f *machineFlags, here bool) error {
	path := f.log
	if path == "" {
		path = runningLog
	}
	if path == "none" || f.log == "" && !here {
		m.note("There is no log of the running boot (--log): what only the firmware knows is not predicted.")
		return nil
	}
	l, err := a.readLog(path)
	if f.log == "" && errors.Is(err, fs.ErrNotExist) {
		m.note("The kernel shows no event log: only what files and variables tell is predicted.")
		return nil
	}
	if err != nil && !errors.Is(err, eventlog.ErrEmpty) {
		return err
	}
	if err != nil || len(l.Events) == 0 {
		m.note("The event log is empty, as on Azure: only what files and variables tell is predicted.")
		return nil
	}
	m.Log = l
	return nil
}

func (a *app) readBootFiles(m *machine, f *machineFlags, here bool) error {
	var err error
	if here {
		if m.Files, m.GPT, err = hostFiles(m.Banks, a.progress); err != nil {
			return err
		}
	} else if m.Files, m.GPT, err = a.readFiles(f.esp, m.Banks); err != nil {
		return err
	}
	if len(f.booted) > 0 {
		booted, _, err := a.readFiles(f.booted, m.Banks)
		if err != nil {
			return err
		}
		m.Booted = &booted
	}
	return nil
}

// readFiles reads volumes: folders, images and manifests.
func (a *app) readFiles(paths []string, banks []pcr.Bank) (bootchain.Manifest, *gpt.Table, error) {
	var all bootchain.Manifest
	var table *gpt.Table
	for _, path := range paths {
		m, t, err := a.readVolumes(path, banks)
		if err != nil {
			return all, nil, fmt.Errorf("%s: %w", path, err)
		}
		all.Volumes = append(all.Volumes, m.Volumes...)
		if table == nil {
			table = t
		}
	}
	return all, table, nil
}

func (a *app) readVolumes(path string, banks []pcr.Bank) (bootchain.Manifest, *gpt.Table, error) {
	info, err := os.Stat(path)
	if err != nil {
		return bootchain.Manifest{}, nil, err
	}
	if info.IsDir() {
		v, err := measureFolder(path, banks, a.progress)
		return bootchain.Manifest{Volumes: []bootchain.Volume{v}}, nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return bootchain.Manifest{}, nil, err
	}
	defer f.Close()
	if first := make([]byte, 64); isJSON(f, first) {
		m, err := bootchain.ReadManifest(f)
		return m, nil, err
	}
	size := info.Size()
	if !info.Mode().IsRegular() {
		if size, err = f.Seek(0, io.SeekEnd); err != nil {
			return bootchain.Manifest{}, nil, err
		}
	}
	return measureImage(f, size, banks, a.progress)
}

// isJSON reports whether a file begins like a JSON object.
func isJSON(r io.ReaderAt, buf []byte) bool {
	n, _ := r.ReadAt(buf, 0)
	return bytes.HasPrefix(bytes.TrimLeft(buf[:n], " \t\r\n"), []byte("{"))
}

// measureFolder measures a tree, and does not follow links out of it.
func measureFolder(path string, banks []pcr.Bank, progress func(string)) (bootchain.Volume, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return bootchain.Volume{}, err
	}
	defer root.Close()
	return bootchain.Measure(root.FS(), banks, progress)
}

// measureImage measures the volumes of a disk image.
func measureImage(r io.ReaderAt, size int64, banks []pcr.Bank, progress func(string)) (bootchain.Manifest, *gpt.Table, error) {
	d, err := disk.Open(r, size)
	if err != nil {
		return bootchain.Manifest{}, nil, err
	}
	m, err := bootchain.MeasureDisk(d, banks, progress)
	return m, d.Table, err
}

func readVariables(m *machine, f *machineFlags, here bool) error {
	path := f.efivars
	if path == "" {
		if !here {
			return nil
		}
		path = runningVariables
	}
	info, err := os.Stat(path)
	if f.efivars == "" && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not exist: this machine was booted by a BIOS, whose boot measures nothing that files tell\n"+
			"(or efivarfs is not mounted). Name another machine's with --efivars", path)
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		m.Vars, err = efivars.Read(os.DirFS(path))
	} else {
		var file *os.File
		if file, err = os.Open(path); err != nil {
			return err
		}
		defer file.Close()
		m.Vars, err = efivars.Parse(file)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func readTable(m *machine, f *machineFlags, _ bool) error {
	if f.gpt == "" {
		return nil
	}
	file, err := os.Open(f.gpt)
	if err != nil {
		return err
	}
	defer file.Close()
	if m.GPT, err = gpt.Read(file); err != nil {
		return fmt.Errorf("%s: %w", f.gpt, err)
	}
	return nil
}

// readReported reads PCR values. Without a TPM there are none.
func (a *app) readReported(m *machine, f *machineFlags, here bool) error {
	if f.pcrs != "" {
		var err error
		m.PCRs, err = a.readValues(f.pcrs)
		return err
	}
	if f.values != nil {
		m.PCRs = f.values
		return nil
	}
	if !here && a.tpm == "" {
		return nil
	}
	tpm, err := a.openTPM()
	if err != nil {
		if a.tpm != "" {
			return err
		}
		m.note("There is no TPM to compare with, nor values of one (--pcrs).")
		return nil
	}
	sel, err := pcr.ParseSelection(allPCRs)
	if err == nil {
		banks := m.Banks
		if len(banks) == 0 {
			banks = pcr.Banks()
		}
		m.PCRs, err = readPCRs(tpm, banks, sel)
	}
	return closeAfter(tpm, err)
}

func readChanges(m *machine, f *machineFlags, _ bool) error {
	for _, change := range []struct {
		paths []string
		into  *[][]byte
	}{{f.db, &m.Changes.DB}, {f.dbx, &m.Changes.DBX}, {f.mok, &m.Changes.MOK}} {
		for _, path := range change.paths {
			data, err := readSmall(path)
			if err != nil {
				return err
			}
			*change.into = append(*change.into, data)
		}
	}
	m.Changes.SbatPolicy, m.Changes.BootNext = f.sbatPolicy, f.bootNext
	return nil
}

// readSmall reads a file of at most a megabyte.
func readSmall(path string) ([]byte, error) {
	const most = 1 << 20
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(data) > most {
		err = fmt.Errorf("%s: more than %d bytes", path, most)
	}
	return data, err
}
