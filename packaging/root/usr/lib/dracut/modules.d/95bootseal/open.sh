#!/bin/sh
# open NAME: opens the enrolled volume of this name in dracut's initial ramdisk, and succeeds
# where somebody else may try: where it is open, is not enrolled, is systemd's to open by its
# token (crypttab's tpm2-device=), or was opened by nobody. It fails for a volume that is not the
# one that was enrolled: nobody is to open that.
name=$1
[ ! -e "/dev/mapper/$name" ] || exit 0
while read -r uuid known; do
    [ "$known" != "$name" ] || break
    uuid=
done < /etc/bootseal/names
[ -n "$uuid" ] || exit 0

discards=
if [ -r /etc/crypttab ]; then
    while read -r mapper _ _ options; do
        [ "$mapper" = "$name" ] || continue
        case ",$options," in
            *,tpm2-device=*) exit 0 ;;
            *,discard,*) discards=--allow-discards ;;
        esac
    done < /etc/crypttab
fi

[ -d /run/cryptsetup ] || mkdir -m 0700 /run/cryptsetup
/usr/lib/bootseal/bootseal-unlock open $discards "/dev/disk/by-uuid/$uuid" "$name"
[ $? != 1 ]
