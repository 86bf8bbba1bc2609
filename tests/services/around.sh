# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # shares variables with services.sh
#
# What stands around a server of tests/services/services.sh: certificates, a replica, a pooler, a
# proxy, a full disk.

# --- TLS ----------------------------------------------------------------------------------------

# sign NAME CA SUBJECT [openssl x509 option...]: NAME.key and NAME.crt in the working folder.
sign() {
	local name=$1 ca=$2 subject=$3
	shift 3
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$name.key" \
		-subj "$subject" -out "$name.csr" &&
		openssl x509 -req -in "$name.csr" -CA "$ca.crt" -CAkey "$ca.key" -set_serial "0x$RANDOM$$" \
			-extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1') -out "$name.crt" "$@"
}

authority() { # NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" \
		-subj "/CN=$1 of bascule's tests" -days 2 -out "$1.crt"
}

# tls_files: once per session, in $session/.tls: ca, other (an authority nobody trusts), server,
# expired, stranger (signed by other), client (CN=app).
tls_files() {
	local tls=$session/.tls
	[ ! -d "$tls" ] || return 0
	command -v openssl >/dev/null || die 'not installed: openssl'
	rm -rf "$tls.$$"
	mkdir -m 0755 "$tls.$$" && (
		cd "$tls.$$" &&
			authority ca && authority other &&
			sign server ca /CN=localhost -days 2 &&
			sign expired ca /CN=localhost -days -1 &&
			sign stranger other /CN=localhost -days 2 &&
			sign client ca /CN=app -days 2
	) >"$session/.tls.log" 2>&1 || die "no certificates: $(<"$session/.tls.log")"
	# Two starts at once made two.
	mv -T "$tls.$$" "$tls" 2>/dev/null || rm -rf "$tls.$$"
}

# tls_set KIND FOLDER good|expired|stranger only|both USER: appends to the array set.
tls_set() {
	local name=$3 dir=$2 tls=$session/.tls
	[ "$name" != good ] || name=server
	tls_files
	cp "$tls/ca.crt" "$dir/"
	cp "$tls/$name.crt" "$dir/server.crt" || die "no certificate $name"
	install -m 0600 "$tls/$name.key" "$dir/server.key"
	[ -z "$5" ] || chown "$5" "$dir/server.key"
	case $1 in
	pg)
		set+=(ssl=on "ssl_cert_file=$dir/server.crt" "ssl_key_file=$dir/server.key"
			"ssl_ca_file=$dir/ca.crt")
		# A role certapp comes in by a client certificate of that name or of app.
		printf '%s\n' 'hostssl all certapp 127.0.0.1/32 cert map=cert' \
			"$(<"$dir/data/pg_hba.conf")" >"$dir/hba"
		[ "$4" = both ] || sed -i 's/^host /hostssl /' "$dir/hba"
		cat "$dir/hba" >"$dir/data/pg_hba.conf"
		echo 'cert app certapp' >>"$dir/data/pg_ident.conf"
		;;
	my)
		set+=("ssl-cert=$dir/server.crt" "ssl-key=$dir/server.key" "ssl-ca=$dir/ca.crt")
		[ "$4" = both ] || set+=(require-secure-transport=on)
		;;
	esac
}

# --- A disk that can be full --------------------------------------------------------------------

can_mount() {
	[ "$EUID" = 0 ] && unshare -m mount -t tmpfs -o size=64k tmpfs /mnt 2>/dev/null
}

disk_mount() { # FOLDER MEGABYTES USER
	mkdir "$1/data" && mount -t tmpfs -o "size=$2m,mode=0700" tmpfs "$1/data" ||
		die "cannot mount a small disk"
	: >"$1/mounted"
	[ -z "$3" ] || chown "$3" "$1/data"
}

# disk_fill FOLDER LEAVE_KB
disk_fill() {
	local free
	[ -e "$1/mounted" ] || die 'not a server with --disk'
	free=$(df --output=avail -k "$1/data" | tail -n 1)
	[ "$free" -le "$2" ] || fallocate -l "$((free - $2))K" "$1/data/.fill"
}

# --- Replica, pooler, proxy ---------------------------------------------------------------------

# other NAME: the server it stands behind or in front of; its dir and port.
other() {
	of_dir=$session/$1
	[ -s "$of_dir/vars" ] && [ -s "$of_dir/port" ] || die "no server named $1 was started"
	of_port=$(<"$of_dir/port")
	engine=$(sed -n 's/.*engine=\([a-z]*\).*/\1/p' "$of_dir/vars")
}

# vars_write FOLDER KIND ENGINE USER
vars_write() {
	printf 'kind=%q engine=%q user=%q\n' "$2" "$3" "$4" >"$1/vars"
}

