#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A canary in every place a secret can come from. Whatever is tried then, none of them is in what was
# printed, on the screen, in the state folder, in a database or in the arguments and variables of a
# process of ours (a variable that was ours already is no leak).
#
# No server answers here: what can leak before a connection is made, and in a runner that gets secrets
# it has no use for, is looked at. The password of an environment whose database is a file travels the
# same way to its runner: env_files gives that one variables.
. tests/support/tap.sh
. tests/support/shop.sh

shop
seen=$TMPDIR/seen
mkdir "$seen"

# --- The world ------------------------------------------------------------------------------------

# Ports that nobody listens at: the connection is refused at once.
cat >bascule.ini <<'INI'
[project]
name = shop

[environment development]
database = sqlite:data/development.sqlite
env_files = app.env

[environment by-variable]
database = postgresql://app@127.0.0.1:1/a
password = env:CANARY_VARIABLE

[environment by-file]
database = mariadb://app@127.0.0.1:1/b
password = file:password

[environment by-command]
database = postgresql://app@127.0.0.1:1/c
password = cmd:cat printed

[environment by-literal]
database = mariadb://app@127.0.0.1:1/d
password = CANARY-literal

[environment by-url]
database = postgresql://app:CANARY-url@127.0.0.1:1/e

[environment by-settings]
env_files = settings.env

[environment by-question]
database = mariadb://app@127.0.0.1:1/g
password = ask
INI
chmod 600 bascule.ini
echo CANARY-file >password
echo CANARY-command >printed
echo 'API_TOKEN=CANARY-token' >app.env
printf 'DB_HOST=127.0.0.1\nDB_PORT=1\nDB_NAME=f\nDB_USER=app\nDB_PASSWORD="CANARY-settings"\n' >settings.env
export CANARY_VARIABLE=CANARY-variable
servers='by-variable by-file by-command by-literal by-url by-settings'

# clean WHAT FILE…: no canary in them.
clean() {
	local what=$1 found
	shift
	found=$(grep -raoE -- 'CANARY-[a-z]+' "$@" 2>/dev/null | sort | uniq -c)
	if [ -z "$found" ]; then pass "$what"; else fail "$what" "$found"; fi
}

# try NAME COMMAND…: what it prints is kept.
try() {
	local name=$1
	shift
	run "$@"
	printf '%s\n%s\n' "$out" "$err" >"$seen/$name"
}

# --- What is printed ------------------------------------------------------------------------------

try check bascule check
for env in $servers; do
	case $env in
	by-variable) from='env:CANARY_VARIABLE' ;;
	by-file) from='file:password' ;;
	by-command) from='cmd:cat printed' ;;
	by-literal) from='the configuration' ;;
	by-url) from='database' ;;
	by-settings) from='env_files' ;;
	esac
	like "$out" "$env +password: $from, set" "check says where the password of $env is from"
done
like "$out" 'by-question +password: ask, not set' 'check says that there was nobody to ask'

for env in $servers by-question; do
	try "status.$env" bascule status "$env"
	try "json.$env" bascule status "$env" --json
	try "plan.$env" bascule plan migrate "$env"
	try "migrate.$env" bascule migrate "$env" --confirm "$env"
	isnt "$status" 0 "$env cannot be reached"
	try "history.$env" bascule history "$env"
done
like "$(<"$seen/migrate.by-question")" 'there is no terminal' 'a question needs a terminal'
like "$(<"$seen/migrate.by-question")" 'try: .*env:NAME' '... and says what does not'
try status bascule status
try matrix bascule matrix --json
clean 'nothing that was printed has a secret' "$seen"

# --- A password that is missing, and a file that others may read ----------------------------------

run env -u CANARY_VARIABLE bascule status by-variable
like "$out" 'CANARY_VARIABLE is not set' 'a missing variable is named'
run env -u CANARY_VARIABLE bascule status development
is "$status" 0 '... and troubles no other environment'
chmod 644 bascule.ini
exits 2 'a password in a file that others may read is refused' bascule status
like "$err" 'try: write password = env:BY_LITERAL_DB_PASSWORD, or chmod 600 ' '... and says how it is done'
unlike "$err" 'CANARY-' '... without showing it'
chmod 600 bascule.ini

