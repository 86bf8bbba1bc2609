# SPDX-License-Identifier: MIT
# Nothing happens to production by accident: read-only until armed, the name typed by hand, a paste
# thrown away and said, Enter inert until the name matches, Esc leaves. Afterwards the journal says
# that production saw one run: the one that was typed.
. tests/support/tap.sh

demo=$TMPDIR/demo
"$BASCULE" demo "$demo" --plain >"$TMPDIR/demo.out" 2>&1 || bail "no demo: $(<"$TMPDIR/demo.out")"
cd "$demo" || bail 'the demo left no folder'
export XDG_STATE_HOME=$demo/.state
runs_before=$("$BASCULE" runs --plain | wc -l)

# Bytes as they come from a terminal, past what tmux itself would make of a paste.
screen_bytes() {
	local bytes
	bytes=$(printf '%b' "$1" | od -An -v -tx1)
	# shellcheck disable=SC2086 # one word per byte
	screen_keys -H $bytes
}
BEGIN='\033[200~' END='\033[201~'

# --- Read-only until armed ---

screen_start 120 36 "$BASCULE"
shows 'RO read-only' 'a console starts read-only'
screen_keys l l b
shows 'rollback #production last 1' 'a plan may be made without arming'
shows 'READY, ! starts it' 'and its gates are open'
screen_keys !
shows 'production is read-only: press A to arm' 'starting it is refused, and the key is named'
screen_keys A
shows 'ARMED production 0[45]:[0-5][0-9] left' 'A arms, and the title says so with the time left'
shows 'ARMED production 04:5[0-8] left' 'which counts down'
is "$(screen_tmux display -p '#{pane_title}')" 'ARMED production' "the terminal's own title says it too"
screen_keys A
shows 'RO read-only' 'A again disarms'
shows 'read-only again' 'and says so'
screen_keys !
shows 'production is read-only' 'starting is refused again'
screen_keys : ; screen_type 'arm staging' ; screen_keys Enter
shows 'ARMED staging' 'another environment can be armed by name'
screen_keys !
shows 'production is read-only' 'which opens nothing for production'
screen_keys : ; screen_type 'arm production' ; screen_keys Enter
shows 'ARMED production' 'arming production'
hides 'ARMED staging' 'disarms staging'

# --- The typed name ---

prompt='Type the environment name to run, Esc to leave:'
screen_keys !
shows "$prompt" 'the name is asked for'
shows 'ROLL BACK ON #PRODUCTION' 'the box names the environment and what is done'
shows 'migrations +0006' 'and what is changed'
shows 'a verified copy is written' 'and the backup'
shows 'Nothing has been changed yet' 'and that nothing happened'

screen_bytes "${BEGIN}production${END}"
shows 'A paste was dropped: the name must be typed' 'a pasted name is dropped, and the screen says so'
hides "$prompt +production" 'and is not in the field'
screen_bytes "${BEGIN}production\r${END}"
screen_bytes "${BEGIN}production\r"
screen_bytes "\r${END}"
screen_keys x
shows "$prompt +x( |\$)" 'a pasted Enter is dropped as well, also in pieces; a key after it is a key'
hides 'A paste was dropped' 'the note goes with the first key that is typed'
screen_keys BSpace

screen_paste production
shows 'A paste was dropped' "the terminal's own paste is dropped"
screen_type productio
shows "$prompt +productio( |\$)" 'single keys are taken'
screen_keys Enter Enter x
shows "$prompt +productiox" 'Enter is inert on a part of the name'
screen_keys Enter BSpace
screen_type N
screen_keys Enter x
shows "$prompt +productioNx" 'and on another spelling'
screen_keys C-u
screen_keys Enter y
shows "$prompt +y( |\$)" 'and on nothing; y is no answer here'
screen_keys Escape
hides "$prompt" 'Esc leaves'
shows 'not started, nothing was changed' 'and says that nothing was changed'
is "$("$BASCULE" runs --plain | wc -l)" "$runs_before" 'there is no new run'

screen_keys !
shows "$prompt( |\$)" 'asked again, the field is empty'
screen_type production
screen_keys C-c
shows 'not started, nothing was changed' 'Ctrl-C leaves the box, not the program'

screen_keys !
shows "$prompt" 'the third time'
screen_type production
shows "$prompt +production" 'the name is typed'
screen_keys Enter
shows 'Run [0-9]+ +rollback #production' 'Enter on the name starts the run'
shows 'DONE' 'which ends'
screen_keys !
shows 'came from this plan already' 'a run is not started twice'

# --- A plain question, where the environment wants no more ---

screen_keys A
shows 'RO read-only' 'production is read-only again'
screen_keys 1 h
shows '>STAGING' 'staging is selected'
screen_keys b
shows 'rollback staging last 1' 'its rollback is planned'
screen_keys A !
shows 'rollback on staging, 1 changes\?' 'staging asks for y'
screen_bytes "${BEGIN}y${END}"
shows 'a paste was dropped: press y' 'a pasted y is dropped'
screen_keys Enter
hides 'rollback on staging, 1 changes' 'Enter is no yes'
screen_keys !
shows 'rollback on staging, 1 changes\?' 'asked again'
screen_keys y
shows 'Run [0-9]+ +rollback staging' 'y starts it'
shows 'DONE' 'and it ends'
is "$("$BASCULE" runs --plain | wc -l)" $((runs_before + 2)) 'two runs in all'

# --- A paste where nothing asks for text ---

screen_bytes "${BEGIN}QQ!y${END}"
shows 'a paste was dropped: nothing asks for text' 'a paste never presses keys'
screen_keys :
screen_bytes "${BEGIN}he\nlp\033\r${END}"
shows '^ *:help' 'in the palette it is text, without what would press Enter or Esc'
screen_keys Escape Q
ok 'Q leaves' screen_wait_exit
is "$status" 0 'with exit status 0'
screen_stop

# --- --read-only ---

screen_start 120 36 "$BASCULE" --read-only
shows 'RO --read-only' 'the title says that this console cannot change anything'
screen_keys l l A
shows 'started with --read-only' 'A is refused'
screen_keys b
shows 'READY|REFUSED' 'planning is allowed'
screen_keys !
shows 'started with --read-only: it changes nothing' 'starting is refused'
screen_keys : ; screen_type 'arm production' ; screen_keys Enter
hides 'ARMED' 'the palette does not arm either'
screen_keys Q
ok 'Q leaves' screen_wait_exit

done_testing
