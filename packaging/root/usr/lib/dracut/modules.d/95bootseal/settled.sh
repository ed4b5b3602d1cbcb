#!/bin/sh
# Sourced by dracut's main loop when devices have settled, before cryptroot-ask asks for
# a passphrase. Each volume is tried once.
while read -r bootseal_uuid bootseal_name <&3; do
    [ -e "/dev/disk/by-uuid/$bootseal_uuid" ] || continue
    [ ! -e "/tmp/bootseal-tried-$bootseal_uuid" ] || continue
    : > "/tmp/bootseal-tried-$bootseal_uuid"
    /usr/lib/bootseal/open "$bootseal_name" || die "bootseal: $bootseal_name is not the volume that was enrolled"
done 3< /etc/bootseal/names
