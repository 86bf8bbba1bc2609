# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # shares variables with services.sh
#
# OpenSSH's sshd for tests/services/services.sh: one host to log in to, as whoever runs the test (root:
# as anybody), with keys of its own on both sides, and the client's folder that goes with it. It touches nothing of
# the user's: HOME of a session is FOLDER/data, so that what a login shell reads and what a remote
# job leaves lie there. The folder of one server:
#
#	sshd_config hostkey_TYPE authorized_keys rc    the server's
#	data/                                          HOME of its sessions
#	client/config id id.pub known_hosts            the client's: ssh -F client/config NAME
#
# The keeper holds sshd and whatever its sessions started, detached or not. With --password sshd has
# a mount namespace of its own in which /etc/shadow knows that password, so that PAM and the real
# ways of asking are used and no account of the machine is changed.

ssh_passphrase='open sesame'

# The options of `start ssh`, into variables of verb_start_ssh.
ssh_options() {
	while [ $# -gt 0 ]; do
		case $1 in
		--set) set+=("${2-}") && shift ;;
		--env) env+=("${2-}") && shift ;;
		--hostkeys) hostkeys=${2-} && shift ;;
		--key) key=${2-} && shift ;;
		--encrypted-key) passphrase=$ssh_passphrase ;;
		--shell) shell=${2-} && shift ;;
		--systemd) systemd=yes ;;
		--no-forwarding) set+=(AllowTcpForwarding=no AllowStreamLocalForwarding=no) ;;
		--jump) jump=${2-} && shift ;;
		--password) password=${2-} && shift ;;
		--user) login=${2-} && shift ;;
		--disk) disk=${2-} && shift ;;
		*) usage ;;
		esac
		shift || usage
	done
}

