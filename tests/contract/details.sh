#!/bin/bash
# SPDX-License-Identifier: MIT
# details and check of one environment: server, role and privileges, history, tables, on every engine.
#
# needs: servers
# time-limit: 400
. tests/support/tap.sh
. tests/services/services.sh
services_need pg my pgbouncer

services start pg
services start my
eval "$(services env pg)"
eval "$(services env my)"
superuser=$PG_SUPERUSER

# project NAME URL: a project whose one environment is e1.
project() {
	mkdir -p "$TMPDIR/$1/migrations/up" "$TMPDIR/$1/migrations/down"
	printf '[project]\nname = %s\nmigrations = migrations\n\n[environment e1]\ndatabase = %s\n%s\n' \
		"$1" "$2" $'protected = no\nconfirm = none' >"$TMPDIR/$1/bascule.ini"
	use "$1"
	up=$TMPDIR/$1/migrations/up
}
use() { export BASCULE_CONFIG=$TMPDIR/$1/bascule.ini XDG_STATE_HOME=$TMPDIR/$1/state; }
shape=$(sed -n '/^\.It Ic details$/,/^\.Ed$/p' man/bascule.7 | grep -v '^\.' | tr -d '\n')
fits() { # ENV
	run "$BASCULE" details "$1" --json
	printf '%s\n' "$out" >"$TMPDIR/document"
	ok "details $1 --json has the documented members" sh -c \
		'tests/support/shape.pl "$1" <"$2"' sh "$shape" "$TMPDIR/document"
}
member() { perl -MJSON::PP -0777 -e '$_ = decode_json(<STDIN>); print eval $ARGV[0]' "$1" <<<"$out"; }

# --- SQLite -------------------------------------------------------------------------------------

project file "sqlite:$TMPDIR/file/a.sqlite"
exits 2 'details of nothing' "$BASCULE" details
exits 2 'details of an environment that is not there' "$BASCULE" details e9
exits 1 'details of a database that is not there' "$BASCULE" details e1
like "$err" 'bascule create e1' 'says what makes it'
sqlite3 "$TMPDIR/file/a.sqlite" 'CREATE TABLE small (a); CREATE TABLE "lärge" (a);
	INSERT INTO "lärge" WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
	SELECT i FROM n'
exits 0 'details of a file' "$BASCULE" details e1
like "$out" 'history +nobody yet' 'nobody keeps its history'
like "$out" $'3000 +[0-9]+ kB +lärge\n0 ' 'its tables, largest first, counted'
unlike "$out" 'privileges|role' 'a file has no roles'
fits e1

# --- PostgreSQL ---------------------------------------------------------------------------------

services pgbouncer pool pg >/dev/null
pool=$(services url pool)
project plain "${PG_URL/app@/plain@}"
project super "${PG_URL/app@/$superuser@}"
project pool "$pool"
project pg "$PG_URL"
cat >"$up/001_orders.sql" <<'SQL'
CREATE TABLE orders (id int PRIMARY KEY, note text);
INSERT INTO orders SELECT i, repeat('x', 100) FROM generate_series(1, 500) i;
CREATE TABLE notes (a int);
SQL
exits 0 'a table is made' "$BASCULE" migrate e1
run "$BASCULE" details e1
like "$out" 'server +postgresql 15' 'version'
like "$out" 'history +bascule, ledger format 2' 'who keeps the history'
like "$out" 'role +app, zone ' 'role and zone'
like "$out" 'privileges +as needed' 'the owner of a database has what is needed'
like "$out" 'not there: pg_read_all_stats.*try: GRANT pg_read_all_stats TO app' \
	'what would show more is named with its GRANT'
unlike "$out" 'MISSING|beyond' 'and nothing more'
like "$out" $'500 +[0-9]+ kB +orders\n0 ' 'tables, largest first'
unlike "$out" 'bascule_|history_' 'without those of bascule'
fits e1
is "$(member '$_->{tables}[0]{exact}')" 1 'counted'

services sql pg "CREATE ROLE plain LOGIN CREATEROLE; CREATE SCHEMA IF NOT EXISTS bascule;
	REVOKE CREATE ON SCHEMA public FROM PUBLIC"
use plain
run "$BASCULE" details e1
like "$out" 'MISSING: CREATE on schema public.*try: GRANT CREATE ON SCHEMA public TO plain' \
	'what is missing, with the GRANT that gives it'
like "$out" 'MISSING: SELECT, INSERT, UPDATE on the ledger' 'of the ledger too'
like "$out" 'MISSING: owner of 2 tables of app.*try: GRANT app TO plain' 'and the tables of another'
like "$out" 'beyond need: CREATEROLE: .*try: ALTER ROLE plain NOCREATEROLE' \
	'what is beyond need, and what takes it'
run "$BASCULE" check
like "$out" 'FAIL e1 +missing: CREATE on schema public.*try: GRANT' 'check fails for what is missing'
use super
run "$BASCULE" check
like "$out" 'warn e1 +beyond need: SUPERUSER' 'and warns of what is beyond need'
use pool
run "$BASCULE" check
like "$out" 'FAIL e1 .*pooler' 'a pooler that gives away sessions is found'
use pg
run "$BASCULE" check
like "$out" 'ok +e1 +privileges as needed' 'what is well is said'
services sql pg "GRANT CREATE ON SCHEMA public TO plain; GRANT USAGE ON SCHEMA bascule TO plain;
	GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA bascule TO plain; GRANT app TO plain;
	ALTER ROLE plain NOCREATEROLE"
use plain
run "$BASCULE" details e1
unlike "$out" 'MISSING|beyond' 'the GRANTs as printed give it'

# --- MariaDB ------------------------------------------------------------------------------------

project my_plain "${MY_URL/app@/plain@}"
project my "$MY_URL"
cat >"$up/001_orders.sql" <<'SQL'
CREATE TABLE orders (id INT PRIMARY KEY, note TEXT);
INSERT INTO orders VALUES (1, 'x'), (2, 'y');
SQL
exits 0 'a table is made' "$BASCULE" migrate e1
run "$BASCULE" details e1
like "$out" 'server +mariadb 10' 'version'
like "$out" 'max_allowed_packet [0-9]+ MB' 'what it takes at once'
like "$out" 'lock_wait_timeout here 5 s, of others 86400 s' 'how long a lock is waited for'
like "$out" 'privileges +as needed' 'who has all of a database has what is needed'
like "$out" 'not there: PROCESS on \*\.\*.*try: GRANT PROCESS ON \*\.\* TO .app' 'PROCESS would show more'
unlike "$out" 'MISSING' 'and nothing is missing'
like "$out" $'2 +16 kB +orders' 'tables with rows and size'
fits e1
services sql my "CREATE USER plain@localhost; GRANT SELECT, INSERT, UPDATE, CREATE ON app.* TO plain@localhost;
	GRANT FILE ON *.* TO plain@localhost"
use my_plain
run "$BASCULE" details e1
like "$out" 'MISSING: ALTER on app.*try: GRANT ALTER ON .app.\.\* TO .plain.@.localhost' \
	'what is missing, with its GRANT'
like "$out" 'beyond need: FILE: .*try: REVOKE FILE ON \*\.\* FROM .plain' 'what is beyond need'
run "$BASCULE" check
like "$out" 'FAIL e1 +missing: ALTER on app' 'check fails for it'
services sql my "GRANT ALL PRIVILEGES ON app.* TO plain@localhost; REVOKE FILE ON *.* FROM plain@localhost"
use my_plain
run "$BASCULE" details e1
unlike "$out" 'MISSING|beyond' 'given and taken, it is well'

done_testing
