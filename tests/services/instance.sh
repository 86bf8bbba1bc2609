# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # shares variables with services.sh
#
# One server of tests/services/services.sh: the command lines of PostgreSQL and MariaDB; start, ready
# and down of every kind.

instance_folder() { # FOLDER USER
	mkdir -m 0755 "$1" || return 1
	[ -z "$2" ] || chown "$2" "$1"
}

# A port that nobody listens on, below the range that the kernel gives to clients. Another process
# may take it before the server does; then the server says so and gets another.
port_free() {
	local listening hex tries
	listening=$(</proc/net/tcp)
	for ((tries = 0; tries < 1000; tries++)); do
		REPLY=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
		printf -v hex ':%04X ' "$REPLY"
		[[ $listening == *"$hex"* ]] || return 0
	done
	die 'no free port'
}

# pg_argv and my_argv FOLDER ordinary|durable [OPTION=VALUE...]: write FOLDER/argv; the port is put
# in later. An ordinary server never waits for the disk, which loses nothing when it is killed, only
# when the machine is.
pg_argv() {
	local dir=$1 durable=$2 set each
	shift 2
	set=("port=@PORT@" listen_addresses=127.0.0.1 "unix_socket_directories=$dir"
		# Nothing outside of the folder, also after kill -9.
		dynamic_shared_memory_type=mmap shared_buffers=32MB lc_messages=C timezone=UTC
		log_timezone=UTC)
	[ "$durable" = durable ] || set+=(fsync=off full_page_writes=off autovacuum=off)
	pg_program postgres
	printf '%s\n' "$REPLY" -D "$dir/data" >"$dir/argv"
	for each in "${set[@]}" "$@"; do
		printf '%s\n' -c "$each"
	done >>"$dir/argv"
}

my_argv() {
	local dir=$1 durable=$2 each
	shift 2
	[ -d "$dir/tmp" ] || mkdir -m 0777 "$dir/tmp"
	{
		command -v mariadbd
		printf '%s\n' --no-defaults --datadir="$dir/data" --socket="$dir/my.sock" \
			--port=@PORT@ --bind-address=127.0.0.1 --pid-file="$dir/my.pid" \
			--tmpdir="$dir/tmp" --skip-name-resolve --character-set-server=utf8mb4 \
			--collation-server=utf8mb4_general_ci --innodb-log-file-size=32M \
			--innodb-buffer-pool-load-at-startup=0 --innodb-buffer-pool-dump-at-shutdown=0 \
			--innodb-use-native-aio=0 --innodb-buffer-pool-size=64M
		[ "$durable" = durable ] || printf '%s\n' --innodb-flush-method=nosync \
			--debug-no-sync --innodb-flush-log-at-trx-commit=2 --innodb-doublewrite=0
		for each; do
			echo "--$each"
		done
	} >"$dir/argv"
}

# ready KIND FOLDER PID
ready() {
	local lines
	case $1 in
	pg)
		mapfile -t lines 2>/dev/null <"$2/data/postmaster.pid"
		[ "${lines[0]-}" = "$3" ] && [[ ${lines[7]-} == ready* ]]
		;;
	my)
		mapfile -t lines <"$2/log"
		[[ ${lines[*]} == *': ready for connections.'* ]]
		;;
	pgbouncer)
		mapfile -t lines <"$2/log"
		[[ ${lines[*]} == *'process up'* ]]
		;;
	proxy)
		mapfile -t lines <"$2/log"
		[[ ${lines[*]} == *ready* ]]
		;;
	docker)
		mapfile -t lines <"$2/log"
		[[ ${lines[*]} == *'API listen on '* ]]
		;;
	podman)
		mapfile -t lines <"$2/log"
		[[ ${lines[*]} == *'API service listening on '* ]]
		;;
	ssh)
		mapfile -t lines <"$2/log"
		[[ ${lines[*]} == *'Server listening on '* ]] && [ -s "$2/sshd.pid" ]
		;;
	esac
}

# instance_wait KIND FOLDER: until it answers, or has ended, or a minute is over.
instance_wait() {
	local tries
	for ((tries = 0; tries < 6000; tries++)); do
		! ready "$1" "$2" "$spawned" || return 0
		if ! proc_start "$spawned"; then
			# Its last words are written by now.
			grep -qiE 'address already in use|Bind on TCP/IP port' "$2/log" && return 2
			return 1
		fi
		nap 0.01
	done
	return 1
}

# instance_run KIND FOLDER USER: starts what argv says. The first time it finds a port.
instance_run() {
	local kind=$1 dir=$2 user=$3 argv tries status
	for ((tries = 0; tries < 5; tries++)); do
		if [ ! -s "$dir/port" ]; then
			port_free
			echo "$REPLY" >"$dir/port"
		fi
		port=$(<"$dir/port")
		mapfile -t argv <"$dir/argv"
		spawn "$dir" "$user" "${argv[@]//@PORT@/$port}"
		instance_wait "$kind" "$dir"
		status=$?
		[ "$status" = 2 ] || return "$status"
		rm -f "$dir/port"
	done
	return 1
}

# instance_down KIND FOLDER: an orderly shutdown; the data stays.
instance_down() {
	local pid
	server_pid "$2" || return 0
	pid=$REPLY
	case $1 in
	pg) kill -INT "$pid" ;;
	*) kill -TERM "$pid" ;;
	esac
	wait_gone "$pid" 60
}

# sql_run DATABASE SQL [USER]: by the real client over the socket of $dir; rows one a line, no frame.
# SQL "-" is read from stdin.
sql_run() {
	local database=$1 sql=$2 sql_user=${3-} argv
	case $engine in
	pg)
		pg_program psql
		argv=("$REPLY" -XAtq -v ON_ERROR_STOP=1 -h "$dir" -p "$port" -U "${sql_user:-postgres}"
			-d "$database")
		;;
	my)
		argv=(mariadb --no-defaults -NB --default-character-set=utf8mb4 -S "$dir/my.sock"
			-u "${sql_user:-root}" "$database")
		;;
	esac
	if [ "$sql" = - ]; then
		env -i PATH="$PATH" LC_ALL=C.UTF-8 "${argv[@]}"
	elif [ "$engine" = pg ]; then
		env -i PATH="$PATH" LC_ALL=C.UTF-8 "${argv[@]}" -c "$sql" </dev/null
	else
		env -i PATH="$PATH" LC_ALL=C.UTF-8 "${argv[@]}" -e "$sql" </dev/null
	fi
}
