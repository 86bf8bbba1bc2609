# SPDX-License-Identifier: MIT
# The tools that run the tests must not hide a failure, and the one that installs packages must say
# what before it does.
. tests/support/tap.sh

program() { # NAME TEXT: an executable test in $TMPDIR
	printf '#!/bin/bash\n%s\n' "$2" >"$TMPDIR/$1"
	chmod +x "$TMPDIR/$1"
}
last_line() { tail -n 1 <<<"$out"; }

# --- run-tests ---

program good 'echo 1..2; echo ok 1 - a; echo ok 2 - b'
program bad 'echo 1..2; echo ok 1 - a; echo not ok 2 - b; exit 1'
program short 'echo 1..3; echo ok 1 - a'
program silent 'exit 0'
program dies 'echo 1..1; echo ok 1 - a; kill -SEGV $$'
program skips 'echo 1..2; echo ok 1 - a; echo "not ok 2 # SKIP no such server"'
program leaves "echo 1..1; echo ok 1; setsid sleep 61.$$ & exit 0"
program looks 'echo 1..2; [ -z "${LEAK-}" ] && echo ok 1; [ -z "$(ls -A "$XDG_STATE_HOME")" ] && echo ok 2'

run tools/run-tests -j 1 "$TMPDIR/good"
is "$status $(last_line)" '0 2 passed, 0 failed' 'good points are counted'
run tools/run-tests -j 1 "$TMPDIR/good" "$TMPDIR/bad"
is "$status $(last_line)" '1 3 passed, 1 failed' 'a bad point fails the run'
run tools/run-tests -j 1 "$TMPDIR/short"
is "$status $(last_line)" '1 1 passed, 1 failed' 'fewer points than planned is a failure'
run tools/run-tests -j 1 "$TMPDIR/silent"
is "$status $(last_line)" '1 0 passed, 1 failed' 'no points at all is a failure'
run tools/run-tests -j 1 "$TMPDIR/dies"
is "$status $(last_line)" '1 1 passed, 1 failed' 'a program that crashes after its last point is a failure'
run tools/run-tests -j 1 "$TMPDIR/skips"
is "$status $(last_line)" '0 1 passed, 0 failed, 1 skipped' 'a skip is counted'
like "$out" 'skipped: .*no such server' 'and its reason is printed'
run tools/run-tests -j 1 "$TMPDIR/missing"
is "$status" 1 'a missing program is a failure'
run tools/run-tests
isnt "$status" 0 'no tests at all is a failure'
run tools/run-tests -j 1 "$TMPDIR/leaves"
like "$out" "left running: sleep 61\.$$" 'what a test leaves running is named'
not_ok 'and ended' pgrep -f "^sleep 61\.$$"
run env LEAK=1 tools/run-tests -j 1 "$TMPDIR/looks"
is "$status $(last_line)" '0 2 passed, 0 failed' 'the environment does not leak in, the state folder is empty'

# --- deps, on a system that lacks everything but these ---

mkdir "$TMPDIR/bin"
for command in sh cat sort tr env ls git; do
	ln -s "$(command -v $command)" "$TMPDIR/bin/$command"
done
# Becomes root's or sudo's business, whoever runs the test.
printf '#!/bin/sh\necho 0\n' >"$TMPDIR/bin/id"
chmod +x "$TMPDIR/bin/id"

run env PATH="$TMPDIR/bin" tools/deps build
is "$status" 1 'without apt-get nothing is installed'
like "$err" 'build-essential.*libsqlite3-dev' 'the names are printed'

printf '#!/bin/sh\necho "apt-get $*"\n' >"$TMPDIR/bin/apt-get"
chmod +x "$TMPDIR/bin/apt-get"
run env PATH="$TMPDIR/bin" tools/deps build
like "$(head -n 1 <<<"$out")" '^tools/deps: will install: build-essential ' 'what will be installed is said first'
like "$out" 'apt-get install .*libzstd-dev' 'then it is installed'
unlike "$out" 'tmux' 'and nothing that another purpose needs'
like "$err" 'still missing' 'what did not come is an error'
is "$status" 1 'with its exit status'

done_testing
