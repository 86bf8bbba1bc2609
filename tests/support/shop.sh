# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# The demo's workspace for tests written in bash, and the questions one asks of it: what did a
# command say, is everything in the databases as before, does looking still work. Source it behind
# tap.sh. `bascule` is in PATH, so that a command a refusal prints can be run as it is printed.

PATH=$(dirname "$BASCULE"):$PATH
shop_n=0
: "${out=}" "${err=}" "${status=0}" # of tap.sh

# shop: a fresh copy of the demo becomes the working folder, with a state folder of its own.
shop() {
	if [ ! -d "$TMPDIR/shop" ]; then
		bascule demo "$TMPDIR/shop" --plain >/dev/null || bail 'the demo cannot be made'
	fi
	shop_n=$((shop_n + 1))
	cp -a "$TMPDIR/shop" "$TMPDIR/shop.$shop_n"
	cd "$TMPDIR/shop.$shop_n" || bail 'no workspace'
	export XDG_STATE_HOME=$PWD/.state
}

# A database as SQL, without what bascule keeps in it.
tables_of() { # ENV
	sqlite3 -readonly "data/$1.sqlite" .dump 2>&1 | grep -v bascule_
}
# The same of all of the shop, as one digest.
tables() {
	local env
	for env in development staging production; do tables_of "$env"; done | sha256sum
}

# applied ENV: how many migrations are.
applied() {
	bascule status "$1" --json | sed -n 's/.*"applied": *\([0-9]*\).*/\1/p'
}

# What a refusal says to try: the command, as printed.
hint() {
	sed -n 's/^  try: //p' <<<"$err" | head -n 1
}

# An error begins with what could not be done, and goes on with why or with the measured value.
in_parts() {
	grep -zqP '(?m)^bascule: [a-z0-9].*[^.\n]\n  \S' <<<"$err"
}

# fails STATUS REGEX WHAT COMMAND-LINE: run by a shell, it ends so, says so in its parts, and no
# table of any environment is other than before.
fails() {
	local want=$1 words=$2 what=$3 before
	before=$(tables)
	run sh -c "$4"
	if [ "$status" != "$want" ]; then
		fail "$what" "exit status $status, want $want: $4" "$out" "$err"
	elif ! in_parts; then
		fail "$what" "not an error in its parts: $4" "$err"
	elif ! grep -qE -- "$words" <<<"$err"; then
		fail "$what" "stderr lacks: $words" "$err"
	elif [ "$(tables)" != "$before" ]; then
		fail "$what" "the tables are not as before: $4" "$err"
	else
		pass "$what"
	fi
}

# still_looks WHAT: status and matrix print all three environments.
still_looks() {
	local said
	if said=$(bascule status --json 2>&1 && bascule matrix --json 2>&1) &&
		[ "$(grep -c production <<<"$said")" -gt 0 ]; then
		pass "$1"
	else
		fail "$1" "$said"
	fi
}

# Whoever runs the tests, root may read everything. as_user COMMAND-LINE is a command line in which
# the program runs as somebody who may not; shop_open lets him into the workspace.
as_user() {
	if [ "$(id -u)" = 0 ]; then
		printf 'exec setpriv --reuid 65534 --regid 65534 --clear-groups sh -c %q' "$1"
	else
		printf '%s' "$1"
	fi
}
shop_open() {
	chmod go+x "$HOME" "$TMPDIR" && chmod -R go+rwX . &&
		sh -c "$(as_user 'bascule version')" >/dev/null 2>&1
}
