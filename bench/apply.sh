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

fresh() { rm -rf "$WORK/p/"*.sqlite* "$WORK/state" "$WORK/cli.sqlite"* "$WORK/dbmate.sqlite"*; }
by_bascule() { (cd "$WORK/p" && "$BASCULE" create development >/dev/null && "$BASCULE" migrate development --yes); }
by_sqlite() { sqlite3 -bail "$WORK/cli.sqlite" <"$WORK/all.sql"; }
by_dbmate() { "$DBMATE" --no-dump-schema -d "$WORK/d" -u "sqlite:$WORK/dbmate.sqlite" up; }

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
	export BASCULE WORK DBMATE
	n=$(fsyncs bash -c "by_$who")
	case $who in bascule) db=$WORK/p/dev.sqlite ;; sqlite) db=$WORK/cli.sqlite ;; dbmate) db=$WORK/dbmate.sqlite ;; esac
	mode=$(sqlite3 "$db" 'PRAGMA journal_mode' 2>/dev/null || echo '?')
	tables=$(sqlite3 "$db" "SELECT count(*) FROM sqlite_master WHERE name GLOB 't[0-9]*'")
	echo "  $who median $m ($lo to $hi), journal_mode=$mode synchronous=full, fsyncs $n, tables made $tables"
done
echo "  ratio to sqlite3 $(ratio "${med[bascule]}" "${med[sqlite]}") (target 1.30)"
if [ -n "$DBMATE" ]; then
	echo "  ratio to dbmate $(ratio "${med[bascule]}" "${med[dbmate]}") (target below 1.00)"
else
	echo "  dbmate: NOT MEASURED, it is not installed and npm could not install it"
fi
