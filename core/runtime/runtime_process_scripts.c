/* SPDX-License-Identifier: MIT */
/*
 * The two scripts of runtime = process. They run in the /bin/sh of any Linux host (dash, bash, busybox), with dd, ls,
 * tail, head, wc, cksum, sleep and, where it is there, /proc.
 *
 * Inspecting prints facts and judges nothing: runtime_process.c does.
 *
 * Following a log file. The file is open as descriptor 3 and read with dd at the offset where it is, in pieces
 * whose length was announced: bytes pass as they are and as fast as dd copies, a gigabyte costs sixty-odd processes
 * and not one for each line. Five times a second (once, when nothing came for a while) one ls says how long the
 * open file is and which file has the name now:
 *
 * - longer: the new bytes are copied.
 * - shorter: it was cut. When a rotated copy begins with the same bytes (copytruncate of logrotate), the rest is
 *   read from there; else something is lost, nobody knows how much, and that is said.
 * - the name means another file, with something in it: the open one is read to its end, then files that were
 *   rotated away since, oldest first, then the new one. As long as the new one is empty the old one is followed,
 *   since its writer may not have been told yet.
 *
 * Going on after a reconnect is the same with a file and an offset from before: the file is the one of that inode
 * that begins with the same bytes (its mark, a checksum of the first 256). Inodes are used again soon after a
 * file was removed, so the inode alone is no proof. It is looked for under the name itself and under names as
 * logrotate gives (LOG.1, LOG-20261128). Compressed ones are not looked into: what is in there and was not read
 * counts as lost.
 *
 * "./$b" sorts before "/dev/fd/3" in the C locale, which is how the two lines of ls are told apart.
 */
#include "core/runtime/runtime_process_scripts.h"

/* clang-format off */
const char process_inspect_script[] =
	"LC_ALL=C TZ=UTC; export LC_ALL TZ\n"
	"f=$1 log=$2 pid=\n"
	"if [ ! -e \"$f\" ]; then\n"
	"	d=${f%/*}\n"
	"	[ \"$d\" = \"$f\" ] && d=.\n"
	"	if [ -n \"$d\" ] && [ -e \"$d\" ] && [ ! -x \"$d\" ]; then echo pidfile unreadable\n"
	"	else echo pidfile none; fi\n"
	"elif [ ! -f \"$f\" ] || [ ! -r \"$f\" ]; then echo pidfile unreadable\n"
	"else\n"
	"	pid=$(head -c 64 -- \"$f\" | head -n 1 | tr -d ' \\t\\r')\n"
	"	case $pid in\n"
	"	''|*[!0-9]*|0*|???????????*) pid=; echo pidfile bad;;\n"
	"	*) echo pidfile ok; echo \"pid $pid\";;\n"
	"	esac\n"
	"	t=$(stat -c %Y -- \"$f\" 2>/dev/null || date -r \"$f\" +%s 2>/dev/null) && echo \"pidtime $t\"\n"
	"fi\n"
	"if [ -n \"$pid\" ]; then\n"
	"	if [ -r /proc/self/stat ]; then\n"
	"		s=$(cat \"/proc/$pid/stat\" 2>/dev/null)\n"
	"		if [ -n \"$s\" ]; then\n"
	"			echo alive yes\n"
	"			c=${s#*\\(}; c=${c%\\)*}\n"
	"			printf 'comm %s\\n' \"$c\" | head -n 1\n"
	"			set -f; set -- ${s##*\\) }; set +f\n"
	"			echo \"state $1\"\n"
	"			[ $# -ge 20 ] && { shift 19; echo \"ticks $1\"; }\n"
	"			echo \"hz $(getconf CLK_TCK 2>/dev/null || echo 100)\"\n"
	"			while read -r k v r; do [ \"$k\" = btime ] && echo \"btime $v\"; done </proc/stat\n"
	"			printf 'command %s\\n' \"$(head -c 4096 \"/proc/$pid/cmdline\" 2>/dev/null | tr '\\000\\n' '\\001 ')\"\n"
	"		else echo alive no; fi\n"
	"	else\n"
	"		s=$(ps -p \"$pid\" -o lstart= 2>/dev/null)\n"
	"		if [ -n \"$s\" ]; then\n"
	"			echo alive yes\n"
	"			echo \"lstart $s\"\n"
	"			printf 'command %s\\n' \"$(ps -p \"$pid\" -o args= 2>/dev/null | head -n 1)\"\n"
	"		else echo alive no; fi\n"
	"	fi\n"
	"fi\n"
	"if [ -n \"$log\" ] && [ -e \"$log\" ]; then\n"
	"	set -f; set -- $(ls -inLdq -- \"$log\" 2>/dev/null); set +f\n"
	"	[ $# -ge 6 ] && echo \"log $1 $6\"\n"
	"fi\n"
	"echo end\n";

