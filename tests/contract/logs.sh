# SPDX-License-Identifier: MIT
# `bascule logs`: lines of several services merged by time, filtered, cleaned, as text and as JSON; it follows,
# ends when it is told to or when nobody reads any more, and leaves no process behind.
. tests/support/tap.sh

limit=60 # seconds to wait for what comes in an instant where nothing else runs
shop=$TMPDIR/shop
mkdir -p "$shop"
cd "$shop" || bail 'no folder'
cat >bascule.ini <<END
[project]
name = shop
[environment dev]
host = local
[service web]
runtime = process
command = /bin/true
pid_file = $shop/web.pid
log_file = $shop/web.log
[service worker]
runtime = process
command = /bin/true
pid_file = $shop/worker.pid
log_file = $shop/worker.log
END
unset BASCULE_CONFIG

# --- All that there is ---------------------------------------------------------------------------

cat >web.log <<'END'
2026-11-21T14:00:01Z INFO web 1
2026-11-21T14:00:03Z ERROR web 2
    at Pool.acquire (pool.js:88)
2026-11-21T14:00:05Z INFO web 3
END
cat >worker.log <<'END'
2026-11-21T14:00:02Z WARN worker 1
2026-11-21T14:00:04Z DEBUG worker 2
{"time":"2026-11-21T14:00:06Z","level":"warn","msg":"slow","ms":12}
END
exits 0 'logs: all of it' "$BASCULE" logs dev --tail 100
is "$(grep -o 'we[b] [0-9]\|work[e]r [0-9]\|pool\|slow' <<<"$out" | tr '\n' ' ')" \
	'web 1 worker 1 web 2 pool worker 2 web 3 slow ' 'lines of both, by time'
is "$(sed -n 2p <<<"$out")" '2026-11-21T14:00:02.000Z worker WARN  2026-11-21T14:00:02Z WARN worker 1' \
	'a line: time, source, level, text'
is "$(sed -n 4p <<<"$out")" '2026-11-21T14:00:03.000Z web    ERROR     at Pool.acquire (pool.js:88)' \
	'a line that goes on has the time and the level of its record'
is "$err" '' 'nothing else is said'
exits 0 'logs: one service' "$BASCULE" logs dev web --tail 100
is "$(head -n 1 <<<"$out")" '2026-11-21T14:00:01.000Z INFO  2026-11-21T14:00:01Z INFO web 1' \
	'without a column for its name'
run "$BASCULE" logs dev --tail 100 --level warn
is "$(wc -l <<<"$out")" 4 'a level: records of at least that, whole'
run "$BASCULE" logs dev --tail 100 --grep 'web 2'
is "$(wc -l <<<"$out")" 2 'a pattern: the record with what continues it'
run "$BASCULE" logs dev --tail 100 --grep 'pool\.js'
is "$(wc -l <<<"$out")" 1 'a pattern that only a line of a trace has'
run "$BASCULE" logs dev --tail 100 --since 2026-11-21T14:00:05Z
is "$(grep -c . <<<"$out")" 2 'since a time'
run "$BASCULE" logs dev --tail 1
is "$(wc -l <<<"$out")" 2 'the last line of each'
is "$(sort <<<"$err" | tr '\n' ' ')" \
	'bascule: web: older lines not fetched bascule: worker: older lines not fetched ' \
	'and that there are older ones goes to stderr'
run "$BASCULE" logs dev
is "$out" '' 'the default is the last quarter of an hour'

exits 0 'the same service twice' "$BASCULE" logs dev web web --tail 100
is "$(wc -l <<<"$out")" 4 'is read once'
exits 0 'a time of day, as in the console' "$BASCULE" logs dev --tail 100 --since 0:00
printf '%s\n' 'INFO web 1' '    at one (a.js:1)' '    at two (a.js:2)' 'INFO web 2' >web.cut
mv web.log web.kept && mv web.cut web.log
run "$BASCULE" logs dev web --tail 2
is "$(grep -o 'at two\|web 2' <<<"$out" | tr '\n' ' ')" 'at two web 2 ' \
	'a line that goes on a record that is not read is shown'
mv web.kept web.log

