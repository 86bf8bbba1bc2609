#!/bin/bash
# SPDX-License-Identifier: MIT
# Bytes of one command over SSH: through our connection, which carries many channels and gives pipes to its readers;
# through the smallest loop around the same libssh2; and through the ssh program with its default cipher. On
# loopback, and again with a round trip of RTT_MS, where the window decides. The time of ssh is that of the whole
# program less that of `ssh NAME true`. Where other work keeps the cores busy, two threads that pass bytes on wait for
# them more often than one: the ratio of CPU seconds is the steadier figure.
#
# MB=400 FAR_MB=200 RUNS=5 FAR_RUNS=3 RTT_MS=50
# shellcheck source=bench/support.bash
. "$(dirname "$0")/support.bash"
KINDS=
# shellcheck source=bench/servers.bash
. "$(dirname "$0")/servers.bash"

MB=${MB:-400}
FAR_MB=${FAR_MB:-200}
RUNS=${RUNS:-5}
FAR_RUNS=${FAR_RUNS:-3}
RTT_MS=${RTT_MS:-50}

services need ssh >/dev/null || { echo 'bench: ssh: NOT MEASURED, not installed'; exit 0; }

# one WHO SERVER MB: seconds, and of ours and bare CPU seconds of the client.
one() {
	local X_CONFIG X_PORT X_USER X_KEY
	eval "$(services env "$2" X | grep -E '^X_(CONFIG|PORT|USER|KEY)=')"
	case $1 in
	ssh)
		awk -v all="$(seconds ssh -F "$X_CONFIG" "$2" "head -c $(($3 << 20)) /dev/zero")" \
			-v none="$(seconds ssh -F "$X_CONFIG" "$2" true)" 'BEGIN { print all - none }'
		;;
	*) "$BIN/ssh_read" "$1" "$X_CONFIG" "$2" "$X_PORT" "$X_USER" "$X_KEY" "$3" ;;
	esac
}

# measure TITLE SERVER MB RUNS
measure() {
	local who i ours bare ssh ours_cpu bare_cpu
	for ((i = 0; i < $4; i++)); do
		for who in ours bare ssh; do
			one "$who" "$2" "$3" >>"$WORK/$2.$who"
		done
	done
	read -r ours _ < <(cut -d' ' -f1 "$WORK/$2.ours" | median)
	read -r bare _ < <(cut -d' ' -f1 "$WORK/$2.bare" | median)
	read -r ssh _ < <(median <"$WORK/$2.ssh")
	read -r ours_cpu _ < <(cut -d' ' -f2 "$WORK/$2.ours" | median)
	read -r bare_cpu _ < <(cut -d' ' -f2 "$WORK/$2.bare" | median)
	printf '%s: %s MB; ours %.0f MB/s, bare libssh2 %.0f, ssh %.0f\n' "$1" "$3" \
		"$(ratio "$3" "$ours")" "$(ratio "$3" "$bare")" "$(ratio "$3" "$ssh")"
	printf '%s: ours / bare libssh2 %s (by CPU seconds %s), ours / ssh %s\n' "$1" \
		"$(ratio "$bare" "$ours")" "$(ratio "$bare_cpu" "$ours_cpu")" "$(ratio "$ssh" "$ours")"
}

services start ssh near
measure 'loopback' near "$MB" "$RUNS"
services proxy far near --delay "$((RTT_MS / 2))" >/dev/null
measure "round trip of $RTT_MS ms" far "$FAR_MB" "$FAR_RUNS"
