#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Throw-away servers for tests, from Debian's packages, on private sockets and free loopback ports:
# PostgreSQL and MariaDB in a fraction of a second, sshd, Docker Engine. Run as a command, or sourced
# by a bash test behind tests/support/tap.sh, which then has `services VERB...` and `services_need pg my`.
#
#	start pg|my [NAME] [OPTION]...
#	                  a server; NAME is its kind when not given. On a NAME that was stopped by
#	                  down or crash: the same server again, port and data. Options:
#	      --durable   waits for the disk, as a real one
#	      --set X=Y   a setting of postgresql.conf or an option of mariadbd (without --)
#	      --tls good|expired|stranger   TLS on, with a certificate for localhost and 127.0.0.1 that
#	                  is good, out of date or of an authority nobody knows (see env: _CA, _TLS)
#	      --tls-only  refuses TCP without TLS
#	      --disk MB   data on a disk of that size, for fill and unfill; needs can-mount
#	start ssh [NAME] [OPTION]...
#	                  an sshd to log in to as who we are; ssh -F CONFIG NAME (see env). Its HOME
#	                  is an empty folder of the server (DATA); its first host key is ed25519
#	      --set X=Y   a setting of sshd_config: MaxSessions=2; --env X=Y of its sessions
#	      --hostkeys ed25519,ecdsa   the types of its host keys
#	      --key ed25519              the type of the client's key
#	      --encrypted-key            the client's key has a passphrase (see env)
#	      --user NAME                who logs in; needs root
#	      --password WORD            also by password and keyboard-interactive; needs root
#	      --shell chatty|nologin|slow|PROGRAM   a login that prints noise, ends at once, takes a
#	                  second; PROGRAM takes -c COMMAND
#	      --no-forwarding            neither to ports nor to sockets
#	      --systemd                  a machine with systemd and its journal (see systemd.sh); needs root
#	      --jump NAME the client's config goes through that server
#	      --disk MB   HOME on a disk of that size, for fill and unfill
#	rekey NAME        other host keys; the client's known_hosts stays
#	start docker [NAME] [OPTION]...
#	                  a Docker Engine with no image in it; needs root
#	      --set X=Y   an option of dockerd (without --)
#	      --podman    podman's service in its place
#	image NAME TAG [LINE]...   our static program (cli/demo_service.c) as an image; LINEs as in a
#	                  Dockerfile (CMD, LABEL, HEALTHCHECK --interval=1s CMD ["/shopd", "--probe",
#	                  "8080"]) come after ours: CMD ["/shopd", "--port", "0.0.0.0:8080"]
#	docker NAME WORD...        the docker program on it
#	replica NAME OF   PostgreSQL: a hot standby; MariaDB: a read-only copy
#	pgbouncer NAME OF [transaction|session [OPTION=VALUE]...]
#	proxy NAME OF [--delay MS]   a bad network in front of OF
#	proxy NAME COMMAND...        tells it: delay MS, cut, cut client, blackhole, refuse, slow MS,
#	                  swallow [TEXT [ANSWER]], normal, stats (see proxy.c)
#	fill NAME [KB]    the disk is full but for KB (512, to connect takes some); unfill NAME
#	down NAME         orderly shutdown, data kept
#	crash NAME        kill -9 of all its processes, data kept
#	freeze NAME       SIGSTOP of all its processes; thaw NAME lets them go on
#	stop [NAME]       ended, data removed; without NAME: all, which stop-all does too
#	url NAME [socket|tcp|tcp-password] [DB] [USER]
#	env NAME [PREFIX] shell assignments: PREFIX (PG or MY) and _KIND _SOCKET_DIR _SOCKET _PORT _USER
#	                  _PASSWORD _DB _SUPERUSER _URL _URL_TCP _URL_PASSWORD _PID _DATA _LOG _CA
#	                  _TLS (folder with ca other server expired stranger client, .crt and .key)
#	sql NAME SQL [DB] [USER]    by psql or mariadb, as the superuser; SQL - is stdin. Also called
#	                  psql, mysql.
#	newdb NAME DB [OWNER]       an empty database; OWNER (app) owns it
#	running NAME      ends with 0 when it is
#	port              a port that nobody listens on now
#	list              the names, kinds and whether they run
#	                  of ssh the prefix is SSH: _NAME _HOST _PORT _USER _CONFIG (of it) _CONFIG_ALL (of all in this
#	                  session) _DIR _KEY _KNOWN_HOSTS
#	                  _PASSWORD _PASSPHRASE _HOSTKEY_SHA256 _HOSTKEY_ED25519 (and so on) _PID _DATA _LOG
#	                  of docker DOCKER: _NAME _SOCKET _HOST (for DOCKER_HOST) _DIR _DATA _LOG _PID _BRIDGE
#	need pg|my|pgbouncer|tls|ssh|docker|podman|systemd|curl...  ends with 77 and names the packages that are missing
#	can-mount         ends with 0 when --disk is possible
#
# Roles: the superuser (postgres, root) by the socket, without password; app, without password by the
# socket and with it (see env) over TCP; a database app that it owns.
#
# Everything belongs to the process that starts it (the caller; --owner PID in front of the verb says
# another) and ends with it, even by kill -9: see session.sh.

