#!/bin/sh
# SPDX-License-Identifier: MIT
#
# systemd.sh FOLDER PROGRAM [ARGUMENT...]: PROGRAM as a service of a systemd that is process 1 of namespaces of its
# own, with a journal in memory; what PROGRAM says goes to FOLDER/log. It ends with PROGRAM, and PROGRAM with it.
#
#	processes   a pid namespace, which the kernel ends whole with its process 1
#	mounts      the machine's files, but /run, units of the administrator and generators are empty ones, the
#	            machine's id is another, and /proc/sys cannot be written: nothing of the machine is started,
#	            mounted or set
#	cgroups     a cgroup v2 of its own, also where the machine has v1 beside it; systemd sees it as the only one.
#	            FOLDER/cgroup says where it is
#
# Units of a test go to /run/systemd/system inside; DefaultDependencies=no in them keeps the rest of an ordinary
# start away.
set -eu
folder=$1

# Outside: makes the cgroup, and goes over.
if [ "${2-}" != --inside ]; then
	name=$(basename "$(dirname "$folder")").$(basename "$folder")
	for root in /sys/fs/cgroup /sys/fs/cgroup/unified; do
		[ -e "$root/cgroup.procs" ] && [ -e "$root/cgroup.controllers" ] || continue
		mkdir -p "$root/$name"
		echo "$root/$name" >"$folder/cgroup"
		echo $$ >"$root/$name/cgroup.procs"
		break
	done
	shift
	unshare --mount --propagation private --pid --fork --cgroup --ipc --uts \
		/bin/sh "$0" "$folder" --inside "$@" &
	child=$!
	# unshare itself does not hear it, and systemd takes it for another wish.
	trap 'pkill -KILL -P $child' TERM INT QUIT HUP
	wait $child || wait $child
	exit
fi
shift 2

mount -t proc proc /proc
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount -t tmpfs -o mode=755 tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for each in /etc/systemd/system /usr/lib/systemd/system-generators /usr/local/lib/systemd /var/log/journal; do
	[ ! -d $each ] || mount -t tmpfs -o mode=755 tmpfs $each
done
mkdir -p /run/sshd /run/systemd/system /run/systemd/journald.conf.d
tr -d - </proc/sys/kernel/random/uuid >/run/machine-id
[ ! -e /etc/machine-id ] || mount --bind /run/machine-id /etc/machine-id
printf '%s\n' '[Journal]' Storage=volatile ReadKMsg=no Audit=no ForwardToSyslog=no ForwardToConsole=no \
	RuntimeMaxUse=64M >/run/systemd/journald.conf.d/test.conf
# The words of the command line with what systemd would take for its own doubled, in quotes.
words=
for each; do
	words="$words \"$(printf '%s' "$each" | sed 's/[\\"]/\\&/g; s/[%$]/&&/g')\""
done
cat >/run/systemd/system/test.target <<U
[Unit]
DefaultDependencies=no
Requires=systemd-journald.service
Wants=test.service
U
cat >/run/systemd/system/test.service <<U
[Unit]
DefaultDependencies=no
After=systemd-journald.service
SuccessAction=exit-force
FailureAction=exit-force
[Service]
ExecStart=$words
StandardOutput=append:$folder/log
StandardError=append:$folder/log
KillMode=process
U
exec env -i container=test "PATH=$PATH" /lib/systemd/systemd --system --unit=test.target --show-status=no \
	--log-target=null
