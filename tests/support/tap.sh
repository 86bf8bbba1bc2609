# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# TAP for tests written in bash, and a terminal to drive the real program in. A test begins with
#
#	. tests/support/tap.sh
#	plan 3            # or done_testing as its last line
#
# and runs in the world that tools/run-test makes (its head lists the variables: $BASCULE is the
# program, $TMPDIR an empty folder that goes away). Run by hand, a test finds the debug build and
# gets a private world from here. Every wait is a poll with a limit; nothing sleeps a fixed time
# and hopes. When the test ends, however it ends, its terminals are stopped.

set -u

tap_points=0
tap_failed=0
tap_planned=

# What run and exits leave behind.
out='' err='' status=0

# --- The world ----------------------------------------------------------------------------------

# By hand the environment is the developer's: start over through run-test.
if [ -z "${BASCULE_SOURCE-}" ]; then
	here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
	exec "$here/tools/run-test" "$(realpath --relative-to="$here" "$0")"
fi

tap_end() {
	local status=$?
	trap - EXIT
	screen_stop_all
	if declare -F services_stop_all >/dev/null; then services_stop_all; fi
	if [ "$tap_planned" = at-end ]; then
		echo "1..$tap_points"
	elif [ -z "$tap_planned" ]; then
		diag "neither plan nor done_testing was reached"
		status=1
	elif [ "$tap_points" != "$tap_planned" ]; then
		diag "planned $tap_planned points, ran $tap_points"
		status=1
	fi
	[ "$tap_failed" = 0 ] || status=1
	exit "$status"
}
trap tap_end EXIT
trap 'exit 130' INT TERM HUP

# --- Points -------------------------------------------------------------------------------------

# plan N: the number of points this test will make.
plan() {
	tap_planned=$1
	echo "1..$1"
}

# done_testing: the last line of a test that did not plan.
done_testing() {
	tap_planned=at-end
}

# diag TEXT: a comment; every line of TEXT gets its own mark.
diag() {
	printf '# %s\n' "${*//$'\n'/$'\n# '}"
}

