#!/bin/bash
# SPDX-License-Identifier: MIT
# KEYS keys of somebody who reads logs, typed through a pty while RATE lines a second arrive in them, and the same keys
# beside that into logs that get one line a second, while the other log is written as fast: what the lines cost is the
# difference. And what drawing costs while nothing is typed.
#
# KEYS=2000 ROUNDS=4 RATE=100000
# shellcheck source=bench/support.bash
. "$(dirname "$0")/support.bash"

KEYS=${KEYS:-2000}
ROUNDS=${ROUNDS:-4}
RATE=${RATE:-100000}
SHOPD=$ROOT/build/release/tests/services/shopd
LONG=the-checkout-of-a-shop-with-a-name-so-long-that-no-line-of-fields-with-it-fits-into-a-row

pids=()
trap 'kill "${pids[@]}" 2>/dev/null; rm -rf "$WORK"' EXIT
# A log at rest needs its errors too: one a minute.
for each in "still 1 --burst-every 60000" "busy $RATE --rotate 200000000"; do
	read -r name rate more <<<"$each"
	mkdir -p "$WORK/$name"
	cat >"$WORK/$name/bascule.ini" <<INI
[project]
name = bench
[environment bench]
host = local
[service web]
runtime = process
pid_file = $WORK/$name/pid
log_file = $WORK/$name/log
INI
	# shellcheck disable=SC2086
	"$SHOPD" --name "$LONG" --log "$WORK/$name/log" --rate "$rate" --backfill 5000 $more \
		--pid-file "$WORK/$name/pid" &
	pids+=($!)
done
for name in still busy; do until [ -s "$WORK/$name/log" ]; do sleep 0.1; done; done

"$BIN/logs_screen" "$KEYS" "$ROUNDS" -- "$WORK/still" "$BASCULE" -- "$WORK/busy" "$BASCULE" >"$WORK/out"
echo "logs on the screen: $KEYS keys into each, in $ROUNDS rounds in turn; us to the first output that shows the answer"
{ read -r still; read -r busy; } <"$WORK/out"
say() { # NAME MEDIAN P99 MAX OWN-P99 OWN-MAX SLOW SILENT RATE DRAWING HIDDEN ALL
	echo "  $1 median $2  p99 $3  most $4  without an answer $8"
	echo "    of its own (without waiting for a processor, and without $7 keys while any terminal was slow): p99 $5  most $6"
	echo "    $9 lines/s on the screen; of a core: drawing thread ${10} %, with another view ${11} %, all threads ${12} %"
}
# shellcheck disable=SC2086
{ say 'log at rest:' $still; say "$RATE lines/s:" $busy; }
echo "  targets: p99 16000, drawing 5 %"
