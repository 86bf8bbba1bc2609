# SPDX-License-Identifier: MIT
# What runs and what it writes, in the console on the demo's services: services in Envs, the view of
# services with a check of health, logs that follow, stand still, are searched, filtered, opened,
# copied and exported, at two sizes; and what is seen when a service dies.
. tests/support/tap.sh

demo=$TMPDIR/demo
"$BASCULE" demo "$demo" --plain >"$TMPDIR/demo.out" 2>&1 || bail "no demo: $(<"$TMPDIR/demo.out")"
cd "$demo" || bail 'the demo left no folder'
export XDG_STATE_HOME=$demo/.state

# Rows of log lines: "14:05:49.114 #a INFO …".
log_rows() { screen_text | grep -E '^[>+ ][0-9]{2}:[0-9]{2}:[0-9]{2}'; }
log_row_count() { log_rows | wc -l; }
has_rows() { [ "$(log_row_count)" -gt 0 ]; }
palette() {
	screen_keys :
	screen_type "$1"
	screen_keys Enter
}
whole() { # COLS ROWS DESCRIPTION: nothing past the edge, title, place and keys where they belong
	local text
	text=$(screen_text)
	if [ "$(wc -L <<<"$text")" -le "$1" ] && [[ $(sed -n 1p <<<"$text") == ' bascule '* ]] &&
		[[ $(sed -n $(($2 - 2))p <<<"$text") == '>'* ]] &&
		[[ $(sed -n "${2}p" <<<"$text") == *'? help'*'q back'* ]]; then
		pass "$3"
	else
		fail "$3" "$text"
	fi
}

# --- Environments ---

screen_start 120 36 "$BASCULE"
shows '^ services +1 of 1 up .*1 of 1 up .*#2 of 2 up' 'services of each environment are counted'
shows '^  web +ok +up .* ok +up .*#ok +up ' 'each service is a row'
shows '^  worker +- .* - .*#ok +up ' 'also one that only production has'
shows '^ health +ok +200 in .*#ok +200 in ' 'their health was asked'
shows '^ host +ok +local' 'and the host'
whole 120 36 'the frame is whole'

# --- Services ---

screen_keys l l 0
shows '\[0 Services\]' '0 shows services'
shows '^>#web +local +running .* bascule demo-service$' 'production is marked in each row, which says what it runs'
shows '^ runtime +process +pid [0-9]+ ' 'and its process is named as others name it'
shows '^ #worker +local +running ' 'the second service'
screen_keys H
shows '^ health +ok: 2 of 2 in a row' 'H checks the health with all attempts'
shows 'try 2 +200 in [0-9]+ ms +ok' 'each try is shown'
whole 120 36 'services are whole'

# --- Logs: following ---

screen_keys L
shows '\[4 Logs\]' 'L opens the logs'
shows '^>#production > logs > web' 'of the selected service'
shows '── following' 'they follow'
ok 'with rows' wait_until 60 has_rows
shows '^ sources +\[a\] #web ' 'its source is marked as production'
shows '^[ 0-9]+\|.*i' 'lines over time'
shows 'E error' 'with what its letters mean'
whole 120 36 'logs are whole'
not_ok 'every row has the mark of production' grep -qvE '^[>+ ][0-9:.]{12} #a ' <(log_rows)

# --- Standing still ---

screen_keys '='
shows '── PAUSED' '= holds the rows still'
first=$(log_rows | head -n 1)
shows 'PAUSED +[1-9][0-9]* below' 'what comes meanwhile is counted'
is "$(log_rows | head -n 1)" "$first" 'and the rows stand still'
screen_keys k k
shows 'PAUSED' 'k goes up'
screen_keys G
shows '── following' 'G follows again'

# --- Level, filters, find ---

