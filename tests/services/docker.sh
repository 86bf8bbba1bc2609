# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # shares variables with services.sh
#
# A Docker Engine for tests/services/services.sh: a real dockerd of root, beside whatever runs on the
# machine and without a trace of itself on it:
#
#	mounts      in a mount namespace that ends with it; its /run is an empty one, so that it finds no
#	            containerd but starts its own, below the keeper like everything else
#	network     a bridge with a name and a subnet of its own; no rules of a firewall. Ports are
#	            published by docker-proxy, which needs none: -p 127.0.0.1:PORT:PORT works
#	cgroups     below one parent, removed with the server
#	data        data/, exec/ and docker.sock of its folder
#
# There is no registry: `image` imports our static program, shopd. With --podman it is the service of
# podman, which speaks the same language on the socket; its containers use the network of the host.

docker_options() {
	while [ $# -gt 0 ]; do
		case $1 in
		--podman) podman=podman ;;
		--set) set+=("--${2-}") && shift ;;
		*) usage ;;
		esac
		shift || usage
	done
}

# can_docker: may we run one here?
can_docker() {
	[ "$EUID" = 0 ] && unshare --mount --propagation private mount -t tmpfs tmpfs /mnt 2>/dev/null
}

# docker_bridge FOLDER: makes one; its name goes to FOLDER/bridge, its address to REPLY. Another test
# may choose the same subnet at the same time: who sees it twice takes another.
docker_bridge() {
	local bridge=bsv$$ tries subnet
	echo "$bridge" >"$1/bridge"
	ip link add "$bridge" type bridge && ip link set "$bridge" up || die 'cannot make a bridge'
	for ((tries = 0; tries < 50; tries++)); do
		subnet=10.213.$((RANDOM % 256))
		ip addr add "$subnet.1/24" dev "$bridge"
		REPLY=$subnet.1
		[ "$(ip -o -4 addr | grep -c " inet $subnet\\.")" != 1 ] || return 0
		ip addr del "$subnet.1/24" dev "$bridge"
	done
	die 'no free subnet'
}

# docker_argv FOLDER and podman_argv FOLDER: write FOLDER/argv. What an earlier life left outside of
# data/ is gone with its mounts.
docker_argv() {
	docker_bridge "$1"
	echo '{}' >"$1/daemon.json"
	built_program keeper
	# shellcheck disable=SC2016 # for the shell that starts it
	printf '%s\n' "$REPLY" unshare --mount --propagation private /bin/sh -c \
		'rm -rf exec docker.pid && mount -t tmpfs -o mode=755 tmpfs /run && exec "$@"' sh \
		dockerd --config-file "$1/daemon.json" --data-root "$1/data" --exec-root "$1/exec" \
		--pidfile "$1/docker.pid" --host "unix://$1/docker.sock" --bridge "$(<"$1/bridge")" \
		--iptables=false --ip-forward=false --ip-masq=false --shutdown-timeout 2 \
		--exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$(<"$1/bridge")" \
		"${set[@]}" >"$1/argv"
}

podman_argv() {
	printf '%s\n' '[containers]' 'netns = "host"' 'log_driver = "k8s-file"' \
		"default_ulimits = [\"nofile=$(ulimit -n):$(ulimit -n)\", \"nproc=4096:4096\"]" '[engine]' \
		'cgroup_manager = "cgroupfs"' 'events_logger = "file"' >"$1/containers.conf"
	built_program keeper
	# shellcheck disable=SC2016 # for the shell that starts it
	printf '%s\n' "$REPLY" unshare --mount --propagation private /bin/sh -c \
		'rm -rf exec && mount -t tmpfs -o mode=755 tmpfs /run && exec "$@"' sh \
		env CONTAINERS_CONF="$1/containers.conf" podman --root "$1/data" --runroot "$1/exec" \
		--tmpdir "$1/exec/tmp" --storage-driver vfs --log-level info "${set[@]}" \
		system service --time 0 "unix://$1/docker.sock" >"$1/argv"
}

verb_start_docker() { # NAME [OPTION]...
	local name=$1 set=() podman=docker
	shift
	docker_options "$@"
	need "$podman" >/dev/null || die "not here: $(need "$podman")"
	instance_folder "$dir" '' && mkdir -m 0711 "$dir/data" || die "cannot make $dir"
	"${podman}_argv" "$dir"
	vars_write "$dir" "$podman" docker ''
	verb_start_again "$name"
}

# docker_end FOLDER: what is outside of it, when no process of it is left.
docker_end() {
	local bridge id
	if [ -s "$1/bridge" ]; then
		bridge=$(<"$1/bridge")
		ip link del "$bridge" 2>/dev/null
		find /sys/fs/cgroup -depth -type d -path "*/$bridge*" -exec rmdir {} + 2>/dev/null
	fi
	for id in "$1"/data/*-containers/*/; do
		id=${id%/}
		[ ! -d "$id" ] || find /sys/fs/cgroup -depth -type d -path "*libpod*${id##*/}*" \
			-exec rmdir {} + 2>/dev/null
	done
	return 0
}

# verb_image NAME TAG [DOCKERFILE-LINE...]: shopd as an image, with a CMD, labels and a health check
# unless the lines say otherwise.
verb_image() {
	local tag=$2 each changes=() line
	instance "$1"
	[ "$engine" = docker ] || die "$1 has no images"
	built_program shopd
	local program=$REPLY
	shift 2
	for line in 'CMD ["/shopd", "--port", "0.0.0.0:8080"]' 'EXPOSE 8080' \
		"LABEL org.opencontainers.image.version=${tag##*:}" \
		'LABEL org.opencontainers.image.source=https://shop.example/shop' "$@"; do
		changes+=(--change "$line")
	done
	tar -C "${program%/*}" --owner=0 --group=0 --mtime=@0 -c shopd |
		docker_run "$dir" import "${changes[@]}" - "$tag" >/dev/null
}

# verb_docker NAME WORD...: nothing is ever pulled: where an image is not, the answer is no.
verb_docker() {
	local never=()
	instance "$1"
	[ "$engine" = docker ] || die "$1 is not a Docker Engine"
	case $kind-$2 in
	*-run | *-create)
		never=(--pull=never)
		# Another network of podman is a bridge and rules of the machine's firewall.
		[ "$kind" != podman ] || never+=(--network=host)
		;;
	esac
	docker_run "$dir" "$2" "${never[@]}" "${@:3}"
}

docker_run() { # FOLDER WORD...
	env -i PATH="$PATH" LC_ALL=C.UTF-8 HOME="$1" docker --host "unix://$1/docker.sock" "${@:2}"
}

docker_env() { # PREFIX NAME
	printf "$1_%s='%s'\n" KIND "$kind" NAME "$2" SOCKET "$dir/docker.sock" \
		HOST "unix://$dir/docker.sock" DIR "$dir" DATA "$dir/data" LOG "$dir/log" \
		BRIDGE "$(cat "$dir/bridge" 2>/dev/null)" \
		PID "$(cat "$dir/docker.pid" 2>/dev/null || cat "$dir/pid")"
}
