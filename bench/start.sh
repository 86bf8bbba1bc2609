#!/bin/bash
# SPDX-License-Identifier: MIT
# Start of the console on the demo, from exec to the last byte of its first complete frame, against tig on
# 2,000 commits and against the smallest ncurses program; and the memory it holds. Once without the demo's services,
# which are asked by scripts and come behind the first frame as hosts do, and once until they are there too.
. "$(dirname "$0")/support.bash"

RUNS=${RUNS:-30}

commits() {
	local i
	for i in $(seq 1 2000); do
		printf 'commit refs/heads/main\ncommitter A <a@example.invalid> %d +0000\n' $((1700000000 + i * 3600))
		printf 'data 9\nchange %02d\nM 100644 inline f%d\ndata 5\n%04d\n\n' $((i % 100)) $((i % 40)) "$i"
	done
}

demo
git init -q -b main "$WORK/repo"
commits | git -C "$WORK/repo" fast-import --quiet
git -C "$WORK/repo" reset -q --hard
export XDG_STATE_HOME=$WORK/demo/.state

cp -r "$WORK/demo" "$WORK/plain"
sed -i '/^\[service /,$d' "$WORK/plain/bascule.ini"

"$BIN/pty_meter" start "$RUNS" -- "$WORK/plain" "$BASCULE" -- "$WORK/demo" "$BASCULE" -- "$WORK/repo" tig -- / "$BIN/floor" >"$WORK/out"
{ read -r b bmin bmax bkb; read -r s smin smax skb; read -r t tmin tmax _; read -r f fmin fmax _; } <"$WORK/out"
echo "start: exec to the last byte of the first complete frame, ms, $RUNS interleaved starts on 120x36"
echo "  bascule, demo            median $b  ($bmin to $bmax)  peak memory $((bkb / 1024)).$((bkb % 1024 * 10 / 1024)) MB"
echo "  … with its services      median $s  ($smin to $smax)  peak memory $((skb / 1024)).$((skb % 1024 * 10 / 1024)) MB"
echo "  tig, 2000 commits        median $t  ($tmin to $tmax)"
echo "  smallest ncurses program median $f  ($fmin to $fmax)"
echo "  ratio to tig $(ratio "$b" "$t") (target 0.50), to the smallest program $(ratio "$b" "$f") (target 4.00)"
