#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The layouts of migrations end to end: listed, applied, rolled back by number and to a version;
# and the files as people really have them: CRLF, a BOM, blanks in names, two styles of numbers side
# by side, no last semicolon, their own BEGIN and COMMIT, triggers, empty downs. Then how much
# memory ten thousand of them take.
# shellcheck disable=SC2016 # $$ and backquotes are SQL here
. tests/support/tap.sh
PATH=$(dirname "$BASCULE"):$PATH

n=0
# project: an empty project with one environment, dev.
project() {
	n=$((n + 1))
	mkdir -p "$TMPDIR/p$n/m"
	cd "$TMPDIR/p$n" || bail 'no folder'
	export XDG_STATE_HOME=$PWD/.state
	printf '%s\n' '[project]' 'name = p' 'migrations = m' 'schema_version = 1.{n}.0' \
		'[environment dev]' 'database = sqlite:dev.db' 'protected = no' >bascule.ini
	sqlite3 dev.db 'CREATE TABLE before(n); DROP TABLE before;'
}
sql() { sqlite3 -readonly dev.db "$1"; }
tables() { sql "SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'bascule%' ORDER BY name)"; }
ids() { bascule matrix --json | sed -n 's/.*"id": *"\([^"]*\)".*/\1/p' | tr '\n' ' '; }

# put FILE TEXT: with folders.
put() {
	mkdir -p "$(dirname "$1")"
	printf '%b' "$2" >"$1"
}

# --- The four layouts -----------------------------------------------------------------------------

# One migration in each layout: number, name, up, down.
as_folders() { put "m/up/$1_$2.sql" "$3" && put "m/down/$1_$2.sql" "$4"; }
as_suffix() { put "m/$1_$2.up.sql" "$3" && put "m/$1_$2.down.sql" "$4"; }
as_directory() { put "m/$1_$2/up.sql" "$3" && put "m/$1_$2/down.sql" "$4"; }
as_onefile() { put "m/$1_$2.sql" "-- migrate:up\n$3\n-- migrate:down\n$4\n"; }

for layout in as_folders as_suffix as_directory as_onefile; do
	project
	for i in 1 2 3 10; do $layout "$i" "t$i" "CREATE TABLE t$i(n);" "DROP TABLE t$i;"; done
	is "$(ids)" '1 2 3 10 ' "$layout: numbers compare as numbers"
	exits 0 "$layout: migrate" bascule migrate dev
	is "$(tables)" 't1 t10 t2 t3' "$layout: applied"
	exits 0 "$layout: rollback last 1" bascule rollback dev last 1
	is "$(tables)" 't1 t2 t3' "$layout: the newest is gone"
	exits 0 "$layout: migrate --to" bascule migrate dev --to 10
	exits 0 "$layout: rollback to-version" bascule rollback dev to-version 1.2.0
	is "$(tables)" 't1 t2' "$layout: what is behind 1.2.0 is gone"
	exits 0 "$layout: rollback to-version by id" bascule rollback dev to-version 1
	is "$(tables)" 't1' "$layout: down to 1"
	exits 0 "$layout: up again" bascule migrate dev
	is "$(tables)" 't1 t10 t2 t3' "$layout: all of it"
	exits 0 "$layout: all down" bascule rollback dev last 4
	is "$(tables)" '' "$layout: none is left"
	exits 0 "$layout: new" bascule new 'add more'
	like "$out" '11_add_more' "$layout: new counts on"
done

as_flyway() { put "m/V$1__$2.sql" "$3" && put "m/U$1__$2.sql" "$4"; }
as_goose() { put "m/$1_$2.sql" "-- +goose Up\n$3\n-- +goose Down\n$4\n"; }
as_sqitch() {
	[ -e m/sqitch.plan ] || put m/sqitch.plan '%syntax-version=1.0.0\n%project=p\n\n'
	printf '%s 2020-01-01T00:00:00Z A <a@b> # %s\n@v%s 2020-01-01T00:00:00Z A <a@b>\n' \
		"$2" "$2" "$1" >>m/sqitch.plan
	put "m/deploy/$2.sql" "BEGIN;\n$3\nCOMMIT;\n" && put "m/revert/$2.sql" "BEGIN;\n$4\nCOMMIT;\n"
}