if [ "${BASH_SOURCE[0]}" != "$0" ]; then
	services_script=$(realpath "${BASH_SOURCE[0]}") # callers change their folder

	services() { bash "$services_script" --owner $$ "$@"; }

	# services_need pg|my|...: leaves the test when it cannot be made here. In continuous
	# integration that is a failure.
	services_need() {
		local missing
		missing=$(services need "$@") && return 0
		case $missing in
		*:*) ;; # not a package but a reason
		*) missing="not installed: $missing (tools/deps test installs it)" ;;
		esac
		[ "${CI-}" != true ] || bail "$missing"
		skip_all "$missing"
	}

	# Called by tap.sh at the end; without it the watcher does the same a moment later.
	services_stop_all() { services stop-all; }
	return 0
fi

set -u
PATH=$PATH:/usr/sbin:/sbin
services_dir=$(cd "$(dirname "$0")" && pwd)
services_cache=${BASCULE_SERVICES_CACHE:-$(cd "$services_dir/../.." && pwd)/build/services}
cd / || exit 1
# shellcheck source=tests/services/session.sh
. "$services_dir/session.sh"
# shellcheck source=tests/services/template.sh
. "$services_dir/template.sh"
# shellcheck source=tests/services/instance.sh
. "$services_dir/instance.sh"
# shellcheck source=tests/services/around.sh
. "$services_dir/around.sh"
# shellcheck source=tests/services/ssh.sh
. "$services_dir/ssh.sh"
# shellcheck source=tests/services/docker.sh
. "$services_dir/docker.sh"

usage() {
	sed -n '/^#\t/s/^#\t//p' "$services_dir/services.sh" >&2
	exit 2
}

