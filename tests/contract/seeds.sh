#!/bin/bash
# SPDX-License-Identifier: MIT
# Seeds: repeatable scripts of one environment, run on demand, recorded, on every engine.
#
# needs: servers
# time-limit: 400
. tests/support/tap.sh
. tests/services/services.sh
services_need pg my

services start pg
services start my
eval "$(services env pg)"
eval "$(services env my)"

# project NAME URL: a project whose one environment is e1, with a table.
project() {
	mkdir -p "$TMPDIR/$1/migrations/up" "$TMPDIR/$1/migrations/down"
	printf '[project]\nname = %s\nmigrations = migrations\n\n[environment e1]\ndatabase = %s\n%s\n' \
		"$1" "$2" $'protected = no\nconfirm = none\nbackup = never' >"$TMPDIR/$1/bascule.ini"
	export BASCULE_CONFIG=$TMPDIR/$1/bascule.ini XDG_STATE_HOME=$TMPDIR/$1/state
	seeds=$TMPDIR/$1/seeds
	echo 'CREATE TABLE users (id INT PRIMARY KEY, name VARCHAR(20));' \
		>"$TMPDIR/$1/migrations/up/001_users.sql"
	exits 0 "$1: the table is made" "$BASCULE" migrate e1
}
states() { "$BASCULE" seeds e1 --json | perl -MJSON::PP -0777 -ne '
	print join(" ", map { "$_->{name}:$_->{state}:$_->{runs}" } @{decode_json($_)->{seeds}})'; }

# every ENGINE COUNT...: what holds on each; COUNT prints how many users there are.
every() {
	local engine=$1
	shift
	exits 0 "$engine: no folder of seeds is no mistake" "$BASCULE" seed e1
	like "$out" 'nothing to do' 'there is nothing to do'
	mkdir -p "$seeds/e1" "$seeds/other"
	printf 'DELETE FROM users;\nINSERT INTO users VALUES (1, '"'a'"'), (2, '"'b'"');\n' >"$seeds/010_users.sql"
	echo "INSERT INTO users VALUES (3, 'c');" >"$seeds/e1/020_more.sql"
	echo "INSERT INTO users VALUES (4, 'd');" >"$seeds/other/020_more.sql"
	echo 'no seed' >"$seeds/notes.txt"
	is "$(states)" '010_users.sql:never:0 e1/020_more.sql:never:0' 'those for all and for this one, by name'
	exits 2 'a seed that is not there' "$BASCULE" seed e1 010_user
	like "$err" 'did you mean 010_users' 'gets the nearest name'
	run "$BASCULE" seed e1 --dry-run
	like "$out" 'run seed 010_users.sql.*run seed e1/020_more.sql' 'the plan, in order'
	is "$("$@")" 0 'a plan runs nothing'
	run "$BASCULE" seed e1 --sql
	like "$out" 'DELETE FROM users' 'its statements'
	exits 0 'all of them' "$BASCULE" seed e1
	is "$("$@")" 3 'have run'
	exits 0 'one by name without its ending' "$BASCULE" seed e1 010_users
	is "$("$@")" 2 'runs again'
	is "$(states)" '010_users.sql:run:2 e1/020_more.sql:run:1' 'each run is counted'
	run "$BASCULE" seeds e1
	like "$out" '010_users.sql +run 20..-..-..T.* by [^ ]+ in .*, 2 times' 'when, by whom, how often'
	echo '-- more' >>"$seeds/e1/020_more.sql"
	run "$BASCULE" seeds e1
	like "$out" 'e1/020_more.sql .*CHANGED since' 'a changed one is marked'
	run "$BASCULE" matrix
	unlike "$out" 'seed|010_users' 'seeds are not in the matrix'
	run "$BASCULE" status
	like "$out" '1 applied +0 pending' 'nor counted as migrations'
	run "$BASCULE" history e1
	is "$(grep -c ' seeded ' <<<"$out")" 3 'but their events are in the history'
}

# fails ENGINE LEFT COUNT...: a seed that fails in its third statement, and is mended.
fails() {
	local engine=$1 left=$2
	shift 2
	rm "$seeds/e1/020_more.sql"
	cat >"$seeds/030_bad.sql" <<-'SQL'
		DELETE FROM users;
		INSERT INTO users VALUES (7, 'x');
		INSERT INTO nowhere VALUES (1);
		INSERT INTO users VALUES (8, 'y');
	SQL
	exits 1 "$engine: a seed that fails" "$BASCULE" seed e1 030_bad
	like "$err$out" 'nowhere' 'says why'
	is "$("$@")" "$left" 'what it left'
	like "$(states)" '030_bad.sql:failed:0' 'it is marked'
	exits 1 'and fails again' "$BASCULE" seed e1 030_bad
	sed -i '/nowhere/d' "$seeds/030_bad.sql"
	exits 0 'mended, it begins anew' "$BASCULE" seed e1 030_bad
	is "$("$@")" 2 'from its first statement'
	like "$(states)" '030_bad.sql:run:1 e1/020_more.sql:gone:1' 'and is marked no more; one without file is gone'
	exits 0 'again' "$BASCULE" seed e1 030_bad
	is "$("$@")" 2 'it can be repeated'
}

# --- SQLite -------------------------------------------------------------------------------------

mkdir -p "$TMPDIR/lite"
sqlite3 "$TMPDIR/lite/a.sqlite" 'VACUUM'
lite() { sqlite3 "$TMPDIR/lite/a.sqlite" 'SELECT count(*) FROM users'; }
project lite "sqlite:$TMPDIR/lite/a.sqlite"
every sqlite lite
fails sqlite 2 lite

printf '\xff' >"$seeds/040_bytes.sql"
exits 1 'a seed that is not UTF-8' "$BASCULE" seed e1
like "$err" '040_bytes.sql.*' 'is named'
rm "$seeds/040_bytes.sql"
sed -i 's/protected = no/protected = yes/; s/confirm = none/confirm = name/' "$BASCULE_CONFIG"
not_ok 'a protected environment wants its name' "$BASCULE" seed e1 010_users
exits 0 'with it, it runs' "$BASCULE" seed e1 010_users --confirm e1

# --- Servers ------------------------------------------------------------------------------------

pg() { services sql pg 'SELECT count(*) FROM users'; }
project pg "$PG_URL"
every postgresql pg
fails postgresql 2 pg
printf -- '-- transaction: no\nVACUUM users;\n' >"$seeds/050_alone.sql"
exits 0 'a seed without a transaction' "$BASCULE" seed e1 050_alone

my() { services sql my 'SELECT count(*) FROM users'; }
project my "$MY_URL"
every mariadb my
fails mariadb 1 my

done_testing
