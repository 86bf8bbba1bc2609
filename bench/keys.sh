#!/bin/bash
# SPDX-License-Identifier: MIT
# 2,000 keys typed through a pty into the matrix of 10,000 migrations while a refresh loops: microseconds from
# the write of a key to the last byte of the answer.
. "$(dirname "$0")/support.bash"

N=${N:-10000}
KEYS=${KEYS:-2000}

mkdir -p "$WORK/p/migrations/up" "$WORK/p/migrations/down"
for i in $(seq -w 1 "$N"); do
	echo "CREATE TABLE t$i (id INTEGER PRIMARY KEY);" >"$WORK/p/migrations/up/${i}_table_number_$i.sql"
	echo "DROP TABLE t$i;" >"$WORK/p/migrations/down/${i}_table_number_$i.sql"
done
cat >"$WORK/p/bascule.ini" <<'INI'
[project]
name = bench
migrations = migrations
[environment development]
database = sqlite:dev.sqlite
[environment staging]
database = sqlite:staging.sqlite
[environment production]
database = sqlite:production.sqlite
INI
cd "$WORK/p" || exit
for env in development staging production; do "$BASCULE" create "$env" --confirm "$env" >/dev/null; done
"$BASCULE" baseline development --yes >/dev/null
read -r med p99 max silent < <("$BIN/pty_meter" keys "$KEYS" 5 -- "$WORK/p" "$BASCULE")
echo "keys: $KEYS keys into a matrix of $N rows, a refresh asked for after every fifth"
echo "  median $med us, p99 $p99 us (target 16000), most $max us, without an answer $silent"
