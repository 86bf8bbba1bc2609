#!/bin/bash
# SPDX-License-Identifier: MIT
#
# `requires = staging`: every way around it that we could think of. Each ends refused, with no table
# of production changed, or is an override with a reason that the run, its journal and the history
# keep. A way that is open is tried too, so that a gate that refuses everything does not pass.
# shellcheck disable=SC2016 # command lines are for another shell
. tests/support/tap.sh
. tests/support/shop.sh

# A workspace of two stages. 0002 takes as long as the table speed of the environment says, so that
# a run of production can be caught in it, while staging has run it in no time.
gated() { # STAGING-HAS
	local dir env
	shop_n=$((shop_n + 1))
	dir=$TMPDIR/gated.$shop_n
	mkdir -p "$dir/data" "$dir/m/up" "$dir/m/down"
	cd "$dir" || bail 'no workspace'
	export XDG_STATE_HOME=$dir/.state
	cat >bascule.ini <<-'INI'
		[project]
		name = gated
		migrations = m
		pipeline = staging -> production
		[environment staging]
		database = sqlite:data/staging.sqlite
		backup = before-migrate
		[environment production]
		database = sqlite:data/production.sqlite
		requires = staging
		backup = never
	INI
	echo 'CREATE TABLE one(n);' >m/up/0001_one.sql
	cat >m/up/0002_two.sql <<-'SQL'
		CREATE TABLE two AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c
		WHERE i < (SELECT n FROM speed)) SELECT count(*) AS n FROM c;
	SQL
	echo 'CREATE TABLE three(n);' >m/up/0003_three.sql
	for n in 1_one 2_two 3_three; do echo "DROP TABLE ${n#*_};" >"m/down/000$n.sql"; done
	for env in staging production; do
		sqlite3 "data/$env.sqlite" 'CREATE TABLE speed(n); INSERT INTO speed VALUES (1);'
	done
	cp data/staging.sqlite data/development.sqlite # for tables
	bascule migrate staging --to "$1" >/dev/null || bail 'staging cannot be made'
}
speed() { sqlite3 data/production.sqlite "UPDATE speed SET n = $1"; }
runner() { pgrep -f -- "--state $XDG_STATE_HOME/bascule --mode"; }
run_is() { bascule runs | grep -q "^$1 .* $2 "; }
folder() { echo "$XDG_STATE_HOME"/bascule/runs/"$1"-*; }
at_step_of() { grep -q "$2" "$(folder "$1")/journal.ndjson"; }

# Run 2, a migrate of production, is interrupted inside 0002: its runner is killed there.
interrupted() {
	speed 2000000000
	bascule migrate production --to 0002 --confirm production >said 2>&1 &
	wait_until 60 sqlite3 -readonly data/production.sqlite 'SELECT * FROM one' || bail "$(cat said)"
	kill -KILL "$(runner)"
	wait $!
	speed 1
	run_is 2 interrupted || bail "$(bascule runs)"
}

go='--confirm production'
closed='staging-passed is closed'

# --- Through the front door -----------------------------------------------------------------------

gated 0001
fails 3 "$closed.*" 'migrate' "bascule migrate production $go"
like "$err" '0002: not applied in staging' 'the measured value is named'
like "$err" 'rule: production takes only what staging has run' 'and the rule'
fails 3 "$closed" 'migrate --to' "bascule migrate production --to 0002 $go"
fails 3 "$closed" 'migrate --yes' "bascule migrate production --yes $go"
fails 3 "$closed" 'migrate --no-detach' "bascule migrate production --no-detach $go"
fails 3 "$closed" 'migrate --wait' "bascule migrate production --wait=1s $go"
fails 3 "$closed" 'migrate --json' "bascule migrate production --json $go"
fails 3 "$closed" 'baseline' "bascule baseline production $go"
fails 3 "$closed" 'baseline --to' "bascule baseline production --to 0003 $go"
fails 2 'unknown|only-here|changed' 'an override of a gate that does not exist' \
	"bascule migrate production --override nothing --reason x $go"
fails 3 "$closed" 'an override of another gate' \
	"bascule migrate production --override changed --override late --override missing --reason x $go"
fails 2 'cannot be overridden' 'an override of a gate that has none' \
	"bascule migrate production --override source --reason x $go"
fails 2 'reason' 'an override without a reason' \
	"bascule migrate production --override staging-passed $go"
fails 2 'reason' 'an override with an empty reason' \
	"bascule migrate production --override staging-passed --reason '' $go"
fails 2 'reason' 'an override with a blank reason' \
	"bascule migrate production --override staging-passed --reason ' ' $go"
