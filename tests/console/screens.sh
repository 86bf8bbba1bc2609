# SPDX-License-Identifier: MIT
# Every view at every size: complete frames, production marked, nothing past the edge; without
# colours and in ASCII; too small, resized in a storm, suspended and back.
. tests/support/tap.sh

demo=$TMPDIR/demo
"$BASCULE" demo "$demo" --plain >"$TMPDIR/demo.out" 2>&1 || bail "no demo: $(<"$TMPDIR/demo.out")"
cd "$demo" || bail 'the demo left no folder'
export XDG_STATE_HOME=$demo/.state

# frame_fault COLS ROWS [RULE]: what is wrong with the frame on the screen; nothing when it is whole.
frame_fault() {
	local cols=$1 rows=$2 rule=${3:-─} text top=2
	text=$(screen_text)
	[ "$cols" -ge 100 ] && top=3
	[ "$(wc -L <<<"$text")" -le "$cols" ] || echo "a line is longer than $cols"
	[[ $(sed -n 1p <<<"$text") == ' bascule '* ]] || echo 'the first row is not the title'
	[ "$(sed -n ${top}p <<<"$text")" = "$(printf "%${cols}s" '' | sed "s/ /$rule/g")" ] ||
		echo "row $top is not a rule of $cols columns"
	[[ $(sed -n $((rows - 2))p <<<"$text") == '>'* ]] || echo "row $((rows - 2)) is not where I am"
	[[ $(sed -n "${rows}p" <<<"$text") == *'? help'*'q back'* ]] || echo "row $rows has no keys"
}
frame_whole() { [ -z "$(frame_fault "$@")" ]; }

# whole DESCRIPTION COLS ROWS [RULE]: the frame becomes whole.
whole() {
	local what=$1
	shift
	if wait_until 60 frame_whole "$@"; then
		pass "$what"
	else
		fail "$what" "$(frame_fault "$@")" "$(screen_text)"
	fi
}

# Rows of the screen that match.
rows_with() { screen_text | grep -cE -- "$1"; }

# --- Each view with its key, at each size ---

views() { # COLS ROWS [RULE]
	local size=$1x$2
	shows '#PRODUCTION' "$size: environments are first"
	shows '^ database +sqlite ' "$size: with what was read"
	is "$(rows_with '^[> ](link|database|schema|changed|migrations|checksums|backup|lock|run|policy) .* #')" 10 "$size: each of the ten values of production has its mark"
	whole "$size: environments are whole" "$@"
	screen_keys 2
	shows '>0012 +order status' "$size: 2 shows migrations"
	shows '#(PRODUCT|pending|ok)' "$size: where production is marked"
	shows 'ALTER TABLE orders ADD COLUMN' "$size: with the script of the selected one"
	whole "$size: migrations are whole" "$@"
	is "$(rows_with '^[> ]00[0-9]{2} .*#(ok|pending)')" "$(rows_with '^[> ]00[0-9]{2} .* (yes|no)$')" \
		"$size: in every row"
	screen_keys 8
	shows 'Ledger of +development +staging +#production' "$size: 8 shows the ledger"
	shows 'Z applied +0010' "$size: with its events"
	whole "$size: audit is whole" "$@"
	screen_keys 9
	shows '^ 3 +migrate +#production +done' "$size: 9 shows runs, production marked"
	whole "$size: runs are whole" "$@"
	screen_keys 1 l l p
	shows 'migrate #production' "$size: p shows a plan, production marked"
	shows 'REFUSED' "$size: it is refused"
	shows '\[no\]' "$size: a closed gate is in sight"
	shows '^  +try: ' "$size: and what opens it"
	whole "$size: plan is whole" "$@"
	screen_keys 9 5
	shows 'REFUSED' "$size: 5 shows it again"
	screen_keys '?'
	shows '^>1 +:environments' "$size: ? lists keys"
	whole "$size: help is whole" "$@"
	screen_keys q Q
	ok "$size: Q leaves" screen_wait_exit
	screen_stop
}

