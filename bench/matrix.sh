#!/bin/bash
# SPDX-License-Identifier: MIT
# `matrix` over 10,000 migrations in three SQLite environments, against sha256sum over the same
# files (up and down: bascule hashes both). Prints the resident memory of both, too.
. "$(dirname "$0")/support.bash"

N=${N:-10000}
RUNS=${RUNS:-15}

mkdir -p "$WORK/p"
"$BIN/matrix_fixture" "$WORK/p" "$N"
cd "$WORK/p" || exit 1
FILES=(migrations/up/*.sql migrations/down/*.sql)

by_matrix() { "$BASCULE" matrix; }
by_json() { "$BASCULE" matrix --json; }
by_sha256sum() { sha256sum "${FILES[@]}"; }

rows=$(by_json | grep -c '^{"id"' || true)
[ "$rows" = "$N" ] || { echo "bench: matrix shows $rows rows of $N" >&2; exit 1; }
for run in $(seq 0 "$RUNS"); do
	for who in matrix json sha256sum; do
		s=$(seconds "by_$who")
		# The first round fills the page cache.
		[ "$run" = 0 ] || echo "$s" >>"$WORK/$who.s"
	done
done

# kib COMMAND...: the most memory it ever held.
kib() {
	command -v /usr/bin/time >/dev/null || { echo '?'; return; }
	/usr/bin/time -f %M -o "$WORK/kib" "$@" >/dev/null 2>&1 && cat "$WORK/kib"
}

declare -A med
echo "matrix: $N migrations (${#FILES[@]} files), three environments, s, $RUNS interleaved runs"
for who in matrix json sha256sum; do
	read -r m lo hi < <(median <"$WORK/$who.s")
	med[$who]=$m
	echo "  $who median $m ($lo to $hi)"
done
echo "  ratio of matrix to sha256sum $(ratio "${med[matrix]}" "${med[sha256sum]}") (target 2.00)"
echo "  ratio of matrix --json to sha256sum $(ratio "${med[json]}" "${med[sha256sum]}")"
echo "  resident memory of matrix $(kib "$BASCULE" matrix) KiB"