fails 3 'confirmed by its name' 'production without its name' 'bascule migrate production --to 0001'
fails 3 'confirmed by its name' 'production with --yes' 'bascule migrate production --to 0001 --yes'
fails 3 'another environment: staging' 'another name' \
	'bascule migrate production --to 0001 --confirm staging'
fails 3 'another environment' 'the name in capitals' \
	'bascule migrate production --to 0001 --confirm PRODUCTION'
fails 3 'confirm|another' 'no name' "bascule migrate production --to 0001 --confirm ''"
fails 2 'confirm|word|production' 'production twice' \
	'bascule migrate production production --to 0001 --confirm production'
fails 3 'read-only|changes nothing' 'a reader' "bascule --read-only migrate production --to 0001 $go"
is "$(applied production)" 0 'nothing is applied'
exits 0 'what staging has run goes' bascule migrate production --to 0001 --confirm production
is "$(applied production)" 1 'and is applied'

# --- What staging is made to say ------------------------------------------------------------------

gated 0001
bascule baseline staging >/dev/null
is "$(applied staging)" 3 'staging records all by baseline'
fails 3 "only recorded by baseline" 'migrate behind a baseline of staging' \
	"bascule migrate production $go"

gated 0002
echo '-- another text' >>m/up/0002_two.sql
fails 3 'another checksum' 'migrate of a file that was edited after staging ran it' \
	"bascule migrate production $go"
bascule accept staging 0002 --reason x >/dev/null
fails 3 'never ran' 'migrate behind an accept in staging' "bascule migrate production $go"
fails 3 "$closed" 'migrate of the accepted one alone' "bascule migrate production --to 0002 $go"
sed -i 's/another text/a third text/' m/up/0002_two.sql
fails 3 "$closed" 'migrate of a third text' "bascule migrate production $go"

gated 0002
echo 'CREATE TABLE early(n);' >m/up/0000_early.sql
fails 3 '0000: not applied in staging' 'a new file with a lower number' \
	"bascule migrate production $go"
rm m/up/0000_early.sql
mv m/up/0002_two.sql m/up/2_two.sql
mv m/down/0002_two.sql m/down/2_two.sql
printf 'DROP TABLE one;\n' >m/up/2_two.sql
fails 3 "$closed" 'another text under the same number' "bascule migrate production --to 2 $go"

gated 0001
bascule migrate staging >/dev/null
exits 0 'staging is restored to before' bascule restore staging latest
is "$(applied staging)" 1 'and has one migration again'
fails 3 '000[23]: (not applied|rolled back)' 'migrate behind a restore of staging' \
	"bascule migrate production $go"

gated 0003
bascule rollback staging last 1 >/dev/null
fails 3 '0003: rolled back in staging' 'migrate behind a rollback of staging' \
	"bascule migrate production $go"

gated 0003
mv data/staging.sqlite data/gone.sqlite
fails 3 "history of staging cannot be read" 'migrate without staging' "bascule migrate production $go"
mv data/gone.sqlite data/staging.sqlite
exits 0 'and with it' bascule migrate production --confirm production

gated 0003
sed -i 's/^requires = staging/requires = nowhere/' bascule.ini
fails 2 'nowhere' 'requires of a stage that is not there' "bascule migrate production $go"
sed -i 's/^requires = nowhere/requires = production/' bascule.ini
fails 2 'production|itself' 'requires of itself' "bascule migrate production $go"

# --- An interrupted run ---------------------------------------------------------------------------

gated 0002
interrupted
fails 3 'unfinished-run is closed' 'another migrate past the interrupted one' \
	"bascule migrate production --to 0002 $go"
bascule rollback staging last 1 >/dev/null
fails 3 "$closed" 'resume after staging was rolled back' 'bascule resume 2'
fails 3 'ended: failed' 'which ends the run' 'bascule resume 2'
fails 3 'ended: failed' 'takeover after staging was rolled back' 'bascule takeover 2'
id=$(basename "$(folder 2)")
for mode in start resume takeover; do
	fails 3 "$closed|run 2|takeover" "its runner called by hand, $mode" \
		"bascule run $id --state $XDG_STATE_HOME/bascule --mode $mode --wait 0"
done
fails 3 'paused|not|interrupted' 'retry of what is not paused' 'bascule retry 2'
fails 3 'paused|not|interrupted' 'skip of what is not paused' 'bascule skip 2 --reason x'
fails 2 'reason' 'skip without a reason' 'bascule skip 2'
is "$(applied production)" 1 'nothing more is applied'
bascule migrate staging --to 0002 >/dev/null
exits 0 'a new run, once staging has it again' bascule migrate production --to 0002 --confirm production
is "$(applied production)" 2 'and it is applied'
id=$(basename "$(folder 5)")
fails 3 'ended' 'resume of a run that is done' 'bascule resume 5'
for mode in start resume takeover; do
	fails 3 'ended' "the runner of an ended run called by hand, $mode" \
		"bascule run $id --state $XDG_STATE_HOME/bascule --mode $mode --wait 0"