# ssh_host_keys FOLDER TYPE,TYPE...: new ones; what was there is taken away.
ssh_host_keys() {
	local type
	rm -f "$1"/hostkey_*
	for type in ${2//,/ }; do
		ssh-keygen -q -t "$type" -N '' -C "$type of $name" -f "$1/hostkey_$type" </dev/null ||
			die "cannot make a host key: $type"
	done
}

# ssh_shell FOLDER chatty|nologin|slow|PROGRAM: what each session gets in place of its command.
ssh_shell() {
	{
		echo '#!/bin/sh'
		case $2 in
		chatty)
			cat <<-'S'
				echo '*** Welcome to shop-1! 3 updates can be applied. ***'
				printf '\033[1;33mYou have mail.\033[0m\r\n'
				echo 'nvm: command not found' >&2
				echo '{"state":"running"}'
				printf 'no newline at the end of this'
			S
			;;
		nologin) echo 'echo "This account is currently not available."; exit 1' ;;
		slow) echo 'sleep 1' ;;
		/*) ;;
		*) die "not a shell: $2" ;;
		esac
		case $2 in /*) shell=$2 ;; *) shell=/bin/sh ;; esac
		printf '[ -n "$SSH_ORIGINAL_COMMAND" ] || exec %s\n' "$shell"
		printf 'exec %s -c "$SSH_ORIGINAL_COMMAND"\n' "$shell"
	} >"$1/rc"
	chmod 0755 "$1/rc"
}

# ssh_config FOLDER: sshd_config. The first value of a setting is in force, so the test's come first.
ssh_config() {
	local dir=$1 each
	for each in "${set[@]}"; do
		echo "${each%%=*} ${each#*=}"
	done
	cat <<-C
		ListenAddress 127.0.0.1
		PidFile $dir/sshd.pid
		AuthorizedKeysFile $dir/authorized_keys
		StrictModes no
		PermitRootLogin yes
		LogLevel VERBOSE
		PrintMotd no
		PrintLastLog no
		UseDNS no
		MaxStartups 200
		Subsystem sftp internal-sftp
	C
	# One line: only the first counts.
	echo "SetEnv$(printf ' "%s"' "HOME=$dir/data" "${env[@]}")"
	for each in ${hostkeys//,/ }; do
		echo "HostKey $dir/hostkey_$each"
	done
	[ -z "$shell" ] || echo "ForceCommand $dir/rc"
	if [ -n "$password" ] || ssh_locked; then
		echo 'UsePAM yes'
	else
		echo 'UsePAM no'
	fi
	if [ -n "$password" ]; then
		printf '%s\n' 'PasswordAuthentication yes' 'KbdInteractiveAuthentication yes'
	else
		printf '%s\n' 'PasswordAuthentication no' 'KbdInteractiveAuthentication no'
	fi
	# Since 9.8 a client that failed has to wait; tests fail often.
	[[ $(ssh -V 2>&1) =~ OpenSSH_(9\.[89]|[1-9][0-9]) ]] && echo 'PerSourcePenalties no'
	return 0
}

# Without PAM sshd lets nobody in whose password is locked, not even by key.
ssh_locked() {
	[[ $(getent shadow "$login" 2>/dev/null) == *:!* ]]
}

# ssh_argv FOLDER: writes FOLDER/argv.
ssh_argv() {
	local dir=$1 inner=()
	built_program keeper
	if [ -n "$password" ]; then
		[ "$EUID" = 0 ] || die 'only root can give an account a password'
		(umask 077 && awk -F: -v OFS=: -v user="$login" \
			-v hash="$(openssl passwd -6 "$password")" '$1 == user { $2 = hash } 1' \
			/etc/shadow >"$dir/shadow") || die 'cannot make a password'
		# shellcheck disable=SC2016 # for the shell that starts it
		inner=(unshare --mount /bin/sh -c 'mount --bind "$0" /etc/shadow && exec "$@"'
			"$dir/shadow")
	fi
	if [ -n "$systemd" ]; then
		need systemd >/dev/null || die "not here: $(need systemd)"
		inner=(/bin/sh "$services_dir/systemd.sh" "$dir" "${inner[@]}")
	fi
	printf '%s\n' "$REPLY" "${inner[@]}" "$(PATH=/usr/sbin:/sbin:$PATH command -v sshd)" \
		-D -e -f "$dir/sshd_config" -p @PORT@ >"$dir/argv"
}

# can_systemd: may one be process 1 of namespaces of its own here?
can_systemd() {
	[ "$EUID" = 0 ] && unshare --mount --propagation private --pid --fork --cgroup --ipc --uts \
		mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
}

# ssh_end FOLDER: what is outside of it, when no process of it is left.
ssh_end() {
	[ ! -s "$1/cgroup" ] || find "$(<"$1/cgroup")" -depth -type d -exec rmdir {} + 2>/dev/null
	return 0
}

# ssh_client FOLDER OF NAME PORT [JUMP]: the client's files in FOLDER, for a server at that port with
# the host keys of the folder OF.
ssh_client() {
	local client=$1/client of=$2 name=$3 port=$4 jump=${5-} each
	for each in "$of"/hostkey_*.pub; do
		echo "[127.0.0.1]:$port $(cut -d' ' -f1,2 "$each")"
	done >"$client/known_hosts.new"
	mv -f "$client/known_hosts.new" "$client/known_hosts"
	{
		[ -z "$jump" ] || echo "Include $session/$jump/client/config"
		cat <<-C
			Host $name
			    HostName 127.0.0.1
			    Port $port
			    User $(<"$of/login")
			    IdentityFile $client/id
			    IdentitiesOnly yes
			    UserKnownHostsFile $client/known_hosts
			    GlobalKnownHostsFile /dev/null
			    StrictHostKeyChecking yes
			    UpdateHostKeys no
		C
		[ -z "$jump" ] || echo "    ProxyJump $jump"
	} >"$client/config.new"
	mv -f "$client/config.new" "$client/config"
	# All of the session in one.
	echo "Include $session/*/client/config" >"$session/ssh_config"
}

