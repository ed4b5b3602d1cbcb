# Sessions: of each kind, salted, bound, with encrypted parameters.
. "$LIB"

given tpm2_createprimary -C o -G ecc -c srk.ctx
given tpm2_createprimary -C o -G rsa -c rsa.ctx
printf 'a secret' >secret
given tpm2_create -C srk.ctx -i secret -p open -u x.pub -r x.priv -c sealed.ctx

begin() { end_session && tpm2_startauthsession -S s.ctx "$@"; }
check "tpm2_startauthsession: a trial" begin
check "tpm2_startauthsession: a policy" begin --policy-session
check "tpm2_startauthsession: HMAC" begin --hmac-session
check "tpm2_startauthsession: audit" begin --audit-session
for g in sha1 sha256 sha384 sha512; do check "tpm2_startauthsession: $g" begin --hmac-session -g $g; done
check "tpm2_startauthsession: AES" begin --hmac-session -G aes
refused "tpm2_startauthsession: no such hash" '' begin --hmac-session -g sha42
prints "tpm2_flushcontext: a session" '^$' end_session

unseal() { begin "$@" && tpm2_unseal -c sealed.ctx -p session:s.ctx+open; }
prints "tpm2_startauthsession: HMAC authorizes" '^a secret$' unseal --hmac-session
prints "tpm2_startauthsession: salted with RSA" '^a secret$' unseal --hmac-session --tpmkey-context rsa.ctx
prints "tpm2_startauthsession: salted with ECC" '^a secret$' unseal --hmac-session --tpmkey-context srk.ctx
prints "tpm2_startauthsession: bound" '^a secret$' unseal --hmac-session --bind-context sealed.ctx --bind-auth open
prints "tpm2_startauthsession: salted and bound" '^a secret$' unseal --hmac-session --tpmkey-context rsa.ctx --bind-context sealed.ctx --bind-auth open
refused "tpm2_startauthsession: bound with another authValue" 'authorization' unseal --hmac-session --bind-context sealed.ctx --bind-auth shut
given tpm2_dictionarylockout -c
prints "tpm2_startauthsession: encrypted parameters, RSA" '^a secret$' unseal --hmac-session -c rsa.ctx -G aes
prints "tpm2_startauthsession: encrypted parameters, ECC" '^a secret$' unseal --hmac-session -c srk.ctx -G aes
for g in sha1 sha384 sha512; do prints "tpm2_startauthsession: authorizes, $g" '^a secret$' unseal --hmac-session -g $g -c srk.ctx; done

given begin --hmac-session
prints "tpm2_sessionconfig: the kind" 'Session-Handle: 0x02' tpm2_sessionconfig s.ctx
prints "tpm2_sessionconfig: at first" 'continuesession' tpm2_sessionconfig s.ctx
configured() { tpm2_sessionconfig s.ctx --enable-encrypt --enable-decrypt && tpm2_sessionconfig s.ctx; }
prints "tpm2_sessionconfig: both directions encrypted" 'decrypt\|encrypt|encrypt.*decrypt' configured
prints "tpm2_getrandom: encrypted" '^[0-9a-f]{32}$' tpm2_getrandom --hex 16 -S s.ctx
given begin --hmac-session -c rsa.ctx
check "tpm2_create: in an encrypted session" tpm2_create -C srk.ctx -P session:s.ctx -i secret -p open -u e.pub -r e.priv -c e.ctx
prints "tpm2_unseal: what was sent encrypted" '^a secret$' tpm2_unseal -c e.ctx -p open
once() { # the tool does not know that the session has ended, and fails to save it
  begin --hmac-session
  tpm2_sessionconfig s.ctx --disable-continuesession
  tpm2_unseal -c sealed.ctx -p session:s.ctx+open -o unsealed || cmp secret unsealed
}
check "tpm2_sessionconfig: for one command" once
refused "tpm2_sessionconfig: and not for two" . tpm2_unseal -c sealed.ctx -p session:s.ctx+open
rm -f s.ctx

begin --hmac-session
prints "tpm2_getcap: a saved session" '^- 0x2' tpm2_getcap handles-saved-session
given end_session
flush_all() { tpm2_startauthsession -S a.ctx && tpm2_startauthsession -S b.ctx && tpm2_flushcontext -s && [ -z "$(tpm2_getcap handles-saved-session)" ]; }
if over_broker; then
  skip "tpm2_flushcontext: every saved session" "tpm2-abrmd shows a connection only its own sessions"
else
  check "tpm2_flushcontext: every saved session" flush_all
fi
