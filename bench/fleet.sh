#!/bin/bash
# SPDX-License-Identifier: MIT
# Many environments, and long histories.
#
# `status` of FLEET environments, each RTT_MS of a round trip away, against `status` of one of them: they are
# read at the same time. On one server here, behind the proxy, each its own database with N migrations applied.
#
# A history of ROWS rows read and joined: `history`, `status` and `matrix`, each against the client's SELECT of
# the same rows, all columns that we read (psql -Atc, mariadb -e). One file stands beside it for the first
# figures, so that it is the history that is measured; the last ones join it with ROWS files of a migration
# each, against the SELECT and a sha256sum of the same files one after the other.
#
# KINDS="pg my" FLEET=50 N=20 RTT_MS=50 ROWS=10000 RUNS=9
# shellcheck source=bench/support.bash
. "$(dirname "$0")/support.bash"
want=${KINDS:-pg my}
KINDS=
# shellcheck source=bench/servers.bash
. "$(dirname "$0")/servers.bash"

FLEET=${FLEET:-50}
N=${N:-20}
RTT_MS=${RTT_MS:-50}
ROWS=${ROWS:-10000}
RUNS=${RUNS:-9}
# shellcheck disable=SC2086
servers_start $want

# compare LABEL TARGET A B: median of WORK/A against that of WORK/B.
compare() {
	local a b lo hi
	read -r a lo hi < <(column 1 "$WORK/$3")
	read -r b _ < <(column 1 "$WORK/$4")
	echo "  $1: $a s ($lo to $hi) against $b s, ratio $(ratio "$a" "$b")${2:+ (target $2)}, CPU $(column 2 "$WORK/$3" |
		cut -d' ' -f1) s against $(column 2 "$WORK/$4" | cut -d' ' -f1) s"
}

fleet() {
	local i run all=()
	migrations "$1" "$N" "$WORK/few-$1"
	for i in $(seq 1 "$FLEET"); do
		services newdb "$1" "fleet$i" >/dev/null
		all+=("e$i=$(services url "far-$1" socket "fleet$i")")
		project "$WORK/one" "$WORK/few-$1" "e=$(services url "$1" socket "fleet$i")"
		"$BASCULE" -c "$WORK/one/bascule.ini" migrate e --yes >/dev/null
	done
	project "$WORK/fleet-$1" "$WORK/few-$1" "${all[@]}"
	project "$WORK/one-$1" "$WORK/few-$1" "${all[0]}"
	[ "$("$BASCULE" -c "$WORK/fleet-$1/bascule.ini" status --json | grep -o "\"applied\": *$N" | wc -l)" = "$FLEET" ] ||
		{ echo "bench: $1: not every environment has $N" >&2; exit 1; }
	for run in $(seq 0 "$RUNS"); do
		for i in fleet one; do
			metered "$WORK/$1.$i" "$BASCULE" -c "$WORK/$i-$1/bascule.ini" status
		done
		[ "$run" != 0 ] || rm "$WORK/$1".{fleet,one}
	done
	echo "fleet: $1, status of $FLEET environments at ${RTT_MS} ms round trip against one, $RUNS interleaved runs, $(nproc) CPUs"
	compare "status" "3.00" "$1.fleet" "$1.one"
}

# As a thousand migrations would have left it, but for the scripts.
fill() {
	local from ledger=bascule_history hash
	case $1 in
	pg) ledger=bascule.history from="generate_series(1, $ROWS) AS g(i)" hash="encode(sha256(g.i::text::bytea), 'hex')" ;;
	my) from="(SELECT seq AS i FROM seq_1_to_$ROWS) AS g" hash="sha2(g.i, 256)" ;;
	esac
	services sql "$1" "INSERT INTO $ledger (namespace, id, title, sort_key, event, generation, checksum,
		down_checksum, run, epoch, who, host, at, took_ms)
		SELECT 'main', lpad($(case $1 in pg) echo 'g.i::text' ;; my) echo g.i ;; esac), 5, '0'), 'm', '', 'applied',
		1, concat('s1:', $hash), concat('s1:', $hash), '1-aaaaaa', 1, 'root', 'vm', '2026-01-01T00:00:00.000Z', 3
		FROM $from" history
}

long() {
	local sql run who columns=namespace,id,title,sort_key,event,down,generation,attempt,statement,checksum
	columns+=,down_checksum,run,epoch,who,host,at,took_ms,error,statements,hash,objects,session,done
	services newdb "$1" history >/dev/null
	client "$1" "$1" history
	migrations "$1" 1 "$WORK/first-$1"
	migrations "$1" "$ROWS" "$WORK/many-$1"
	project "$WORK/long-$1" "$WORK/first-$1" "e=$(services url "$1" socket history)"
	"$BASCULE" -c "$WORK/long-$1/bascule.ini" migrate e --yes >/dev/null
	case $1 in
	pg) sql="DELETE FROM bascule.history" ;;
	my) sql="DELETE FROM bascule_history" ;;
	esac
	services sql "$1" "$sql" history
	fill "$1"
	case $1 in
	pg) services sql pg "ANALYZE" history && sql="SELECT seq,$columns FROM bascule.history ORDER BY seq" ;;
	my) sql="SELECT seq,$columns FROM bascule_history ORDER BY seq" ;;
	esac
	project "$WORK/bare-$1" "$WORK/first-$1" "e=$(services url "$1" socket history)"
	project "$WORK/long-$1" "$WORK/many-$1" "e=$(services url "$1" socket history)"
	CLIENT+=("$CLIENT_SQL" "$sql")
	for run in $(seq 0 "$RUNS"); do
		metered "$WORK/$1.select" "${CLIENT[@]}"
		metered "$WORK/$1.history" "$BASCULE" -c "$WORK/bare-$1/bascule.ini" history e
		for who in status matrix; do
			metered "$WORK/$1.$who" "$BASCULE" -c "$WORK/bare-$1/bascule.ini" "$who"
		done
		metered "$WORK/$1.joined" "$BASCULE" -c "$WORK/long-$1/bascule.ini" matrix
		# shellcheck disable=SC2016
		metered "$WORK/$1.both" bash -c '"${@:2}" >/dev/null && cd "$1" && find up down -type f -print0 | xargs -0 sha256sum' \
			sh "$WORK/many-$1" "${CLIENT[@]}"
		[ "$run" != 0 ] || rm "$WORK/$1".{select,history,status,matrix,joined,both}
	done
	echo "fleet: $1, a history of $("${CLIENT[@]}" | wc -l) rows against the client's SELECT of them, $RUNS interleaved runs"
	compare "history" 1.50 "$1.history" "$1.select"
	compare "status" 1.50 "$1.status" "$1.select"
	compare "matrix" 1.50 "$1.matrix" "$1.select"
	compare "matrix with $ROWS migrations' files, against SELECT and sha256sum" "" "$1.joined" "$1.both"
}

for kind in $KINDS; do
	services proxy "far-$kind" "$kind" --delay $((RTT_MS / 2))
	fleet "$kind"
	long "$kind"
done
