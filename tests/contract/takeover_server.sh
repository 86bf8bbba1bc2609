# SPDX-License-Identifier: MIT
# Two runners of one environment on a server: who is told what, and that the one that was taken over
# writes nothing any more.
#
# needs: servers
# time-limit: 400
. tests/support/tap.sh
. tests/services/services.sh
. tests/support/servers.sh
services_need pg my
services start pg >/dev/null || bail 'PostgreSQL does not start'
services start my >/dev/null || bail 'MariaDB does not start'

# Is a statement of minutes at work on the server?
at_work() {
	if [ "$world_kind" = pg ]; then
		[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE datname = '$world_db' AND usename = 'app' AND state = 'active' AND query LIKE '%pg_sleep%'")" = 1 ]
	else
		[ "$(sql "SELECT count(*) FROM information_schema.processlist WHERE db = '$world_db' AND user = 'app' AND info LIKE '%seq_1_to%'")" = 1 ]
	fi
}
idle() { ! waits 'UPDATE busy SET x = 2'; }
# A takeover is refused until the holder has been silent for lock_stale.
taken_over() { bascule takeover "$@" >over 2>&1; }

for kind in pg my; do
	# --- Two operators -----------------------------------------------------------------------------
	world $kind 'lock_stale = 2s
lock_timeout = 300s'
	sql 'CREATE TABLE busy (x int); INSERT INTO busy VALUES (1)'
	[ $kind = my ] || sql 'ALTER TABLE busy OWNER TO app'
	migration 0001 'CREATE TABLE t1 (x int);'
	migration 0002 'UPDATE busy SET x = 2; CREATE TABLE t2 (x int);'
	migration 0003 'CREATE TABLE t3 (x int);'
	hold 'BEGIN; UPDATE busy SET x = 3'
	bascule migrate dev --yes --plain >first 2>&1 &
	command=$!
	ok "$kind: a run is at work" wait_until 60 waits 'UPDATE busy SET x = 2'
	holder=$(runner)
	exits 6 "$kind: a second operator is refused" bascule migrate dev --yes --plain
	like "$err" "$(id -un)" 'who has it'
	like "$err" "$(hostname)" 'from where'
	like "$err" 'since|for [0-9]|ago|[0-9]:[0-9]' 'since when'
	run bascule takeover 1 --yes
	isnt "$status" 0 'a holder that beats is not taken over'

	# --- Stopped past its lease, taken over, and continued -----------------------------------------
	kill -STOP "$holder"
	let_go
	ok 'stopped; the server ends what was sent' wait_until 60 idle
	ok 'it is taken over with a typed confirmation' wait_until 60 taken_over 1 --terminate --confirm dev
	diag "$(tail -n 3 over)"
	is "$(in_force)" 3 'and the run was brought to its end by the other'
	history=$(sql "SELECT count(*), max(seq) FROM $(ledger history)")
	kept=$(sql "SELECT count(*) FROM $(ledger line)")
	kill -CONT "$holder"
	ok 'continued, it ends by itself' wait_until 60 gone "$holder"
	wait $command
	is "$(sql "SELECT count(*), max(seq) FROM $(ledger history)")" "$history" 'having written nothing to the history'
	is "$(sql "SELECT count(*) FROM $(ledger line)")" "$kept" 'nor to the journal of the ledger'
	is "$(events "event = 'applied'")" 3 'each migration was applied once'
	is "$(sql "SELECT count(*) FROM $(ledger lock) WHERE run = ''")" 1 'the lock is free'

	# --- What outlives its client --------------------------------------------------------------------
	world $kind 'lock_stale = 2s'
	if [ $kind = pg ]; then
		migration 0001 'SELECT pg_sleep(300); CREATE TABLE t1 (x int);'
	else
		# A sleep() would see that its client is gone; work does not.
		migration 0001 "CREATE TABLE big AS SELECT sum(a.seq * b.seq) AS y FROM seq_1_to_1000000 a, seq_1_to_1000000 b;"
	fi
	bascule migrate dev --yes --plain >first 2>&1 &
	command=$!
	ok "$kind: a statement of minutes" wait_until 60 at_work
	kill -9 "$(runner)"
	wait $command
	ok 'outlives its runner' at_work
	run bascule takeover 1
	isnt "$status" 0 'a takeover does not go on beside it'
	like "$out$err" 'session [0-9]+' 'it says which session'
	like "$err" 'takeover 1 --terminate' 'and what ends it'
	ok 'nothing was begun twice' at_work
	run bascule takeover 1 --terminate
	isnt "$status" 0 'ending it wants the name of the environment'
	if [ $kind = pg ]; then
		migration 0001 'SELECT 1;' # the run has its own copy
	fi
	bascule takeover 1 --terminate --confirm dev --plain >over 2>&1 &
	over=$!
	# It is the same statement again: at work under another session.
	again() { grep -q '"mode": *"takeover"' "$(run_dir)/journal.ndjson" && at_work; }
	ok 'with it, it is ended, and the run goes on' wait_until 60 again
	run bascule abort 1
	wait $over
	settle
	is "$(events "event = 'applied'")" 0 'aborted: nothing of it is applied'
done
done_testing
