#!/bin/bash
# SPDX-License-Identifier: MIT
#
# database_via = host, by both transports and on both servers: the database is reached through an sshd, by port
# and by socket, a migration runs in its own process over a connection of its own, and one whose way is cut in
# the middle is interrupted, not lost, and goes on where it was.
#
# needs: servers
# time-limit: 400
. tests/support/tap.sh
. tests/services/services.sh
. tests/support/servers.sh
services_need pg my ssh
services start pg >/dev/null || bail 'PostgreSQL does not start'
services start my >/dev/null || bail 'MariaDB does not start'
services start ssh app1 >/dev/null || bail 'sshd does not start'
services proxy way app1 >/dev/null || bail 'no proxy before sshd'
eval "$(services env app1 SSH)"
eval "$(services env way WAY)"
direct=$SSH_CONFIG

# A world whose database is behind HOST: behind pg|my HOST WAY TRANSPORT
behind() {
	local host=$2 kind=$1
	world_way=$3 world "$kind" "host = $host
database_via = host
transport = $4
host_alive = 1s
connect_timeout = 20s
lock_stale = 6s"
	# The socket's URL of PostgreSQL names no machine: its folder does.
	[ "$3" != tcp-password ] || chmod 600 bascule.ini
}

# No folder for sockets is left behind.
nothing_left() { [ -z "$(find "$XDG_STATE_HOME/bascule" "${XDG_RUNTIME_DIR:-/nowhere}" -maxdepth 1 -name 'bascule-s.*' 2>/dev/null)" ]; }

sleep_of() { # a statement that takes SECONDS and can be told from history whether it has run
	if [ "$1" = pg ]; then echo "SELECT pg_sleep($2);"; else echo "INSERT INTO one VALUES (sleep($2));"; fi
}
sleeping() {
	if [ "$world_kind" = pg ]; then
		[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = '$world_db'")" = 1 ]
	else
		[ "$(sql "SELECT count(*) FROM information_schema.processlist WHERE state = 'User sleep' AND db = '$world_db'")" = 1 ]
	fi
}
run_is() { bascule runs --json | grep -q "\"state\": *\"$1\""; }

export BASCULE_SSH_CONFIG=$SSH_CONFIG
for transport in libssh2 openssh; do
	for kind in pg my; do
		is_=$transport/$kind
		behind $kind app1 tcp-password $transport
		migration 0001 'CREATE TABLE one (x int);' 'DROP TABLE one;'
		exits 0 "$is_: status" bascule status
		like "$out" 'link +ok ' "$is_: the database is reached"
		exits 0 "$is_: details" bascule details dev
		like "$out" 'via app1' "$is_: and it is said through what"
		exits 0 "$is_: migrate" bascule migrate dev --yes --plain
		is "$(events "event = 'applied'")" 1 "$is_: it is applied"
		like "$(cat "$(run_dir)/plan.json")" '"database_via": *\{"name": *"app1"' "$is_: the frozen plan names the way"
		unlike "$(cat "$(run_dir)/plan.json")" 'app-secret' "$is_: and no password"
		exits 0 "$is_: rollback" bascule rollback dev last 1 --yes --plain
		exits 0 "$is_: check" bascule check
		like "$out" 'app1 +reached by '$transport "$is_: check says how the machine is reached"
		settle
		ok "$is_: no folder for sockets is left" nothing_left

		behind $kind app1 socket $transport
		exits 0 "$is_: status through a socket there" bascule status
		like "$out" 'link +ok ' "$is_: a socket on the machine is reached"
	done
done

# --- Cut --------------------------------------------------------------------------------------------

