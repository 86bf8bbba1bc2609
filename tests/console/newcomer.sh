# SPDX-License-Identifier: MIT
# A newcomer who types the keys of README's "First ten minutes", and nothing else, gets what README
# says: a migrate and a rollback in development, then the first gate. The keys and the quoted words
# are read from README itself, so the paper cannot promise what the program does not show.
. tests/support/tap.sh

demo=$TMPDIR/demo

# "keys<two blanks or more>what is seen", a line each.
lesson() {
	awk '/<!-- keys: newcomer -->/ { on = 1; next } on && /^```/ { if (fence++) exit; next } on && fence' \
		README.md
}

# Every word in double quotes of a lesson's line, as text without any special meaning.
promised() {
	grep -oE '"[^"]+"' <<<"$1" | tr -d '"' | sed 's/[][\\.^$*+?(){}|]/\\&/g'
}

lines=$(lesson)
[ "$(wc -l <<<"$lines")" -ge 6 ] || bail 'README has no block of keys marked "keys: newcomer"'

screen_start 120 36 "$BASCULE" demo "$demo"
shows 'migrations   10 applied  2 pending' 'the demo opens on the environments'

while IFS= read -r line; do
	keys=${line%%  *}
	for key in $keys; do
		screen_keys "$key"
	done
	while IFS= read -r words; do
		[ -n "$words" ] || continue
		shows "$words" "after $keys the screen says: $words"
	done < <(promised "${line#"$keys"}")
done <<<"$lines"

ok 'the last key leaves' screen_wait_exit
is "$status" 0 'with exit status 0'

# --- It really happened, and nothing else did ---

cd "$demo" || bail 'the demo left no folder'
export XDG_STATE_HOME=$demo/.state
run "$BASCULE" history development --plain
like "$out" '0012' 'the history of development has what was taken back'
run "$BASCULE" runs --plain
like "$out" 'rollback +development +done' 'the rollback is a run that is done'
like "$out" 'migrate +development +done' 'the migrate is a run that is done'
run "$BASCULE" matrix --plain
like "$out" '0011[^
]*ok' '0011 stayed in development'
unlike "$out" '0012[^
]*ok' '0012 is nowhere'

done_testing
