# SPDX-License-Identifier: MIT
# What stands in a migration's way is seen while it does, by the real clients of the servers, and a run's
# statement is cancelled by a request: the run says who did it, and nothing of the migration stays.
#
# needs: servers
# time-limit: 400
. tests/support/tap.sh
. tests/services/services.sh
services_need pg my
services start pg >/dev/null
services start my >/dev/null
eval "$(services env pg)"
eval "$(services env my)"

shop=$TMPDIR/shop
mkdir -p "$shop/migrations/up" "$shop/migrations/down" "$shop/.state"
limit=60 # seconds to wait for what comes in an instant where nothing else runs
# Long waits for locks: what ends a statement here is the request, not a timeout.
settings='protected = no
confirm = none
backup = never'
services newdb pg pause
services newdb pg quick
services replica standby pg >/dev/null
cat >"$shop/bascule.ini" <<END
[project]
name = shop
migrations = migrations
[environment lite]
database = sqlite:lite.db
$settings
[environment pg]
database = $PG_URL
$settings
lock_timeout = 120s
[environment my]
database = $MY_URL
$settings
lock_timeout = 120s
[environment pause]
database = $(services url pg socket pause)
$settings
lock_timeout = 120s
on_failure = pause
[environment quick]
database = $(services url pg socket quick)
$settings
lock_timeout = 300ms
[environment standby]
database = $(services url standby)
$settings
END
cat >"$shop/guest.ini" <<END
[project]
name = shop
migrations = migrations
[environment guest]
database = $(services url pg socket app guest)
END
export BASCULE_CONFIG=$shop/bascule.ini XDG_STATE_HOME=$shop/.state
for each in pg my; do
	services sql $each 'create table orders (id int primary key, v int); insert into orders values (1, 1)'
done
services sql pg 'alter table orders owner to app'
services sql pg 'create table orders (id int primary key)' quick app

preflight() { "$BASCULE" preflight "$@" 2>&1; }
# InnoDB answers questions about transactions from a copy that it renews only when nobody has asked for
# 0.1 s: who asks more often sees the same moment for ever.
says() { # ENV REGEX
	preflight "$1" | grep -qE -- "$2" && return
	sleep 0.3
	return 1
}
# sees ENV REGEX WHAT: within a time the preflight says so.
sees() {
	if wait_until "$limit" says "$1" "$2"; then pass "$3"; else fail "$3" "$(preflight "$1")"; fi
}
# A client of each engine, told what to do line by line: client KIND [DB] [USER], then tell, then leave.
client() {
	if [ "$1" = pg ]; then
		exec {told}> >(exec psql -Xq -h "$PG_SOCKET_DIR" -p "$PG_PORT" -U "${3:-app}" "${2:-app}" \
			>"$TMPDIR/client.out" 2>&1)
	else
		exec {told}> >(exec mariadb --no-defaults -n -S "$MY_SOCKET" -u "${3:-app}" "${2:-app}" \
			>"$TMPDIR/client.out" 2>&1)
	fi
}
tell() { printf '%s\n' "$2" >&"$1"; }
# The runner has inherited the pipe: its end would not be seen, a word is.
leave() {
	local fd=$1
	printf 'rollback;\n\\q\n' >&"$fd"
	exec {fd}>&-
}
# The next migration is this one alone.
migration() {
	rm -f "$shop"/migrations/*/*
	printf '%s\n' "$1" >"$shop"/migrations/up/0001_change.sql
	echo 'SELECT 1;' >"$shop"/migrations/down/0001_change.sql
}
# begin_run ENV SQL: in the background, its words in $TMPDIR/run.ENV.
begin_run() {
	migration "$2"
	"$BASCULE" migrate "$1" >"$TMPDIR/run.$1" 2>&1 &
	running=$!
}
# The number of the newest run, and a member of it.
number() { "$BASCULE" runs "$1" | awk 'NR == 1 { print $1 }'; }
runs_step() { "$BASCULE" runs "$1" | grep -qE "running +$2/"; } # ENV STEP
cancelled() { # ENV: cancels its run, which ends long before it would by itself
	local begin=$SECONDS
	run "$BASCULE" cancel "$(number "$1")" --reason 'customers wait'
	is "$status" 1 "$1: the run of a cancelled statement has failed" || diag "$err"
	like "$err" 'the statement was cancelled by [a-z]+' "$1: the error says by whom"
	ok "$1: it did not last" [ $((SECONDS - begin)) -lt 60 ]
	wait "$running"
	like "$(<"$TMPDIR/run.$1")" 'cancelled by [a-z]+' "$1: who watches it is told, too"
	like "$(cat "$XDG_STATE_HOME"/bascule/runs/"$(number "$1")"-*/journal.ndjson)" \
		'"request".*"verb":"cancel".*customers wait|customers wait.*"verb":"cancel"' \
		"$1: the journal has the request"
}

