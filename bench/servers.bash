# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# What the measurements on servers share. Sourced by bench/servers.sh and bench/fleet.sh behind
# bench/support.bash.
#
# Servers are those of tests/services/services.sh, started --durable: they wait for the disk as a real one
# does. Everybody reaches them by the unix socket, and far ones by the proxy's, so that nobody pays for a
# password or for TLS. psql is the program itself: /usr/bin/psql is a script on Debian that looks for
# clusters first, which would make it slower than it is.

SERVICES=$ROOT/tests/services/services.sh
BASCULE_BUILD=$ROOT/build/release
PSQL=$(find /usr/lib/postgresql -path '*/bin/psql' 2>/dev/null | sort -V | tail -n 1 || true)
export BASCULE_BUILD SERVICES PSQL

services() { bash "$SERVICES" --owner $$ "$@"; }
trap 'services stop-all; rm -rf "$WORK"' EXIT

# Each server's name is its kind: pg or my.
servers_start() {
	local kind
	for kind; do
		services need "$kind" >/dev/null || { echo "bench: $kind: NOT MEASURED, not installed"; continue; }
		services start "$kind" --durable
		KINDS="${KINDS-} $kind"
	done
}

# client KIND SERVER DB: the engine's own client on a database, as words of a command in CLIENT; CLIENT_SQL is
# its option for a statement, PEER_URL what dbmate calls the database.
client() {
	local X_SOCKET_DIR X_SOCKET X_PORT
	eval "$(services env "$2" X | grep -E '^X_(SOCKET_DIR|SOCKET|PORT)=')"
	case $1 in
	pg)
		CLIENT_SQL=-c
		CLIENT=("$PSQL" -XqAt -v ON_ERROR_STOP=1 -h "$X_SOCKET_DIR" -p "$X_PORT" -U app -d "$3")
		PEER_URL="postgres://app@/$3?host=$X_SOCKET_DIR&port=$X_PORT&sslmode=disable"
		;;
	my)
		CLIENT_SQL=-e
		CLIENT=(mariadb --no-defaults -N -B -S "$X_SOCKET" -u app "$3")
		PEER_URL="mysql://app@/$3?socket=$X_SOCKET"
		;;
	esac
}

# metered FILE COMMAND...: appends seconds of wall clock and of CPU to FILE, those of detached
# processes too.
metered() {
	"$BIN/meter" "$@" || { echo "bench: failed: ${*:2}" >&2; exit 1; }
}

# column N FILE: median, least and most of its Nth number.
column() {
	awk -v n="$1" '{ print $n }' "$2" | median
}

# migrations KIND N DIR: N small migrations, the mix of tables, columns, indexes, rows and views that the
# peers are measured with; DIR/up and DIR/down for us, DIR/dbmate, and DIR/up.sql and DIR/down.sql for the
# client: the same statements, each with a row that says so, in a transaction; down: the last 100.
migrations() {
	mkdir -p "$3/up" "$3/down" "$3/dbmate"
	awk -v n="$2" -v dir="$3" -v kind="$1" -v q="'" '
	function put(file, text) { printf "%s\n", text >file; close(file) }
	BEGIN {
		print "CREATE TABLE peer_history (id VARCHAR(32) PRIMARY KEY, at TIMESTAMP);" >(dir "/up.sql")
		for (i = 1; i <= n; i++) {
			k = (i - 1) % 5
			t = sprintf("app_t%04d", int((i - 1) / 5) + 1)
			if (k == 0) {
				u = "CREATE TABLE " t " (id INTEGER PRIMARY KEY, name VARCHAR(64) NOT NULL, " \
					"qty INTEGER NOT NULL DEFAULT 0, created_at TIMESTAMP NULL);"
				d = "DROP TABLE " t ";"
			} else if (k == 1) {
				u = "ALTER TABLE " t " ADD COLUMN note VARCHAR(200);"
				d = "ALTER TABLE " t " DROP COLUMN note;"
			} else if (k == 2) {
				u = "CREATE INDEX " t "_name ON " t " (name);"
				d = "DROP INDEX " t "_name" (kind == "my" ? " ON " t : "") ";"
			} else if (k == 3) {
				u = "INSERT INTO " t " (id, name, qty) VALUES (1, " q "a" q ", 1), (2, " q "b" q ", 2);"
				d = "DELETE FROM " t " WHERE id IN (1, 2);"
			} else {
				u = "CREATE VIEW " t "_v AS SELECT id, name FROM " t " WHERE qty > 0;"
				d = "DROP VIEW " t "_v;"
			}
			id = sprintf("%05d", i)
			put(dir "/up/" id "_m.sql", u)
			put(dir "/down/" id "_m.sql", d)
			put(dir "/dbmate/" id "_m.sql", "-- migrate:up\n" u "\n\n-- migrate:down\n" d)
			print "BEGIN;\n" u "\nINSERT INTO peer_history VALUES (" q id q ", now());\nCOMMIT;" >(dir "/up.sql")
			down[i] = "BEGIN;\n" d "\nDELETE FROM peer_history WHERE id = " q id q ";\nCOMMIT;"
		}
		for (i = n; i > n - 100 && i > 0; i--)
			print down[i] >(dir "/down.sql")
	}'
}

# project DIR MIGRATIONS NAME=URL...: a bascule.ini with these environments.
project() {
	local dir=$1 each
	mkdir -p "$dir"
	{
		printf '[project]\nname = bench\nmigrations = %s\n' "$2"
		shift 2
		for each; do
			printf '[environment %s]\ndatabase = %s\nprotected = no\nconfirm = none\n' "${each%%=*}" "${each#*=}"
		done
	} >"$dir/bascule.ini"
}

# dbmate from npm: the program itself, not npm's script in front of it.
dbmate_find() {
	DBMATE=$(command -v dbmate || true)
	[ -z "$DBMATE" ] || return 0
	command -v npm >/dev/null || return 0
	mkdir -p "$ROOT/build/bench-npm"
	(cd "$ROOT/build/bench-npm" && npm install --no-audit --no-fund --loglevel=error dbmate >/dev/null 2>&1) || true
	DBMATE=$(find "$ROOT/build/bench-npm/node_modules/@dbmate" -path '*/bin/dbmate' 2>/dev/null | head -n 1 || true)
}

