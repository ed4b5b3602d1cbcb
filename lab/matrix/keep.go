package matrix

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

// Failure is a boot that was not as predicted, with what somebody needs to find out why.
type Failure struct {
	What       string              // [Row.What]
	Prediction *predict.Prediction // its first path was held against the boot
	PCRs       pcr.Values          // of the boot
	Log        []byte              // the boot's event log
	More       map[string][]byte   // further files, by name
}

// Keep writes it into a folder: what.txt is the sentence, prediction.json has the predicted
// events, predicted-eventlog.bin and predicted-pcrs.txt are the first path's, eventlog.bin and
// pcrs.txt the boot's. What can be written is, whatever is in the error.
func (f *Failure) Keep(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var errs []error
	put := func(name string, data []byte, err error) {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("keep %s: %w", name, err))
		}
	}
	put("what.txt", []byte(f.What+"\n"), nil)
	put("eventlog.bin", f.Log, nil)
	put("pcrs.txt", []byte(f.PCRs.String()), nil)
	prediction, err := json.MarshalIndent(f.Prediction, "", "  ")
	put("prediction.json", prediction, err)
	likeliest := &f.Prediction.Paths[0]
	put("predicted-pcrs.txt", []byte(likeliest.PCRs.String()), nil)
	log, err := likeliest.Log().Bytes()
	put("predicted-eventlog.bin", log, err)
	for name, data := range f.More {
		put(name, data, nil)
	}
	return errors.Join(errs...)
}
