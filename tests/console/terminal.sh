# SPDX-License-Identifier: MIT
# However the console ends, the shell it was started from is as it was: the terminal's settings, its
# own screen, the cursor, the paste marks; and the exit status says how it ended. The bytes that went
# to the terminal are kept and looked at as well. test_terminal.c does the same for the screen alone.
. tests/support/tap.sh

demo=$TMPDIR/demo
"$BASCULE" demo "$demo" --plain >"$TMPDIR/demo.out" 2>&1 || bail "no demo: $(<"$TMPDIR/demo.out")"
cd "$demo" || bail 'the demo left no folder'
export XDG_STATE_HOME=$demo/.state
bytes=$TMPDIR/bytes

# The shell marks pastes by itself; here only the console is to do it.
echo 'set enable-bracketed-paste off' >"$TMPDIR/inputrc"
screen_start 100 30 env PS1='shell> ' INPUTRC="$TMPDIR/inputrc" bash --norc -i
shows '^shell>' 'a shell'
shell=$(screen_pid)
screen_tmux pipe-pane -O "cat >'$bytes'"

typed() { # COMMAND: at the shell
	screen_type "$1"
	screen_keys Enter
}
# The console and nothing else that the shell started.
console_pid() { pgrep -P "$shell" -x bascule; }
open_console() {
	typed "clear; stty -g >'$TMPDIR/before'; $BASCULE"
	screen_wait '>link +ok' || fail 'the console opens'
}
# The last of two sequences that the terminal got.
last_of() { grep -aoP "$1|$2" "$bytes" | tail -n 1 | cat -v; }

restored() { # STATUS DESCRIPTION
	local what=$2
	screen_wait '^shell> *$' || fail "$what: the shell is back"
	typed "echo status \$?; stty -g >'$TMPDIR/after'"
	shows "^status $1\$" "$what: exit status $1"
	ok "$what: the terminal's settings are as they were" \
		wait_until 60 cmp -s "$TMPDIR/before" "$TMPDIR/after"
	is "$(screen_tmux display -p 'alternate #{alternate_on} cursor #{cursor_flag} keys #{keypad_cursor_flag}')" \
		'alternate 0 cursor 1 keys 0' "$what: its screen, cursor and cursor keys too"
	is "$(last_of '\x1b\[\?2004h' '\x1b\[\?2004l')" '^[[?2004l' \
		"$what: pastes are not marked any more"
	isnt "$(last_of '\x1b\[\?2026h' '\x1b\[\?2026l')" '^[[?2026h' "$what: no frame is left open"
	hides 'RO read-only' "$what: nothing of the console is left on the screen"
	rm -f "$TMPDIR/after"
}

open_console
screen_keys Q
restored 0 Q
open_console
screen_keys q
shows 'leave bascule\?' 'q in the first view asks'
screen_keys n
hides 'leave bascule\?' 'n stays'
screen_keys C-c
shows 'leave bascule\?' 'Ctrl-C asks as well'
screen_keys C-c
hides 'leave bascule\?' 'a second one is no yes'
screen_keys Escape Escape
screen_keys q y
restored 0 'q and y'
open_console
screen_keys : ; screen_type q ; screen_keys Enter
restored 0 ':q'

for signal in TERM:143 HUP:129 INT:130 QUIT:131 SEGV:139 ABRT:134; do
	open_console
	kill -s "${signal%:*}" "$(console_pid)"
	restored "${signal#*:}" "SIG${signal%:*}"
done
open_console
screen_keys : ; screen_type 'half a comm'
screen_wait 'half a comm'
kill -TERM "$(console_pid)"
restored 143 'SIGTERM in the middle of a word'

# --- What others write ---

open_console
pid=$(console_pid)
like "$(readlink "/proc/$pid/fd/2")" '/console\.log$' 'stderr is a file while the console has the terminal'
echo 'a library speaks' >>"/proc/$pid/fd/2"
screen_keys 2
shows '>0012' 'the console goes on'
hides 'a library speaks' 'and what a library wrote is not on the screen'
ok 'but in the file' grep -q 'a library speaks' "$XDG_STATE_HOME/bascule/console.log"
screen_keys Q
restored 0 'with stderr away'

# --- The terminal goes away ---

open_console
pid=$(console_pid)
screen_stop
gone() { [ ! -d "/proc/$pid" ]; }
ok 'the terminal goes away: the console ends' wait_until 60 gone

# --- No terminal ---

run "$BASCULE"
is "$status" 0 'without a terminal: exit status 0'
like "$out" '#production' 'status is printed'
unlike "$out$err" $'\033' 'without any control sequence'
screen_name=piped
screen_start 100 30 bash -c "'$BASCULE' | cat >'$TMPDIR/piped'"
ok 'output into a pipe: it ends' screen_wait_exit
like "$(<"$TMPDIR/piped")" '#production' 'and is the status'
screen_stop
run script -qec "TERM=nonsense '$BASCULE'" /dev/null
is "$status" 2 'a terminal nobody knows: exit status 2'
like "$out" 'cannot use this terminal' 'with a word on it'
like "$out" 'set TERM' 'and what to do'

done_testing
