#!/bin/bash
# SPDX-License-Identifier: MIT
#
# secrets.sh with servers that answer: the password reaches the runner, which connects with it, and is
# in nothing that stays: not in the state folder, not in the ledger, not in what was printed. A
# password that a migration sets is in the migration's own text and nowhere else.
. tests/support/tap.sh
. tests/support/shop.sh
. "$PWD/tests/services/services.sh"

services_need pg my
services start pg >/dev/null || bail 'no postgresql'
services start my >/dev/null || bail 'no mariadb'
eval "$(services env pg PG)"
eval "$(services env my MY)"

mkdir -p "$TMPDIR/work/migrations/up" "$TMPDIR/work/migrations/down" "$TMPDIR/seen"
cd "$TMPDIR/work" || bail 'no folder'
cat >bascule.ini <<INI
[environment pg]
database = $PG_URL_TCP
password = env:APP_PASSWORD

[environment my]
database = $MY_URL_TCP
password = cmd:cat printed
INI
export APP_PASSWORD=$PG_PASSWORD
echo "$MY_PASSWORD" >printed
echo 'CREATE TABLE a (x int);' >migrations/up/001_a.sql
echo 'DROP TABLE a;' >migrations/down/001_a.sql

# stays WHAT: neither password is in the state folder or in what was printed.
stays() {
	local found
	found=$(grep -rlF -e "$PG_PASSWORD" -e "$MY_PASSWORD" "$XDG_STATE_HOME" "$TMPDIR/seen")
	is "$found" '' "$1"
}
try() {
	local name=$1
	shift
	run "$@"
	printf '%s\n%s\n' "$out" "$err" >"$TMPDIR/seen/$name"
}

for env in pg my; do
	try "migrate.$env" bascule migrate "$env" --confirm "$env"
	is "$status" 0 "the runner reaches $env with the password"
	[ "$status" = 0 ] || diag "$out" "$err"
	is "$(applied "$env")" 1 "... and applied the migration"
	try "check.$env" bascule check
	like "$out" "ok +$env +password: .*, set" "check knows that $env has one"
done
stays 'no password stays after a run'

# --- Wrong, and missing ---------------------------------------------------------------------------

try wrong env APP_PASSWORD=CANARY-wrong bascule status pg
like "$out" 'cannot' 'a wrong password is an error'
unlike "$out$err" 'CANARY-wrong' '... that does not show it'
try missing env -u APP_PASSWORD bascule migrate pg --confirm pg
is "$status" 2 'a missing one is an error of the configuration'
like "$err" 'try: export APP_PASSWORD=' '... and says what to do'

# --- One that a migration sets --------------------------------------------------------------------

echo "CREATE ROLE nobody PASSWORD 'CANARY-pattern' NONSENSE;" >migrations/up/002_b.sql
try pattern.pg bascule migrate pg --confirm pg
isnt "$status" 0 'a migration fails on pg'
echo "CREATE USER nobody IDENTIFIED BY 'CANARY-pattern' NONSENSE;" >migrations/up/002_b.sql
try pattern.my bascule migrate my --confirm my
isnt "$status" 0 'a migration fails on my'
is "$(grep -rl CANARY-pattern "$XDG_STATE_HOME" "$TMPDIR/seen" | grep -v '/scripts$')" '' \
	'the password is in the frozen text of the migration only'
is "$(services sql pg "SELECT count(*) FROM bascule.history WHERE error LIKE '%CANARY%'" app)" 0 \
	'... and not in the history of pg'
is "$(services sql my "SELECT count(*) FROM bascule_history WHERE error LIKE '%CANARY%'" app)" 0 \
	'... nor of my'
stays 'no password stays after a failure'

done_testing