# --- Bad input ---

exits 2 'no environment' "$BASCULE" preflight
exits 2 'an environment that is not there' "$BASCULE" preflight nowhere
exits 1 'a file that is not there' "$BASCULE" preflight lite
like "$err" 'bascule create lite' 'says how it is made'
exits 1 'cancel of a run that is not there' "$BASCULE" cancel 77
exits 3 'cancel is refused to who only reads' "$BASCULE" --read-only cancel 77

# --- A file ---

"$BASCULE" create lite >/dev/null
run "$BASCULE" preflight lite
is "$status" 0 'a file has a preflight'
like "$out" 'ok +size +[0-9]' 'the size of a file'
like "$out" 'free disk +[0-9.]+ [kMGTP]?B' 'and the room it has'
unlike "$out" 'transaction|timeout|waiting' 'no row without a source'
begin_run lite 'CREATE TABLE counted AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
	LIMIT 100000000000) SELECT count(*) AS n FROM n;'
ok 'lite: a statement for hours runs' wait_until "$limit" runs_step lite 3
cancelled lite

# --- PostgreSQL ---

client pg app app
idle=$told
tell "$idle" "begin; update orders set v = 2 where id = 1 and 'secret' <> 'told';"
sees pg 'longest transaction .*session [0-9]+ of app in app, idle in transaction: update orders' \
	'pg: the open transaction of another client is seen'
unlike "$(preflight pg)" 'secret' 'pg: what it wrote in quotes is not'
like "$(preflight pg)" 'idle in transaction +1 session' 'pg: it is idle in its transaction'
like "$(preflight pg)" 'ok +waiting for locks +0 sessions' 'pg: nobody waits'
like "$(preflight pg)" 'ok +lock timeout +2m' 'pg: the timeout in force is that of the configuration'
client pg app postgres
other=$told
tell "$other" 'begin; select 1;'
sees pg 'note +not seen +what [0-9]+ sessions? of other roles does?: .*pg_read_all_stats' \
	'pg: what our role may not see is a note that names the privilege'
like "$(preflight pg)" 'note +replica +.*pg_read_all_stats' 'pg: and so is how far behind the replica is'
services sql pg 'grant pg_read_all_stats to app'
sees pg 'ok +replica +.* behind' 'pg: with the privilege it is known'
sees standby 'WARN +replication +this server is a replica' 'pg: a replica says that it is one'
unlike "$(preflight pg)" 'not seen' 'pg: there is nothing to note'
tell "$other" 'rollback; select pg_advisory_lock(72707369);'
sees pg 'WARN +another tool +prisma is migrating \(session [0-9]+\)' 'pg: another tool that is at work is named'
leave "$other"

# A role that sees next to nothing is told so, row by row.
services sql pg 'create role guest login'
begin_run pg 'ALTER TABLE orders ADD COLUMN w int;'
sees pg 'WARN +waiting for +.* for session [0-9]+ of app, idle in transaction: update orders' \
	'pg: the preflight names whom the run waits for'
sees pg 'our statement +.*ALTER TABLE orders ADD' 'pg: and what it executes'
unlike "$(preflight pg)" 'behind us +[1-9]' 'pg: nobody waits behind it'
client pg
behind=$told
tell "$behind" 'select count(*) from orders;'
sees pg 'WARN +waiting behind us +1 session, for ' 'pg: a client that waits behind the run is counted'
like "$(preflight guest -c "$shop/guest.ini")" 'note +not seen +whether a run is at work: .*permission denied' \
	'pg: who may not read our tables gets what there is'
like "$(preflight guest -c "$shop/guest.ini")" 'waiting for locks +2 sessions' 'pg: who waits is known to everybody'
like "$(preflight pg --json)" '"level": "warn"' 'pg: the document has the level'
cancelled pg
sees pg 'ok +waiting for locks +0 sessions' 'pg: who waited behind it goes on'
leave "$behind"
leave "$idle"
like "$("$BASCULE" status pg --plain)" '0 applied|FAILED|pending' 'pg: nothing was applied'
is "$(services sql pg "select count(*) from information_schema.columns where column_name = 'w'")" 0 \
	'pg: and nothing of it is there'