# What each word of `need` must find, and the Debian package that brings it.
need() {
	local word missing=()
	for word; do
		case $word in
		pg) pg_program initdb; [ -n "$REPLY" ] || missing+=(postgresql) ;;
		my)
			command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null ||
				missing+=(mariadb-server-core)
			command -v mariadb-dump >/dev/null || missing+=(mariadb-client)
			;;
		pgbouncer) command -v pgbouncer >/dev/null || missing+=(pgbouncer) ;;
		tls) command -v openssl >/dev/null || missing+=(openssl) ;;
		curl) command -v curl >/dev/null || missing+=(curl) ;;
		ssh)
			command -v sshd >/dev/null || missing+=(openssh-server)
			command -v ssh >/dev/null || missing+=(openssh-client)
			;;
		docker)
			command -v dockerd >/dev/null && command -v docker >/dev/null ||
				missing+=(docker.io)
			command -v ip >/dev/null || missing+=(iproute2)
			;;
		podman) command -v podman >/dev/null || missing+=(podman) ;;
		systemd) [ -x /lib/systemd/systemd ] && command -v journalctl >/dev/null || missing+=(systemd) ;;
		*) die "need: what is $word?" ;;
		esac
	done
	if [ ${#missing[@]} = 0 ]; then
		if [[ " $* " =~ \ (docker|podman)\  ]] && ! can_docker; then
			missing=('docker: only root can run it here')
		elif [[ " $* " =~ \ systemd\  ]] && ! can_systemd; then
			missing=('systemd: no namespaces or no cgroup v2 for it here')
		else
			return 0
		fi
	fi
	echo "${missing[*]}"
	return 77
}

name_ok() {
	[[ $1 =~ ^[a-z][a-z0-9-]{0,31}$ ]] || die "not a name of a server: $1"
}

# --- Verbs --------------------------------------------------------------------------------------

# The options of start, into variables of verb_start.
start_options() {
	while [ $# -gt 0 ]; do
		case $1 in
		--durable) durable=durable ;;
		--set) set+=("${2-}") && shift ;;
		--tls) tls=${2-} && shift ;;
		--tls-only) tls_only=only ;;
		--disk) disk=${2-} && shift ;;
		*) usage ;;
		esac
		shift || usage
	done
}

verb_start() {
	local name durable=ordinary set=() tls='' tls_only=both disk='' template
	kind=${1-}
	case $kind in pg | my | ssh | docker) ;; *) usage ;; esac
	shift
	name=$kind
	if [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; then
		name=$1
		shift
	fi
	case $kind in pg | my) start_options "$@" ;; esac
	name_ok "$name"
	session_open
	dir=$session/$name
	if [ -f "$dir/vars" ]; then
		verb_start_again "$name"
		return
	fi
	case $kind in ssh | docker) "verb_start_$kind" "$name" "$@" && return ;; esac
	need "$kind" >/dev/null || die "not installed: $(need "$kind")"
	template_of "$kind"
	template=$REPLY
	user_of "$kind"
	user=$REPLY
	instance_folder "$dir" "$user" || die "cannot make $dir"
	[ -z "$disk" ] || disk_mount "$dir" "$disk" "$user"
	cp -aT --reflink=auto "$template" "$dir/data" || die "cannot copy $template"
	[ -z "$tls" ] || tls_set "$kind" "$dir" "$tls" "$tls_only" "$user"
	"${kind}_argv" "$dir" "$durable" "${set[@]}"
	vars_write "$dir" "$kind" "$kind" "$user"
	verb_start_again "$name"
}

verb_start_again() {
	instance "$1"
	server_pid "$dir" && die "$1 is running"
	if instance_run "$kind" "$dir" "$user"; then
		[ "$kind" != ssh ] || ssh_started "$dir" "$1"
		return 0
	fi
	sed 's/^/services: /' "$dir/log" >&2
	die "$1 does not start"
}

verb_down() {
	instance "$1" && instance_down "$kind" "$dir"
}

verb_stop() {
	name_ok "$1"
	session_lock -s 60 || return 0
	[ ! -d "$session/$1" ] || instance_end "$session/$1"
}

verb_url() {
	local database=${3:-app} url_user=${4:-app}
	instance "$1"
	port=$(<"$dir/port")
	case $engine-${2:-socket} in
	pg-socket) echo "postgresql://$url_user@/$database?host=$dir&port=$port" ;;
	pg-tcp-password) echo "postgresql://$url_user:$app_password@127.0.0.1:$port/$database" ;;
	my-tcp-password) echo "mariadb://$url_user:$app_password@127.0.0.1:$port/$database" ;;
	pg-tcp) echo "postgresql://$url_user@127.0.0.1:$port/$database" ;;
	my-socket) echo "mariadb://$url_user@localhost/$database?socket=$dir/my.sock" ;;
	my-tcp) echo "mariadb://$url_user@127.0.0.1:$port/$database" ;;
	*) usage ;;
	esac
}