const char process_logs_script[] =
	"LC_ALL=C; export LC_ALL\n"
	"f=$1 follow=$2 tail=$3 from=$4 offset=$5 mark=$6\n"
	"nl='\n"
	"'\n"
	"fail() { echo \"error $1\"; exit 0; }\n"
	"case $f in */*) d=${f%/*}; b=${f##*/}; [ -n \"$d\" ] || d=/;; *) d=. b=$f;; esac\n"
	"cd \"$d\" 2>/dev/null || { [ -e \"$d\" ] && fail unreadable; fail missing; }\n"
	"exec 4>&1\n"
	"set -f\n"
	"in= at=0 mk=-\n"

	/* Inode and size of a file; of the one that is open, and of the name. */
	"file() { set -- $(ls -inLdq \"$1\" 2>/dev/null); fi=${1:-} fs=${6:-0}; }\n"
	"look() {\n"
	"	out=$(ls -inLdq \"./$b\" /dev/fd/3 2>/dev/null)\n"
	"	set -- ${out##*\"$nl\"}; fi=$1 fs=$6 pi= ps=0\n"
	"	case $out in *\"$nl\"*) set -- ${out%%\"$nl\"*}; pi=$1 ps=$6;; esac\n"
	"}\n"
	"mark_of() {\n"
	"	set -- $(dd bs=256 count=1 if=\"$1\" 2>/dev/null | cksum)\n"
	"	m=-; [ \"${2:-0}\" = 256 ] && m=$1\n"
	"}\n"
	"open_file() { [ -f \"$1\" ] && [ -r \"$1\" ] && command exec 3<\"$1\"; }\n"
	"seek() { [ \"$1\" -gt 0 ] && dd bs=1 skip=\"$1\" count=0 <&3 2>/dev/null; at=$1; }\n"

	/* $1 bytes from descriptor 3, which stands at $at. */
	"count() { p=0; for w in $1; do case $w in byte|bytes) got=$((got + p)); told=1; break;; esac; p=$w; done; }\n"
	"copy() {\n"
	"	left=$1\n"
	"	while [ \"$left\" -gt 0 ]; do\n"
	"		n=$left; [ \"$n\" -gt 16777216 ] && n=16777216\n"
	"		[ \"$mk\" = - ] && { mark_of /dev/fd/3; mk=$m; }\n"
	"		printf 'data %s %s %s %s\\n' \"$in\" \"$at\" \"$n\" \"$mk\" || exit 0\n"
	"		got=0 told= full=$((n / 65536)) rest=$((n % 65536))\n"
	"		[ $full -gt 0 ] && count \"$(dd bs=65536 count=$full <&3 2>&1 >&4)\"\n"
	"		[ $rest -gt 0 ] && [ $got -eq $((full * 65536)) ] && count \"$(dd bs=$rest count=1 <&3 2>&1 >&4)\"\n"
	"		at=$((at + got)) left=$((left - n))\n"
	"		[ $got -eq $n ] && continue\n"
	"		n=$((n - got))\n"
	"		dd if=/dev/zero bs=65536 count=$((n / 65536)) 2>/dev/null\n"
	"		[ $((n % 65536)) -gt 0 ] && dd if=/dev/zero bs=$((n % 65536)) count=1 2>/dev/null\n"
	"		printf 'pad %s\\n' \"$n\" || exit 0\n"
	"		[ -n \"$told\" ] || fail dd\n"
	"		return 1\n"
	"	done\n"
	"}\n"

	/* Rotated files: each, the one that was read before, those that are younger than one. */
	"rotated() {\n"
	"	set +f; set -- \"./$b\".[0-9]* \"./$b\"-[0-9]*; set -f\n"
	"	list=\n"
	"	for c; do\n"
	"		case $c in *.gz|*.bz2|*.xz|*.zst|*\"$nl\"*) continue;; esac\n"
	"		[ -f \"$c\" ] && [ -r \"$c\" ] && list=$list$c$nl\n"
	"	done\n"
	"}\n"
	"same() {\n"  /* FILE INODE SIZE MARK */
	"	file \"$1\"; mark_of \"$1\"\n"
	"	[ \"$fs\" -ge \"$3\" ] || return 1\n"
	"	if [ \"$4\" = - ]; then [ \"$fi\" = \"$2\" ]; else [ \"$m\" = \"$4\" ]; fi\n"
	"}\n"
	"find_old() {\n"  /* INODE SIZE MARK: sets old */
	"	old=; rotated; IFS=$nl\n"
	"	for c in $list; do\n"
	"		unset IFS; same \"$c\" \"$1\" \"$2\" \"$3\" && { old=$c; return 0; }\n"
	"		IFS=$nl\n"
	"	done\n"
	"	unset IFS; return 1\n"
	"}\n"
	"rest_of() {\n"  /* FILE INODE OFFSET */
	"	open_file \"$1\" || { echo lost; return; }\n"
	"	in=$2 mk=-; seek \"$3\"; file /dev/fd/3; copy $((fs - at))\n"
	"}\n"
	"after() {\n"  /* FILE: sets next to the one rotated just after it: LOG.2 -> LOG.1, LOG-1127 -> LOG-1128 */
	"	next=\n"
	"	case $1 in\n"
	"	\"./$b\".0|\"./$b\".*[!0-9]*) return;;\n"
	"	\"./$b\".*)\n"
	"		n=${1##*.}; n=${n#0}; next=./$b.$((n - 1))\n"
	"		[ -f \"$next\" ] && return\n"
	"		[ \"$n\" -gt 1 ] && echo lost\n"
	"		next=; return;;\n"
	"	esac\n"
	"	rotated; here=; IFS=$nl\n"
	"	for c in $list; do\n"
	"		[ -n \"$here\" ] && case $c in \"./$b\"-*) next=$c; break;; esac\n"
	"		[ \"$c\" = \"$1\" ] && here=1\n"
	"	done\n"
	"	unset IFS\n"
	"}\n"
	"younger() {\n"  /* all that were rotated after $old, oldest first; their names move while we read */
	"	for k in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do\n"
	"		after \"$old\"; [ -n \"$next\" ] || return 0\n"
	"		file \"$next\"; rest_of \"$next\" \"$fi\" 0\n"
	"		find_old \"$in\" \"$at\" \"$mk\" || return 0\n"
	"	done\n"
	"	echo lost\n"
	"}\n"

	/* The file of the name, from its beginning. */
	"pause() { if [ $idle -lt 300 ]; then idle=$((idle + 1)); sleep 0.2 2>/dev/null || sleep 1; else sleep 1; fi; }\n"
	"idle=0\n"
	"open_name() {\n"
	"	until open_file \"./$b\"; do\n"
	"		[ -e \"./$b\" ] && { [ -f \"./$b\" ] || fail irregular; [ -r \"./$b\" ] || fail unreadable; }\n"
	"		[ \"$follow\" = 1 ] || fail missing\n"
	"		pause\n"
	"	done\n"
	"	file /dev/fd/3; in=$fi at=0 mk=-\n"
	"}\n"
	"tail_at() {\n"  /* where the newest $1 lines begin */
	"	at=$fs; [ \"$1\" -gt 0 ] || return 0\n"
	"	for span in 1048576 67108864; do\n"
	"		[ $span -gt \"$fs\" ] && span=$fs\n"
	"		w=$(tail -c +$((fs - span + 1)) /dev/fd/3 | head -c $span | tail -n \"$1\" | wc -c)\n"
	"		at=$((fs - w))\n"
	"		[ $((w)) -lt $span ] && return 0\n"
	"		[ $span -eq \"$fs\" ] && return 0\n"
	"	done\n"
	"	w=$(tail -c +$((at + 1)) /dev/fd/3 | head -n 1 | wc -c); at=$((at + w))\n"
	"}\n"

	"if [ -n \"$from\" ]; then\n"
	/* Opened before it is looked at: the name may mean another file a moment later. */
	"	if open_file \"./$b\" && same /dev/fd/3 \"$from\" \"$offset\" \"$mark\" && [ \"$fi\" = \"$from\" ]; then\n"
	"		in=$from; seek \"$offset\"\n"
	"	elif find_old \"$from\" \"$offset\" \"$mark\"; then\n"
	"		rest_of \"$old\" \"$from\" \"$offset\"; younger; open_name\n"
	"	else\n"
	"		echo lost; open_name\n"
	"	fi\n"
	"else\n"
	"	open_name\n"
	/* Not followed, what is written from here on is behind the last of them. */
	"	[ \"$tail\" -ge 0 ] && { last=$fs; tail_at \"$tail\"; seek \"$at\"; }\n"
	"fi\n"
	"[ \"$mk\" = - ] && { mark_of /dev/fd/3; mk=$m; }\n"
	"printf 'data %s %s 0 %s\\n' \"$in\" \"$at\" \"$mk\" || exit 0\n"

	"while :; do\n"
	"	look\n"
	"	[ \"$follow\" = 1 ] || [ \"$fs\" -lt \"${last:-$fs}\" ] || fs=${last:-$fs}\n"
	"	if [ \"$fs\" -lt \"$at\" ]; then\n"
	"		if find_old - \"$at\" \"$mk\" && [ \"$mk\" != - ]; then rest_of \"$old\" \"$in\" \"$at\"\n"
	"		else echo lost; fi\n"
	"		open_name; printf 'data %s 0 0 -\\n' \"$in\"; continue\n"
	"	fi\n"
	"	if [ \"$fs\" -gt \"$at\" ]; then copy $((fs - at)); idle=0; [ \"$follow\" = 1 ] && continue; fi\n"
	"	[ \"$follow\" = 1 ] || break\n"
	"	if [ -n \"$pi\" ] && [ \"$pi\" != \"$in\" ] && [ \"$ps\" -gt 0 ]; then\n"
	"		look; [ \"$fs\" -gt \"$at\" ] && copy $((fs - at))\n"
	"		if find_old \"$in\" \"$at\" \"$mk\"; then younger; fi\n"
	"		open_name; printf 'data %s 0 0 -\\n' \"$in\"; continue\n"
	"	fi\n"
	"	pause\n"
	"done\n"
	"echo end\n";
/* clang-format on */
