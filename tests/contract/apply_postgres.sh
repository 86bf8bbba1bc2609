# SPDX-License-Identifier: MIT
# Applying on PostgreSQL through the real program: failures, locks, stops, kills, lost answers.
#
# needs: servers
# time-limit: 400
. tests/support/tap.sh
. tests/services/services.sh
. tests/support/servers.sh
services_need pg
services start pg >/dev/null || bail 'PostgreSQL does not start'

tables_like() { # PATTERN
	sql "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE '$1'"
}
many() { # FROM TO
	local i id
	for ((i = $1; i <= $2; i++)); do
		printf -v id %04d "$i"
		migration "$id" "CREATE TABLE t$i (x int); INSERT INTO t$i VALUES ($i);" "DROP TABLE t$i;"
	done
}
# --- A failure rolls one migration back, and only it ----------------------------------------------------

world pg
migration 0001 'CREATE TABLE a (x int);
INSERT INTO a VALUES (1);
CREATE TABLE b (x int);
INSERT INTO b VALUES (1);
INSERT INTO missing VALUES (1);
CREATE TABLE c (x int);
INSERT INTO c VALUES (1);
INSERT INTO c VALUES (2);
INSERT INTO c VALUES (3);'
exits 1 'a failing statement ends the command with 1' bascule migrate dev --yes --plain
like "$out$err" 'line 5' 'in which line'
like "$err" 'statement 5 of 9' 'which statement, of how many'
like "$err" '42P01' 'with its SQLSTATE'
is "$(tables_like '_')" 0 'nothing of it is left'
is "$(events "event = 'failed' AND statement = 5")" 1 'but its failure'
is "$(events)" 1 'and nothing else in the history'

world pg
many 1 300
migration 0150 'CREATE TABLE t150 (x int); SELECT 1/0;'
exits 1 'the 150th of 300 fails' bascule migrate dev --yes --plain
is "$(in_force)" 149 '149 are applied'
is "$(tables_like 't%')" 149 'truly'
is "$(events "id > '0150'")" 0 'nothing behind it was begun'
is "$(events "event = 'failed' AND id = '0150'")" 1 'its failure is recorded'
# The failing COMMIT is not the last word either: a constraint that is looked at there.
migration 0150 'CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t150 (id int REFERENCES p DEFERRABLE INITIALLY DEFERRED); INSERT INTO t150 VALUES (7);'
run bascule migrate dev --yes --plain
is "$status" 1 'it fails at its COMMIT'
like "$err" '23503' 'and says why'
is "$(in_force) $(tables_like 't15_')" '149 0' 'nothing of it is left, and nothing behind it was run'
migration 0150 'CREATE TABLE t150 (x int);' 'DROP TABLE t150;'
exits 0 'mended, all of them follow' bascule migrate dev --yes --plain
is "$(in_force) $(tables_like 't%')" '300 300' 'to the end'
exits 0 'the last 50 go back' bascule rollback dev last 50 --yes --plain
is "$(in_force) $(tables_like 't%')" '250 250' 'those 50'
is "$(sql "SELECT string_agg(id, ' ' ORDER BY seq) FROM (SELECT * FROM bascule.history WHERE event = 'rolled-back' ORDER BY seq LIMIT 3) x")" \
	'0300 0299 0298' 'newest first'
is "$(events "event = 'rolled-back'")" 50 'each recorded'

# --- What a migration does to its session ------------------------------------------------------------------

world pg
sql "CREATE ROLE other_$world_db; GRANT other_$world_db TO app; CREATE SCHEMA elsewhere AUTHORIZATION other_$world_db;"
migration 0001 "SET ROLE other_$world_db; SET search_path = elsewhere; SET statement_timeout = 1; SET lock_timeout = 1; SET standard_conforming_strings = off;
SET statement_timeout = 0; CREATE TABLE one (x int);"
migration 0002 "CREATE TABLE two (x int); SELECT pg_sleep(0.05); CREATE TABLE who AS SELECT current_user::text AS u, current_setting('search_path') AS p, current_setting('standard_conforming_strings') AS s;"
exits 0 'a migration that changes role and path' bascule migrate dev --yes --plain
is "$(sql "SELECT schemaname FROM pg_tables WHERE tablename = 'one'")" elsewhere 'works as it says'
is "$(sql "SELECT schemaname FROM pg_tables WHERE tablename = 'two'")" public 'the next is not touched by it'
is "$(sql "SELECT u || ' ' || s FROM who")" 'app on' 'nor what else it set'
is "$(events "event = 'applied'")" 2 'nor our records'

world pg 'statement_timeout = 2s'
migration 0001 'CREATE TABLE t1 (x int); SELECT pg_sleep(60);'
exits 1 'a statement longer than statement_timeout' bascule migrate dev --yes --plain
like "$err" '57014' 'is ended by the server'
is "$(tables_like 't1')" 0 'and rolled back'

world pg
migration 0001 'CREATE TABLE t1 (x int); SELECT pg_advisory_unlock_all();'
run bascule migrate dev --yes --plain
isnt "$status" 0 'a migration that frees our lock is refused'
like "$out$err" 'lock' 'for it'
is "$(tables_like 't1')" 0 'before anything ran'

