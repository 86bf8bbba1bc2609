# SPDX-License-Identifier: MIT
# What goes wrong under an open console: databases that vanish or break, files that vanish or clash.
# It says what is wrong and what helps, shows the rest, and shows all again when it is mended.
. tests/support/tap.sh

demo=$TMPDIR/demo
"$BASCULE" demo "$demo" --plain >"$TMPDIR/demo.out" 2>&1 || bail "no demo: $(<"$TMPDIR/demo.out")"
cd "$demo" || bail 'the demo left no folder'
export XDG_STATE_HOME=$demo/.state

screen_start 120 36 "$BASCULE"
shows '>link +ok .* ok .* #ok' 'every environment can be read'

# --- A database ---

mv data/staging.sqlite data/away.sqlite
screen_keys l R
shows '>link +ok .* FAIL .* #ok' 'a database that is gone is shown as FAIL, the others as they are'
shows 'staging cannot be read' 'which is news'
shows '^ database +sqlite .* no data .* #sqlite' 'what it would say is "no data"'
shows 'data/staging\.sqlite' 'its file is named'
shows 'bascule create staging' 'with the command that helps'
screen_keys p
shows 'cannot read the history of staging|bascule create staging' 'a plan for it is refused with the reason'
screen_keys 2 h l
shows '>0012 +order status +pending +unknown +#pending' 'its migrations are unknown, not pending'
screen_keys 1
mv data/away.sqlite data/staging.sqlite
screen_keys R
shows '>link +ok .* ok .* #ok' 'put back, it is read again'
shows 'staging can be read again' 'which is news'
ok 'looking did not make a database' test ! -e data/away.sqlite

cp data/staging.sqlite data/kept.sqlite
printf 'this is no database, it is a text that somebody saved here by mistake' >data/staging.sqlite
screen_keys R
shows '>link +ok .* FAIL .* #ok' 'a file that is no database: FAIL'
shows 'not a database' 'and why'
mv data/kept.sqlite data/staging.sqlite
screen_keys R
shows '>link +ok .* ok .* #ok' 'mended'
mkdir data/kept
mv data/staging.sqlite data/kept/
mkdir data/staging.sqlite
screen_keys R
shows '>link +ok .* FAIL .* #ok' 'a folder in its place: FAIL'
rmdir data/staging.sqlite
mv data/kept/staging.sqlite data/
screen_keys R
shows '>link +ok .* ok .* #ok' 'mended'

# --- The files ---

mv migrations migrations.away
screen_keys R
shows 'files unread' 'no folder of migrations: nothing is called pending or missing'
shows 'cannot open the folder of migrations' 'and why'
screen_keys 2
shows '^ .*migrations' 'migrations say it as well'
mv migrations.away migrations
screen_keys R
shows '0012 +order status' 'mended'

echo 'SELECT 1;' >migrations/up/0012_again.sql
screen_keys R
shows '[0-9] problems? in the files, see bascule check' 'two files with one number are a problem'
screen_keys 1 h h p
shows 'REFUSED|0012' 'and no plan is ready'
hides 'READY' 'none'
rm migrations/up/0012_again.sql
printf 'CREATE TABLE \000\377 x;' >migrations/up/0013_$'evil\033[2J'.sql
screen_keys 2 R
hides 'again' 'mended'
shows 'problem|0013' 'a file with NUL bytes and an escape in its name is shown without harm'
shows '^ id +name +DEVELOPMENT' 'the screen stands'

screen_keys Q
ok 'Q leaves' screen_wait_exit
is "$status" 0 'with exit status 0'
screen_stop

# --- Before it opens ---

printf '[project\nname = shop\n[environment development]\ndatabase = sqlite:x\ncolour = red\n' >broken.ini
run script -qec "'$BASCULE' -c broken.ini" /dev/null
is "$status" 2 'a broken configuration: exit status 2'
like "$out" 'broken\.ini' 'the file is named'
unlike "$out" $'\033\\[\\?1049h' 'the terminal was not touched'
run script -qec "'$BASCULE' -c missing.ini" /dev/null
is "$status" 2 'a configuration that is not there: exit status 2'

done_testing
