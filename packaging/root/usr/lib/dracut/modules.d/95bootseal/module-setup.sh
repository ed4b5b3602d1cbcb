#!/bin/bash
# Opens enrolled volumes in dracut's initial ramdisk: before systemd-cryptsetup, where
# systemd is in it, or before cryptroot-ask. It adds nothing where systemd-cryptsetup does it all:
# where crypttab has tpm2-device= for every enrolled volume, whose tokens systemd reads itself.

# volumes prints "UUID NAME" for each enrolled volume.
volumes() {
    sed -nE '/^    "([0-9a-f-]{36})": \{$/{s//\1/;h}; /^      "name": "([^"\\]+)",?$/{s//\1/;H;x;s/\n/ /;p}' \
        "${dracutsysrootdir-}/etc/bootseal/volumes.json" 2> /dev/null
}

# called by dracut
check() {
    require_binaries cryptsetup /usr/lib/bootseal/bootseal-unlock || return 1
    local _uuid _name
    while read -r _uuid _name; do
        awk -v name="$_name" '$1 == name && $4 ~ /(^|,)tpm2-device=/ { found = 1 } END { exit !found }' \
            "${dracutsysrootdir-}/etc/crypttab" 2> /dev/null || return 0
    done < <(volumes)
    return 255
}

# called by dracut
depends() {
    echo crypt
}

# called by dracut
installkernel() {
    hostonly="" instmods "=drivers/char/tpm"
}

# called by dracut
install() {
    inst_multiple cryptsetup mkdir umount /usr/lib/bootseal/bootseal-unlock
    inst_simple /etc/bootseal/volumes.json
    mkdir -p "${initdir}/etc/bootseal"
    volumes > "${initdir}/etc/bootseal/names"
    inst_script "$moddir/open.sh" /usr/lib/bootseal/open
    if dracut_module_included "systemd"; then
        inst_simple "$moddir/systemd-cryptsetup.conf" "$systemdsystemunitdir/systemd-cryptsetup@.service.d/bootseal.conf"
        inst_multiple -o systemd-ask-password
    else
        inst_hook initqueue/settled 10 "$moddir/settled.sh"
    fi
    inst_hook emergency 10 "$moddir/emergency.sh"
    dracut_need_initqueue
}
