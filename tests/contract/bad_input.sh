#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Bad input from outside, and what it gets: an error in its three parts, the exit status of
# bascule(1), nothing lost, nothing half applied, and status and matrix that still work. Beside
# test_bad_input.c this compares every table before and after, and fills disks page by page.
# shellcheck disable=SC2016 # command lines are for another shell
. tests/support/tap.sh
. tests/support/shop.sh

# --- Migration files ------------------------------------------------------------------------------

bad_file() { # WHAT REGEX MAKE
	shop
	eval "$3" || bail "cannot make: $3"
	fails 3 "$2" "$1: migrate is refused" 'bascule migrate development'
	like "$(hint)" '^bascule ' "$1: a command is named"
	run sh -c "$(hint)"
	like "$out$err" "$2" "$1: the command shows it"
	is "$(applied development)" 10 "$1: nothing was applied"
	still_looks "$1: status and matrix work"
}

bad_file 'a link to nothing' 0013_gone 'ln -s nowhere migrations/up/0013_gone.sql'
bad_file 'a link to itself' 0013_loop 'ln -s 0013_loop.sql migrations/up/0013_loop.sql'
bad_file 'a folder that holds itself' '0013_self' 'ln -s . migrations/up/0013_self'
bad_file 'a file of 1 GB' 'larger than 67108864 bytes' 'truncate -s 1G migrations/up/0013_huge.sql'
bad_file 'a down of 1 GB' 'larger than 67108864 bytes' 'truncate -s 1G migrations/down/0012_order_status.sql'
bad_file 'a file of NULs' 'NUL' 'head -c 100000 /dev/zero >migrations/up/0013_nul.sql'
bad_file 'a NUL behind good SQL' 'NUL' \
	'printf "CREATE TABLE a(n);\nSELECT 1;\0DROP TABLE orders;\n" >migrations/up/0013_nul.sql'
bad_file 'two files with one number' '0013_a.*13_b|13_b.*0013_a' \
	'echo "SELECT 1;" | tee migrations/up/0013_a.sql >migrations/up/13_b.sql'
bad_file 'a down without an up' '0013_alone' 'echo "SELECT 1;" >migrations/down/0013_alone.sql'
bad_file 'a folder where a file should be' '0013_folder' 'mkdir migrations/up/0013_folder.sql'
bad_file 'a pipe' '0013_pipe' 'mkfifo migrations/up/0013_pipe.sql'

shop
if shop_open; then
	echo 'SELECT 1;' >migrations/up/0013_secret.sql
	chmod 000 migrations/up/0013_secret.sql
	fails 3 '0013_secret.*Permission denied' 'a file that may not be read: migrate is refused' \
		"$(as_user 'bascule -c "$PWD/bascule.ini" migrate development')"
	chmod 000 migrations/down
	fails 1 'Permission denied' 'a folder that may not be read: migrate is refused' \
		"$(as_user 'bascule -c "$PWD/bascule.ini" migrate development')"
	chmod 755 migrations/down
else
	skip 'a file that may not be read' 'another user cannot reach the program'
fi

# An up without a down is no error: it is shown, and there is no way back.
shop
echo 'CREATE TABLE oneway(n);' >migrations/up/0013_oneway.sql
exits 0 'an up without a down is applied' bascule migrate development
like "$(bascule matrix --plain | grep 0013)" 'no$' 'an up without a down is shown'
fails 3 '0013.*missing or empty' 'an up without a down is not rolled back' \
	'bascule rollback development last 1'

# Names that are not UTF-8, or that speak to the terminal.
shop
echo 'CREATE TABLE odd(n);' >"$(printf 'migrations/up/0013_\377\303\033[2Jodd.sql')"
run sh -c 'bascule matrix; bascule check; bascule migrate development; bascule history development;
	bascule status; bascule migrate development --dry-run' 2>&1
