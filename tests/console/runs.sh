# SPDX-License-Identifier: MIT
# A run belongs to its runner: the console may leave and come back, stop it, abort it, and take it up
# again after the runner was killed; a paused run is asked about by name, never by a letter.
. tests/support/tap.sh

demo=$TMPDIR/demo
"$BASCULE" demo "$demo" --plain >"$TMPDIR/demo.out" 2>&1 || bail "no demo: $(<"$TMPDIR/demo.out")"
cd "$demo" || bail 'the demo left no folder'
export XDG_STATE_HOME=$demo/.state

# migration ID NAME SQL
migration() {
	printf '%s\n' "$3" >"migrations/up/$1_$2.sql"
	echo 'SELECT 1;' >"migrations/down/$1_$2.sql"
}
# Counts for hours: it ends when somebody ends it.
endless='CREATE TABLE counted AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
	LIMIT 100000000000) SELECT count(*) AS n FROM n;'
console() {
	screen_start 120 36 "$BASCULE"
	screen_wait '>link +ok'
}
palette() {
	screen_keys :
	screen_type "$1"
	screen_keys Enter
}
# The state folder is in the command of a runner: no other test's runner is meant.
runner_of() { pgrep -f "bascule run $1-[0-9a-f]+ --state $XDG_STATE_HOME"; }

migration 0013 count "$endless"

# --- Leave and return ---

console
screen_keys A p
shows 'migrate development to 0013' 'a plan with a migration that takes long'
screen_keys !
shows '>  5  apply 0013 count .* running' 'its run is at that step'
shows 'RUNNING' 'and running'
shows 'Run [0-9]+ ' 'the run has a number'
number=$(screen_text | grep -oE ' Run [0-9]+' | grep -oE '[0-9]+')
shows 'leaving here does not stop the run' 'the screen says that leaving does not stop it'
screen_keys 1 R
shows "locked by .*, run $number" 'the environments say that the next migrate has to wait'
shows "^ run +$number running, step 5 of 6" 'the environments name the run'
shows '^ lock +root|^ lock +[a-z]+ since' 'and who holds the lock'
screen_keys Q
ok 'Q leaves while it runs' screen_wait_exit
is "$status" 0 'with exit status 0'
screen_stop
ok 'its runner lives' kill -0 "$(runner_of "$number")"
run "$BASCULE" runs --plain
like "$out" "$number +migrate +development +running" 'the run goes on'

console
screen_keys 9
shows "^>$number +migrate +development +running" 'a new console lists it'
screen_keys Enter
shows '>  5  apply 0013 count .* running' 'and watches it'
palette abo
shows 'there is no command `abo`' 'abort must be written out'
palette stop
shows 'stop' 'a stop after the step is asked for'
palette abort
shows 'ABORTED|ROLLED-BACK' 'abort ends it in the middle of the step'
shows 'nothing is half done' 'and the screen says in what state things are'
shows '>  [0-9]+  |^   5  apply 0013' 'the steps stay on the screen'
palette resume
shows "run $number has ended: aborted" 'what has ended cannot be resumed'
run "$BASCULE" matrix --plain
like "$out" '0013 +count +(pending|FAILED)' '0013 was not applied'

# --- The runner is killed ---

screen_keys 1 A p
shows 'migrate development to 0013' 'a new plan'
screen_keys !
shows 'apply 0013 count .* running' 'its run'
number=$(screen_text | grep -oE ' Run [0-9]+' | grep -oE '[0-9]+')
kill -KILL "$(runner_of "$number")"
shows 'INTERRUPTED' 'the runner killed: the run is interrupted'
shows 'Its runner is gone. :resume goes on at step' 'and what can be done is said'
screen_keys 1 R
shows "^ run +$number interrupted" 'the environments say it too'
screen_keys p
shows 'unfinished-run' 'another plan is refused while it is unfinished'
screen_keys 9 g
shows "^>$number +migrate +development +interrupted" 'the list of runs has it'
screen_keys Enter
screen_keys A
shows 'RO read-only' 'read-only'
palette resume
shows 'development is read-only' 'resume needs an armed environment'
screen_keys A
shows 'ARMED development' 'armed'
palette resume
shows 'RUNNING' 'resume goes on'
shows 'apply 0013 count .* running' 'with the step it was at'
palette abort
shows 'ABORTED|ROLLED-BACK' 'and it can be aborted'

# --- A failure that pauses ---

sed -i '/^\[environment development\]/a on_failure = pause' bascule.ini
screen_keys Q
screen_wait_exit
screen_stop
migration 0013 count 'INSERT INTO no_such_table VALUES (1);'
console
screen_keys A p
shows 'READY' 'a plan with a migration that fails'
screen_keys !
shows 'PAUSED' 'its run pauses'
shows 'no such table:' 'with the error'
shows ':retry tries the step again, :skip REASON' 'and the ways on'
pauses() { cat .state/bascule/runs/*/journal.ndjson | grep -c '"paused"'; }
pauses_more_than() { [ "$(pauses)" -gt "$1" ]; }
before=$(pauses)
palette retry
shows 'asked run [0-9]+: retry|PAUSED' 'retry is asked for'
# The screen said so before: the journal tells one pause from the next.
ok 'and pauses again' wait_until 60 pauses_more_than "$before"
palette skip
shows 'reason for skipping the step:' 'skip wants a reason'
screen_type 'not needed here'
screen_keys Enter
shows 'DONE' 'skipped, the run ends'
shows 'apply 0013 count .* skipped' 'and the step says so'
run "$BASCULE" matrix --plain
like "$out" '0013 +count +(pending|FAILED)' 'a skipped migration is not applied'
screen_keys Q
ok 'Q leaves' screen_wait_exit

done_testing
