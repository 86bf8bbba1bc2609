# SPDX-License-Identifier: MIT
# The plan view on a real server: what the database is busy with stands beside the steps and is asked for
# again while one looks; K cancels the statement of a run, after a y.
#
# needs: servers
# time-limit: 300
. tests/support/tap.sh
. tests/services/services.sh
services_need pg
services start pg >/dev/null
eval "$(services env pg)"

shop=$TMPDIR/shop
mkdir -p "$shop/migrations/up" "$shop/migrations/down" "$shop/.state"
cat >"$shop/bascule.ini" <<END
[project]
name = shop
migrations = migrations
[environment work]
database = $PG_URL
protected = no
confirm = none
backup = never
lock_timeout = 120s
END
export BASCULE_CONFIG=$shop/bascule.ini XDG_STATE_HOME=$shop/.state
echo 'ALTER TABLE orders ADD COLUMN w int;' >"$shop/migrations/up/0001_change.sql"
echo 'ALTER TABLE orders DROP COLUMN w;' >"$shop/migrations/down/0001_change.sql"
services sql pg 'create table orders (id int primary key); insert into orders values (1)' app app

screen_start 120 36 "$BASCULE"
ok 'the console reads the server' screen_wait '>link +ok'
screen_keys A p
ok 'a plan' screen_wait 'migrate work to 0001'
ok 'what the database is busy with stands beside it' screen_wait ' work now '
ok 'nobody waits' screen_wait 'waiting for locks +0 sessions'

# The pipe is opened behind the console, which would keep it open otherwise.
exec {client}> >(exec psql -Xq -h "$PG_SOCKET_DIR" -p "$PG_PORT" -U app app >"$TMPDIR/client.out" 2>&1)
echo 'begin; update orders set id = 2;' >&"$client"
ok 'a transaction that another client leaves open comes up by itself' \
	screen_wait '1 session, for'
ok 'with its words' screen_wait 'idle in transaction: update'
screen_resize 80 24
ok 'below the steps on a small screen' screen_wait '^ work now \(.*\): '
screen_resize 120 36
ok 'and beside them again' screen_wait 'longest transaction'

screen_keys K
ok 'K without a run says that there is nothing to cancel' screen_wait 'nothing to cancel'
screen_keys !
ok 'the run waits for that client, and names it' screen_wait 'WARN waiting for'
ok 'and says what it executes' screen_wait 'ALTER TABLE orders ADD'
screen_keys K
ok 'K asks' screen_wait 'cancel the statement that runs on work\?'
screen_keys n
ok 'and does nothing without a y' screen_wait 'RUNNING'
not_ok 'the run has not ended' screen_matches 'FAILED'
screen_keys K
ok 'K asks again' screen_wait 'cancel the statement that runs on work\?'
screen_keys y
ok 'a y cancels the statement' screen_wait '(FAILED|ROLLED-BACK)'
ok 'and the screen says who did it' screen_wait 'the statement was cancelled by'
ok 'what has ended has no panel' screen_wait_gone ' work now '
echo 'rollback;' >&"$client"

# --- A server that goes away while one looks ---

screen_keys 1 A A p
ok 'a plan again' screen_wait ' work now '
services down pg
ok 'a server that is gone is said where its rows were' screen_wait 'cannot connect'
services start pg >/dev/null
ok 'and comes back by itself' screen_wait 'waiting for locks +0 sessions'
ok 'without the error' screen_wait_gone 'cannot connect to postgresql'
screen_keys Q
ok 'Q leaves' screen_wait_exit
is "$status" 0 'with exit status 0'

done_testing
