# SPDX-License-Identifier: MIT
# The demo's services: they run behind `bascule demo` and hold nothing of it, answer, write logs, are
# there once, come back with the next `bascule demo`, and end with their folder.
. tests/support/tap.sh
command -v curl >/dev/null || skip_all 'not installed: curl (tools/deps test installs it)'

demo=$TMPDIR/demo
pids() { cat "$demo"/run/*/*.pid 2>/dev/null | sort -n; }
# Processes that have the folder on their command line.
running() { pgrep -f -- "--pid-file $demo/" | sort -n; }
all_run() { [ "$(running | wc -l)" = 4 ] && [ "$(running)" = "$(pids)" ]; }
none_runs() { [ -z "$(running)" ]; }
answers() { curl -sf "$1" >"$TMPDIR/answer"; }

# Whoever waits for the end of its output is not kept waiting by what lives on.
exits 0 'the demo is made, and its output ends' \
	timeout 60 sh -c '"$0" demo "$1" --plain 2>&1 | cat' "$BASCULE" "$demo"
ok 'four services run, each with its pid file' wait_until 60 all_run
first=$(running)
for url in $(sed -n 's/^health = //p' "$demo/bascule.ini"); do
	ok "one answers" wait_until 60 answers "$url"
	like "$(<"$TMPDIR/answer")" '"status":"ok"' 'that it is well'
done
log=$(<"$demo/run/production/web.log")
like "$log" '"msg":"order placed"' 'production has a log'
like "$log" 'ERROR payment [0-9]+ failed.*Gateway.java' 'with bursts of errors in it'
unlike "$(tr '\0' '\n' </proc/"${first%%$'\n'*}"/environ)" '^(HOME|PATH)=' 'nothing of our environment stays'

ok 'opened again' "$BASCULE" demo "$demo" --plain
is "$(running)" "$first" 'they are the same'
gone=$(<"$demo/run/staging/web.pid")
kill "$gone"
ok 'one is stopped' wait_until 60 test ! -e "$demo/run/staging/web.pid"
ok 'opened again' "$BASCULE" demo "$demo" --plain
ok 'it is back' wait_until 60 all_run
is "$(running | grep -cx "$gone")" 0 'as another process'

rm "$demo/run/production/worker.pid"
three_run() { [ "$(running | wc -l)" = 3 ]; }
ok 'one ends when its pid file is gone' wait_until 60 three_run
rm -rf "$demo"
ok 'all end with the folder' wait_until 60 none_runs
done_testing
