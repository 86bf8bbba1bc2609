#!/bin/bash
# SPDX-License-Identifier: MIT
# Hosts over SSH, their connections open as the console keeps them.
#
# refresh: a look at what runs on HOSTS hosts, each with one service, against a look at the slowest of them. All
# are one sshd behind proxies: one with RTT_MS of a round trip, the others with a quarter of it.
#
# status: what runs on one host with one container, asked through SSH, against one call of the Engine's API
# for the same container through a tunnel of the ssh program, over one open connection.
#
# HOSTS=20 RTT_MS=50 ROUNDS=40
# shellcheck source=bench/support.bash
. "$(dirname "$0")/support.bash"
SERVICES=$ROOT/tests/services/services.sh
export BASCULE_BUILD=$ROOT/build/release BUILD=$ROOT/build/release
services() { bash "$SERVICES" --owner $$ "$@"; }
trap 'services stop-all; rm -rf "$WORK"' EXIT

HOSTS=${HOSTS:-20}
RTT_MS=${RTT_MS:-50}
ROUNDS=${ROUNDS:-40}

services start ssh app >/dev/null
eval "$(services env app SSH)"
all=
for i in $(seq 1 "$HOSTS"); do
	services proxy "far$i" app --delay "$((i == 1 ? RTT_MS / 2 : RTT_MS / 8))" >/dev/null
	all+="${all:+, }far$i"
done
eval "$(services env far1 FAR)"
sleep 1000 >/dev/null 2>&1 &
echo $! >"$WORK/web.pid"
cat >"$WORK/refresh.ini" <<INI
[project]
name = bench
[environment all]
host = $all
[environment one]
host = far1
[service web]
runtime = process
pid_file = $WORK/web.pid
log_file = $WORK/web.log
INI
: >"$WORK/web.log"
"$BIN/hosts_meter" looks "$WORK/refresh.ini" "$ROUNDS" "$FAR_CONFIG_ALL" all one >"$WORK/refresh"
kill %1
read -r a alo ahi < <(awk '$1 == "look" { print $2 }' "$WORK/refresh" | median)
read -r b blo bhi < <(awk '$1 == "look" { print $3 }' "$WORK/refresh" | median)
echo "hosts: a look at $HOSTS hosts at up to $RTT_MS ms round trip against the slowest of them, $ROUNDS rounds, $(nproc) CPUs"
echo "  $a ms ($alo to $ahi) against $b ms ($blo to $bhi), ratio $(ratio "$a" "$b") (target 2.00)"
echo "  connecting, once: $(awk '$1 == "connect" { print $2 " ms and " $3 " ms" }' "$WORK/refresh")"

services need docker >/dev/null || { echo "hosts: docker: NOT MEASURED, not installed"; exit 0; }
services start docker engine >/dev/null
eval "$(services env engine DOCKER)"
services image engine web:1 >/dev/null
services docker engine run -d --name web --network none web:1 >/dev/null
cat >"$WORK/status.ini" <<INI
[project]
name = bench
[environment one]
host = app
[service web]
runtime = docker
container = web
engine_socket = $DOCKER_SOCKET
INI
ssh -F "$SSH_CONFIG" -N -L "$WORK/tunnel.sock:$DOCKER_SOCKET" app >/dev/null 2>&1 &
tunnel=$!
for _ in $(seq 1 100); do [ -S "$WORK/tunnel.sock" ] && break; sleep 0.05; done
for _ in 1 2 3; do
	"$BIN/hosts_meter" looks "$WORK/status.ini" "$ROUNDS" "$SSH_CONFIG" one | awk '$1 == "look" { print $2 }' >>"$WORK/looks"
	"$BIN/hosts_meter" raw "$WORK/tunnel.sock" /containers/web/json "$ROUNDS" >>"$WORK/raw"
done
kill "$tunnel"
read -r a alo ahi < <(median <"$WORK/looks")
read -r b blo bhi < <(median <"$WORK/raw")
echo "hosts: status of one host's containers, warm, against one call through a bare tunnel, 3 x $ROUNDS"
echo "  $a ms ($alo to $ahi) against $b ms ($blo to $bhi), ratio $(ratio "$a" "$b") (target 2.00)"