verb_env() {
	local prefix super=root socket
	instance "$1"
	port=$(<"$dir/port")
	prefix=${2:-${engine^^}}
	case $engine in ssh | docker) "${engine}_env" "$prefix" "$1" && return ;; esac
	socket=$dir/my.sock
	if [ "$engine" = pg ]; then
		super=postgres
		socket=$dir/.s.PGSQL.$port
	fi
	printf "${prefix}_%s='%s'\n" KIND "$kind" SOCKET_DIR "$dir" SOCKET "$socket" PORT "$port" \
		USER app PASSWORD "$app_password" DB app SUPERUSER "$super" URL "$(verb_url "$1")" \
		URL_TCP "$(verb_url "$1" tcp)" PID "$(<"$dir/pid")" DATA "$dir/data" LOG "$dir/log" \
		CA "$dir/ca.crt" TLS "$session/.tls" URL_PASSWORD "$(verb_url "$1" tcp-password)"
}

verb_sql() {
	instance "$1"
	port=$(<"$dir/port")
	sql_run "${3:-app}" "$2" "${4-}"
}

verb_newdb() {
	local database=$2 db_owner=${3:-app}
	instance "$1"
	port=$(<"$dir/port")
	case $engine in
	pg) sql_run postgres "create database \"$database\" owner \"$db_owner\"" ;;
	my)
		sql_run mysql "create database \`$database\`;
			grant all on \`$database\`.* to \`$db_owner\`@localhost;
			grant all on \`$database\`.* to \`$db_owner\`@127.0.0.1"
		;;
	esac
}

verb_list() {
	local each state
	for each in "$session"/*/; do
		[ -f "$each/vars" ] || continue
		each=${each%/}
		instance "${each##*/}"
		state=stopped
		server_pid "$each" && state=running
		echo "${each##*/} $kind $state"
	done
}

signal_below() { # SIGNAL NAME
	local pids
	instance "$2"
	mapfile -t pids < <(below "$dir")
	[ ${#pids[@]} = 0 ] || kill "-$1" "${pids[@]}"
}

owner=${BASCULE_SERVICES_OWNER:-$PPID}
if [ "${1-}" = --owner ]; then
	owner=${2-}
	shift 2
fi
verb=${1-}
[ $# = 0 ] || shift
case $verb in
watch) session_watch "$@" && exit ;;
need) need "$@"; exit ;;
can-mount) can_mount; exit ;;
port) port_free && echo "$REPLY"; exit ;;
esac
session_of "$owner"
case $verb:$# in
start:[1-9]*) verb_start "$@" ;;
down:1) verb_down "$1" ;;
crash:1) instance "$1" && instance_crash "$dir" ;;
freeze:1) signal_below STOP "$1" ;;
thaw:1) signal_below CONT "$1" ;;
stop:1) verb_stop "$1" ;;
stop:0 | stop-all:0) session_end ;;
url:[1-4]) verb_url "$@" ;;
env:[12]) verb_env "$@" ;;
sql:[234] | psql:[234] | mysql:[234]) verb_sql "$@" ;;
newdb:[23]) verb_newdb "$@" ;;
list:0) verb_list ;;
running:1) [ -f "$session/$1/vars" ] && server_pid "$session/$1" ;;
rekey:1) verb_rekey "$1" ;;
image:[2-9] | image:1?) verb_image "$@" ;;
docker:[2-9] | docker:[1-9]?) verb_docker "$@" ;;
replica:2) verb_replica "$@" ;;
pgbouncer:[2-9]) verb_pgbouncer "$@" ;;
proxy:[2-9]) verb_proxy "$@" ;;
fill:[12]) instance "$1" && disk_fill "$dir" "${2:-512}" ;;
unfill:1) instance "$1" && rm -f "$dir/data/.fill" ;;
*) usage ;;
esac
