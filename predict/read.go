package predict

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// maxPrediction bounds a prediction in JSON, in bytes.
const maxPrediction = 64 << 20

// Read reads a prediction in the form that it encodes to as JSON.
func Read(r io.Reader) (*Prediction, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxPrediction+1))
	if err != nil {
		return nil, fmt.Errorf("read prediction: %w", err)
	}
	if len(data) > maxPrediction {
		return nil, fmt.Errorf("read prediction: more than %d MiB", maxPrediction>>20)
	}
	p := new(Prediction)
	if err := json.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("read prediction: %w", err)
	}
	if len(p.Paths) == 0 {
		return nil, fmt.Errorf("read prediction: it has no paths")
	}
	for i := range p.Paths {
		if err := p.Paths[i].checkRead(); err != nil {
			return nil, fmt.Errorf("read prediction: path %q: %w", p.Paths[i].Name, err)
		}
	}
	return p, nil
}

// checkRead checks what the encoding does not, and sets the log's header.
func (p *Path) checkRead() error {
	if err := p.PCRs.Check(); err != nil {
		return err
	}
	for i, e := range p.Events {
		if e.PCR < 0 || e.PCR >= pcr.Count {
			return fmt.Errorf("event %d is of PCR %d", i, e.PCR)
		}
		for b, d := range e.Digests {
			if len(d) != b.Size() {
				return fmt.Errorf("event %d has a %s digest of %d bytes", i, b, len(d))
			}
		}
	}
	p.spec = eventlog.New(p.PCRs.Banks()...).Spec
	return nil
}

// Nearest returns the path that a log differs least from, with the differences.
// Errors are those of [Path.Differences].
func (p *Prediction) Nearest(l *eventlog.Log) (*Path, []eventlog.Difference, error) {
	var best *Path
	var least []eventlog.Difference
	var failed error
	for i := range p.Paths {
		d, err := p.Paths[i].Differences(l)
		if err != nil {
			failed = err
			continue
		}
		if best == nil || len(d) < len(least) {
			best, least = &p.Paths[i], d
		}
	}
	if best == nil {
		return nil, nil, failed
	}
	return best, least, nil
}