unlike "$out$err" $'[\001-\010\013-\037\177]' 'no control byte of a name is printed'
ok 'what is printed is UTF-8' iconv -f UTF-8 -t UTF-8 <(printf '%s' "$out$err")
run bascule matrix --json
ok 'and its JSON too' iconv -f UTF-8 -t UTF-8 <(printf '%s' "$out")
run bascule -c "$(printf '\377\033[2J.ini')" status
unlike "$err" $'\033' 'nor of the name of a configuration'
run bascule "$(printf 'mi\033[2J\377')"
unlike "$err" $'\033' 'nor of a command'

# --- The folder of migrations ---------------------------------------------------------------------

shop
mv migrations kept
fails 1 'migrations' 'no folder of migrations: migrate is refused' 'bascule migrate development'
ln -s migrations migrations
fails 1 'migrations' 'a folder that is a loop: migrate is refused' 'bascule migrate development'
run bascule status
is "$status" 0 'a folder that is a loop: status works'
like "$out" 'production' 'and shows the environments'

# --- Databases ------------------------------------------------------------------------------------

bad_database() { # WHAT REGEX MAKE [STATUS]
	shop
	eval "$3" || bail "cannot make: $3"
	fails "${4:-1}" "$2" "$1: migrate is refused" 'bascule migrate development'
	fails "${4:-1}" "$2" "$1: rollback is refused" 'bascule rollback development last 1'
	still_looks "$1: status and matrix work"
	run bascule status
	like "$out" 'FAIL' "$1: status shows it"
	run bascule check
	is "$status" 1 "$1: check finds it"
}

bad_database 'a missing database' 'development.sqlite' 'rm data/development.sqlite'
like "$(bascule migrate development 2>&1)" 'try: bascule create development' 'create is named'
ok 'and nothing made the file' test ! -e data/development.sqlite
bad_database 'a folder as database' 'development.sqlite' \
	'rm data/development.sqlite; mkdir data/development.sqlite'
bad_database 'text as database' 'not a database' \
	'yes "this is no database" | head -c 50000 >data/development.sqlite'
bad_database 'half a database' 'malformed|corrupt' 'truncate -s 9000 data/development.sqlite'
bad_database 'a database of a missing folder' 'nowhere' \
	'sed -i s,data/development,nowhere/development, bascule.ini'

# Damage in a table that only the migration meets.
shop
page=$(sqlite3 data/development.sqlite "SELECT rootpage FROM sqlite_schema WHERE name='orders'")
dd if=/dev/urandom of=data/development.sqlite bs=4096 seek=$((page - 1)) count=1 conv=notrunc 2>/dev/null
printf 'CREATE TABLE half(n);\nUPDATE orders SET ordered_at = 1;\n' >migrations/up/0011_audit.sql
run bascule migrate development
isnt "$status" 0 'a damaged table: the migration fails'
like "$err" 'malformed' 'and the engine is quoted'
is "$(sqlite3 data/development.sqlite "SELECT count(*) FROM sqlite_schema WHERE name='half'")" 0 \
	'and nothing of it is there'
still_looks 'a damaged table: status and matrix work'

# Another program holds it. The coprocess says when it has the lock.
shop
sed -i '/development.sqlite/a lock_timeout = 200ms' bascule.ini
coproc holder { sqlite3 data/development.sqlite; }
echo "BEGIN EXCLUSIVE; SELECT 'held';" >&"${holder[1]}"
read -r -u "${holder[0]}"
run bascule migrate development
is "$status" 1 'a locked database: migrate fails'
ok 'and says so in its parts' in_parts
like "$err" 'locked' 'and why'
run bascule status
is "$status" 0 'a locked database: status works'
printf 'ROLLBACK;\n.quit\n' >&"${holder[1]}"
wait "${holder_PID-}" 2>/dev/null
is "$(applied development)" 10 'a locked database: nothing was applied'
exits 0 'and then it goes' bascule migrate development

