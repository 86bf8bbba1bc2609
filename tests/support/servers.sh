# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# A workspace with one environment `dev` on a throw-away server, and what one asks of it. Source it
# behind tap.sh and services.sh, with the server started. `bascule` is in PATH, so that a command a
# refusal prints can be run as it is printed.

PATH=$(dirname "$BASCULE"):$PATH
world_n=0
: "${out=}" "${err=}" "${status=0}" # of tap.sh

# world pg|my [LINES]: an empty database and an empty project on it become the working folder; LINES
# go to [environment dev]. $world_server may name a proxy, through which bascule then goes.
world() {
	world_n=$((world_n + 1))
	world_kind=$1
	world_db=w$world_n
	services newdb "$1" "$world_db" || bail 'no database'
	mkdir -p "$TMPDIR/$world_db/sql/up" "$TMPDIR/$world_db/sql/down"
	cd "$TMPDIR/$world_db" || bail 'no workspace'
	export XDG_STATE_HOME=$PWD/.state
	cat >bascule.ini <<-INI
		[project]
		name = shop
		migrations = sql
		pipeline = dev

		[environment dev]
		database = $(services url "${world_server:-$1}" "${world_way:-socket}" "$world_db")
		protected = no
		${2-}
	INI
}

# migration ID UP [DOWN]
migration() {
	printf '%s\n' "$2" >"sql/up/$1_t.sql"
	[ $# = 2 ] || printf '%s\n' "$3" >"sql/down/$1_t.sql"
}

# sql TEXT: as the superuser; rows one a line, columns by tabs or bars.
sql() {
	services sql "$world_kind" "$1" "$world_db"
}

# The ledger's tables by their names on either engine.
ledger() {
	if [ "$world_kind" = pg ]; then echo "bascule.$1"; else echo "bascule_$1"; fi
}
# events [WHERE]: how many there are.
events() {
	sql "SELECT count(*) FROM $(ledger history) WHERE ${1:-true}" 2>/dev/null
}
# Applied and not rolled back, by the history.
in_force() {
	bascule status dev --json | sed -n 's/.*"applied": *\([0-9]*\).*/\1/p'
}
events_are() { [ "$(events "$2")" = "$1" ]; }
events_reach() { [ "$(events "$2")" -ge "$1" ]; } 2>/dev/null

# The newest run: its number, its folder, the pid of its last runner.
run_dir() {
	find .state/bascule/runs -mindepth 1 -maxdepth 1 -name '[0-9]*-*' | sort -t/ -k4 -n | tail -n 1
}
run_number() { basename "$(run_dir)" | cut -d- -f1; }
journal() { cat "$(run_dir)/journal.ndjson"; }
runner() {
	journal 2>/dev/null | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' | tail -n 1
}
runner_known() { [ -n "$(runner)" ]; }
# Is a process there (a zombie is not)?
alive() { [[ $(ps -o stat= -p "$1" 2>/dev/null) =~ ^[^Z] ]]; }
gone() { ! alive "$1"; }
# Sessions of app in this world's database that are not ours of `sql`.
sessions() {
	if [ "$world_kind" = pg ]; then
		services sql pg "SELECT count(*) FROM pg_stat_activity WHERE datname = '$world_db' AND usename = 'app'"
	else
		services sql my "SELECT count(*) FROM information_schema.processlist WHERE db = '$world_db' AND user = 'app'"
	fi
}
no_sessions() { [ "$(sessions)" = 0 ]; }

# settle: until no runner and no session of it is left.
settle() {
	local pid
	pid=$(runner)
	[ -z "$pid" ] || wait_until 60 gone "$pid"
	wait_until 60 no_sessions
}

# A session of the superuser that keeps what it took until let_go: hold SQL.
hold() {
	local client
	eval "$(services env "$world_kind" HELD)"
	if [ "$world_kind" = pg ]; then
		client=(psql -XqAt -h "$HELD_SOCKET_DIR" -p "$HELD_PORT" -U "$HELD_SUPERUSER")
	else
		client=(mariadb --no-defaults -N --unbuffered -u "$HELD_SUPERUSER" -S "$HELD_SOCKET")
	fi
	rm -f hold held
	mkfifo hold
	"${client[@]}" "$world_db" <hold >held 2>&1 &
	hold_pid=$!
	exec {hold_fd}>hold
	echo "$1; SELECT 'held';" >&"$hold_fd"
	wait_until 60 grep -q held held || bail "cannot hold: $(cat held)"
}
# Children have the descriptor, too: the client ends by a word, not at the end of its input.
let_go() {
	printf 'ROLLBACK;\n\\q\n' >&"$hold_fd"
	exec {hold_fd}>&-
	wait_until 60 gone "$hold_pid"
}
# Does a session of app wait for a lock? waits WORDS-OF-ITS-STATEMENT
waits() {
	if [ "$world_kind" = pg ]; then
		[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE datname = '$world_db' AND usename = 'app' AND wait_event_type = 'Lock' AND query LIKE '%$1%'")" = 1 ]
	else
		[ "$(sql "SELECT count(*) FROM information_schema.processlist WHERE db = '$world_db' AND user = 'app' AND info LIKE '%$1%'")" = 1 ]
	fi
}
