# SPDX-License-Identifier: MIT
# Servers that are away, slow, mute, dying, read-only, full, or do not let us in, through the real
# program: what is said, that the environment beside it is shown, that nothing hangs, and that
# nothing is applied twice or lost. Locks of others, kill -9 and lost answers are in
# apply_postgres.sh, what MariaDB leaves half done is in partial.sh.
#
# needs: servers
# time-limit: 400
. tests/support/tap.sh
. tests/services/services.sh
. tests/support/servers.sh
services_need pg my
services start pg >/dev/null || bail 'PostgreSQL does not start'
services start my >/dev/null || bail 'MariaDB does not start'

LIMIT=90 # seconds that no command may take: the longest takes 8, of which 6 are its lease
one='CREATE TABLE one (x int);'

# A world with an SQLite environment beside the server's: two pg|my [LINES]
two() {
	world "$@"
	sed -i 's|^pipeline = dev|& -> local|' bascule.ini
	printf '\n[environment local]\ndatabase = sqlite:local.db\nprotected = no\n' >>bascule.ini
	sqlite3 local.db 'CREATE TABLE t (n); DROP TABLE t;'
}
# Another URL of dev: aim URL
aim() {
	local line
	while IFS= read -r line; do
		[[ $line != 'database = '[pm]* ]] || line="database = $1"
		printf '%s\n' "$line"
	done <bascule.ini >bascule.new
	mv bascule.new bascule.ini
}
quick() { timeout "$LIMIT" bascule "$@"; } # 124: it hung
sleeping() {
	if [ "$world_kind" = pg ]; then
		[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = '$world_db'")" = 1 ]
	else
		[ "$(sql "SELECT count(*) FROM information_schema.processlist WHERE state = 'User sleep' AND db = '$world_db'")" = 1 ]
	fi
}
table_count() {
	local schema="'public'"
	[ "$world_kind" = pg ] || schema='database()'
	sql "SELECT count(*) FROM information_schema.tables WHERE table_schema = $schema AND table_name IN ('one', 'two', 'three', 'big')"
}

# The status while dev cannot be reached, and the reason: unreachable KIND REGEX
unreachable() {
	exits 0 "$1: status does not hang" quick status
	like "$out" 'link +FAIL +ok  sqlite' "$1: it cannot be reached, its neighbour can"
	like "$out" 'version +unknown +none' "$1: what cannot be known is not said"
	like "$out" 'lock +unknown +free' "$1: nor that its lock is free"
	like "$out" "dev: cannot (connect to (postgresql|mariadb)://|open dev).*$2" "$1: with the reason"
}
# refused KIND WHAT REGEX: migrate ends with 1 and says which server, and why.
refused() {
	exits 1 "$1: $2: migrate fails" quick migrate dev --yes --plain
	like "$err" '(postgresql|mariadb)://[a-z]*@' "$1: $2: the server is named"
	like "$err" "$3" "$1: $2: and the cause"
}
# All COUNT migrations of this world are applied, each once: once WHAT COUNT
once() {
	is "$(in_force) $(events "event = 'applied'")" "$2 $2" "$1: each once"
	is "$(table_count)" "$2" "$1: truly"
}

