#!/bin/bash
# SPDX-License-Identifier: MIT
# Reading a log into the buffer that can be searched, against reading the same bytes and dropping them. Each of our
# runs counts and hashes the lines in the buffer, outside of the time. Lines can be read and searched as soon as they are
# there; some of the packing comes behind a burst (core/logs/store.c), so CPU is what was spent until then. Behind
# a bare read its own is printed too: the rest is ours.
#
# engine: LINES lines of a container, from an Engine here: against curl from its socket to /dev/null (target: at least
#   0.90 of its speed) and against `docker logs | cat >/dev/null` (at least 3.00).
# ssh: the same log through SSH here, against libssh2 alone reading it over one channel (at least 0.90); and a log
#   file, which comes faster than an Engine gives lines: what our reading of lines costs is seen there.
#   Both go through a proxy that only passes bytes on: straight on loopback, with its segments of 64 KiB, sshd waits for
#   acknowledgements that come milliseconds later, whoever reads, and that is what would be measured.
# far: the log file with RTT_MS of a round trip, against `ssh HOST cat` (at least 2.00).
#
# LINES=200000 FILE_LINES=1000000 RTT_MS=50 RUNS=5
# shellcheck source=bench/support.bash
. "$(dirname "$0")/support.bash"
SERVICES=$ROOT/tests/services/services.sh
export BASCULE_BUILD=$ROOT/build/release BUILD=$ROOT/build/release
services() { bash "$SERVICES" --owner $$ "$@"; }
trap 'services stop-all; rm -rf "$WORK"' EXIT

LINES=${LINES:-200000}
FILE_LINES=${FILE_LINES:-1000000}
RTT_MS=${RTT_MS:-50}
RUNS=${RUNS:-5}

services need ssh docker >/dev/null || { echo 'intake: NOT MEASURED, sshd or dockerd is not installed'; exit 0; }
services start ssh app >/dev/null
eval "$(services env app SSH)"
services proxy far app --delay $((RTT_MS / 2)) >/dev/null
services proxy near app >/dev/null
services start docker engine >/dev/null
eval "$(services env engine DOCKER)"
eval "$(services env far FAR)"
eval "$(services env near NEAR)"
services image engine web:1 >/dev/null
services docker engine run --name web --network none web:1 /shopd --shape numbered --rate max \
	--count "$LINES" --exit >/dev/null
"$BASCULE_BUILD/tests/services/shopd" --shape numbered --rate max --count "$FILE_LINES" --exit >"$WORK/web.log"
cat >"$WORK/bascule.ini" <<INI
[project]
name = bench
[environment engine]
host = local
[environment engine-ssh]
host = near
[environment file]
host = local
[environment file-ssh]
host = near
[environment file-far]
host = far
[service web]
runtime = docker
container = web
engine_socket = $DOCKER_SOCKET
INI
for each in file file-ssh file-far; do
	printf '[service web on %s]\nruntime = process\npid_file = /none\nlog_file = %s\n' \
		"$each" "$WORK/web.log" >>"$WORK/bascule.ini"
done

ours() { # ENV LINES
	"$BIN/intake" follow "$WORK/bascule.ini" "$SSH_CONFIG_ALL" "$1" "$2" >"$WORK/one"
	grep -q 'good$' "$WORK/one" || { echo "intake: $1: lines are not as they were written: $(<"$WORK/one")" >&2; exit 1; }
	cat "$WORK/one" >>"$WORK/$1"
}
logs='/containers/web/logs?stdout=1&stderr=1&timestamps=1'
# shellcheck disable=SC2016 # for the shell that runs it
docker_cat=(bash -c 'docker --host "$1" logs web | cat >/dev/null' _ "$DOCKER_HOST")

for run in $(seq 0 "$RUNS"); do
	ours engine "$LINES"
	seconds curl -sS --unix-socket "$DOCKER_SOCKET" -o /dev/null "http://engine$logs" >>"$WORK/curl"
	seconds "${docker_cat[@]}" >>"$WORK/cli"
	ours engine-ssh "$LINES"
	"$BIN/intake" bare "$NEAR_PORT" "$SSH_KEY" "$DOCKER_SOCKET" "$logs" 32 >>"$WORK/bare"
	ours file "$FILE_LINES"
	seconds cat "$WORK/web.log" >>"$WORK/cat"
	ours file-ssh "$FILE_LINES"
	"$BIN/intake" bare "$NEAR_PORT" "$SSH_KEY" - "cat $WORK/web.log" 32 >>"$WORK/bare-file"
	ours file-far "$FILE_LINES"
	seconds ssh -F "$FAR_CONFIG" far cat "$WORK/web.log" >>"$WORK/ssh-far"
	# The first round warms caches.
	[ "$run" != 0 ] || (cd "$WORK" && rm engine curl cli engine-ssh bare file cat file-ssh bare-file file-far ssh-far)
done

# compare LABEL TARGET OURS THEIRS LINES: how many times as fast.
compare() {
	local a lo hi b bare=''
	read -r a lo hi < <(cut -d' ' -f1 "$WORK/$3" | median)
	read -r b _ < <(cut -d' ' -f1 "$WORK/$4" | median)
	case $4 in bare*) bare=", bare $(cut -d' ' -f2 "$WORK/$4" | median | cut -d' ' -f1) s" ;; esac
	echo "  $1: $a s ($lo to $hi) against $b s, $(ratio "$b" "$a") times as fast${2:+ (target $2)}," \
		"$(awk -v n="$5" -v s="$a" 'BEGIN { printf "%d", n / s }') lines/s," \
		"CPU $(cut -d' ' -f2 "$WORK/$3" | median | cut -d' ' -f1) s$bare"
}
echo "intake: $LINES lines of an Engine ($(cut -d' ' -f3 "$WORK/engine" | tail -n 1) MB), $FILE_LINES of a file" \
	"($(cut -d' ' -f3 "$WORK/file" | tail -n 1) MB), $RUNS interleaved runs, $(nproc) CPUs; all lines counted and hashed"
compare 'Engine here, against curl >/dev/null' 0.90 engine curl "$LINES"
compare 'Engine here, against docker logs | cat' 3.00 engine cli "$LINES"
compare 'Engine through SSH, against libssh2 alone' 0.90 engine-ssh bare "$LINES"
compare 'file through SSH, against libssh2 alone' 0.90 file-ssh bare-file "$FILE_LINES"
compare "file at $RTT_MS ms, against ssh HOST cat" 2.00 file-far ssh-far "$FILE_LINES"
compare 'file here, against cat' '' file cat "$FILE_LINES"
