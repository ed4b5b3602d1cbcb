package bootchain

import (
	"fmt"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/disk"
	"github.com/bootseal/bootseal/pcr"
)

// MeasureDisk is [Measure] for the volumes of a disk or its image.
func MeasureDisk(d *disk.Disk, banks []pcr.Bank, progress func(path string)) (Manifest, error) {
	var m Manifest
	for _, v := range d.Volumes {
		measured, err := Measure(v.Boot(), banks, progress)
		if err != nil {
			return m, fmt.Errorf("partition %d: %w", v.Number, err)
		}
		measured.UUID, measured.Label, measured.FS, measured.Only = v.UUID, v.Label, v.Kind, v.Only()
		if v.Number > 0 {
			measured.Number, measured.Partition = v.Number, eventlog.GUID(v.Partition).String()
		}
		m.Volumes = append(m.Volumes, measured)
	}
	return m, nil
}