# --- When nothing runs, and between two tries ---

begin_run pause 'SELECT pg_sleep(300);'
sees pause 'our statement +.*pg_sleep' 'pause: it runs'
run "$BASCULE" cancel "$(number pause)" --no-detach
is "$status" 8 'pause: the run is paused, not failed' || diag "$err"
like "$out$err" 'cancelled by' 'pause: by whose cancel'
exits 3 'pause: there is nothing more to cancel' "$BASCULE" cancel "$(number pause)"
like "$err" 'no statement runs now' 'pause: it says so'
run "$BASCULE" abort "$(number pause)"
wait "$running"
run "$BASCULE" cancel "$(number pause)"
like "$status $err" '^3 .*has ended' 'pause: one that has ended is not cancelled'

client pg quick
idle=$told
tell "$idle" 'begin; select count(*) from orders;'
sees quick 'WARN +idle in transaction +1 session' 'quick: a transaction holds the table'
begin_run quick 'DROP TABLE orders;'
# Between two tries nothing is executed, and the wait gets longer: a cancel meets one or the other.
tries_again() { grep -q '"attempt":1' "$XDG_STATE_HOME"/bascule/runs/"$(number quick)"-*/journal.ndjson; }
ok 'quick: it tries again' wait_until "$limit" tries_again
cancelled quick
leave "$idle"

# --- MariaDB ---

run "$BASCULE" preflight my
like "$out" 'note +not seen +sessions of other roles.* PROCESS' 'my: a role without PROCESS is told so'
unlike "$out" 'transaction +0|longest' 'my: and gets no number that would be wrong'
services sql my 'grant process on *.* to app@localhost'
client my
idle=$told
tell "$idle" 'start transaction; update orders set v = 2 where id = 1;'
sees my 'longest transaction .*session [0-9]+ of app@localhost in app, idle in transaction' \
	'my: the open transaction of another client is seen'
sees my 'idle in transaction +1 session' 'my: it is idle in its transaction'
unlike "$(preflight my)" 'not seen' 'my: there is nothing to note'
like "$(preflight my)" 'lock timeout +2m 00s for the metadata' 'my: the timeouts in force'
begin_run my 'ALTER TABLE orders ADD COLUMN w int;'
sees my 'WARN +our statement .*ALTER TABLE orders ADD.*waits for the metadata' \
	'my: the run waits for the metadata of a table'
client my
behind=$told
tell "$behind" 'select count(*) from orders;'
sees my 'WARN +perhaps behind us +1 session, for ' 'my: a client that waits too is counted'
cancelled my
sees my 'ok +waiting for locks +0 sessions' 'my: who waited behind it goes on'
leave "$behind"
leave "$idle"
run "$BASCULE" abort "$(number my)"

# Room on the server's disks is known where its plugin is loaded, to who has FILE.
if services sql my "install soname 'disks'" >/dev/null 2>&1; then
	sees my 'note +not seen +the server.s disks: .*without FILE' 'my: a role without FILE is told so'
	services sql my 'grant file on *.* to app@localhost'
	# A container's root is no disk to the plugin.
	sees my '(free disk +[0-9.]+ [kMGTP]?B free at /|not seen +the server.s disks)' 'my: with it the room is known'
	diag "$(preflight my | grep disk)"
else
	skip 'my: the room on the disks' 'the plugin disks is not installed'
fi

# Rows: who waits for whom is known.
services sql my 'create table rows1 (id int primary key, v int) engine=innodb; insert into rows1 values (1, 1)'
client my
idle=$told
tell "$idle" 'start transaction; update rows1 set v = 2 where id = 1;'
begin_run my 'UPDATE rows1 SET v = 3 WHERE id = 1;'
sees my 'WARN +waiting for +.* for session [0-9]+ of app@localhost, idle in transaction' \
	'my: the preflight names whom the run waits for'
cancelled my
leave "$idle"

# --- A server that is gone ---

services stop my
exits 1 'a server that is gone' "$BASCULE" preflight my
is "$out" '' 'has no rows'
like "$err" 'cannot connect' 'but the reason'

done_testing