exits 0 'logs: JSON' "$BASCULE" logs dev --tail 100 --json
ok 'each line is one document' jq -es 'length == 7' <<<"$out"
is "$(jq -c 'select(.text | test("slow")) | [.time, .environment, .service, .host, .level, .fields]' <<<"$out")" \
	'["2026-11-21T14:00:06.000000000Z","dev","worker","local","warn",{"time":"2026-11-21T14:00:06Z","level":"warn","msg":"slow","ms":"12"}]' \
	'with the fields of a record that has some'
run "$BASCULE" logs dev --tail 1 --json
is "$(jq -rs '[.[] | select(.kind == "gap") | .service] | sort | join(" ")' <<<"$out")" 'web worker' \
	'what is missing is an object too'

# shellcheck disable=SC2016 # for that shell
is "$(PATH=${BASCULE%/*}:$PATH bash -c '. <(bascule completion bash)
	COMP_WORDS=(bascule logs dev w) COMP_CWORD=3; _bascule; echo "${COMPREPLY[*]}"')" 'web worker' \
	'Tab completes services'

# --- Bad input -----------------------------------------------------------------------------------

exits 2 'no such environment' "$BASCULE" logs deev
exits 2 'no such service' "$BASCULE" logs dev wob
like "$err" 'did you mean web' 'the nearest is named'
exits 2 'no such level' "$BASCULE" logs dev --level loud
exits 2 'no pattern' "$BASCULE" logs dev --grep '('
exits 2 'no time' "$BASCULE" logs dev --since yesterday
exits 2 'a time that is still to come' "$BASCULE" logs dev --since 2999-01-01T00:00:00Z
exits 2 'no number' "$BASCULE" logs dev --tail all

printf '2026-11-21T14:00:07Z INFO \033]0;owned\a\033[2J \xff\xfe \xe2\x80\xae \x00 end\r\n' >>web.log
run "$BASCULE" logs dev web --tail 1
is "$out" '2026-11-21T14:00:07.000Z INFO  2026-11-21T14:00:07Z INFO \x1b]0;owned\x07\x1b[2J \xFF\xFE <U+202E> \x00 end' \
	'bytes that would control a terminal are shown'
run "$BASCULE" logs dev web --tail 1 --json
ok 'and are valid in JSON' jq -es '.[-1].text | test("end$")' <<<"$out"
unlike "$out" $'[\x1b\x07\u202e]' 'without one of them in it'

mv worker.log worker.kept
exits 1 'a log that cannot be read' "$BASCULE" logs dev --tail 100
like "$err" 'cannot read the log of worker on local' 'says so'
like "$out" 'web 3' 'and the other one is printed'
mv worker.kept worker.log

# --- Following -----------------------------------------------------------------------------------

# A job of a script ignores interrupts unless it is told not to.
follow() { # FILE OPTION...
	env --default-signal=INT setsid "$BASCULE" logs dev -f --tail 5 "${@:2}" >"$1" 2>"$1.err" </dev/null &
	follower=$!
}

follow seen
ok 'what there is comes' wait_until "$limit" grep -q 'web 3' seen
date -u '+%FT%T.%3NZ INFO web 4' >>web.log
ok 'what is written comes' wait_until "$limit" grep -q 'web 4' seen
mv web.log web.log.1
date -u '+%FT%T.%3NZ INFO web 5' >web.log
ok 'also behind a rotation' wait_until "$limit" grep -q 'web 5' seen
rm worker.log
date -u '+%FT%T.%3NZ INFO worker 9' >worker.log
ok 'and of a log that was removed and made anew' wait_until "$limit" grep -q 'worker 9' seen
is "$(grep -c 'web [45]' seen)" 2 'each once'
kill -INT "$follower"
wait "$follower"
is $? 0 'an interrupt ends it with 0'
is "$(tail -n 1 seen.err | grep -c 'cannot')" 0 'without an error'

mkfifo pipe
setsid "$BASCULE" logs dev -f --tail 5 >pipe 2>pipe.err </dev/null &
follower=$!
head -n 1 pipe >first
ok 'it ends when nobody reads any more, also while nothing comes' wait_until "$limit" tap_gone "$follower"
wait "$follower"
is $? 0 'with 0'
is "$(grep -v 'older lines' pipe.err)" '' 'quietly'
ok 'nothing is left running' wait_until "$limit" \
	bash -c '! ps -e -o args= | grep -F "$1/" | grep -v grep | grep -q "^sh\|^/bin/sh"' _ "$shop"

done_testing
