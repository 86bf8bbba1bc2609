# SPDX-License-Identifier: MIT
# The servers of tests/services themselves: they come up on both transports, side by side, and what
# stands around them does what its name says; when they are stopped, or whoever started them is
# killed, nothing of them is left.
#
# time-limit: 400
. tests/support/tap.sh
. tests/services/services.sh
services_need pg my pgbouncer tls

here=$PWD
ms() { echo $(($(date +%s%N) / 1000000)); }

# timed WHAT COMMAND...: a point, and how long it took for who reads along.
timed() {
	local what=$1 begin
	begin=$(ms)
	shift
	ok "$what" "$@"
	diag "$what: $(($(ms) - begin)) ms"
}

app_pg() { # URL [SQL]
	PGPASSWORD=${password-$PG_PASSWORD} PGCONNECT_TIMEOUT=30 psql -XAtq -c "${2:-select current_user}" "$1"
}
app_my() { # OPTION...: the client's
	mariadb --no-defaults -NB -u app "$@" app
}
whoami_my='--execute=select current_user()'

# Processes that work in a folder, and the folder: what is left of a session.
left_of() {
	find /proc -mindepth 2 -maxdepth 2 -path '/proc/[0-9]*/cwd' -lname "$1/*" 2>/dev/null
	ls -d "$1" 2>/dev/null
}
nothing_left() { [ -z "$(left_of "$1")" ]; }

# --- Bad input ----------------------------------------------------------------------------------

exits 2 'no verb: the list of them' services
like "$err" 'pgbouncer NAME OF' 'and it is one'
exits 2 'an unknown kind' services start oracle
exits 2 'an unknown option' services start pg x --quick
exits 1 'a name that would leave the folder' services start pg ../x
exits 1 'a server that was not started' services url pg
like "$err" 'no server named pg' 'and it says so'
exits 1 'an owner that is not there' bash "$here/tests/services/services.sh" --owner 999999999 list

is "$(services() { echo mariadb-server-core && return 77; } && CI='' services_need my)" \
	'1..0 # SKIP not installed: mariadb-server-core (tools/deps test installs it)' \
	'a server that is not installed is a skip with its name'
run bash -c '. tests/support/tap.sh; . tests/services/services.sh; plan 1
	services() { echo mariadb-server-core && return 77; }; CI=true services_need my'
like "$status $out" '^1 .*Bail out! not installed: mariadb-server-core' \
	'and a failure in continuous integration'

# --- Up, on both transports ---------------------------------------------------------------------