# --- Typed ----------------------------------------------------------------------------------------

screen_start 100 30 bash --norc --noprofile
screen_type "bascule migrate by-question --confirm by-question; stty -a | grep -o '.echo '; echo 'ENDED'"
screen_keys Enter
shows 'Password of by-question \(mariadb://app@127.0.0.1:1/g\):' 'it is asked for'
screen_type 'CANARY-typed'
screen_keys Enter
shows '^ENDED' 'it ends'
screen_text >"$seen/typed"
like "$(<"$seen/typed")" 'bascule: cannot' '... with why it could not connect'
like "$(<"$seen/typed")" '[[:cntrl:]] echo' 'the terminal echoes again'
screen_keys -R \; clear-history
screen_type "clear; bascule migrate by-question --confirm by-question; stty -a | grep -o '.echo '; echo 'STOPPED'"
screen_keys Enter
shows 'Password of by-question.*:' 'it is asked for again'
screen_type 'CANARY-stopped'
screen_keys C-c
shows '^STOPPED' 'Ctrl-C stops it'
screen_text >"$seen/stopped"
like "$(<"$seen/stopped")" 'nothing was typed' '... and says so'
like "$(<"$seen/stopped")" '[[:cntrl:]] echo' '... and leaves an echo behind'
screen_stop
clean 'what was typed is on no screen' "$seen"

# --- A runner -------------------------------------------------------------------------------------

# A migration that waits for a writer, so that its runner can be looked at.
mkfifo hold
sqlite3 data/development.sqlite <<SQL >/dev/null &
.timeout 60000
BEGIN IMMEDIATE;
.system cat hold
ROLLBACK;
SQL
holder=$!
held() { ! sqlite3 data/development.sqlite 'BEGIN IMMEDIATE; ROLLBACK;'; }
wait_until 60 held || bail 'the database is not held'
sed -i 's/^env_files = app.env/&\nlock_timeout = 1h/' bascule.ini
bascule migrate development >"$seen/run" 2>&1 </dev/null &
watcher=$!
runner() { pgrep -f "^$BASCULE run .*$XDG_STATE_HOME"; }
if wait_until 60 runner; then
	pid=$(runner | head -n 1)
	tr '\0' '\n' <"/proc/$pid/cmdline" >"$seen/cmdline"
	tr '\0' '\n' <"/proc/$pid/environ" | grep -v '^CANARY_VARIABLE=' >"$seen/environ"
	like "$(<"$seen/cmdline")" '--mode' 'a runner is at work'
	like "$(readlink "/proc/$pid/fd/0")" '^pipe:' '... with a pipe as its stdin'
	clean 'neither its arguments nor its variables have a secret' "$seen/cmdline" "$seen/environ"
else
	fail 'a runner is at work'
fi
timeout 20 sh -c ': >hold'
wait "$holder" "$watcher"
ls .state/bascule/runs/*/journal.ndjson >"$seen/list" 2>&1
ok 'a run was made' test -s "$seen/list"
clean 'the state folder has no secret' .state
clean 'no database has a secret' data
clean 'the watcher printed none' "$seen"

# --- Said by a migration --------------------------------------------------------------------------

cat >migrations/up/099_leak.sql <<'SQL'
CREATE USER x IDENTIFIED BY 'CANARY-pattern';
SQL
try leak bascule migrate development --yes
isnt "$status" 0 'a migration that SQLite does not understand fails'
clean 'the error has no password of SQL' "$seen/leak"
for journal in .state/bascule/runs/*/journal.ndjson; do cat "$journal"; done >"$seen/journals"
clean 'no journal has one' "$seen/journals"
is "$(sqlite3 -readonly data/development.sqlite \
	"SELECT count(*) FROM bascule_history WHERE error LIKE '%CANARY-%'")" 0 'nor the history'

done_testing
