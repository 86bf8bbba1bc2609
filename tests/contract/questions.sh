#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What hosts ask, on the command line: unknown keys by their last four characters, passphrases and passwords
# without echo, once, before anything starts; without a terminal an error with the command that answers it; and
# that what was typed is nowhere but in memory.
#
# needs: servers
# time-limit: 300
. tests/support/tap.sh
. tests/services/services.sh
. tests/support/servers.sh
services_need pg ssh
services start pg >/dev/null || bail 'PostgreSQL does not start'
services start ssh app1 --encrypted-key >/dev/null || bail 'sshd does not start'
eval "$(services env app1 SSH)"
export BASCULE_SSH_CONFIG=$SSH_CONFIG
unset SSH_AUTH_SOCK
# shellcheck disable=SC2153 # of `services env`
passphrase=$SSH_PASSPHRASE
key=$SSH_HOSTKEY_SHA256
four=${key: -4}
shown=${key//+/\\+} # in a regular expression
known=$(cat "$SSH_KNOWN_HOSTS")

seen=$TMPDIR/seen
mkdir "$seen"
world_way=tcp-password world pg "host = app1
database_via = host
connect_timeout = 30s
[service web]
runtime = process
pid_file = /nowhere/pid
log_file = /nowhere/log"
chmod 600 bascule.ini
migration 0001 "SELECT pg_sleep(3);"
forget() { : >"$SSH_KNOWN_HOSTS"; }
# type_command LINE: in a shell on a terminal; ENDED STATUS follows it.
type_command() {
	screen_keys -R \; clear-history
	screen_type "clear; $1; echo ENDED \$?; stty -a | grep -o '.echo '"
	screen_keys Enter
}

# --- Nobody to ask ----------------------------------------------------------------------------------

forget
exits 1 'migrate without a terminal' setsid -w "$BASCULE" migrate dev --yes --plain
like "$err" "$shown" 'an unknown key is shown'
like "$err" 'try: bascule trust app1' 'with the command that knows what to do'
is "$(find .state -path '*runs/*' -name plan.json 2>/dev/null | wc -l)" 0 'no run was begun'
exits 0 'status without a terminal' setsid -w "$BASCULE" status
like "$out" 'link +#?FAIL' 'the database is not reached'
like "$out" 'services +#?unknown' 'what runs there is unknown'
exits 0 'status --json without a terminal' setsid -w "$BASCULE" status --json
like "$out" '"state": *"unknown"' 'unknown in the document too'
exits 1 'trust without a terminal' setsid -w "$BASCULE" trust app1
like "$err" "try: bascule trust app1 --fingerprint $shown" 'says how'
exits 3 'trust of another fingerprint' setsid -w "$BASCULE" trust app1 --fingerprint SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
like "$err" "$shown" 'shows the one it has'
like "$err" 'on app1 itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' 'and where the true one is'
is "$(cat "$SSH_KNOWN_HOSTS")" '' 'nothing is recorded'
exits 3 '--read-only trusts nobody' setsid -w "$BASCULE" --read-only trust app1 --fingerprint "$key"
exits 2 'trust of an option' setsid -w "$BASCULE" trust -- -oProxyCommand=x
exits 2 'trust of this machine' setsid -w "$BASCULE" trust local
exits 0 'trust of the fingerprint' setsid -w "$BASCULE" trust app1 --fingerprint "$key"
like "$out" "app1 is trusted: ssh-ed25519 $shown" 'it says what'
ok 'the key is recorded' grep -qF "$(cut -d' ' -f3 <<<"$known")" "$SSH_KNOWN_HOSTS"
exits 0 'trust again' setsid -w "$BASCULE" trust app1
is "$out" 'app1: its key is known already' 'it is known'
exits 0 'trust again, with a fingerprint' setsid -w "$BASCULE" trust app1 --fingerprint SHA256:x
like "$out" 'was not compared' 'does not pretend to have compared it'
exits 1 'migrate with a known key' setsid -w "$BASCULE" migrate dev --yes --plain
like "$err" 'passphrase' 'it misses the passphrase now'
like "$err" 'ssh-add' 'with what helps'

# The ssh program asks by itself, which it must not do for us: nothing is known and nothing is trusted.
cp bascule.ini libssh2.ini
sed -i 's/^host = app1$/&\ntransport = openssh/' bascule.ini
forget
tried=$(wc -l <"$SSH_LOG")
exits 1 'trust by the ssh program' setsid -w "$BASCULE" trust app1
unlike "$out" 'known already' 'does not say that it is known'
like "$err" 'host key of app1 is not known yet' 'says that it is not'
like "$err" 'try: ssh app1' 'and who can ask'
is "$(cat "$SSH_KNOWN_HOSTS")" '' 'nothing is recorded'
exits 1 'migrate by the ssh program' setsid -w "$BASCULE" migrate dev --yes --plain
like "$err" 'try: ssh app1' 'says the same'
tried=$(tail -n "+$((tried + 1))" "$SSH_LOG" | grep -c 'Connection from ')
ok "and does not try on and on ($tried)" [ "$tried" -le 5 ]
mv libssh2.ini bascule.ini

# --- Somebody to ask --------------------------------------------------------------------------------

forget
screen_start 120 40 bash --norc --noprofile
type_command "$BASCULE trust app1"
shows "$shown" 'trust shows the key'
screen_type 'nope'
screen_keys Enter
shows 'not its last characters' 'other characters are refused'
screen_type "$four"
screen_keys Enter
shows '^ENDED 0' 'its last four are taken'
shows "app1 is trusted: ssh-ed25519" 'and it is said'

forget
type_command "$BASCULE migrate dev --yes --plain"
shows 'type its last 4 characters' 'a command asks about the key'
screen_type "$four"
screen_keys Enter
shows 'passphrase' 'and for the passphrase'
screen_type 'CANARY-wrong'
screen_keys Enter
shows 'wrong' 'a wrong one is asked for again'
screen_type "$passphrase"
screen_keys Enter
runner_up() { pgrep -f "^$BASCULE run .*$XDG_STATE_HOME"; }
if wait_until 60 runner_up; then
	pid=$(runner_up | head -n 1)
	tr '\0' '\n' <"/proc/$pid/cmdline" >"$seen/cmdline"
	tr '\0' '\n' <"/proc/$pid/environ" >"$seen/environ"
	pass 'a runner is at work'
else
	fail 'a runner is at work'
fi
wait_until 60 screen_matches '^ENDED' || fail 'it does not end'
screen_text >"$seen/screen"
like "$(<"$seen/screen")" 'ENDED 0' 'the runner opened the same way'
like "$(<"$seen/screen")" '[[:cntrl:]] echo' 'the terminal echoes again'
is "$(events "event = 'applied'")" 1 'and applied it'

type_command "$BASCULE status"
shows 'passphrase' 'status asks behind its look'
screen_type "$passphrase"
screen_keys Enter
shows '^ENDED 0' 'once'
shows 'link +#?ok ' 'and looks again'

type_command "$BASCULE status"
shows 'passphrase' 'asked'
screen_keys C-c
shows '^ENDED 4' 'Ctrl-C stops the command'
shows '[[:cntrl:]]? echo' 'and leaves an echo behind'
screen_stop

cp -r .state "$seen/state"
found=$(grep -rlaE "open sesame|CANARY-wrong" "$seen" 2>/dev/null)
is "$found" '' 'what was typed is on no screen, in no argument, variable or file'
services sql pg 'SELECT * FROM bascule.line' "$world_db" >"$seen/ledger"
not_ok 'nor in the ledger' grep -q 'open sesame' "$seen/ledger"

done_testing
