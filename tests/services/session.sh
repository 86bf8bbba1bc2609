# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # shares variables with services.sh
#
# Sessions of tests/services/services.sh: where throw-away servers live, and how they end.
#
# A session belongs to one process, its owner: the test that starts servers. It is one folder,
# /tmp/bsv.UID.OWNER.START, which any process finds by the owner's pid and start time; under /tmp and
# short, because the path of a unix socket has 107 bytes and a test's own TMPDIR is closed to the
# users that servers run as. Each server is a folder in it, and everything about it lies there:
#
#	data/    its data, copied from a template
#	argv     its command line, one word a line: a second start is the first one again
#	vars     what kind it is, its port and so on, as shell assignments
#	pid log  of the process
#
# Servers are told nothing of the test: bare environment, closed descriptors, a session (setsid) of
# their own and a working folder inside of theirs. The last is how they are found again: whatever
# works inside the session's folder is killed with it, also what a server left behind. Servers that
# leave that folder, or whose children do, run below a keeper (keeper.c), which does not; then what
# descends from it is theirs.
#
# The first start of a session starts its watcher. It waits for the owner to end, however that
# happens, and then takes down the whole session. It has none of the test's environment either, so
# that tools/run-test, which kills what a test left, does not kill it. A start holds the session's
# lock shared and the end of a session takes it exclusively, so that no server is born into a
# session that is being taken down. When even a watcher was killed, the next start of anybody sweeps
# what it left.

nap_fd= # a pipe nobody writes to: reading it with a limit is a sleep without a process

nap() { # SECONDS
	[ -n "$nap_fd" ] || exec {nap_fd}<> <(:)
	read -rt "$1" -u "$nap_fd"
	return 0
}

die() {
	echo "services: $*" >&2
	exit 1
}

# proc_start PID: its start time, which together with the pid is one process and no other. Fails for
# one that is gone or only waits to be reaped.
proc_start() {
	local stat fields
	REPLY=
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	read -ra fields <<<"${stat##*) }"
	[ "${fields[0]}" != Z ] && [ "${fields[0]}" != X ] || return 1
	REPLY=${fields[19]}
}

is_process() { # PID START
	proc_start "$1" && [ "$REPLY" = "$2" ]
}

# wait_gone PID SECONDS
wait_gone() {
	local tries=$(($2 * 50))
	while proc_start "$1"; do
		((tries-- > 0)) || return 1
		nap 0.02
	done
}

# --- Processes of servers -----------------------------------------------------------------------

# close_all: descriptors of whoever called us must not live on in a server.
close_all() {
	local fd
	for fd in "/proc/$BASHPID/fd"/*; do
		fd=${fd##*/}
		[ "$fd" -le 2 ] || eval "exec $fd>&-" 2>/dev/null
	done
}

# user_of pg|my|other: which user such a server runs as. Only root has a choice, and servers refuse
# to be root.
user_of() {
	REPLY=
	[ "$EUID" = 0 ] || return 0
	case $1 in
	pg | pgbouncer) REPLY=postgres ;;
	my) REPLY=mysql ;;
	proxy) return 0 ;;
	esac
	id -u "$REPLY" >/dev/null 2>&1 || REPLY=nobody
}

# run_as USER COMMAND...: "" is ourselves. With nothing of our environment.
run_as() {
	local user=$1 become=()
	shift
	[ -z "$user" ] || become=(setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups)
	"${become[@]}" env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C.UTF-8 TZ=UTC \
		HOME=/nonexistent "$@"
}

# spawn FOLDER USER COMMAND...: in the background. FOLDER/pid is written by the process itself before
# it becomes the server, so that there is none without.
spawn() {
	local dir=$1
	shift
	[ ! -s "$dir/log" ] || cat "$dir/log" >>"$dir/log.old"
	: >"$dir/log"
	(
		cd "$dir" || exit 1
		exec </dev/null >>"$dir/log" 2>&1
		echo "$BASHPID" >"$dir/pid"
		close_all
		user=$1
		shift
		become=()
		[ -z "$user" ] ||
			become=(setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups)
		exec setsid "${become[@]}" env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin \
			LC_ALL=C.UTF-8 TZ=UTC HOME="$dir" "$@"
	) &
	spawned=$!
}

