# SPDX-License-Identifier: MIT
# What the benchmarks share. Sourced by bench/*.sh, which `make bench` runs with $BASCULE set.
# Figures are ratios of medians taken in turn in one run: on a shared machine an absolute time
# means nothing, and no figure here passes or fails.

set -eu
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BASCULE=${BASCULE:-$ROOT/build/release/bascule}
BIN=$ROOT/build/release/bench
WORK=$(mktemp -d "${TMPDIR:-/tmp}/bascule-bench.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
export HOME=$WORK XDG_STATE_HOME=$WORK/state LC_ALL=C.UTF-8 TZ=UTC
unset XDG_CONFIG_HOME BASCULE_CONFIG NO_COLOR

# seconds COMMAND...: wall-clock seconds of one run, output dropped.
seconds() {
	local start end
	start=$(date +%s.%N)
	"$@" >/dev/null 2>&1 || { echo "bench: failed: $*" >&2; exit 1; }
	end=$(date +%s.%N)
	awk -v a="$start" -v b="$end" 'BEGIN { printf "%.6f\n", b - a }'
}

# median < numbers, one a line: median, least and most.
median() {
	sort -n | awk '{ v[NR] = $1 } END { printf "%.4f %.4f %.4f\n", v[int((NR + 1) / 2)], v[1], v[NR] }'
}

# ratio A B: A / B with two decimals.
ratio() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f\n", a / b }'
}

# fsyncs COMMAND...: how often it and its children call fsync or fdatasync.
fsyncs() {
	strace -f -qq -e trace=fsync,fdatasync -o "$WORK/strace" "$@" >/dev/null 2>&1 || true
	grep -cE 'f(data)?sync\(' "$WORK/strace" || true
}

# demo: a demo workspace in $WORK/demo.
demo() {
	"$BASCULE" demo "$WORK/demo" --plain >/dev/null
}