for kind in pg my; do
	# --- Away ----------------------------------------------------------------------------------

	two $kind 'connect_timeout = 10s'
	migration 0001 "$one"
	services down $kind
	unreachable $kind "(No such file|Can.t connect)"
	refused $kind 'server down' '(No such file|Can.t connect)'
	is "$(find .state -name '[0-9]*-*' -path '*runs*' | wc -l)" 0 "$kind: no run was begun"
	services start $kind >/dev/null || bail "$kind does not start again"
	exits 0 "$kind: the server is up again: the same command works" quick migrate dev --yes --plain
	once $kind 1

	# --- Slow, then mute -------------------------------------------------------------------------

	services proxy net$kind $kind >/dev/null || bail 'no proxy'
	world_server=net$kind
	two $kind $'connect_timeout = 1s\nlock_stale = 6s'
	world_server=
	migration 0001 "$one"
	services proxy net$kind slow 120000 >/dev/null
	unreachable $kind 'no answer .*1000 ms'
	refused $kind 'slow to accept' 'no answer .*1000 ms'
	services proxy net$kind normal >/dev/null
	sed -i 's/^connect_timeout = 1s/connect_timeout = 5s/' bascule.ini

	# The silence begins while it sleeps.
	if [ $kind = pg ]; then
		migration 0002 'CREATE TABLE two (x int); SELECT pg_sleep(6);'
	else
		migration 0002 'CREATE TABLE two (x int); INSERT INTO two SELECT SLEEP(6);'
	fi
	migration 0003 'CREATE TABLE three (x int);'
	quick migrate dev --yes --plain >first 2>&1 &
	command=$!
	ok "$kind: a statement is under way" wait_until 60 sleeping
	services proxy net$kind blackhole >/dev/null
	wait $command
	is "$?" 1 "$kind: a network that swallows all: the command ends"
	like "$(cat first)" 'run 1: interrupted' "$kind: the run is interrupted"
	like "$(cat first)" 'lock is not ours any more' "$kind: and says why"
	like "$(cat first)" 'no beat for longer than the lease: the database was silent' "$kind: with the cause"
	like "$(cat first)" 'bascule resume 1' "$kind: and how to go on"
	services proxy net$kind normal >/dev/null
	settle || diag 'not settled'
	exits 0 "$kind: the network is back: resume finishes it" quick resume 1
	once $kind 3

	# --- Killed ------------------------------------------------------------------------------------

	two $kind
	migration 0001 "$one"
	if [ $kind = pg ]; then
		migration 0002 'CREATE TABLE two (x int); SELECT pg_sleep(3);'
	else
		migration 0002 'CREATE TABLE two (x int); INSERT INTO two SELECT SLEEP(3);'
	fi
	migration 0003 'CREATE TABLE three (x int);'
	quick migrate dev --yes --plain >first 2>&1 &
	command=$!
	ok "$kind: a statement sleeps" wait_until 60 sleeping
	services crash $kind
	wait $command
	is "$?" 1 "$kind: the server is killed under it: the command ends"
	like "$(cat first)" 'run 1: interrupted' "$kind: the run is interrupted"
	like "$(cat first)" '(broke|lost the connection)' "$kind: for the connection"
	like "$(cat first)" 'bascule resume 1' "$kind: and says how to go on"
	unreachable $kind '(No such file|Connection refused|Can.t connect)'
	exits 1 "$kind: resume while it is down fails" quick resume 1
	like "$err" 'cannot connect to' "$kind: and says why"
	services start $kind >/dev/null || bail "$kind does not start again"
	exits 0 "$kind: the server is back: resume finishes it" quick resume 1
	once $kind 3

	# --- A replica -----------------------------------------------------------------------------------

	two $kind
	migration 0001 "$one"
	exits 0 "$kind: something to copy" quick migrate dev --yes --plain
	services replica standby$kind $kind >/dev/null || bail 'no replica'
	if [ $kind = my ]; then # the copy has no grants
		services sql standby$kind "GRANT ALL ON $world_db.* TO app@localhost" mysql
	fi
	aim "$(services url standby$kind socket "$world_db")"
	migration 0002 'CREATE TABLE two (x int);'
	copied() { [ "$(in_force)" = 1 ]; }
	ok "$kind: a replica can be read" wait_until 60 copied
	refused $kind 'a replica' 'read.only|standby|replica'
	is "$(in_force)" 1 "$kind: nothing was written to it"
	services stop standby$kind

	# --- Not let in ------------------------------------------------------------------------------------

	eval "$(services env $kind OPEN)"
	two $kind 'password = env:SHOP_PASSWORD'
	aim "$(services url $kind tcp "$world_db")"
	migration 0001 "$one"
	export SHOP_PASSWORD=not-this-one
	denied='authentication failed.*SQLSTATE 28P01'
	[ $kind = pg ] || denied='Access denied.*SQLSTATE 28000'
	unreachable $kind "$denied"
	like "$out" 'try: check the user,.*password = env:' "$kind: and what to do"
	refused $kind 'a wrong password' "$denied"
	like "$err" 'try: check the user,.*password = env:' "$kind: and what to do"
	unlike "$out$err" 'not-this-one' "$kind: the password is not shown"
	SHOP_PASSWORD=$OPEN_PASSWORD
	exits 0 "$kind: the right one works" quick migrate dev --yes --plain
	unset SHOP_PASSWORD
	is "$(table_count)" 1 "$kind: once"

	two $kind
	if [ $kind = pg ]; then
		sql "CREATE ROLE weak LOGIN; GRANT CONNECT ON DATABASE $world_db TO weak; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
		grant="GRANT CREATE ON DATABASE $world_db TO weak; GRANT CREATE ON SCHEMA public TO weak"
	else
		sql "CREATE USER weak@localhost; GRANT SELECT ON $world_db.* TO weak@localhost"
		grant="GRANT CREATE, ALTER, SELECT, INSERT, UPDATE, DELETE, DROP ON $world_db.* TO weak@localhost"
	fi
	aim "$(services url $kind socket "$world_db" weak)"
	migration 0001 "$one"
	exits 0 "$kind: without CREATE, status works" quick status
	like "$out" 'link +ok .*ok  sqlite' "$kind: and both can be reached"
	refused $kind 'without CREATE' 'SQLSTATE 42[05]0[01]|denied'
	like "$err" 'GRANT CREATE' "$kind: the GRANT is named"
	is "$(table_count)" 0 "$kind: nothing was made"
	sql "$grant"
	exits 0 "$kind: with it, the same works" quick migrate dev --yes --plain
	is "$(table_count)" 1 "$kind: once"

	# --- Statement 5 of 9 -----------------------------------------------------------------------------

	two $kind
	migration 0001 '-- a comment