# --- Locks of others -------------------------------------------------------------------------------------------

world pg 'lock_timeout = 50ms'
sql 'CREATE TABLE busy (x int); ALTER TABLE busy OWNER TO app'
migration 0001 'CREATE TABLE t1 (x int);'
migration 0002 'ALTER TABLE busy ADD COLUMN y int;'
migration 0003 'CREATE TABLE t3 (x int);'
hold 'BEGIN; LOCK TABLE busy'
exits 1 'a lock held for longer than all tries' bascule migrate dev --yes --plain
like "$err" '55P03' 'says so'
is "$(grep -c '"attempt"' "$(run_dir)/journal.ndjson")" 4 'four more tries were made, each in the journal'
is "$(sed -n 's/.*"attempt": *\([0-9]*\).*/\1/p' "$(run_dir)/journal.ndjson" | tr '\n' ' ')" '1 2 3 4 ' 'numbered'
ok 'each waits longer' awk 'BEGIN { RS = "\n" } match($0, /"wait_ms": *[0-9]+/) {
	ms = substr($0, RSTART + 10, RLENGTH - 10); gsub(/[^0-9]/, "", ms)
	if (++n > 2 && ms + 0 < 500 * 2 ^ (n - 1) / 2) exit 1 }' "$(run_dir)/journal.ndjson"
is "$(in_force)" 1 'what was before it stays'
exits 0 'accepted for another try' bascule accept dev 0002 --reason 'nobody holds it tonight' --yes
bascule migrate dev --yes --plain >tries 2>&1 &
tried() { grep -q '"attempt"' "$(run_dir)/journal.ndjson"; }
another_run() { [ "$(run_number)" = 3 ] && tried; }
ok 'again: a try was in vain' wait_until 60 another_run
let_go
wait $!
is "$?" 0 'then the lock is free, and it succeeds'
like "$(cat tries)" 'at try [2-5]' 'saying at which try'
is "$(in_force)" 3 'and what is behind it follows'

# --- Without a transaction ---------------------------------------------------------------------------------------

world pg
migration 0001 'CREATE TABLE u (x int); INSERT INTO u VALUES (1), (1);'
migration 0002 '-- transaction: no
CREATE INDEX CONCURRENTLY u_x ON u (x);
CREATE TABLE behind (x int);' '-- transaction: no
DROP TABLE behind;
DROP INDEX CONCURRENTLY u_x;'
exits 0 'CREATE INDEX CONCURRENTLY does not wait for our own lock' timeout 60 bascule migrate dev --yes --plain
is "$(sql "SELECT indisvalid FROM pg_index WHERE indexrelid = 'u_x'::regclass")" t 'it is there'
exits 0 'and back' timeout 60 bascule rollback dev last 1 --yes --plain
migration 0002 '-- transaction: no
CREATE TABLE before_it (x int);
CREATE UNIQUE INDEX CONCURRENTLY u_x ON u (x);
CREATE TABLE behind (x int);'
exits 1 'one that fails in its middle' bascule migrate dev --yes --plain
like "$err" 'statement 2 of 3' 'says where'
is "$(tables_like 'before_it') $(tables_like behind)" '1 0' 'what ran before it stays'
is "$(sql "SELECT indisvalid FROM pg_index WHERE indexrelid = 'u_x'::regclass")" f 'the invalid index is left'
like "$out$err" 'invalid|u_x' 'and it is said'
sql 'DELETE FROM u; DROP INDEX u_x'
exits 0 'with the cause mended, resume goes on' bascule resume "$(run_number)"
is "$(sql "SELECT indisvalid FROM pg_index WHERE indexrelid = 'u_x'::regclass")" t 'from there'
is "$(in_force) $(tables_like behind)" '2 1' 'to the end'

# Its runner and its session are killed while it waits for an old snapshot.
world pg
migration 0001 'CREATE TABLE u (x int);'
migration 0002 '-- transaction: no
CREATE INDEX CONCURRENTLY u_x ON u (x);
CREATE TABLE behind (x int);' '-- transaction: no
DROP INDEX CONCURRENTLY u_x;
DROP TABLE behind;'
exits 0 'a table' bascule migrate dev --to 0001 --yes --plain
building() { [ "$(sql "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('u_x') AND NOT indisvalid")" = 1 ]; }
unready() { [ "$(sql "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('u_x') AND NOT (indisvalid AND indisready)")" = 1 ]; }
kill_sessions() {
	sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$world_db' AND usename = 'app'"
	settle
}
hold 'BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO u VALUES (1)'
bascule migrate dev --yes --plain >first 2>&1 &
ok 'an index is being built' wait_until 60 building
kill -9 "$(runner)"
wait $!
kill_sessions
let_go
run bascule resume "$(run_number)"
isnt "$status" 0 'an index that was not built to its end is not taken for built'
like "$err" 'DROP INDEX CONCURRENTLY u_x' 'what to do is said'
sql 'DROP INDEX u_x'
exits 0 'then resume builds it' bascule resume "$(run_number)"
is "$(sql "SELECT indisvalid FROM pg_index WHERE indexrelid = 'u_x'::regclass")" t 'whole'
hold 'BEGIN; LOCK TABLE u IN ROW EXCLUSIVE MODE'
bascule rollback dev last 1 --yes --plain >first 2>&1 &
ok 'it is being dropped' wait_until 60 events_are 1 "event = 'intent' AND down = 1 AND statement = 1"
ok 'in the first of several steps' wait_until 60 unready
kill -9 "$(runner)"
wait $!
kill_sessions
let_go
exits 0 'resume drops it again' bascule resume "$(run_number)"
is "$(sql "SELECT count(*) FROM pg_class WHERE relname = 'u_x'")" 0 'to the end'

