#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The JSON documents have the members that bascule(7) says, no fewer and no more: scripts hang on
# them. Asked of the demo before and after a run that failed, so that rare members are seen too.
. tests/support/tap.sh

# The shape of a command's document, from the page's source.
documented() { # COMMAND
	sed -n "/^\\.It Ic $1\$/,/^\\.Ed\$/p" man/bascule.7 | grep -v '^\.' | tr -d '\n'
}

fits() { # WORDS...: the document of a command has its documented shape
	local shape
	shape=$(documented "$1")
	isnt "$shape" '' "bascule(7) documents $1 --json"
	run "$BASCULE" "$@" --json
	printf '%s\n' "$out" >"$TMPDIR/document"
	ok "$* --json has the documented members" sh -c \
		'tests/support/shape.pl "$1" <"$2"' sh "$shape" "$TMPDIR/document"
}

run "$BASCULE" demo "$TMPDIR/demo" --plain
is "$status" 0 'the demo is made'
export BASCULE_CONFIG=$TMPDIR/demo/bascule.ini XDG_STATE_HOME=$TMPDIR/demo/.state

look() {
	fits status
	fits matrix
	fits history production
	fits history development
	fits details production
	fits seeds development
	fits plan migrate production
	fits plan rollback development last 1
	fits preflight development
	fits health development --once
	fits runs
	fits backups
	fits check
	fits keys
	fits themes
	fits version
}
look

# A migration that fails: a run with an error, an event of a failure.
printf 'SELECT nothing FROM nowhere;\n' >"$TMPDIR/demo/migrations/up/0013_fails.sql"
exits 1 'a migration that fails' "$BASCULE" migrate development
look

# While a run is watched there is an object a line.
rm "$TMPDIR/demo/migrations/up/0013_fails.sql"
run "$BASCULE" rollback development last 1 --json
is "$status" 0 'a rollback'
is "$(grep -c '^{"event":"run"' <<<"$out")" 1 'one line says which run it is'
like "$(tail -n 1 <<<"$out")" '^\{"event":"end","state":"done","exit":0,"run":\{' 'the last line says how it ended'
printf '%s' "$(tail -n 1 <<<"$out")" >"$TMPDIR/end"
ok 'its run is an element of runs' sh -c 'perl -MJSON::PP -0777 -ne \
	"print encode_json({runs => [decode_json(\$_)->{run}]})" "$2" | tests/support/shape.pl "$1"' \
	sh "$(documented runs)" "$TMPDIR/end"

# Errors go to stderr, and stdout stays empty for who reads it.
run "$BASCULE" status nowhere --json
is "$status $out" '2 ' 'an error prints no document'

done_testing