verb_start_ssh() { # NAME [OPTION]...
	local name=$1 set=() env=() hostkeys=ed25519,ecdsa key=ed25519 passphrase='' shell='' jump=''
	local password='' disk='' systemd='' login
	login=$(id -un)
	shift
	ssh_options "$@"
	[ "$EUID" = 0 ] || [ "$login" = "$(id -un)" ] || die 'only root lets others in'
	need ssh >/dev/null || die "not installed: $(need ssh)"
	[ "$EUID" != 0 ] || [ -d /run/sshd ] || mkdir -m 0755 /run/sshd
	instance_folder "$dir" '' || die "cannot make $dir"
	if [ -n "$disk" ]; then disk_mount "$dir" "$disk" ''; else mkdir -m 0700 "$dir/data"; fi
	[ "$EUID" != 0 ] || chown "$login" "$dir/data" || die "no user $login"
	echo "$login" >"$dir/login"
	ssh_host_keys "$dir" "$hostkeys"
	mkdir -m 0700 "$dir/client"
	ssh-keygen -q -t "$key" -N "$passphrase" -C "client of $name" -f "$dir/client/id" </dev/null ||
		die 'cannot make a key'
	cp "$dir/client/id.pub" "$dir/authorized_keys"
	[ -z "$shell" ] || ssh_shell "$dir" "$shell"
	ssh_config "$dir" >"$dir/sshd_config"
	ssh_argv "$dir"
	[ -z "$password" ] || printf '%s' "$password" >"$dir/password"
	[ -z "$passphrase" ] || printf '%s' "$passphrase" >"$dir/passphrase"
	if [ -n "$jump" ]; then
		[ -f "$session/$jump/client/config" ] || die "no server named $jump was started"
		echo "$jump" >"$dir/jump"
	fi
	vars_write "$dir" ssh ssh ''
	verb_start_again "$name"
}

# What follows when sshd listens: its port is known.
ssh_started() { # FOLDER NAME
	ssh_client "$1" "$1" "$2" "$(<"$1/port")" "$(cat "$1/jump" 2>/dev/null)"
}

# The same for a proxy in front of one: the same key, and the server's host keys at another port.
ssh_proxied() { # FOLDER NAME OF
	[ -d "$1/client" ] || mkdir -m 0700 "$1/client"
	ln -sfn "$3/client/id" "$1/client/id"
	ln -sfn "$3/client/id.pub" "$1/client/id.pub"
	ssh_client "$1" "$3" "$2" "$(<"$1/port")"
}

# verb_rekey NAME: new host keys of the same types; the client knows the old ones. Open sessions stay.
verb_rekey() {
	local types=() each before
	instance "$1"
	[ "$kind" = ssh ] || die "$1 has no host keys"
	for each in "$dir"/hostkey_*.pub; do
		each=${each##*/hostkey_}
		types+=("${each%.pub}")
	done
	name=$1
	ssh_host_keys "$dir" "$(IFS=,; echo "${types[*]}")"
	before=$(grep -c 'Server listening' "$dir/log")
	kill -HUP "$(<"$dir/sshd.pid")" || die "$1 is not running"
	for ((each = 0; each < 3000; each++)); do
		[ "$(grep -c 'Server listening' "$dir/log")" = "$before" ] || return 0
		nap 0.02
	done
	die "$1 does not take its new keys"
}

# What `env` says of a server, or of a proxy in front of one.
ssh_env() { # PREFIX NAME
	local prefix=$1 each of=$dir types=()
	[ ! -L "$dir/client/id" ] || of=$(dirname "$(dirname "$(readlink "$dir/client/id")")")
	printf "${prefix}_%s='%s'\n" KIND "$kind" NAME "$2" HOST 127.0.0.1 PORT "$(<"$dir/port")" \
		USER "$(<"$of/login")" CONFIG "$dir/client/config" CONFIG_ALL "$session/ssh_config" DIR "$dir" KEY "$dir/client/id" \
		KNOWN_HOSTS "$dir/client/known_hosts" DATA "$of/data" LOG "$dir/log" \
		PASSWORD "$(cat "$of/password" 2>/dev/null)" \
		PASSPHRASE "$(cat "$of/passphrase" 2>/dev/null)" \
		PID "$(cat "$of/sshd.pid" 2>/dev/null)"
	for each in "$of"/hostkey_*.pub; do
		each=${each##*/hostkey_}
		each=${each%.pub}
		types+=("$each")
		printf "${prefix}_HOSTKEY_%s='%s'\n" "${each^^}" \
			"$(ssh-keygen -l -f "$of/hostkey_$each.pub" | cut -d' ' -f2)"
	done
	# The one the server shows to who has no wish: the first of its list.
	printf "${prefix}_HOSTKEY_SHA256='%s'\n" "$(ssh-keygen -l -f "$of/hostkey_$(
		sed -n 's/.*hostkey_//p' "$of/sshd_config" | head -n 1).pub" | cut -d' ' -f2)"
}
