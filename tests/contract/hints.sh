#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Every refusal of migrate and rollback names a command. Run as it is printed, it works, and then
# the refusal is gone or is another one, with a command of its own; followed often enough, the
# change is done.
. tests/support/tap.sh
. tests/support/shop.sh

# leads WHAT GATE COMMAND: the command is refused with those words, and what it says to try changes
# the refusal.
leads() {
	local first tried
	run sh -c "$3"
	first=$err
	tried=$(hint)
	if [ "$status" = 0 ] || ! grep -qE -- "$2" <<<"$first"; then
		fail "$1" "not refused as it should be ($status): $3" "$err"
	elif ! in_parts || [ -z "$tried" ]; then
		fail "$1" "no command in: $first"
	elif ! run sh -c "$tried" || [ "$status" != 0 ]; then
		fail "$1" "$3" "is refused with: $first" "what it says to try ended with $status: $tried" "$err"
	else
		run sh -c "$3"
		if [ "$status" != 0 ] && [ "$err" = "$first" ]; then
			fail "$1" "refused as before: $tried" "$err"
		else
			pass "$1"
		fi
	fi
}

# arrives WHAT COMMAND: following what is printed ends in the command being done.
arrives() {
	local i tried
	for i in {1..6}; do
		run sh -c "$2"
		[ "$status" != 0 ] || break
		tried=$(hint)
		sh -c "$tried" >/dev/null 2>&1
	done
	is "$status" 0 "$1, in $i tries"
	[ "$status" = 0 ] || diag "$err"
}

goes_with_words() { # WHAT GATE COMMAND
	leads "$@"
	arrives "$1: and then it is done" "$3"
}

# --- migrate --------------------------------------------------------------------------------------

shop
goes_with_words 'changed' 'gate changed is closed' 'bascule migrate staging --yes'
shop
goes_with_words 'changed, asked without --yes' 'gate changed is closed' 'bascule migrate staging'
shop
leads 'staging-passed' 'gate staging-passed is closed' 'bascule migrate production --confirm production'
is "$(applied staging)" 12 'staging-passed: staging has run them'
arrives 'staging-passed: and then it is done' 'bascule migrate production --confirm production'
is "$(applied production)" 12 'production has them all'
shop
goes_with_words 'staging-passed, of baseline' 'gate staging-passed is closed' \
	'bascule baseline production --confirm production'
shop
rm migrations/up/0004* migrations/down/0004*
goes_with_words 'missing' 'gate missing is closed' 'bascule migrate development'
shop
echo 'CREATE TABLE late(n);' >migrations/up/0002.5_late.sql
goes_with_words 'late' 'gate late is closed' 'bascule migrate development'
shop
echo 'CREATE TABLE broken(' >migrations/up/0011_audit.sql
bascule migrate development >/dev/null 2>&1
leads 'failed' 'gate failed is closed' 'bascule migrate development'
echo 'CREATE TABLE mended(n);' >migrations/up/0011_audit.sql
exits 0 'failed: mended, it goes' bascule migrate development
shop
rm data/staging.sqlite
leads 'missing database' 'staging.sqlite' 'bascule migrate staging --yes'
ok 'missing database: it is made' test -s data/staging.sqlite
shop
rm data/production.sqlite
leads 'missing database, protected' 'production.sqlite' \
	'bascule migrate production --confirm production'
ok 'missing database, protected: it is made' test -e data/production.sqlite
shop
rm data/staging.sqlite
leads 'the database of the gate is missing' 'history of staging cannot be read' \
	'bascule migrate production --confirm production'
shop
leads 'production without its name' 'confirmed by its name' 'bascule migrate production --to 0006.5; bascule baseline production --override staging-passed --reason x'
shop
head -c 100 /dev/zero >migrations/up/0013_nul.sql
run bascule migrate development
like "$(hint)" '^bascule check$' 'source: check is named'
run sh -c "$(hint)"
like "$out" '0013_nul' 'source: it names the file'
rm migrations/up/0013_nul.sql
exits 0 'source: without it, it goes' bascule migrate development

# A runner that was killed.
shop
cat >migrations/up/0013_slow.sql <<'SQL'
CREATE TABLE slow AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
WHERE i < 3000000) SELECT count(*) AS c FROM n;
SQL
has_12() { [ "$(applied development)" = 12 ]; }
runner() { pgrep -f -- "--state $XDG_STATE_HOME/bascule --mode"; }
bascule migrate development >said 2>&1 &
if wait_until 60 has_12 && kill -KILL "$(runner)"; then
	wait $!
	leads 'unfinished-run' 'gate unfinished-run is closed' 'bascule rollback development last 1'
	is "$(applied development)" 13 'unfinished-run: and is done'
	is "$(grep -c '^bascule:' said)" 2 'unfinished-run: who watched was told'
else
	fail 'unfinished-run' "$(cat said)"
fi

# --- rollback -------------------------------------------------------------------------------------

shop
leads 'no down' 'gate reversible is closed' 'bascule rollback development last 2'
shop
: >migrations/down/0011_audit.sql
bascule migrate development --to 0011 >/dev/null
run bascule migrate development
echo 'DROP TABLE audit;' >migrations/down/0011_audit.sql
leads 'an empty down, and one on disk today' 'gate reversible is closed' \
	'bascule rollback development last 2'
shop
cp migrations/down/0011_audit.sql down
echo '-- nothing to do' >migrations/down/0011_audit.sql
bascule migrate development --to 0011 >/dev/null
run bascule rollback development last 1
like "$(hint)" '^write a down of 0011, then: bascule ' 'a down of comments, and no backup: what to write is named'
cp down migrations/down/0011_audit.sql
tried=$(hint)
exits 0 'a down of comments: with it, the command works' sh -c "${tried#*then: }"
is "$(applied development)" 10 'a down of comments: rolled back'
sed -i '/development.sqlite/a backup = before-migrate' bascule.ini
echo '-- nothing to do' >migrations/down/0011_audit.sql
exits 0 'a down of comments: applied again' bascule migrate development --to 0011
leads 'a down of comments, and a backup' 'gate reversible is closed' 'bascule rollback development last 1'
shop
bascule baseline development >/dev/null
is "$(applied development)" 12 'baselined: recorded'
# Its down is known from the file and is run; here it has nothing to take back.
fails 1 '0012_order_status.sql.*statement 1' 'baselined: a down that does not fit is rolled back' \
	'bascule rollback development last 1'
shop
fails 2 'nothing|bascule' 'rollback of nothing' 'bascule rollback development'
fails 2 'last|number|between' 'rollback of none' 'bascule rollback development last 0'
fails 2 'option -1' 'rollback of less' 'bascule rollback development last -1'
run bascule rollback development last 100
isnt "$status" 0 'rollback of more than there are is refused'
run bascule rollback development to-version 9.9.9
isnt "$status" 0 'rollback to a version that is not there is refused'
ok 'in its parts' in_parts

# --- accept ---------------------------------------------------------------------------------------

shop
run bascule accept staging 0008 --reason why --dry-run
is "$status" 0 'accept --dry-run'
like "$out" $'\n *-[^\n]*' 'accept --dry-run shows what it was'
like "$out" $'\n *\\+[^\n]*' 'and what it is now'
like "$(bascule migrate staging --dry-run 2>&1)" 'CHANGED|changed' 'migrate --dry-run shows the gate'
fails 2 'reason' 'accept without a reason' 'bascule accept staging 0008 --yes'
run sh -c "$(hint)"
is "$status" 0 'what it says to try works'

done_testing
