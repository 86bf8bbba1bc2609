#!/bin/bash
# SPDX-License-Identifier: MIT
# 1,000 small migrations into a new SQLite database: bascule against the sqlite3 program with a transaction a
# migration, and against dbmate (from npm, when it can be installed). Each says what its durability rests on.
. "$(dirname "$0")/support.bash"

N=${N:-1000}
RUNS=${RUNS:-5}

mkdir -p "$WORK/p/migrations/up" "$WORK/p/migrations/down" "$WORK/d"
for i in $(seq -w 1 "$N"); do
	echo "CREATE TABLE t$i (id INTEGER PRIMARY KEY, name TEXT NOT NULL);" >"$WORK/p/migrations/up/${i}_t$i.sql"
	echo "DROP TABLE t$i;" >"$WORK/p/migrations/down/${i}_t$i.sql"
	printf -- '-- migrate:up\nCREATE TABLE t%s (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n-- migrate:down\nDROP TABLE t%s;\n' \
		"$i" "$i" >"$WORK/d/${i}_t$i.sql"
	# What a runner must do besides: the same statement and a row that says so, in one transaction.
	printf 'BEGIN IMMEDIATE;\nCREATE TABLE t%s (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n' "$i"
	printf "INSERT INTO history VALUES ('%s', datetime('now'));\nCOMMIT;\n" "$i"
done >"$WORK/all.body"
{ echo 'CREATE TABLE history (id TEXT PRIMARY KEY, at TEXT);'; cat "$WORK/all.body"; } >"$WORK/all.sql"
cat >"$WORK/p/bascule.ini" <<'INI'
[project]
name = bench
migrations = migrations
[environment development]
database = sqlite:dev.sqlite
protected = no
confirm = none
INI

# Each run has a folder of its own, and none is removed before the end: ext4 does not give out an inode again
# while it is freshly deleted, so that whoever makes files after an `rm -r` waits for its search.
count=0
fresh() {
	count=$((count + 1))
	AT=$WORK/run$count
	mkdir "$AT"
	sed "s#^migrations = .*#migrations = $WORK/p/migrations#" "$WORK/p/bascule.ini" >"$AT/bascule.ini"
	export AT XDG_STATE_HOME=$AT/state
	"$BASCULE" -c "$AT/bascule.ini" create development >/dev/null
}
by_bascule() { "$BASCULE" -c "$AT/bascule.ini" migrate development --yes; }
by_sqlite() { sqlite3 -bail "$AT/cli.sqlite" <"$WORK/all.sql"; }
by_dbmate() { "$DBMATE" --no-dump-schema -d "$WORK/d" -u "sqlite:$AT/dbmate.sqlite" up; }

# What the durability of a database rests on, as its maker says it: ours by check, sqlite3 by asking a session
# of the program; dbmate does not tell, its driver leaves SQLite's defaults.
durability() {
	case $1 in
	bascule)
		"$BASCULE" -c "$AT/bascule.ini" check | grep -o 'journal_mode=[a-z]* synchronous=[a-z]*' | head -n 1
		echo '(persist while a run of several migrations lasts)'
		;;
	sqlite) sqlite3 "$AT/cli.sqlite" "SELECT 'journal_mode=' || journal_mode FROM pragma_journal_mode;
		SELECT ' synchronous=' || CASE synchronous WHEN 2 THEN 'full' ELSE synchronous END FROM pragma_synchronous" |
		tr -d '\n' ;;
	*) echo "journal_mode=$(sqlite3 "$AT/dbmate.sqlite" 'PRAGMA journal_mode') synchronous not told" ;;
	esac
}

DBMATE=$(command -v dbmate || true)
if [ -z "$DBMATE" ] && command -v npm >/dev/null; then
	mkdir -p "$ROOT/build/bench-npm"
	(cd "$ROOT/build/bench-npm" && npm install --no-audit --no-fund --loglevel=error dbmate >/dev/null 2>&1) || true
	DBMATE=$ROOT/build/bench-npm/node_modules/.bin/dbmate
	[ -x "$DBMATE" ] || DBMATE=
fi

for run in $(seq 0 "$RUNS"); do
	for who in bascule sqlite ${DBMATE:+dbmate}; do
		fresh
		s=$(seconds "by_$who")
		# The first round fills the page cache.
		[ "$run" = 0 ] || echo "$s" >>"$WORK/$who.s"
	done
done

declare -A med
echo "apply: $N migrations into a new SQLite database, s, $RUNS interleaved runs"
for who in bascule sqlite ${DBMATE:+dbmate}; do
	read -r m lo hi < <(median <"$WORK/$who.s")
	med[$who]=$m
	fresh
	export -f "by_$who"
	export BASCULE WORK DBMATE AT
	n=$(fsyncs bash -c "by_$who")
	case $who in bascule) db=$AT/dev.sqlite ;; sqlite) db=$AT/cli.sqlite ;; dbmate) db=$AT/dbmate.sqlite ;; esac
	mode=$(durability "$who" | tr '\n' ' ')
	tables=$(sqlite3 "$db" "SELECT count(*) FROM sqlite_master WHERE name GLOB 't[0-9]*'")
	echo "  $who median $m ($lo to $hi), $mode, fsyncs $n, tables made $tables"
done
echo "  ratio to sqlite3 $(ratio "${med[bascule]}" "${med[sqlite]}") (target 1.30)"
if [ -n "$DBMATE" ]; then
	echo "  ratio to dbmate $(ratio "${med[bascule]}" "${med[dbmate]}") (target below 1.00)"
else
	echo "  dbmate: NOT MEASURED, it is not installed and npm could not install it"
fi