# below FOLDER: pids that work in it, and all that descends from a keeper among them, keepers last.
below() {
	local link name pids=() keepers=()
	while read -r link; do
		link=${link#/proc/}
		link=${link%%/*}
		[ "$link" != "$owner" ] && [ "$link" != "$$" ] && [ "$link" != "$PPID" ] || continue
		{ read -r name <"/proc/$link/comm"; } 2>/dev/null || continue
		if [ "$name" = keeper ]; then keepers+=("$link"); else pids+=("$link"); fi
	done < <(find /proc -mindepth 2 -maxdepth 2 -path '/proc/[0-9]*/cwd' \
		\( -lname "$1" -o -lname "$1/*" \) 2>/dev/null)
	[ ${#pids[@]} = 0 ] || printf '%s\n' "${pids[@]}"
	[ ${#keepers[@]} != 0 ] || return 0
	ps -e -o pid=,ppid=,stat= | descendants "${keepers[@]}"
	printf '%s\n' "${keepers[@]}"
}

# descendants PID...: of them, without themselves and without zombies; stdin is pid, parent, state.
descendants() {
	awk -v roots="$*" '
		$3 !~ /^Z/ { below[$2] = below[$2] " " $1 }
		function walk(pid, n, child, i) {
			n = split(below[pid], child)
			for (i = 1; i <= n; i++) {
				print child[i]
				walk(child[i])
			}
		}
		END {
			n_roots = split(roots, root)
			for (r = 1; r <= n_roots; r++)
				walk(root[r])
		}'
}

# A keeper is killed when it has nothing left to keep: who loses a parent meanwhile comes to it.
kill_below() { # FOLDER
	local pids keepers tries each name
	for ((tries = 0; tries < 100; tries++)); do
		mapfile -t pids < <(below "$1")
		[ ${#pids[@]} -gt 0 ] || return 0
		keepers=("${pids[@]}")
		pids=()
		for each in "${keepers[@]}"; do
			{ read -r name <"/proc/$each/comm"; } 2>/dev/null || continue
			[ "$name" = keeper ] || pids+=("$each")
		done
		[ ${#pids[@]} -gt 0 ] || pids=("${keepers[@]}")
		kill -KILL "${pids[@]}" 2>/dev/null
		nap 0.02
	done
	return 1
}

# --- Instances ----------------------------------------------------------------------------------

# instance NAME: its folder becomes $dir, its vars are read. Fails when there is none.
instance() {
	dir=$session/$1
	[ -f "$dir/vars" ] || die "no server named $1 was started"
	# shellcheck disable=SC1091 # written by us
	. "$dir/vars"
}

# server_pid FOLDER: REPLY is its first process. Fails when it has ended; then another may have its
# number, but will not work in there.
server_pid() {
	REPLY=
	{ read -r REPLY <"$1/pid"; } 2>/dev/null || return 1
	[ "/proc/$REPLY/cwd" -ef "$1" ] || [ "/proc/$REPLY/cwd" -ef "$1/data" ]
}

# instance_quiet FOLDER: no process of it is left; its data is. Fast: the data is not for keeping.
instance_quiet() {
	local pid
	if [ -d "$1/data/base" ] && server_pid "$1"; then
		# PostgreSQL takes its System V segment and its children with it when it is asked.
		pid=$REPLY
		kill -CONT "$pid" 2>/dev/null
		kill -QUIT "$pid" 2>/dev/null && wait_gone "$pid" 5
	fi
	instance_crash "$1"
}

# instance_crash FOLDER: killed, all its processes. A killed PostgreSQL keeps a System V segment and
# two files that name its pid. The next one would go by them that the old one lives, for as long as
# nobody reaps it, and init may take its time.
instance_crash() {
	local lines=() key id rest
	kill_below "$1" || return 1
	[ -s "$1/data/postmaster.pid" ] || return 0
	mapfile -t lines <"$1/data/postmaster.pid"
	read -r key id rest <<<"${lines[6]-}"
	if [ -n "$id" ] && grep -qE "^ *$key +$id " /proc/sysvipc/shm 2>/dev/null; then
		ipcrm -m "$id" 2>/dev/null
	fi
	rm -f "$1/data/postmaster.pid" "$1"/.s.PGSQL.*
}

# instance_end FOLDER: nothing of it is left.
instance_end() {
	instance_quiet "$1"
	docker_end "$1"
	ssh_end "$1"
	[ ! -e "$1/mounted" ] || umount -l "$1/data"
	rm -rf "$1"
}

# --- The session --------------------------------------------------------------------------------

# session_of OWNER: sets session and owner; the folder need not exist yet.
session_of() {
	owner=$1
	proc_start "$owner" || die "there is no process $owner to start servers for"
	owner_start=$REPLY
	session=/tmp/bsv.$EUID.$owner.$owner_start
}

session_lock() { # -s|-x SECONDS
	exec 9>&-
	{ exec 9>>"$session/lock"; } 2>/dev/null || return 1
	flock "$1" -w "$2" 9 || return 1
	# It may have been taken down while we waited.
	[ "$session/lock" -ef "/proc/$$/fd/9" ]
}

# session_open: makes it when it is not there, with its watcher, and holds its lock shared.
session_open() {
	local tries
	for ((tries = 0; tries < 5; tries++)); do
		if mkdir -m 0755 "$session" 2>/dev/null; then
			session_sweep
		fi
		[ -O "$session" ] && [ ! -L "$session" ] || die "$session is not ours"
		session_lock -s 120 && break
	done
	[ "$tries" -lt 5 ] || die "cannot lock $session"
	is_process "$owner" "$owner_start" || die "process $owner has ended"
	mkdir "$session/.watched" 2>/dev/null || return 0
	(
		cd / || exit 1
		exec </dev/null >/dev/null 2>&1
		close_all
		exec setsid env -i PATH="$PATH" LC_ALL=C.UTF-8 \
			bash "$services_dir/services.sh" watch "$owner" "$owner_start" "$session"
	) &
}

# session_end: all servers, all folders. Whoever holds the lock shared gets a while to finish.
session_end() {
	local each
	[ -d "$session" ] || return 0
	session_lock -x 60
	for each in "$session"/*/; do
		[ ! -d "$each" ] || instance_end "${each%/}"
	done
	kill_below "$session"
	rm -rf "$session"
	exec 9>&-
}

# session_watch OWNER START SESSION: the life of a watcher.
session_watch() {
	owner=$1
	session=$3
	trap '' INT HUP TERM
	while is_process "$1" "$2"; do
		[ -d "$session" ] || return 0
		nap 0.2
	done
	session_end
}

# session_sweep: sessions whose owner has ended and which nobody takes down.
session_sweep() {
	local each rest old_owner old_start mine=$session
	for each in "/tmp/bsv.$EUID."*; do
		[ -d "$each" ] && [ -O "$each" ] && [ ! -L "$each" ] || continue
		rest=${each#"/tmp/bsv.$EUID."}
		old_owner=${rest%%.*}
		old_start=${rest#*.}
		is_process "$old_owner" "$old_start" && continue
		# A watcher that is at it has the lock.
		session=$each
		(flock -n -x 9 && session_end) 9>>"$each/lock" 2>/dev/null
	done
	session=$mine
}