CREATE TABLE one (x int);
INSERT INTO one VALUES (1);
CREATE TABLE two (x int);
INSERT INTO two VALUES (1);

INSERT INTO missing VALUES (1);
CREATE TABLE three (x int);
INSERT INTO three VALUES (1);
INSERT INTO three VALUES (2);
INSERT INTO three VALUES (3);'
	exits 1 "$kind: invalid SQL at statement 5 of 9" quick migrate dev --yes --plain
	like "$err" 'statement 5 of 9, line 7' "$kind: is said, with its line"
	like "$err" '(42P01|1146)' "$kind: with its number"
	run quick status dev
	if [ $kind = pg ]; then
		like "$out" '1 FAILED' 'pg: it has failed'
		is "$(table_count)" 0 'pg: and all was rolled back'
	else
		like "$out" '1 PARTIAL' 'my: it is partial'
		run quick history dev
		like "$out" '4 of 9|5 of 9' 'my: behind 4 of 9'
		is "$(table_count) $(sql 'SELECT count(*) FROM two')" '2 1' 'my: what ran before it stays'
	fi
	if [ $kind = pg ]; then
		exits 1 'sqlite: the same' quick migrate local --yes --plain
		like "$err" 'statement 5 of 9, line 7' 'sqlite: is said, with its line'
		like "$err" 'rolled back.*no such table: missing' 'sqlite: with its cause'
		is "$(sqlite3 local.db "SELECT count(*) FROM sqlite_schema WHERE name IN ('one', 'two', 'three')")" 0 \
			'sqlite: and all was rolled back'
	fi

	# --- Histories that are not understood -------------------------------------------------------------

	own=
	[ $kind = my ] || own='ALTER TABLE schema_migrations OWNER TO app'
	two $kind
	sql "CREATE TABLE schema_migrations (version varchar(255) PRIMARY KEY);
		INSERT INTO schema_migrations VALUES ('20240101000001'), ('garbage'), (''), ('20240101000002'); $own"
	exits 0 "$kind: a foreign history with garbage is shown" quick status
	like "$out" 'link +ok .*ok  sqlite' "$kind: it is no failure"
	exits 0 "$kind: it is read" quick history dev
	like "$out" '20240101000001.*20240101000002' "$kind: what is understood is there"
	like "$out" '1 row of schema_migrations not understood' "$kind: the rest is counted"
	[ $kind = my ] || own='ALTER TABLE flyway_schema_history OWNER TO app'
	two $kind
	sql "CREATE TABLE flyway_schema_history (installed_rank int, version varchar(50), description varchar(200),
			type varchar(20), script varchar(1000), checksum int, installed_by varchar(100),
			installed_on timestamp DEFAULT CURRENT_TIMESTAMP, execution_time int, success boolean);
		INSERT INTO flyway_schema_history (installed_rank, version, description, type, script, checksum,
			installed_by, execution_time, success) VALUES
			(1, '1', 'one', 'SQL', 'V1__one.sql', 5, 'me', 3, true),
			(NULL, '2', 'two', 'SQL', 'V2__two.sql', 5, 'me', 3, true),
			(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
			(4, '4', 'four', 'SQL', 'V4__four.sql', 5, 'me', 3, true); $own"
	exits 0 "$kind: one with NULL everywhere is read" quick history dev
	like "$out" 'V?1 .*one.*4 .*four' "$kind: what is understood is there"
	like "$out" '1 row of flyway_schema_history not understood' "$kind: the rest is counted"
done

# --- An expired certificate, large statements ----------------------------------------------------------

services start pg expired --tls expired >/dev/null || bail 'no TLS'
eval "$(services env expired OPEN)"
two pg
aim "postgresql://app@127.0.0.1:$OPEN_PORT/app?sslmode=verify-full&sslrootcert=$OPEN_CA"
migration 0001 "$one"
unreachable 'expired certificate' 'certificate verify failed'
like "$out" 'try: .*certificate' 'expired certificate: where to look'
refused pg 'an expired certificate' 'certificate verify failed'
services stop expired

two pg
for mb in 15 20; do
	{
		printf "CREATE TABLE big%s (x text);\nINSERT INTO big%s VALUES ('" $mb $mb
		head -c ${mb}000000 /dev/zero | tr '\0' x
		echo "');"
	} >sql/up/00${mb}_big.sql
done
exits 0 'INSERTs of 15 and 20 MB' timeout 120 bascule migrate dev --yes --plain
is "$(sql 'SELECT length(x) FROM big15') $(sql 'SELECT length(x) FROM big20')" '15000000 20000000' 'are whole'
is "$(in_force)" 2 'and recorded'

# --- A full disk ----------------------------------------------------------------------------------------

if ! services can-mount; then
	skip 'a full disk' 'nothing can be mounted here'
	done_testing
	exit
fi
# What is left holds the logs of either server, which end when they cannot write them.
for kind in pg my; do
	services stop $kind
	services start $kind --disk 250 >/dev/null || bail "$kind does not start on a small disk"
	two $kind
	migration 0001 "$one"
	if [ $kind = pg ]; then
		migration 0002 'CREATE UNLOGGED TABLE big AS SELECT repeat(md5(g::text), 20) t FROM generate_series(1, 150000) g;'
	else
		migration 0002 'CREATE TABLE big (t text);
INSERT INTO big SELECT repeat(md5(seq), 20) FROM seq_1_to_150000;'
	fi
	migration 0003 'CREATE TABLE three (x int);'
	exits 0 "$kind: room on the disk" quick migrate dev --to 0001 --yes --plain
	services fill $kind 50000
	exits 1 "$kind: a full disk" quick migrate dev --yes --plain
	like "$err" '(53100|1114).*ENOSPC' "$kind: the cause, with its number"
	like "$err" 'try: make room' "$kind: and what to do"
	run quick status
	like "$out" 'link +ok .*ok  sqlite' "$kind: both can be reached"
	is "$(in_force)" 1 "$kind: it is not applied"
	is "$(events "id = '0003'")" 0 "$kind: nothing behind it was begun"
	[ $kind = my ] || is "$(events "id = '0002'")" 0 'pg: and it is no fault of the file'
	services unfill $kind
	if [ $kind = pg ]; then
		exits 0 'pg: with room, the same command works' quick migrate dev --yes --plain
	else
		exits 0 'my: with room, resume goes on' quick resume 2
	fi
	is "$(in_force) $(sql 'SELECT count(*) FROM big')" '3 150000' "$kind: once"
done

done_testing
