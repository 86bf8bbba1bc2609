#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # of the small scripts that a metered shell runs
# 1,000 small migrations into an empty database of a server, a transaction each: bascule against the engine's
# own client with a file of the same statements and a history row for each (psql -q -f, mariadb <), and against
# dbmate (from npm, when it can be installed). Then the last 100 rolled back, by each in its own way, and
# `status` of what was applied against the client's SELECT of the same rows. Here, and again with a round trip
# of RTT_MS. Wall clock and CPU of the client, all its processes counted (bench/meter.c).
#
# KINDS="pg my" N=1000 RUNS=5 FAR_RUNS=3 RTT_MS=20 DOWN=100
# shellcheck source=bench/support.bash
. "$(dirname "$0")/support.bash"
want=${KINDS:-pg my}
KINDS=
# shellcheck source=bench/servers.bash
. "$(dirname "$0")/servers.bash"

N=${N:-1000}
RUNS=${RUNS:-5}
FAR_RUNS=${FAR_RUNS:-3}
RTT_MS=${RTT_MS:-20}
DOWN=100
count=0
# shellcheck disable=SC2086
servers_start $want
dbmate_find

# fresh KIND SERVER: an empty database behind SERVER, a project and a state folder of its own.
fresh() {
	count=$((count + 1))
	AT=$WORK/run$count
	services newdb "$1" "bench$count" >/dev/null
	client "$1" "$2" "bench$count"
	project "$AT" "$WORK/$1" "development=$(services url "$2" socket "bench$count")"
	export XDG_STATE_HOME=$AT/state
}

# up and down KIND WHO FILE: by one of the three.
up() {
	case $2 in
	bascule) metered "$3" "$BASCULE" -c "$AT/bascule.ini" migrate development --yes ;;
	client) case $1 in
		pg) metered "$3" "${CLIENT[@]}" -f "$WORK/pg/up.sql" ;;
		# The client reads a script from its stdin only; a shell that execs costs less than a millisecond.
		my) metered "$3" bash -c 'file=$1; shift; exec "$@" <"$file"' sh "$WORK/my/up.sql" "${CLIENT[@]}" ;;
		esac ;;
	dbmate) metered "$3" "$DBMATE" --no-dump-schema -d "$WORK/$1/dbmate" -u "$PEER_URL" up ;;
	esac
}
down() {
	case $2 in
	bascule) metered "$3" "$BASCULE" -c "$AT/bascule.ini" rollback development last "$DOWN" --yes ;;
	client) case $1 in
		pg) metered "$3" "${CLIENT[@]}" -f "$WORK/pg/down.sql" ;;
		my) metered "$3" bash -c 'file=$1; shift; exec "$@" <"$file"' sh "$WORK/my/down.sql" "${CLIENT[@]}" ;;
		esac ;;
	# It knows one at a time.
	dbmate) metered "$3" bash -c 'for i in $(seq "$1"); do "${@:2}" || exit; done' sh "$DOWN" \
		"$DBMATE" --no-dump-schema -d "$WORK/$1/dbmate" -u "$PEER_URL" rollback ;;
	esac
}

# tables KIND WANTED: the work was done, whoever says so.
tables() {
	local n
	n=$(services sql "$1" "SELECT count(*) FROM information_schema.tables WHERE table_name LIKE 'app\\_t%'
		AND table_type = 'BASE TABLE' AND '$(case $1 in pg) echo "bench$count" ;; my) echo my ;; esac)' IN
		('my', table_catalog) AND table_schema IN ('public', 'bench$count')" \
		"$(case $1 in pg) echo "bench$count" ;; my) echo mysql ;; esac)")
	[ "$n" = "$2" ] || { echo "bench: $1: $n tables, expected $2" >&2; exit 1; }
}

# rounds KIND SERVER LABEL RUNS
rounds() {
	local run who file

	for run in $(seq 0 "$4"); do
		for who in bascule client ${DBMATE:+dbmate}; do
			# The first round warms the server and is not counted; far away, it would only cost time.
			[ "$run" != 0 ] || [ "$3" = here ] || continue
			file=$WORK/$3-$1-$who
			[ "$run" != 0 ] || file=$WORK/warm
			fresh "$1" "$2"
			up "$1" "$who" "$file.up"
			tables "$1" $(((N + 4) / 5))
			[ $DOWN -le "$N" ] || continue
			down "$1" "$who" "$file.down"
			tables "$1" $(((N - DOWN + 4) / 5))
			# Hundreds of databases are no usual server.
			services sql "$1" "DROP DATABASE bench$count" "$(case $1 in pg) echo postgres ;; my) echo mysql ;; esac)"
		done
	done
}

