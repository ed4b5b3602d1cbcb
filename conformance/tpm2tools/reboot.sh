# What a TPM keeps when its machine is turned off: after a shutdown, and without.
. "$LIB"

if over_broker; then
  check "tpm2_shutdown: clear" tpm2_shutdown -c
  check "tpm2_startup: while it is started" tpm2_startup -c
  skip "tpm2_startup: after the power was off" "tpm2-abrmd starts the TPM, and does not know of a reset"
  exit
fi

given tpm2_createprimary -C o -G ecc -c srk.ctx
given tpm2_evictcontrol -C o -c srk.ctx 0x81000001
printf 'a secret' >secret
given tpm2_create -C srk.ctx -i secret -u x.pub -r x.priv -c sealed.ctx
given tpm2_nvdefine 0x1500060 -C o -s 8 -a 'ownerread|ownerwrite|write_stclear|nt=counter'
given tpm2_nvincrement 0x1500060 -C o
digest=$(sha256 68656c6c6f)
once=$(sha256 $zeros "$digest")
counter() { tpm2_readclock | sed -n "s/^ *$1: *//p"; }
resets=$(counter reset_count) restarts=$(counter restart_count)
counted() { # RESETS RESTARTS: so many more resets, and now so many restarts
  [ $(($(counter reset_count) - resets)) = "$1" ] && [ "$(counter restart_count)" = "$2" ] || { tpm2_readclock && return 1; }
}

# Resume: Shutdown(STATE), Startup(STATE).
given tpm2_pcrextend 8:sha256="$digest"
check "tpm2_shutdown: keep the state" tpm2_shutdown
given power_cycle
refused "tpm2_getrandom: not before a startup" 'not initialized|0x100' tpm2_getrandom 8
check "tpm2_startup: resume" tpm2_startup
prints "tpm2_pcrread: as before a resume" "0x${once^^}" tpm2_pcrread sha256:8
check "tpm2_readclock: a resume counts as a restart" counted 0 $((restarts + 1))
prints "tpm2_unseal: a context from before a resume" '^a secret$' tpm2_unseal -c sealed.ctx

# Restart: Shutdown(STATE), Startup(CLEAR).
check "tpm2_shutdown: keep the state again" tpm2_shutdown
given power_cycle
check "tpm2_startup: restart" tpm2_startup -c
prints "tpm2_pcrread: zero after a restart" "0x$zeros" tpm2_pcrread sha256:8
check "tpm2_readclock: a restart" counted 0 $((restarts + 2))
prints "tpm2_unseal: a context from before a restart" '^a secret$' tpm2_unseal -c sealed.ctx

# Reset: Shutdown(CLEAR), Startup(CLEAR).
given tpm2_nvwritelock 0x1500060 -C o
refused "tpm2_nvincrement: locked until a start" '0x00000148|locked' tpm2_nvincrement 0x1500060 -C o
check "tpm2_shutdown: keep nothing" tpm2_shutdown -c
given power_cycle
check "tpm2_startup: reset" tpm2_startup -c
check "tpm2_readclock: a reset" counted 1 0
prints "tpm2_readclock: the clock is safe" 'safe: *yes' tpm2_readclock
refused "tpm2_unseal: no context from before a reset" 'integrity|value|handle|reference' tpm2_unseal -c sealed.ctx
prints "tpm2_getcap: what is persistent stays" 0x81000001 tpm2_getcap handles-persistent
check "tpm2_nvincrement: the lock is open" tpm2_nvincrement 0x1500060 -C o
check "tpm2_load: what was created stays loadable" tpm2_load -C 0x81000001 -u x.pub -r x.priv -c sealed.ctx
prints "tpm2_unseal: what was sealed before a reset" '^a secret$' tpm2_unseal -c sealed.ctx

# No shutdown: the power went away.
given power_cycle
refused "tpm2_startup: no state to resume from" 'value|parameter' tpm2_startup
check "tpm2_startup: after a power cut" tpm2_startup -c
check "tpm2_readclock: a power cut is a reset" counted 2 0
check "tpm2_nvread: a counter survives" tpm2_nvread 0x1500060 -C o

# Switching banks takes a reset.
given tpm2_pcrallocate sha1:none+sha256:all+sha384:all+sha512:all
given tpm2_shutdown -c
given power_cycle
given tpm2_startup -c
prints "tpm2_pcrallocate: SHA-1 is off after a reset" '^ *- sha1: \[ *\]' tpm2_getcap pcrs
