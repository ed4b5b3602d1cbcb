#!/bin/sh
# Sourced by dracut before it gives a shell, because something failed or by rd.break: this is the
# boot that the disks were sealed for, so the TPM opens nothing any more until the next one, and what
# it opened before is closed again.
/usr/lib/bootseal/bootseal-unlock close || :
umount /sysroot 2> /dev/null || :
for bootseal_mapped in /dev/mapper/*; do
    [ "$bootseal_mapped" = /dev/mapper/control ] || cryptsetup close "${bootseal_mapped##*/}" 2> /dev/null || :
done