# PostgreSQL: a hot standby that follows. MariaDB: a copy, read-only, which does not.
verb_replica() {
	local name=$1 of=$2 base
	name_ok "$name"
	session_open
	other "$of"
	[ -d "$session/$name" ] && die "there is a $name"
	if [ "$engine" = my ]; then
		verb_start my "$name"
		mapfile -t base < <(verb_sql "$of" "select schema_name from information_schema.schemata
			where schema_name not in ('mysql', 'sys', 'information_schema', 'performance_schema')")
		env -i PATH="$PATH" mariadb-dump --no-defaults -S "$of_dir/my.sock" -u root --routines \
			--single-transaction --databases "${base[@]}" | verb_sql "$name" - &&
			verb_down "$name" || die "cannot copy $of"
		echo --read-only=1 >>"$session/$name/argv"
		verb_start_again "$name"
		return
	fi
	user_of pg
	user=$REPLY
	dir=$session/$name
	instance_folder "$dir" "$user"
	pg_program pg_basebackup
	run_as "$user" "$REPLY" -D "$dir/data" -h "$of_dir" -p "$of_port" -U postgres -R -X stream \
		-c fast --no-sync >"$dir/log" 2>&1 || die "pg_basebackup: $(<"$dir/log")"
	pg_argv "$dir" ordinary
	vars_write "$dir" pg pg "$user"
	verb_start_again "$name"
}

# verb_pgbouncer NAME OF [MODE [OPTION=VALUE...]]
verb_pgbouncer() {
	local name=$1 of=$2 mode=${3:-transaction}
	shift $(($# < 3 ? $# : 3))
	name_ok "$name"
	session_open
	other "$of"
	need pgbouncer >/dev/null || die "not installed: $(need pgbouncer)"
	dir=$session/$name
	user_of pgbouncer
	user=$REPLY
	instance_folder "$dir" "$user" || die "cannot make $dir"
	printf '"app" "%s"\n"postgres" ""\n' "$app_password" >"$dir/users"
	printf '%s\n' 'local all all trust' 'host all all 127.0.0.1/32 scram-sha-256' >"$dir/hba"
	cat >"$dir/ini.in" <<-I
		[databases]
		* = host=$of_dir port=$of_port
		[pgbouncer]
		listen_addr = 127.0.0.1
		listen_port = PORT
		unix_socket_dir = $dir
		auth_type = hba
		auth_hba_file = $dir/hba
		auth_file = $dir/users
		admin_users = postgres
		pool_mode = $mode
	I
	[ $# = 0 ] || printf '%s\n' "$@" >>"$dir/ini.in"
	# The port is known when it starts.
	# shellcheck disable=SC2016 # for the shell that starts it
	printf '%s\n' /bin/sh -c 'sed "s/PORT/$1/" ini.in >ini && exec pgbouncer "$PWD/ini"' sh @PORT@ \
		>"$dir/argv"
	vars_write "$dir" pgbouncer pg "$user"
	verb_start_again "$name"
}

# built_program NAME: REPLY becomes the path of a program of this folder, of the variant under test
# if there is one.
built_program() {
	local each root=${services_cache%/build/services}
	REPLY=
	for each in "${BASCULE_BUILD-}" "$root/build/debug" "$root/build/release" "$root/build/asan"; do
		[ -x "$each/tests/services/$1" ] || continue
		REPLY=$each/tests/services/$1
		return
	done
	die "there is no tests/services/$1 in build/: make MODE=debug test-programs"
}

# verb_proxy NAME OF [--delay MS], then verb_proxy NAME COMMAND... . Who comes by TCP goes on by TCP,
# who comes by the socket goes on by the socket; ssh has no socket and docker no port.
verb_proxy() {
	local name=$1 of=${2-} delay=0 doors program
	name_ok "$name"
	built_program proxy
	program=$REPLY
	if [ -f "$session/$name/vars" ]; then
		shift
		"$program" --tell "$session/$name/control" "$@"
		return
	fi
	session_open
	other "$of"
	[ $# -lt 4 ] || [ "$3" != --delay ] || delay=$4
	dir=$session/$name
	instance_folder "$dir" "" || die "cannot make $dir"
	case $engine in
	pg) doors=("unix:$of_dir/.s.PGSQL.$of_port" "unix:$dir/.s.PGSQL.@PORT@") ;;
	my) doors=("unix:$of_dir/my.sock" "unix:$dir/my.sock") ;;
	docker) doors=("unix:$of_dir/docker.sock" "unix:$dir/docker.sock") ;;
	esac
	printf '%s\n' "$program" --control "$dir/control" --delay "$delay" >"$dir/argv"
	[ "$engine" = docker ] ||
		printf '%s\n' --to "tcp:$of_port" --listen tcp:@PORT@ >>"$dir/argv"
	[ "$engine" = ssh ] || printf '%s\n' --to "${doors[0]}" --listen "${doors[1]}" >>"$dir/argv"
	vars_write "$dir" proxy "$engine" ""
	verb_start_again "$name"
	[ "$engine" != ssh ] || ssh_proxied "$dir" "$name" "$of_dir"
}