for layout in as_flyway as_goose as_sqitch; do
	project
	# Sqitch's order is the plan's, not that of the names.
	for i in 1 2 3 10; do $layout "$i" "z$((11 - i))" "CREATE TABLE t$i(n);" "DROP TABLE t$i;"; done
	if [ $layout = as_sqitch ]; then
		is "$(ids)" 'z10 z9 z8 z1 ' "$layout: the plan is the order"
	else
		is "$(ids)" '1 2 3 10 ' "$layout: numbers compare as numbers"
	fi
	exits 0 "$layout: check" bascule check
	exits 0 "$layout: migrate" bascule migrate dev
	is "$(tables)" 't1 t10 t2 t3' "$layout: applied"
	exits 0 "$layout: nothing differs from its file" bascule matrix --check
	exits 0 "$layout: rollback last 1" bascule rollback dev last 1
	is "$(tables)" 't1 t2 t3' "$layout: the newest is gone"
	exits 0 "$layout: up again" bascule migrate dev
	to=2
	[ $layout != as_sqitch ] || to=z9
	exits 0 "$layout: rollback to-version" bascule rollback dev to-version $to
	is "$(tables)" 't1 t2' "$layout: what is behind $to is gone"
	exits 0 "$layout: migrate after that" bascule migrate dev
	exits 0 "$layout: all down" bascule rollback dev last 4
	is "$(tables)" '' "$layout: none is left"
done

project
as_flyway 1 one 'CREATE TABLE one(n);' 'DROP TABLE one;'
put m/R__view.sql 'CREATE VIEW v AS SELECT * FROM one;'
exits 0 'flyway: a repeatable runs behind all' bascule migrate dev
as_flyway 2 two 'CREATE TABLE two(n);' 'DROP TABLE two;'
exits 0 'flyway: and makes nothing late' bascule migrate dev
put m/V3__three.sql 'CREATE TABLE ${name}(n);'
exits 3 'flyway: a placeholder is refused' bascule migrate dev
like "$out$err" 'placeholder' 'flyway: and named'

# A folder for each engine: the environment's own is used.
project
put m/sqlite/1_a.up.sql 'CREATE TABLE here(n);'
put m/mysql/1_a.up.sql 'CREATE TABLE there(n);'
put m/mysql/2_b.up.sql 'CREATE TABLE there2(n);'
exits 0 'engines: migrate' bascule migrate dev
is "$(tables)" 'here' 'engines: with the files of its own'
is "$(ids)" '1 2 ' 'engines: the matrix holds the keys of all'
like "$(bascule matrix --json)" '"id":"2".*"state":"none"' 'engines: what has no file here is none'

# --- Files as people have them --------------------------------------------------------------------

project
as_folders 001 'bom' '\xef\xbb\xbfCREATE TABLE bom(n);\r\nINSERT INTO bom VALUES (1);\r\n' 'DROP TABLE bom;\r\n'
as_folders 002 'with blanks in it' 'CREATE TABLE blanks(n)' 'DROP TABLE blanks'
as_folders 003 'own' 'BEGIN;\nCREATE TABLE own(n);\nCOMMIT;\n' 'BEGIN TRANSACTION;\nDROP TABLE own;\nEND;\n'
as_folders 004 'trigger' 'CREATE TABLE log(t);
CREATE TRIGGER own_added AFTER INSERT ON own BEGIN
  INSERT INTO log VALUES (CASE new.n WHEN 1 THEN "one;" ELSE "more" END); -- a ; here
  INSERT INTO log VALUES (";");
