# SPDX-License-Identifier: MIT
#
# The console over a host that is reached by SSH: an unknown key is asked by its last four characters,
# a passphrase is hidden, then services and logs come through it; the host freezes or goes, which is said, and
# comes back. A project without any database has no view of one.
#
# needs: servers
# time-limit: 180
. tests/support/tap.sh
. tests/services/services.sh
services_need ssh
services start ssh app1 --encrypted-key >/dev/null || bail 'sshd does not start'
eval "$(services env app1 SSH)"
export BASCULE_SSH_CONFIG=$SSH_CONFIG
unset SSH_AUTH_SOCK
key=$SSH_HOSTKEY_SHA256
four=${key: -4}
: >"$SSH_KNOWN_HOSTS"

port=$(services port)
project=$TMPDIR/project
mkdir -p "$project/migrations"
cd "$project" || bail 'no folder'
export XDG_STATE_HOME=$project/.state
cat >bascule.ini <<INI
[project]
name = shop
migrations = migrations
pipeline = production
[environment production]
host = app1
protected = yes
[service web]
runtime = process
pid_file = $project/web.pid
log_file = $project/web.log
health = http://127.0.0.1:$port/health
INI
"$BASCULE" demo-service --port "$port" --log "$project/web.log" --pid-file "$project/web.pid" \
	--rate 5 --backfill 200 </dev/null >/dev/null 2>&1 &
wait_until 60 test -s web.pid || bail 'the service does not start'

# --- What the host asks ---

screen_start 120 36 "$BASCULE"
shows 'HOST app1 IS NOT KNOWN' 'an unknown key is asked about'
shows "${key//+/\\+}" 'its fingerprint is shown whole'
shows 'used by +#production' 'and what the host is for'
screen_paste "$four"
shows 'A paste was dropped' 'a paste is no answer'
screen_type nope
screen_keys Enter
shows 'HOST app1 IS NOT KNOWN' 'other characters are none either'
is "$(cat "$SSH_KNOWN_HOSTS")" '' 'nothing is recorded'
screen_keys Escape
shows 'app1 waits for an answer: a asks again' 'Esc leaves it'
shows '^>host +#ASKS +app1' 'the host asks'
shows 'services +#unknown' 'what runs there is unknown'
hides '2 Migrations' 'there is no view of migrations without a database'
screen_keys a
shows 'HOST app1 IS NOT KNOWN' 'a asks again'
screen_type "$four"
screen_keys Enter
shows 'HOST app1 ASKS' 'its last four characters are taken'
shows 'passphrase' 'then it wants the passphrase'
screen_type "$SSH_PASSPHRASE"
shows 'Esc leaves: +\*+' 'which is hidden'
screen_keys Enter
shows 'host +#ok +[0-9]+ ms' 'the host is reached'
shows 'services +#1 of 1 up' 'and what runs there is seen'
shows 'health +#ok +200 in' 'its health through the tunnel'
ok 'the key is recorded' test -s "$SSH_KNOWN_HOSTS"

# --- Logs through it ---

screen_keys L
log_rows() { screen_text | grep -cE '^[>+ ][0-9:.]{12} #a '; }
has_rows() { [ "$(log_rows)" -gt 0 ]; }
ok 'its logs come' wait_until 60 has_rows
shows '── following' 'and are followed'
shows '0 lost' 'none is lost'

# --- The host freezes ---

screen_keys 1
shows 'host +#ok' 'Envs has it as ok'
services freeze app1 >/dev/null
shows 'host +#SILENT' 'a frozen host is called silent, long before it is dead'
shows 'services +#unknown' 'what runs there is unknown with it'
screen_keys 4
shows '\[a\] #web DOWN app1 does not answer' 'its log is not called live'
services thaw app1 >/dev/null
shows '\[a\] #web +[0-9]+/s' 'and goes on with it'
screen_keys 1
shows 'host +#ok' 'which is ok again'
shows 'services +#1 of 1 up' 'with what runs there'
screen_keys 4

# --- The host goes and comes back ---

services down app1 >/dev/null
shows '\[a\] #web (DOWN|connecting)' 'logs say that it is gone'
screen_keys 1 R
shows 'host +#DOWN' 'and so does Envs'
services start ssh app1 >/dev/null
again() { screen_keys R && screen_matches 'services +#1 of 1 up'; }
ok 'it comes back by itself' wait_until 60 again
screen_keys 4
shows '\[a\] #web +[0-9]+/s' 'and the logs go on'
shows ' 0 lost' 'with none lost'
screen_keys Q
ok 'Q leaves' screen_wait_exit
is "$status" 0 'with status 0'
screen_stop
kill "$(<web.pid)"
done_testing