# told KIND LABEL VERB WORDS
told() {
	local who wall lo hi cpu
	declare -A w c
	echo "servers: $1, $4"
	for who in bascule client dbmate; do
		[ -s "$WORK/$2-$1-$who.$3" ] || continue
		read -r wall lo hi < <(column 1 "$WORK/$2-$1-$who.$3")
		read -r cpu _ < <(column 2 "$WORK/$2-$1-$who.$3")
		w[$who]=$wall c[$who]=$cpu
		echo "  $who median $wall s ($lo to $hi), CPU $cpu s"
	done
	echo "  ratio to the client: wall $(ratio "${w[bascule]}" "${w[client]}")$5, CPU $(ratio "${c[bascule]}" "${c[client]}")"
	if [ -n "${w[dbmate]-}" ]; then
		echo "  ratio to dbmate: wall $(ratio "${w[bascule]}" "${w[dbmate]}"), CPU $(ratio "${c[bascule]}" "${c[dbmate]}") (target below 1.00)"
	else
		echo "  dbmate: NOT MEASURED, it is not installed and npm could not install it"
	fi
}

status_rows() {
	local sql run who wall columns=namespace,id,title,sort_key,event,down,generation,attempt,statement,checksum
	columns+=,down_checksum,run,epoch,who,host,at,took_ms,error,statements,hash,objects,session,done
	declare -A w
	fresh "$1" "$1"
	up "$1" bascule "$WORK/warm"
	case $1 in pg) sql="SELECT seq,$columns FROM bascule.history ORDER BY seq" ;;
	my) sql="SELECT seq,$columns FROM bascule_history ORDER BY seq" ;; esac
	"${CLIENT[@]}" "$CLIENT_SQL" "$sql" >"$WORK/rows"
	for run in $(seq 0 $((RUNS * 6))); do
		metered "$WORK/$1-status.bascule" "$BASCULE" -c "$AT/bascule.ini" status
		metered "$WORK/$1-status.client" "${CLIENT[@]}" "$CLIENT_SQL" "$sql"
		[ "$run" != 0 ] || rm "$WORK/$1"-status.*
	done
	echo "servers: $1, status of $N applied against the client's SELECT of the same $(wc -l <"$WORK/rows") rows, $((RUNS * 6)) interleaved runs"
	for who in bascule client; do
		read -r wall lo hi < <(column 1 "$WORK/$1-status.$who")
		w[$who]=$wall
		echo "  $who median $wall s ($lo to $hi), CPU $(column 2 "$WORK/$1-status.$who" | cut -d' ' -f1) s"
	done
	echo "  ratio $(ratio "${w[bascule]}" "${w[client]}") (target 1.50)"
}

for kind in $KINDS; do
	migrations "$kind" "$N" "$WORK/$kind"
	services proxy "far-$kind" "$kind" --delay $((RTT_MS / 2))
	case $kind in pg) near=0.90 far=10 ;; my) near=1.10 far=2.5 ;; esac
	rounds "$kind" "$kind" here "$RUNS"
	told "$kind" here up "$N migrations from empty, $RUNS interleaved runs" " (target $near)"
	[ $DOWN -gt "$N" ] || told "$kind" here down "the last $DOWN rolled back" ""
	[ "$FAR_RUNS" = 0 ] || {
		rounds "$kind" "far-$kind" far "$FAR_RUNS"
		told "$kind" far up "$N migrations from empty at ${RTT_MS} ms round trip, $FAR_RUNS interleaved runs" \
			" (target $(awk -v x=$far 'BEGIN { printf "%.2f", 1 / x }'): ${far} times faster)"
		[ $DOWN -gt "$N" ] || told "$kind" far down "the last $DOWN rolled back at ${RTT_MS} ms" ""
	}
	status_rows "$kind"
done
