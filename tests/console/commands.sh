# SPDX-License-Identifier: MIT
# The commands on a terminal: the plan is shown and the environment's name is asked for, anything
# else changes nothing; Ctrl-C at the question and while watching; no command opens the console.
. tests/support/tap.sh

demo=$TMPDIR/demo
"$BASCULE" demo "$demo" --plain >"$TMPDIR/demo.out" 2>&1 || bail "no demo: $(<"$TMPDIR/demo.out")"
cd "$demo" || bail 'the demo left no folder'
export XDG_STATE_HOME=$demo/.state

applied() { # ENV: how many migrations it has
	"$BASCULE" status "$1" --json | sed -n 's/.*"applied": \([0-9]*\).*/\1/p'
}

# --- The typed name ---

screen_start 120 60 "$BASCULE" rollback production last 1
shows 'rollback #production last 1' 'the plan is shown before the question'
shows 'roll back 0006 payments' 'with its steps'
shows 'type production to start it:' 'the name is asked for'
screen_type 'produktion'
screen_keys Enter
screen_wait_exit
is "$status" 4 'another word ends it as cancelled'
shows 'nothing was changed' 'and says so'
is "$(applied production)" 6 'nothing was changed'

screen_stop
screen_start 120 60 "$BASCULE" rollback production last 1
screen_wait 'type production'
screen_keys C-d
screen_wait_exit
is "$status" 4 'the end of input ends it as cancelled'
is "$(applied production)" 6 'nothing was changed'

screen_stop
screen_start 120 60 "$BASCULE" rollback production last 1
screen_wait 'type production'
screen_type 'production'
screen_keys Enter
shows 'run 6: done' 'the right name starts it'
screen_wait_exit
is "$status" 0 'and it is done'
is "$(applied production)" 5 'one migration less'

# --- A yes ---

screen_stop
screen_start 120 60 "$BASCULE" rollback staging last 1
shows 'start it on staging\? \[y/N\]' 'confirm = yes asks'
screen_keys Enter
screen_wait_exit
is "$status" 4 'Enter alone is a no'
is "$(applied staging)" 8 'nothing was changed'
screen_stop
screen_start 120 60 "$BASCULE" rollback staging last 1
screen_wait 'y/N'
screen_type y
screen_keys Enter
screen_wait_exit
is "$status" 0 'y is a yes'

# --- No command ---

screen_stop
screen_start 120 36 "$BASCULE"
shows '1 Env' 'without a command a terminal gets the console'
screen_keys Q
screen_wait_exit
is "$status" 0 'which ends with 0'
run "$BASCULE"
like "$out" '^shop +development' 'and a pipe gets status'
screen_stop
screen_start 120 36 "$BASCULE" --json
shows '"run": null' '--json is status on a terminal, too'

done_testing