screen_start 120 36 "$BASCULE"
views 120 36
screen_start 80 24 "$BASCULE"
views 80 24
screen_start 200 50 "$BASCULE"
views 200 50
screen_start 80 24 "$BASCULE" --ascii
shows '>link +ok' '--ascii: it opens'
not_ok '--ascii: no byte above 127' grep -qP '[^\x00-\x7f]' <(screen_text)
whole '--ascii: rules are dashes' 80 24 -
screen_keys 2 Enter
not_ok '--ascii: not in migrations either' grep -qP '[^\x00-\x7f]' <(screen_text)
screen_stop
screen_start 120 36 env LC_ALL=C "$BASCULE"
shows '>link +ok' 'locale C: it opens'
not_ok 'locale C: is ASCII by itself' grep -qP '[^\x00-\x7f]' <(screen_text)
screen_stop

# --- Without colours ---

has_colour() { screen_colours | grep -qP '\x1b\[([0-9;]*;)?(3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]'; }
screen_start 120 36 "$BASCULE"
shows '>link +ok' 'with colours it opens'
ok 'and has some' has_colour
screen_stop
screen_start 120 36 env NO_COLOR=1 "$BASCULE"
shows '>link +ok' 'NO_COLOR: it opens'
not_ok 'NO_COLOR: has none' has_colour
ok 'NO_COLOR: the selection is to be seen' grep -qP '\x1b\[([0-9;]*;)?[0-9;]*[17]' <(screen_colours)
screen_stop
SCREEN_TERM=vt100 screen_start 120 36 "$BASCULE"
shows '>link +ok' 'vt100: it opens'
not_ok 'vt100: no colours' has_colour
shows '#PRODUCTION' 'vt100: production is marked'
whole 'vt100: the frame is whole' 120 36
screen_stop

# --- Sizes that change ---

screen_start 120 36 "$BASCULE"
shows '>link +ok' 'resize: it opens'
screen_resize 79 24
shows '^bascule needs 80x20, has 79x24$' '79x24: a plain message with what is needed'
screen_resize 120 19
shows '^bascule needs 80x20, has 120x19$' '120x19: the same'
screen_resize 2 1
shows '^ba$' '2x1: what fits of it'
# The last cell of a terminal stays empty where writing it would scroll, and of one cell it is the only one.
screen_resize 1 1
screen_keys 2 j j
screen_resize 80 20
shows '>0010 +stock trigger' '80x20: it comes back, with what was typed meanwhile'
whole '80x20: whole' 80 20
screen_resize 200 50
whole '200x50: whole' 200 50
pid=$(screen_pid)
for i in {1..60}; do
	screen_resize $((1 + i * 37 % 180)) $((1 + i * 13 % 60))
done
screen_resize 101 33
whole 'after a storm of sizes the frame is whole' 101 33
is "$(screen_pid)" "$pid" 'and it is the same process'
screen_keys Q
ok 'Q leaves' screen_wait_exit
is "$status" 0 'with exit status 0'
screen_stop

# --- Ctrl-Z and fg, in a shell with jobs ---

screen_start 100 30 env PS1='shell> ' bash --norc -i
shows '^shell>' 'a shell'
screen_type "$BASCULE"
screen_keys Enter
shows '>link +ok' 'the console in it'
screen_keys 2
shows '>0012' 'on migrations'
screen_keys C-z
shows 'Stopped' 'Ctrl-Z stops it'
shows '^shell>' 'and the shell is back'
hides 'sqlite|order status' 'with its own screen'
screen_type 'stty -a | tr ";" "\n"'
screen_keys Enter
shows '[^-]icanon' 'and its own terminal settings'
is "$(screen_tmux display -p '#{alternate_on}#{cursor_flag}')" 01 'and its cursor'
screen_type fg
screen_keys Enter
shows '>0012 +order status' 'fg brings the console back'
whole 'whole' 100 30
screen_resize 110 30
whole 'it still follows the size' 110 30
screen_keys C-z
shows '^shell>' 'Ctrl-Z again'
screen_resize 90 28
screen_type fg
screen_keys Enter
whole 'fg in a window of another size' 90 28
screen_keys Q
shows 'shell> *$' 'Q leaves to the shell'
screen_type 'echo status $?'
screen_keys Enter
shows '^status 0' 'with status 0'

done_testing