# pass DESCRIPTION, fail DESCRIPTION [WHY]
pass() {
	tap_points=$((tap_points + 1))
	echo "ok $tap_points - $1"
}
fail() {
	tap_points=$((tap_points + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_points - $1"
	shift
	[ $# = 0 ] || diag "$@"
	return 0
}

# skip DESCRIPTION WHY: a point that cannot be made here; it is printed and counted as skipped.
skip() {
	tap_points=$((tap_points + 1))
	echo "ok $tap_points - $1 # SKIP $2"
}

# skip_all WHY: the whole test cannot run here.
skip_all() {
	echo "1..0 # SKIP $1"
	tap_planned=0
	exit 0
}

# bail WHY: the rest makes no sense.
bail() {
	echo "Bail out! $*"
	exit 1
}

# ok DESCRIPTION COMMAND...: good when the command ends with 0. not_ok: when it does not.
ok() {
	local what=$1 said
	shift
	if said=$("$@" 2>&1); then pass "$what"; else fail "$what" "command: $*" "$said"; fi
}
not_ok() {
	local what=$1 said
	shift
	if said=$("$@" 2>&1); then fail "$what" "should fail: $*" "$said"; else pass "$what"; fi
}

# is GOT WANT DESCRIPTION: the same text.
is() {
	if [ "$1" = "$2" ]; then pass "$3"; else fail "$3" "got:  $1"$'\n'"want: $2"; fi
}
isnt() {
	if [ "$1" != "$2" ]; then pass "$3"; else fail "$3" "got what it must not be: $1"; fi
}

# like GOT REGEX DESCRIPTION: an extended regular expression matches somewhere. unlike: nowhere.
like() {
	if [[ $1 =~ $2 ]]; then pass "$3"; else fail "$3" "no match for: $2"$'\n'"in: $1"; fi
}
unlike() {
	if [[ $1 =~ $2 ]]; then fail "$3" "must not match: $2"$'\n'"in: $1"; else pass "$3"; fi
}

# run COMMAND...: sets $out, $err and $status; makes no point. Never ends the test.
run() {
	local err_file
	err_file=$(mktemp)
	out=$("$@" 2>"$err_file" </dev/null)
	status=$?
	err=$(<"$err_file")
	rm -f "$err_file"
}

# exits WANT DESCRIPTION COMMAND...: run, and a point for the exit status.
exits() {
	local want=$1 what=$2
	shift 2
	run "$@"
	if [ "$status" = "$want" ]; then
		pass "$what"
	else
		fail "$what" "exit status $status, want $want: $*"$'\n'"stdout: $out"$'\n'"stderr: $err"
	fi
}

# wait_until SECONDS COMMAND...: polls until the command ends with 0; 1 when the time is over.
wait_until() {
	local limit=$((SECONDS + $1 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$limit" ] || return 1
		sleep 0.05
	done
}

# --- A terminal ---------------------------------------------------------------------------------
#
# A terminal is a tmux server of its own with one pane, on a socket in $TMPDIR. screen_name chooses
# between several; the functions below act on that one.

screen_name=main

# The height is one pane, no status line, so that ROWS is what the program sees. A pane stays when
# its program has ended, so that its last screen and its exit status can be read.
screen_tmux() {
	tmux -S "$TMPDIR/tmux-$screen_name" -f /dev/null "$@"
}

# screen_start COLS ROWS COMMAND...: starts the command in a new terminal of that size.
screen_start() {
	local cols=$1 rows=$2
	shift 2
	screen_tmux start-server \; set -g default-terminal "${SCREEN_TERM:-tmux-256color}" \; \
		set -g status off \; set -g remain-on-exit on \; set -g escape-time 0 \; \
		set -g default-size "${cols}x$rows" \; set -g remain-on-exit-format '' \; \
		set -g set-clipboard off \; set -ga terminal-overrides ',*:Tc' \; \
		new-session -d -x "$cols" -y "$rows" "$@" || bail "tmux does not start"
}

# What is on the screen: plain, or with its colours as escape sequences.
screen_text() { screen_tmux capture-pane -p; }
screen_colours() { screen_tmux capture-pane -pe; }

# screen_keys KEY...: by the names of tmux (Enter, Escape, C-c, F1, Up, x). screen_type TEXT: as
# typed, key by key. screen_paste TEXT: as pasted, with the marks of bracketed paste when the
# program asked for them.
screen_keys() { screen_tmux send-keys "$@"; }
screen_type() { screen_tmux send-keys -l "$1"; }
screen_paste() {
	screen_tmux set-buffer -b paste -- "$1" \; paste-buffer -p -b paste
}

# screen_resize COLS ROWS
screen_resize() { screen_tmux resize-window -x "$1" -y "$2"; }

screen_matches() { screen_text | grep -qE -- "$1"; }
screen_lacks() { ! screen_text | grep -qE -- "$1"; }

# screen_wait REGEX [SECONDS]: until a line of the screen matches; on a timeout shows the screen.
screen_wait() {
	wait_until "${2:-60}" screen_matches "$1" && return 0
	diag "no line matches: $1"
	diag "$(screen_text)"
	return 1
}

# screen_wait_gone REGEX [SECONDS]: until no line of the screen matches.
screen_wait_gone() {
	wait_until "${2:-60}" screen_lacks "$1" && return 0
	diag "a line still matches: $1"
	diag "$(screen_text)"
	return 1
}

# shows REGEX DESCRIPTION, hides REGEX DESCRIPTION: screen_wait and its opposite as points.
shows() {
	local why
	if why=$(screen_wait "$1"); then pass "$2"; else fail "$2"; echo "$why"; fi
}
hides() {
	local why
	if why=$(screen_wait_gone "$1"); then pass "$2"; else fail "$2"; echo "$why"; fi
}

# tmux now and then misses that the program of a dead pane has ended, and has no status of it; the
# end of any other child makes it look again.
screen_dead() {
	case $(screen_tmux display -p '#{pane_dead}#{pane_dead_status}#{pane_dead_signal}') in
	1) screen_tmux run-shell true && return 1 ;;
	1*) return 0 ;;
	*) return 1 ;;
	esac
}

# screen_wait_exit [SECONDS]: until the program has ended; $status gets its exit status.
screen_wait_exit() {
	if ! wait_until "${1:-60}" screen_dead; then
		diag "the program has not ended"
		diag "$(screen_text)"
		return 1
	fi
	status=$(screen_tmux display -p '#{pane_dead_status}')
}

# The process in the pane.
screen_pid() { screen_tmux display -p '#{pane_pid}'; }

screen_stop() {
	screen_tmux kill-server 2>/dev/null
	rm -f "$TMPDIR/tmux-$screen_name"
}

tap_gone() { ! kill -0 "$1"; }

screen_stop_all() {
	local socket server
	for socket in "$TMPDIR"/tmux-*; do
		[ -S "$socket" ] || continue
		server=$(tmux -S "$socket" display -p '#{pid}' 2>/dev/null)
		tmux -S "$socket" kill-server 2>/dev/null
		# It answers before it ends.
		[ -z "$server" ] || wait_until 60 tap_gone "$server"
	done
}
