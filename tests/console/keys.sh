# SPDX-License-Identifier: MIT
# What keys do to lists: find, filter, sort, marks and a plan of them; the palette with Tab; help that
# runs what it lists; themes; and keys.ini, which gives any action other keys or is refused whole.
. tests/support/tap.sh

demo=$TMPDIR/demo
"$BASCULE" demo "$demo" --plain >"$TMPDIR/demo.out" 2>&1 || bail "no demo: $(<"$TMPDIR/demo.out")"
cd "$demo" || bail 'the demo left no folder'
export XDG_STATE_HOME=$demo/.state

console() { # a new one, when its first facts are there
	screen_start 120 36 "$BASCULE"
	screen_wait '>link +ok'
}
leave() {
	screen_keys Q
	screen_wait_exit
	screen_stop
}
palette() {
	screen_keys :
	screen_type "$1"
}
# The ids of the rows of the matrix, in the order shown.
ids() { screen_text | grep -E '^.{1,2}00[0-9]{2} .* (yes|no)$' | grep -oE '^.{1,2}00[0-9]{2}' | grep -oE '[0-9]+' | tr '\n' ' '; }
ids_are() { [ "$(ids)" = "$1 " ]; }
lists() { # IDS DESCRIPTION
	if wait_until 60 ids_are "$1"; then pass "$2"; else fail "$2" "ids: $(ids)" "$(screen_text)"; fi
}

# --- Find, filter, sort ---

console
screen_keys 2
shows '>0012 +order status' 'migrations, newest first'
screen_keys /
screen_type order
shows '/order' 'what is being typed is shown'
screen_keys Enter
shows 'find: order' 'the find is named'
screen_keys n
shows '>0005 +order indexes' 'n goes to the next match'
screen_keys n
shows '>0004 +order items' 'and the next'
screen_keys N
shows '>0005 +order indexes' 'N goes back'
screen_keys /
screen_type 'no such thing'
screen_keys Escape
shows 'find: order' 'Esc leaves the former find'
screen_keys Escape
hides 'find: ' 'Esc ends the find'

# Keys that the terminal's description does not have: an arrow of another mode, F13, one cut off.
screen_tmux send-keys -H 1b 5b 41 \; send-keys -H 1b 5b 39 39 7e \; send-keys -H 1b 5b 31 3b
screen_keys C-l j
shows '>0004 +order items' 'unknown sequences are no keys, and the one behind them counts'
hides 'ARMED' 'the A of an arrow does not arm'

screen_keys '\'
screen_type differs
lists '0010 0009 0008 0007' 'the filter "differs" works while it is typed'
screen_keys Enter
shows 'filter: differs' 'Enter keeps it, and it is named'
screen_keys Escape
shows '0001 +customers' 'Esc shows all again'
screen_keys '\'
screen_type '!order'
screen_keys Enter
lists '0011 0010 0009 0008 0007 0006 0002 0001' '!TEXT leaves out what has it'
screen_keys '\' Enter
lists '0012 0011 0010 0009 0008 0007 0006 0005 0004 0003 0002 0001' 'an empty filter shows all'
screen_keys '\'
screen_type 'nothing has this'
screen_keys Enter
shows 'Nothing matches the filter' 'a filter that nothing matches says so'
screen_keys Escape

screen_keys o
shows 'order: id' 'o sorts by id'
lists '0001 0002 0003 0004 0005 0006 0007 0008 0009 0010 0011 0012' 'from the first'
screen_keys O
lists '0012 0011 0010 0009 0008 0007 0006 0005 0004 0003 0002 0001' 'O turns it round'
palette 'sort name'
screen_keys Enter
shows 'order: name' 'a column can be named'

leave

# --- Marks ---

console
screen_keys 2 j Space
shows '1 marked' 'Space marks'
screen_keys p
shows 'apply 0011' 'p plans what is marked'
hides 'apply 0012' 'and nothing else'
screen_keys 2
shows '1 marked' 'the mark stays'
screen_keys U
hides 'marked' 'U removes it'
screen_keys g Space p
shows 'cannot apply 0012 to development without 0011' 'what would leap over another is no plan'
leave

# --- The palette ---