# The first start makes the template when there is none yet.
timed 'PostgreSQL starts' services start pg
timed 'MariaDB starts' services start my
eval "$(services env pg)"
eval "$(services env my)"
session=${PG_SOCKET_DIR%/*}

exits 1 'a server that runs is not started twice' services start pg
is "$(app_pg "$PG_URL")" app 'PostgreSQL: app by the socket, without password'
is "$(app_pg "$PG_URL_TCP")" app 'by TCP, with it'
password=wrong exits 2 'not with a wrong one' app_pg "$PG_URL_TCP"
is "$(app_my -S "$MY_SOCKET" "$whoami_my")" app@localhost 'MariaDB: app by the socket, without password'
is "$(app_my -h 127.0.0.1 -P "$MY_PORT" "-p$MY_PASSWORD" "$whoami_my")" app@127.0.0.1 'by TCP, with it'
exits 1 'not with a wrong one' app_my -h 127.0.0.1 -P "$MY_PORT" -pwrong "$whoami_my"
ok 'PostgreSQL: another database' services newdb pg other
is "$(app_pg "$(services url pg socket other)" 'create table t (a int); select current_database()')" \
	other 'app owns it'
ok 'MariaDB: another database' services newdb my other
ok 'app may do all in it' mariadb --no-defaults -u app -S "$MY_SOCKET" other -e 'create table t (a int)'
[ ${#PG_SOCKET} -le 107 ] && [ ${#MY_SOCKET} -le 107 ]
is $? 0 'paths of sockets are short enough'

# --- Several, crash, down, frozen ---------------------------------------------------------------

timed 'another one, from the template' services start my c
services start pg a &
services start pg b &
wait
is "$(services list | sort | tr '\n' ',')" \
	'a pg running,b pg running,c my running,my my running,pg pg running,' 'and two at once'
is "$(for name in a b c; do services env $name X; done | grep _PORT= | sort -u | wc -l)" 3 \
	'each with its port'
for name in a c; do
	services sql $name 'create table kept (a int)'
	ok "$name: killed" services crash $name
	not_ok "$name: is gone" services sql $name 'select 1'
	ok "$name: comes back" services start "$([ $name = a ] && echo pg || echo my)" $name
	ok "$name: with its data" services sql $name 'select * from kept'
done
ok 'an orderly shutdown' services down b
not_ok 'is one' services running b
ok 'and comes back' services start pg b
ok 'frozen' services freeze b
exits 124 'it does not answer' timeout 0.3 psql -XAtq -c 'select 1' "$(services url b)"
ok 'thawed' services thaw b
is "$(services sql b 'select 1')" 1 'it does'

# --- Around them --------------------------------------------------------------------------------

ok 'PostgreSQL with TLS' services start pg tls --tls good --tls-only
ok 'with an expired certificate' services start pg old --tls expired
ok 'MariaDB with TLS' services start my tls-my --tls good
eval "$(services env tls T)"
# shellcheck disable=SC2154 # of env
verify="sslmode=verify-full&sslrootcert=$T_CA"
is "$(app_pg "$T_URL_TCP?$verify" 'select ssl from pg_stat_ssl where pid = pg_backend_pid()')" t \
	'a verified connection'
exits 2 'none in clear' app_pg "$T_URL_TCP?sslmode=disable"
exits 2 'an expired certificate is seen' app_pg "$(services url old tcp)?$verify"
like "$err" 'certificate' 'as the reason'
eval "$(services env tls-my T)"
like "$(app_my -h 127.0.0.1 -P "$T_PORT" "-p$T_PASSWORD" --ssl-ca="$T_CA" --ssl-verify-server-cert \
	-e "show status like 'ssl_version'")" TLSv1 'MariaDB: a verified connection'
services stop old

services sql pg 'create table r (a int)'
services sql my 'create table r (a int)'
ok 'a standby' services replica standby pg
services sql pg 'insert into r values (5)'
standby_has() { [ "$(services sql standby 'select a from r')" = 5 ]; }
ok 'follows' wait_until 60 standby_has
not_ok 'and is read-only' services sql standby 'insert into r values (6)'
ok 'a read-only MariaDB' services replica read-my my
ok 'has the tables' services sql read-my 'select * from r'
not_ok 'and takes nothing from app' services sql read-my 'insert into r values (6)' app app

ok 'a pooler' services pgbouncer pool pg transaction
is "$(app_pg "$(services url pool)")" app 'by the socket'
is "$(app_pg "$(services url pool tcp)")" app 'by TCP'
is "$(services sql pool 'show config' pgbouncer | grep -o '^pool_mode|[a-z]*')" 'pool_mode|transaction' \
	'in its mode'

if services can-mount; then
	ok 'a small disk' services start pg small --disk 120
	services sql small 'create table f (a text)'
	ok 'is filled' services fill small
	exits 1 'and then full' services sql small \
		"insert into f select md5(i::text) from generate_series(1, 500000) i"
	like "$err" 'No space left' 'which the server says'
	ok 'is emptied' services unfill small
	ok 'and takes data again' services sql small "insert into f values ('x')"
	services stop small
else
	skip 'a small disk' 'only root mounts'
fi

# --- The bad network ----------------------------------------------------------------------------

for name in pg my; do ok "a proxy to $name" services proxy "px-$name" $name; done
eval "$(services env px-pg X)"
eval "$(services env px-my Y)"
# shellcheck disable=SC2154
is "$(app_pg "$X_URL"; app_pg "$X_URL_TCP")" app$'\n'app 'it passes on, on both transports'
is "$(app_my -S "$Y_SOCKET" "$whoami_my"
	app_my -h 127.0.0.1 -P "$Y_PORT" "-p$Y_PASSWORD" "$whoami_my")" \
	app@localhost$'\n'app@127.0.0.1 'MariaDB too'

services proxy px-pg delay 50 >/dev/null
begin=$(ms)
app_pg "$X_URL" >/dev/null
took=$(($(ms) - begin))
# To connect and to ask is a round trip each.
[ "$took" -ge 200 ]
is $? 0 'a delay delays'
diag "two round trips of 100 ms: $took ms"
begin=$(ms)
is "$(app_pg "$X_URL" "select repeat('x', 999) from generate_series(1, 20000)" | wc -c)" 20000000 \
	'and 20 MB come through'
took=$(($(ms) - begin))
# One chunk at a time would be half a minute.
[ "$took" -lt 15000 ]
is $? 0 'without waiting for each other'
diag "20 MB at 100 ms: $took ms"
services proxy px-pg delay 0 >/dev/null

services proxy px-pg swallow COMMIT COMMIT >/dev/null
run psql -X -c begin -c 'create table swallowed (a int)' -c COMMIT "$X_URL"
like "$err" 'closed the connection' 'an answer is swallowed'
ok 'and what was asked is done' services sql pg 'select * from swallowed'
services proxy px-my swallow 'into r values (7)' >/dev/null
run app_my -S "$Y_SOCKET" -e 'insert into r values (7)'
is "$status" 1 'MariaDB: an answer is swallowed'
is "$(services sql my 'select * from r')" 7 'and what was asked is done'

asleep() { [ "$(services sql "$1" "$2")" = 1 ]; }
app_pg "$X_URL" 'select pg_sleep(60)' 2>/dev/null &
client=$!
ok 'a client waits' wait_until 60 asleep pg \
	"select count(*) from pg_stat_activity where query = 'select pg_sleep(60)'"
services proxy px-pg cut client >/dev/null
wait $client
is $? 2 'is cut off'
ok 'while the server goes on' asleep pg \
	"select count(*) from pg_stat_activity where query = 'select pg_sleep(60)'"
services proxy px-pg cut >/dev/null
services proxy px-pg refuse >/dev/null
exits 2 'refused by the socket' app_pg "$X_URL"
exits 2 'and by TCP' app_pg "$X_URL_TCP"
services proxy px-pg normal >/dev/null
services proxy px-pg blackhole >/dev/null
exits 124 'no answer out of a black hole' timeout 0.3 psql -XAtq -c 'select 1' "$X_URL_TCP"
services proxy px-pg normal >/dev/null
services proxy px-pg slow 300 >/dev/null
begin=$(ms)
is "$(app_pg "$X_URL")" app 'a slow door'
[ $(($(ms) - begin)) -ge 300 ]
is $? 0 'is slow'
like "$(services proxy px-pg stats)" '^accepted=[0-9]+ open=[0-9]+ swallowed=1 ' 'it counts'
exits 2 'an unknown command' services proxy px-pg explode

# --- Nothing left -------------------------------------------------------------------------------

ok 'one is stopped' services stop a
ok 'nothing of it is left' nothing_left "$session/a"
ok 'all are stopped' services stop-all
ok 'nothing of them is left' wait_until 60 nothing_left "$session"

# An owner that is killed: with its servers up, and in the middle of starting them.
cat >"$TMPDIR/owner.sh" <<'O'
services() { bash tests/services/services.sh --owner $$ "$@"; }
services start pg && services start my && services pgbouncer pool pg && services proxy px pg
services env pg >"$1.new"
mv "$1.new" "$1"
services start pg more &
kill -KILL $$
O
{ bash "$TMPDIR/owner.sh" "$TMPDIR/owner.env"; } 2>/dev/null
is $? 137 'an owner is killed'
eval "$(<"$TMPDIR/owner.env")"
ok 'nothing of its servers is left' wait_until 60 nothing_left "${PG_SOCKET_DIR%/*}"

# One whose watcher was killed too: whoever comes next takes it down.
cat >"$TMPDIR/swept.sh" <<'O'
bash tests/services/services.sh --owner $$ start pg
bash tests/services/services.sh --owner $$ env pg >"$1"
kill -KILL $(pgrep -f "services.sh watch $$ ")
kill -KILL $$
O
{ bash "$TMPDIR/swept.sh" "$TMPDIR/swept.env"; } 2>/dev/null
eval "$(<"$TMPDIR/swept.env")"
ok 'without a watcher a server stays' kill -0 "$PG_PID"
services start pg
ok 'until the next one starts' wait_until 60 nothing_left "${PG_SOCKET_DIR%/*}"
services stop-all

# Two that need the template at the same time.
export BASCULE_SERVICES_CACHE=$TMPDIR/cache
services start pg a &
services start pg b &
wait
is "$(services list | tr '\n' ',')" 'a pg running,b pg running,' 'two first starts at once'
is "$(find "$TMPDIR/cache" -mindepth 1 -maxdepth 1 -name 'pg-*' | wc -l)" 1 'with one template'
is "$(find "$TMPDIR/cache" -mindepth 1 -maxdepth 1 -name '.pg-*' | wc -l)" 0 'and no half of one'
unset BASCULE_SERVICES_CACHE
services stop-all

# Somebody who is not root.
if [ "$EUID" = 0 ]; then
	tree=$(mktemp -d /tmp/bsv-tree.XXXXXX)
	mkdir -p "$tree/tests"
	cp -r "$here/tests/services" "$tree/tests/"
	chown -R nobody "$tree"
	as_nobody() {
		setpriv --reuid nobody --regid nogroup --clear-groups bash -c \
			'owner=$$; for verb; do bash "$0" --owner $owner $verb || exit; done' \
			"$tree/tests/services/services.sh" "$@"
	}
	run as_nobody 'start pg' 'start my' 'sql pg select+1' 'sql my select+1' 'stop-all'
	is "$status,$out" $'0,1\n1' 'both start for who is not root'
	diag "$err"
	rm -rf "$tree"
fi
done_testing