done
fails 2 'by hand' 'a runner called with fewer words' "bascule run $id"
fails 3 'ended' 'abort of a run that has ended' 'bascule abort 2'

# A run whose gate stays open goes on.
gated 0002
interrupted
exits 0 'resume while staging has it' bascule resume 2
is "$(applied production)" 2 'and it is applied'

# What was frozen is what runs, whatever the file says since.
gated 0002
interrupted
echo 'CREATE TABLE evil(n);' >m/up/0002_two.sql
exits 0 'resume after the file was edited' bascule resume 2
is "$(sqlite3 data/production.sqlite "SELECT count(*) FROM sqlite_schema WHERE name = 'evil'")" 0 \
	'the edited file did not run'

# And what was frozen cannot be edited.
edited() { # WHAT FILE SED
	gated 0002
	interrupted
	local folder file
	folder=$(folder 2)
	file=$(find "$folder" -path "$folder/$2" | head -n 1)
	[ -f "$file" ] || bail "no $2 in $(find "$folder")"
	cp "$file" before
	sed -i "$3" "$file"
	not_ok "$1: edited" cmp -s before "$file"
	fails 3 'edited|changed|digest|not what|damaged' "$1: resume" 'bascule resume 2'
	fails 3 'edited|changed|digest|not what|damaged' "$1: its runner by hand" \
		"bascule run $(basename "$folder") --state $XDG_STATE_HOME/bascule --mode resume --wait 0"
	is "$(applied production)" 1 "$1: nothing more is applied"
	still_looks "$1: status and matrix work"
}
given_up() { # WHAT
	run bascule abort 2
	exits 0 "$1: given up, a new run goes" bascule migrate production --to 0002 --confirm production
}

edited 'the plan: its environment' plan.json 's/"requires": *"staging"/"requires":""/'
edited 'the plan: an override put in' plan.json 's/"can_override": *true/"can_override":false/'
given_up 'the plan: an override put in'
edited 'a script' scripts 's/SELECT count/SELECT 1 + count/'
given_up 'a script'
edited 'the journal' journal.ndjson 's/"who":"[a-z]*"/"who":"intruder"/'
is "$(hint)" 'bascule abort 2' 'the journal: the way out is named'
given_up 'the journal'
ok 'the journal: what was edited is kept' grep -q intruder "$(folder 2)/journal.ndjson.damaged"

# --- A paused run ---------------------------------------------------------------------------------

# Run 2, a migrate of production, is paused: 0002 failed there.
paused() {
	sed -i '/production.sqlite/a on_failure = pause' bascule.ini
	sqlite3 data/production.sqlite 'ALTER TABLE speed RENAME TO away'
	exits 8 'a run is paused' bascule migrate production --to 0002 --confirm production
	sqlite3 data/production.sqlite 'ALTER TABLE away RENAME TO speed'
}

gated 0002
paused
bascule rollback staging last 1 >/dev/null
fails 3 "$closed" 'retry after staging was rolled back' 'bascule retry 2'
is "$(applied production)" 1 'nothing more is applied'

gated 0003
paused
exits 0 'retry while staging has it' bascule retry 2
is "$(applied production)" 2 'and it is applied'

gated 0003
paused
exits 2 'skip without a reason' bascule skip 2
exits 2 'skip with a blank reason' bascule skip 2 --reason ' '
exits 0 'skip with a reason' bascule skip 2 --reason 'ticket 12'
ok 'is in the journal' grep -q 'ticket 12' "$(folder 2)/journal.ndjson"
is "$(applied production)" 1 'and nothing is applied for it'

# --- Overrides ------------------------------------------------------------------------------------

gated 0001
exits 0 'an override with a reason goes' \
	bascule migrate production --override staging-passed --reason 'ticket 4711' --confirm production
is "$(applied production)" 3 'and applies'
run bascule watch 2
like "$out" 'staging-passed is overridden: ticket 4711' 'who watches the run is told'
like "$(sqlite3 data/production.sqlite 'SELECT line FROM bascule_line')" '4711' 'the ledger keeps it'
ok 'the journal keeps it' grep -q 4711 "$(folder 2)/journal.ndjson"
ok 'and the frozen plan' grep -q 4711 "$(folder 2)/plan.json"

done_testing