console
palette ru
shows '^ *runs +runs, also' 'the only completion says what it does'
screen_keys Tab Enter
shows '^ run +does +environment' 'Tab completes, Enter runs'
palette 'pl'
screen_keys Tab
shows '^ *:plan$' 'Tab completes as far as all agree'
screen_keys Escape
palette 'plan-migrate st'
screen_keys Tab
shows ':plan-migrate staging' 'an argument is completed'
screen_keys Enter
shows 'migrate staging' 'and given to the action'
palette '0004'
screen_keys Enter
shows '>0004 +order items' "a migration's id goes to it"
palette 3
screen_keys Enter
shows 'Run 3 +migrate #production' "a run's number shows it"
screen_keys 6
shows '^  table +rows +size' 'a database and its tables are read'
shows '^> ?[a-z_]+ +[0-9]+ +[0-9.]+ kB' 'largest first'
screen_keys h
shows 'Database of +development' 'of the environment to the left'
palette enviroments
screen_keys Enter
shows 'there is no command `enviroments`: did you mean `environments`' 'a mistake gets the nearest name'
palette 'quit now'
screen_keys Enter
shows 'takes no argument' 'what is too much is refused'
screen_keys :
screen_keys Up
shows ':quit now' 'Up brings the last command back'
screen_keys C-u
screen_type ab
screen_keys Enter
shows 'there is no command `ab`' 'what has no key on purpose must be written out'
palette tak
screen_keys Enter
shows 'there is no command `tak`' 'takeover as well'

# --- Going back ---

screen_keys 1 h h 2 l
shows '>staging > migrations' 'in migrations another environment is selected'
screen_keys p
shows 'migrate staging' 'and planned for'
screen_keys q
shows '>staging > migrations' 'going back keeps the selection'

# --- Help and themes ---

screen_keys 1 '?'
shows '>1 +:environments' 'help lists keys'
screen_keys /
screen_type 'runs, also'
screen_keys Enter Enter
shows '^ run +does +environment' 'Enter runs what is selected'
screen_keys 2 '?' C-d
shows ':expand' 'help knows the view it was opened from'
screen_keys '\'
screen_type 'down script'
screen_keys Enter Enter
shows 'down script +sha256' 'and runs its actions there'

colours_before=$(screen_colours)
palette 'theme li'
screen_keys Tab
shows ':theme light' 'names of themes are completed'
screen_keys Enter
other_colours() { [ "$(screen_colours)" != "$colours_before" ]; }
hides ':theme light' 'the theme is taken'
ok 'and changes the colours' wait_until 60 other_colours
palette 'theme lihgt'
screen_keys Enter
shows 'theme.*lihgt' 'a theme that is not there is named'
leave
for theme in dark light high-contrast colour-blind-safe mono; do
	screen_start 80 24 "$BASCULE" --theme "$theme"
	shows '>link +ok' "--theme $theme opens"
	screen_stop
done
exits 2 'an unknown theme is a usage mistake' script -qec "'$BASCULE' --theme nonsense" /dev/null
like "$out" 'nonsense' 'which is named'

# --- keys.ini ---

mkdir -p "$XDG_CONFIG_HOME/bascule"
keys_ini=$XDG_CONFIG_HOME/bascule/keys.ini
printf '%s\n' '[keys]' 'migrations = m F2' 'runs = none' 'down = j Down z' >"$keys_ini"
console
screen_keys m
shows '>0012 +order status' 'keys.ini: another key for migrations'
shows '^ 1 Envs \[m Migrations\]' 'which the tab names'
screen_keys z
shows '>0011' 'keys.ini: one key more'
screen_keys 1 F2
shows '>0011' 'keys.ini: a function key'
screen_keys 1
shows '>link' 'environments'
screen_keys 2
screen_keys '?'
shows 'm F2 +:migrations' 'help shows the keys as they are'
screen_keys q
shows '>link' 'the old key does nothing'
screen_keys 9
palette runs
screen_keys Enter
shows '^ run +does' 'what has no key is still a command'
leave

printf '%s\n' '[keys]' 'migrations = m' '' 'runs = m' 'nonsense = x' 'find = Strg-F' >"$keys_ini"
exits 2 'keys.ini: a clash ends with 2' script -qec "'$BASCULE'" /dev/null
like "$out" 'm.*(line )?2.*4|4.*2' 'and names both lines'
like "$out" 'nonsense' 'an unknown action is named in the same breath'
like "$out" 'Strg-F' 'and an unknown key'
unlike "$out" $'\033\\[\\?1049h' 'before the terminal was touched'

done_testing