shop
if shop_open; then
	chmod 444 data/*.sqlite
	chmod 555 data
	fails 1 'development.sqlite|read.?only|Permission' 'a read-only database: migrate is refused' \
		"$(as_user 'bascule -c "$PWD/bascule.ini" migrate development')"
	run sh -c "$(as_user 'bascule -c "$PWD/bascule.ini" matrix')"
	is "$status" 0 'a read-only database: matrix works'
	chmod 755 data
else
	skip 'a read-only database' 'another user cannot reach the program'
fi

# --- Full disks -----------------------------------------------------------------------------------

# A small file system over a folder, in a mount namespace of the command's own. COMMAND finds the
# first PAGES of it free.
on_small() { # FOLDER PAGES COMMAND
	run unshare -m sh -c 'mount -t tmpfs -o size=1m none "$1" 2>/dev/null || exit 77
		cp -a "$1.kept/." "$1" && dd if=/dev/zero of="$1/full" bs=4k 2>/dev/null
		truncate -s "$(($(stat -c %s "$1/full") - $2 * 4096))" "$1/full"
		eval "$3"; kept=$?
		rm -f "$1/full"; rm -rf "$1.after"; cp -a "$1" "$1.after"; exit $kept' sh "$@"
}

# However much is free: it fails with words or is done; every migration is before or after; and with
# space again the rest is done.
full_state() { # PAGES
	shop
	cp -a .state .state.kept
	on_small .state "$1" 'bascule migrate development'
	local first=$status said=$err n
	rm -rf .state
	mv .state.after .state
	n=$(applied development)
	if [ "$first" = 0 ]; then
		is "$n" 12 "a full state folder, $1 pages free: done is done"
		return
	fi
	[ "$n" = 10 ] || [ "$n" = 11 ] || [ "$n" = 12 ] || fail "$1 pages: $n applied"
	if ! err=$said in_parts; then
		fail "a full state folder, $1 pages free: words" "status $first" "$said"
	fi
	run bascule migrate development
	[ "$status" != 3 ] || run sh -c "$(hint)"
	bascule migrate development >/dev/null 2>&1
	is "$(applied development)" 12 "a full state folder, $1 pages free: afterwards it is finished"
}

full_database() { # PAGES
	shop
	cat >migrations/up/0011_audit.sql <<-SQL
		CREATE TABLE big(t);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
		INSERT INTO big SELECT randomblob(1000) FROM n;
	SQL
	local before
	before=$(tables)
	cp -a data data.kept
	on_small data "$1" 'bascule migrate development --to 0011'
	isnt "$status" 0 "a full disk under the database, $1 pages free: it fails"
	like "$err" 'full|No space|disk I/O|space' "a full disk under the database, $1 pages free: it says why"
	rm -rf data
	mv data.after data
	is "$(tables)" "$before" "a full disk under the database, $1 pages free: as before"
	is "$(applied development)" 10 "a full disk under the database, $1 pages free: 10 applied"
	bascule migrate development --to 0011 >/dev/null 2>&1 || sh -c "$(run bascule migrate development --to 0011; hint)" >/dev/null 2>&1
	bascule migrate development --to 0011 >/dev/null 2>&1
	is "$(applied development)" 11 "a full disk under the database, $1 pages free: then it goes"
}

if [ "$(id -u)" = 0 ] && unshare -m mount -t tmpfs none /mnt 2>/dev/null; then
	for pages in 0 1 2 3 4 5 6 7 8 9 10 11 12 14 16 20; do full_state "$pages"; done
	for pages in 0 2 8 40; do full_database "$pages"; done
else
	skip 'full disks' 'no right to mount'
fi

# A limit on the size of files is a disk that is full sooner.
shop
fails 1 'File too large|full|disk I/O' 'no file may grow: migrate fails with words' \
	'ulimit -f 8; bascule migrate development'
is "$(applied development)" 10 'no file may grow: nothing was applied'
still_looks 'no file may grow: status and matrix work'

# --- Configurations -------------------------------------------------------------------------------

shop
cat >bascule.ini <<'INI'
stray = 1
[project]
nam = shop
schema_version = x
[environment a]
databse = sqlite:a
protected = maybe
freeze = Fri
backup = sometimes
pause_limit = 3 moons
[environment a]
[servce web]
requires
INI
fails 2 'mistakes in .*bascule.ini' 'mistakes of a configuration: refused' 'bascule status'
for line in 1 3 4 6 7 8 9 10 11 12 13; do
	like "$err" "line $line: " "mistakes of a configuration: line $line is named"
done
is "$(grep -c '^    ' <<<"$err")" "$(grep -c '^  line ' <<<"$err")" 'each has a hint'
like "$err" 'did you mean `name`' 'with the nearest key'
like "$err" 'did you mean `database`' 'with the nearest key again'

shop
fails 2 'No such file' 'no such configuration' 'bascule -c missing.ini status'
fails 2 'folder' 'a folder as configuration' 'bascule -c migrations status'
head -c 100000 /dev/urandom >random.ini
fails 2 'random.ini' 'noise as configuration' 'bascule -c random.ini status'
unlike "$err" $'[\001-\010\013-\037\177]' 'prints no control byte'
: >empty.ini
fails 2 'empty.ini' 'an empty configuration' 'bascule -c empty.ini status'
printf '[project]\nname = x\n[environment a]\ndatabase = %s\n' "$(head -c 300000 /dev/zero | tr '\0' a)" >long.ini
fails 2 'line 4' 'a line of 300,000 bytes' 'bascule -c long.ini status'
fails 2 'configuration|bascule.ini' 'no configuration anywhere' 'cd / && bascule status'
if shop_open; then
	chmod 000 bascule.ini
	fails 2 'Permission denied' 'a configuration that may not be read' \
		"$(as_user 'bascule status')"
	chmod 644 bascule.ini
fi
if [ "$(id -u)" = 0 ]; then
	mkdir -p inner/folder
	chown 65534 bascule.ini
	fails 2 'belongs to another user' 'a configuration of somebody else, above: not read' \
		'cd inner/folder && bascule status'
	like "$(hint)" '^bascule |-c ' 'a way is named'
	exits 0 'of somebody else, but named: read' bascule -c bascule.ini status
else
	skip 'a configuration of somebody else' 'not root'
fi

# --- Terminals ------------------------------------------------------------------------------------

shop
# One cell may show nothing: the console is there when it has taken the terminal over.
has_terminal() { [ "$(screen_tmux display -p '#{alternate_on}')" = 1 ]; }
for size in '1 1' '2 1' '1 40' '200 1' '79 20' '80 19'; do
	# shellcheck disable=SC2086
	screen_start $size "$BASCULE"
	wait_until 60 has_terminal
	screen_keys A ! y Enter q
	if screen_wait_exit 5 && [ "$status" = 0 ]; then
		pass "a terminal of ${size/ /x}: q leaves with 0"
	else
		fail "a terminal of ${size/ /x}: q leaves" "$(screen_text)"
	fi
	screen_stop
done
is "$(applied development)" 10 'what is typed unseen does nothing'
for terminal in dumb ''; do
	screen_start 80 40 env "TERM=$terminal" "$BASCULE"
	screen_wait_exit
	is "$status" 0 "TERM=$terminal: leaves with 0"
	shows 'production' "TERM=$terminal: status is printed"
	screen_stop
done
screen_start 80 24 env TERM=nonsense "$BASCULE"
screen_wait_exit
is "$status" 2 'an unknown terminal: 2'
shows 'try: .*TERM=' 'an unknown terminal: a way is named'
screen_stop
exits 0 'no terminal at all: status' setsid "$BASCULE"
like "$out" 'production' 'with the environments'
exits 0 'stdin closed' sh -c 'bascule status <&-'
exits 1 'stdout closed is an error' sh -c 'bascule status >&-'
exits 0 'stderr closed is none' sh -c 'bascule status 2>&-'

done_testing