palette 'level error'
shows 'level >= ERROR' 'only errors'
ok 'there are some' wait_until 60 has_rows
not_ok 'and nothing else' grep -qE '^[>+ ][0-9:.]{12} #a (INFO|WARN|DEBUG)' <(log_rows)
palette 'level debug'
hides 'level >= ERROR' 'and lower again'
screen_keys '\'
screen_type '!GET'
screen_keys Enter
shows '1:!GET' 'a filter is named'
ok 'lines are left' wait_until 60 has_rows
hides '^[>+ ][0-9:.]{12} #a .*GET' 'what it hides is gone'
screen_keys '\'
screen_tmux send-keys -l -- -1
screen_keys Enter
hides '1:!GET' 'and removed by its number'
screen_keys '\'
screen_type 'a('
shows 'missing|parenthesis|\)' 'a mistake in a pattern is said while it is typed'
screen_keys Escape
screen_keys /
screen_type 'GET'
screen_keys Enter
shows 'find /GET/ [1-9]' 'find counts over the whole buffer'
shows 'PAUSED' 'and goes to the nearest match'
screen_keys N N n Escape
hides 'find /GET/' 'Esc ends it'
screen_keys E
shows '^>[0-9:.]{12} #a (ERROR|FATAL)' 'E goes to the error before'

# --- A record, sources, the clipboard, a file ---

screen_keys Enter
shows 'production/web on local' 'Enter opens the record'
screen_keys Enter
hides 'production/web on local' 'and closes it'
screen_tmux set -g set-clipboard on
line=$(log_rows | grep '^>' | sed -E 's/^.{22}//; s/  .*//' | cut -c 1-20)
screen_keys y
copied() { screen_tmux show-buffer 2>/dev/null | grep -qF -- "$line"; }
ok 'y copies the line to the clipboard' wait_until 60 copied
screen_keys Tab
shows '\[a\] #production/web@local' 'Tab lists the sources'
shows '\( \) #production/worker +Space follows' 'and what could be followed too'
screen_keys j Space
shows '^>#production > logs > web and' 'Space follows it'
shows '\[b\] #worker' 'as a second source'
screen_keys Tab
has_worker_rows() { log_rows | grep -qE '^[>+ ][0-9:.]{12} #b '; }
ok 'lines of both are merged' wait_until 60 has_worker_rows
screen_keys '>'
screen_type "$TMPDIR/exported.log"
screen_keys Enter
shows 'lines written to' '> writes what is shown to a file'
is "$(stat -c %a "$TMPDIR/exported.log")" 600 'which only we may read'
ok 'with whole lines of both' grep -qE '^20[0-9-]+T[0-9:.]+Z production/worker@local ' "$TMPDIR/exported.log"
screen_keys s
screen_type 1h
screen_keys Enter
shows 'reading again since' 's reads again since another time'
ok 'and the lines come' wait_until 60 has_rows
# They were read once: what is older than that is not late, and both are merged anew.
screen_keys '>'
screen_type "$TMPDIR/again.log"
screen_keys Enter
shows 'lines written to .*again.log' 'they are written to a file'
ok 'and stand in the order of their times' sort -sc -k 1,1 <(grep -v ' -- ' "$TMPDIR/again.log")
screen_keys s
screen_type nonsense
screen_keys Enter
shows 'is no time before now' 'what is no time is refused'

# --- Another environment ---

screen_keys 1 h 4
shows '^>staging > logs' '4 shows the logs of the environment that is selected now'
hides '#web' 'and none of the one before'
screen_keys 1 4
shows '^>staging > logs' 'and goes on with them'
screen_keys 1 l 4
shows '^>#production > logs' 'back in production they are those again'

# --- A service that fails, and one that dies ---

screen_keys 0
shows '^>#web ' 'services again'
kill -USR1 "$(<run/production/web.pid)"
screen_keys H
shows '^ health +FAILED: ' 'health that fails is said'
shows '^ its log +' 'with the last lines of its log'
kill -KILL "$(<run/production/web.pid)"
screen_keys 1 R
shows '^  web .*#FAIL' 'a dead service is seen in Envs'
shows '^ services .*#1 of 2 up' 'and counted'

# --- 80x24 ---

screen_resize 80 24
shows '^ services .*#1/2 up +web' '80x24: the worst is named'
shows '^ Next migrate of #production: not ready, 1 of 10 gates closed$' '80x24: how many gates are closed is not cut'
whole 80 24 '80x24: environments are whole'
screen_keys 0
shows '^ #worker +local +running' '80x24: services'
whole 80 24 '80x24: whole'
screen_keys 4
shows '#worker' '80x24: logs'
whole 80 24 '80x24: whole too'
screen_keys Q
ok 'Q leaves' screen_wait_exit
is "$status" 0 'with status 0'
screen_stop
done_testing
