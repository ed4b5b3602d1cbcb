# Debian's swtpm_ioctl on the control channel: every command that it has.
. "$(dirname "$0")/lib"
needs swtpm_ioctl
serve tpm --ctrl "type=unixio,path=tpm.ctrl"
i="swtpm_ioctl --unix tpm.ctrl"

$i -c | grep -q 0x1ffff || fail "capabilities"
$i -g
$i -b 4000 | grep -q 'buffersize: 4000' || fail "buffer size"
$i -i
$i -l 3
$i -l 0
$i --info 1 | grep -q '"family":"2.0"' || fail "information"
$i -e | grep -q 'is 0' || fail "established before a launch"
$i -h measured
$i -e | grep -q 'is 1' || fail "established after a launch"
$i -r 3
$i -e | grep -q 'is 0' || fail "established after its reset"
$i -C
$i -v
for kind in permanent volatile savestate; do $i --save $kind $kind; done
$i --stop
for kind in permanent volatile savestate; do $i --load $kind $kind; done
$i -i
$i -s
until_there 60 test ! -e tpm.pid || fail "the vTPM did not end after -s"