for kind in pg my; do
	BASCULE_SSH_CONFIG=$WAY_CONFIG
	behind $kind way tcp-password libssh2
	migration 0001 'CREATE TABLE one (x int);'
	migration 0002 "CREATE TABLE two (x int); $(sleep_of $kind 4)"
	migration 0003 'CREATE TABLE three (x int);'
	bascule migrate dev --yes --plain >migrate.out 2>&1 </dev/null &
	watcher=$!
	ok "$kind: a migration is at work" wait_until 60 sleeping
	services proxy way cut >/dev/null
	services proxy way refuse >/dev/null
	wait "$watcher"
	is "$(wait_until 60 run_is interrupted && echo yes)" yes "$kind: its way is cut: the run is interrupted"
	like "$(<migrate.out)" 'interrupted' "$kind: and that is said"
	run bascule status
	like "$out" 'link +FAIL' "$kind: status says that nobody is reached"
	like "$out" 'cannot open dev through way' "$kind: and through what"
	services proxy way normal >/dev/null
	wait_until 60 no_sessions
	exits 0 "$kind: it goes on" bascule resume "$(run_number)" --wait=60s --plain
	is "$(events "event = 'applied'")" 3 "$kind: each is applied once"
	settle
done

# --- Black hole -------------------------------------------------------------------------------------

behind pg way tcp-password libssh2
migration 0001 "$(sleep_of pg 60)"
bascule migrate dev --yes --plain >migrate.out 2>&1 </dev/null &
watcher=$!
ok 'a migration is at work' wait_until 60 sleeping
services proxy way blackhole >/dev/null
begun=$SECONDS
wait "$watcher"
ok 'silence ends it long before the statement would' test $((SECONDS - begun)) -lt 45
is "$(wait_until 60 run_is interrupted && echo yes)" yes 'the run is interrupted'
services proxy way normal >/dev/null
services sql pg "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '$world_db' AND usename = 'app'" >/dev/null
settle

# --- Folders ----------------------------------------------------------------------------------------

# What a killed process left is swept by the next; what one is at work with is not.
BASCULE_SSH_CONFIG=$direct
behind pg app1 tcp-password libssh2
rundir=${XDG_RUNTIME_DIR:?}
mkdir -p "$rundir/bascule-s.dead00/t1" "$rundir/bascule-s.used00" "$rundir/other"
: >"$rundir/bascule-s.dead00/t1/.s.PGSQL.5432"
ln -s "$rundir/other" "$rundir/bascule-s.link00"
exec 9<"$rundir/bascule-s.used00"
flock 9
exits 0 'status' bascule status
is "$(cd "$rundir" && echo *)" 'bascule-s.link00 bascule-s.used00 other' 'the dead folder is gone, the others are not'
exec 9<&-
rm -rf "$rundir"/bascule-s.*
XDG_RUNTIME_DIR=$TMPDIR/$(printf '%090d' 1)
mkdir "$XDG_RUNTIME_DIR"
exits 0 'a run time folder with a long path' bascule status
like "$out" 'link +#?ok ' 'sockets go elsewhere'
XDG_RUNTIME_DIR=$rundir

# --- Gone -------------------------------------------------------------------------------------------

BASCULE_SSH_CONFIG=$WAY_CONFIG
behind my way tcp-password libssh2
migration 0001 'CREATE TABLE one (x int);'
services proxy way refuse >/dev/null
exits 1 'check of a machine that is gone' bascule check
like "$out" 'FAIL way +cannot connect to way' 'says so'
exits 1 'migrate through a machine that is gone' bascule migrate dev --yes --plain
like "$err" 'cannot connect to way' 'says so at once'
is "$(find .state -path '*runs/*' -name plan.json 2>/dev/null | wc -l)" 0 'and no run is begun'
services proxy way normal >/dev/null

# --- Refused ----------------------------------------------------------------------------------------

services start ssh closed --no-forwarding >/dev/null || bail 'sshd does not start'
eval "$(services env closed SSH)"
BASCULE_SSH_CONFIG=$SSH_CONFIG
behind pg closed tcp-password libssh2
run bascule status
like "$out" 'cannot open dev through closed' 'a machine that forbids forwarding is named'
exits 1 'and migrate fails there' bascule migrate dev --yes --plain
like "$err" 'AllowTcpForwarding|forbid' 'with the reason'

done_testing