END;
INSERT INTO own VALUES (1);' 'DROP TRIGGER own_added; DROP TABLE log; DELETE FROM own;'
as_folders 005 'comment at its end' 'CREATE TABLE comment(n); -- done' 'DROP TABLE comment; /* gone */'
exits 0 'as people have them: migrate' bascule migrate dev
is "$(tables)" 'blanks bom comment log own' 'as people have them: applied'
is "$(sql 'SELECT group_concat(t) FROM log')" 'one;,;' 'a trigger is one statement'
like "$(bascule matrix)" 'with blanks in it' 'blanks in a name are shown'
sed -i 's/$/\r/' m/up/003*
sed -i '$!s/$/\r/' m/up/004*
sed -i 's/\r$//' m/up/001*
sed -i '1s/^\xef\xbb\xbf//' m/up/001*
exits 0 'other ends of lines are no change' bascule matrix --check
exits 0 'as people have them: all down' bascule rollback dev last 5
is "$(tables)" '' 'as people have them: none is left'

project
as_folders 2017-09-23-182408 dashes 'CREATE TABLE dashes(n);' 'DROP TABLE dashes;'
as_folders 20170804200817 plain 'CREATE TABLE plain(n);' 'DROP TABLE plain;'
as_folders 2018-01-01-000000 later 'CREATE TABLE later(n);' 'DROP TABLE later;'
is "$(ids)" '20170804200817 2017-09-23-182408 2018-01-01-000000 ' 'two styles of dates are one order'
exits 0 'two styles: migrate' bascule migrate dev
exits 0 'two styles: rollback' bascule rollback dev last 2
is "$(tables)" 'plain' 'two styles: the later ones are gone'

project
as_folders 1 one 'CREATE TABLE one(n);' 'DROP TABLE one;'
as_folders 2 twice 'BEGIN;\nCREATE TABLE a(n);\nCOMMIT;\n\nBEGIN;\nCREATE TABLE b(n);\nCOMMIT;\n' ''
run bascule migrate dev
isnt "$status" 0 'a second BEGIN is refused'
like "$out$err" 'line [35]' 'with its line'
unlike "$(tables)" 'a|b' 'and nothing of it is applied'
for word in ROLLBACK COMMIT 'ATTACH "x" AS y' 'PRAGMA journal_mode = DELETE' VACUUM; do
	put m/up/2_twice.sql "CREATE TABLE a(n);\n$word;\n"
	run bascule migrate dev
	isnt "$status" 0 "$word inside is refused"
	like "$out$err" 'line 2|statement 2' "$word: with its line"
	unlike "$(tables)" '(^| )a( |$)' "$word: and nothing is applied"
done

for empty in '' '-- nothing\n' '/* nothing */ ;\n' ' \n\t\n'; do
	project
	as_folders 1 one 'CREATE TABLE one(n);' "$empty"
	exits 0 "an empty down ($empty): migrate" bascule migrate dev
	like "$(bascule matrix | grep one)" 'empty' "an empty down ($empty): shown"
	exits 3 "an empty down ($empty): not rolled back" bascule rollback dev last 1
	is "$(tables)" 'one' "an empty down ($empty): nothing is touched"
done
project
as_onefile 1 one 'CREATE TABLE one(n);' ''
exits 0 'an empty down in one file: migrate' bascule migrate dev
exits 3 'an empty down in one file: not rolled back' bascule rollback dev last 1

# --- Ten thousand ---------------------------------------------------------------------------------

# The most memory of a command, in KiB: asked while it waits to write more than a pipe holds.
peak() {
	mkfifo out
	"$@" >out &
	exec 9<out
	read -r -u 9 _
	sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$!/status"
	cat <&9 >/dev/null
	exec 9<&-
	wait $!
	rm out
}
many() { # FROM TO: each of 4 kB
	local i text
	text=$(printf 'CREATE TABLE t(n); -- %4000s' '')
	for ((i = $1; i <= $2; i++)); do echo "$text" >"m/up/$i""_m.sql"; done
}
project
mkdir -p m/up m/down
many 1 2000
little=$(peak bascule matrix --json)
many 2001 10000
is "$(bascule matrix --json | grep -c '"id":')" 10000 'ten thousand are listed'
much=$(peak bascule matrix --json)
# 8,000 files of 4 kB are 32 MB; what is kept of each is its name and its digests.
ok "2,000: $little KiB, 10,000: $much KiB: none of the texts is kept" \
	test "$much" -lt $((little + 12000))

done_testing