# --- Stops -----------------------------------------------------------------------------------------------------------

sleeping() { [ -n "$(sql "SELECT 1 FROM pg_stat_activity WHERE datname = '$world_db' AND query LIKE '%pg_sleep%' AND state = 'active' AND usename = 'app'")" ]; }
world pg
migration 0001 'CREATE TABLE t1 (x int);'
migration 0002 'CREATE TABLE t2 (x int); SELECT pg_sleep(300);'
migration 0003 'CREATE TABLE t3 (x int);'
bascule migrate dev --yes --plain >first 2>&1 &
command=$!
ok 'a migration that sleeps' wait_until 60 sleeping
run bascule abort 1 --plain
wait $command
is "$?" 4 'abort ends it'
like "$(cat first)$out$err" 'rolled back' 'and says that it was rolled back'
is "$(tables_like 't_') $(in_force)" '1 1' 'which is true'
is "$(grep -c '"kind":"request"\|"request"' "$(run_dir)/journal.ndjson")" 1 'who asked is in the journal'
run bascule runs --json
like "$out" '"aborted"' 'the run is aborted'

world pg 'lock_timeout = 300s'
many 1 200
sql 'CREATE TABLE busy (x int); ALTER TABLE busy OWNER TO app'
migration 0002 'CREATE TABLE t2 (x int); ALTER TABLE busy ADD COLUMN y int;'
hold 'BEGIN; LOCK TABLE busy'
bascule migrate dev --yes --plain >first 2>&1 &
command=$!
ok 'another that waits' wait_until 60 waits busy
kill -TERM "$(runner)"
let_go
wait $command
is "$?" 4 'SIGTERM stops the run'
is "$(tables_like 't2')" 1 'behind what is under way'
is "$(in_force)" "$(tables_like 't%')" 'which is recorded'
ok 'and before the end' test "$(in_force)" -lt 200

# --- Killed ------------------------------------------------------------------------------------------------------------

world pg
many 1 200
rounds=8 torn=0 bad=
[ "${TORTURE-}" != full ] || rounds=40
for ((round = 1; round <= rounds; round++)); do
	bascule migrate dev --yes --plain >first 2>&1 &
	command=$!
	at=$((round * 195 / rounds))
	wait_until 60 events_reach "$at" "generation = $round AND event = 'applied'" ||
		diag "round $round: $at events were not reached" "$(cat first)"
	kill -9 "$(runner)" 2>/dev/null
	wait $command
	if [ $? != 0 ]; then
		torn=$((torn + 1))
		settle || diag "round $round: not settled"
		run bascule resume "$(run_number)"
		[ "$status" = 0 ] || bad+="round $round: $out $err"$'\n'
	fi
	[ "$(events "generation = $round AND event = 'applied'")" = 200 ] || bad+="round $round: events"$'\n'
	[ "$(tables_like 't%') $(in_force)" = '200 200' ] || bad+="round $round: $(tables_like 't%') $(in_force)"$'\n'
	[ -z "$bad" ] || break
	bascule rollback dev last 200 --yes --plain >back 2>&1 || bad+="round $round: $(cat back)"$'\n'
	[ "$(tables_like 't%')" = 0 ] || bad+="round $round: not gone"$'\n'
done
is "$bad" '' "killed at $torn of $rounds moments: each migration was applied exactly once"

# Cut between COMMIT and its answer.
services proxy net pg >/dev/null || bail 'no proxy'
world_server=net
world pg
world_server=
migration 0001 'CREATE TABLE t1 (x int);'
migration 0002 'CREATE TABLE t2 (marker int);'
migration 0003 'CREATE TABLE t3 (x int);'
services proxy net swallow 'marker' >/dev/null
run bascule migrate dev --yes --plain
isnt "$status" 0 'a connection cut between COMMIT and its answer'
like "$out$err" 'bascule resume 1' 'says how to go on'
settle
is "$(events "id = '0002' AND event = 'applied'")" 1 'the server had committed'
exits 0 'resume finds it applied' bascule resume 1
is "$(tables_like 't_') $(in_force)" '3 3' 'and goes on behind it'
is "$(events "event = 'applied'")" 3 'each once'
services proxy net normal >/dev/null
done_testing
