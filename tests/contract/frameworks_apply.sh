#!/bin/bash
# SPDX-License-Identifier: MIT
#
# needs: servers
#
# Alembic and Django themselves apply their migrations as steps of our plans. An Alembic project whose
# stages are SQLite, MariaDB and MariaDB, with settings out of dotenv files: gates between them, a failure
# in the middle, rollback, an abort while it runs, a runner that is killed while it runs. A Django
# project on PostgreSQL whose first migration meets tables that are there already.
. tests/support/tap.sh
. tests/support/shop.sh
. "$PWD/tests/services/services.sh"

python=/usr/bin/python3
for module in alembic django pymysql psycopg2; do
	"$python" -c "import $module" 2>/dev/null && continue
	[ "${CI-}" != true ] || bail "python3-$module is not installed (tools/deps test installs it)"
	skip_all "python3-$module is not installed"
done
services_need pg my
services start my >/dev/null || bail 'no mariadb'
services start pg >/dev/null || bail 'no postgresql'
eval "$(services env my MY)"
eval "$(services env pg PG)"
services newdb my staging >/dev/null && services newdb my production >/dev/null ||
	bail 'no databases'

# status_of ENV: "applied pending"
counts() {
	bascule status "$1" --json | tr -d '\n' |
		sed -E 's/.*"applied": *([0-9]+).*"pending": *([0-9]+).*/\1 \2/'
}
folder() { echo "$XDG_STATE_HOME"/bascule/runs/"$1"-*; }
journal_has() { grep -q "$2" "$(folder "$1")/journal.ndjson"; }
my() { services sql my "$2" "$1"; }
run_is() { bascule runs | grep -q "^$1 .* $2 "; }
# The tool of the newest run: its own lock file names it.
tool() { cut -d' ' -f1 "$(folder "$(newest)")/framework.lock"; }
gone() { ! grep -q '^State:.[^Z]' "/proc/$1/status" 2>/dev/null; }
newest() { basename -a "$XDG_STATE_HOME"/bascule/runs/*-* | sort -n | tail -n 1 | cut -d- -f1; }
runner() { pgrep -f -- "--state $XDG_STATE_HOME/bascule --mode"; }

# --- Alembic --------------------------------------------------------------------------------------

mkdir -p "$TMPDIR/al/alembic/versions" && cd "$TMPDIR/al" || bail 'no folder'
cat >alembic.ini <<'INI'
[alembic]
script_location = alembic
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = INFO
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain
[formatter_plain]
format = %(levelname)s [%(name)s] %(message)s
INI
cat >alembic/env.py <<'PY'
import os
from logging.config import fileConfig
from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.engine import URL

fileConfig(context.config.config_file_name, disable_existing_loggers=False)
e = os.environ
url = (URL.create('mysql+pymysql', e['DB_USER'], e['DB_PASSWORD'], e['DB_HOST'], int(e['DB_PORT']),
                  e['DB_NAME'])
       if 'DB_HOST' in e else e['DATABASE_URL'])
with create_engine(url).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
PY
# revision ID PREVIOUS TITLE UP DOWN
revision() {
	local previous="'$2'"
	[ -n "$2" ] || previous=None
	cat >"alembic/versions/$1_${3// /_}.py" <<-PY
		"""$3"""
		import os, time
		from alembic import op
		revision = '$1'
		down_revision = $previous
		def upgrade():
		    $4
		def downgrade():
		    $5
	PY
}
table() { revision "$1" "$2" "make $3" "op.execute('CREATE TABLE $3 (id int)')" "op.execute('DROP TABLE $3')"; }
table a1 '' shop
table b2 a1 orders
table c3 b2 items
stage() { # NAME: its settings
	printf 'DB_HOST=127.0.0.1\nDB_PORT=%s\nDB_NAME=%s\nDB_USER=app\nDB_PASSWORD=%s\n' \
		"$MY_PORT" "$1" "$MY_PASSWORD" >"$1.env"
}
stage staging
stage production
echo "DATABASE_URL=sqlite:///$PWD/dev.sqlite" >development.env
sqlite3 dev.sqlite 'VACUUM'
cat >bascule.ini <<INI
[project]
name = al
migrations = .
pipeline = development -> staging -> production
[environment development]
database = sqlite:dev.sqlite
env_files = development.env
[environment staging]
database = mariadb://\${DB_USER}@\${DB_HOST}:\${DB_PORT}/\${DB_NAME}
password = env:DB_PASSWORD
env_files = staging.env
requires = development
confirm = none
protected = no
[environment production]
database = mariadb://\${DB_USER}@\${DB_HOST}:\${DB_PORT}/\${DB_NAME}
password = env:DB_PASSWORD
env_files = production.env
requires = staging
protected = yes
INI
chmod 600 bascule.ini

run bascule migrate development
is "$status" 3 'without migrate_command the plan is refused'
like "$err" 'migrate-command is closed' '... by its gate'
like "$err" 'migrate_command = python3 -m alembic' '... with the line that is missing'
sh -c "$(hint)"
sed -i "s|= python3 -m|= $python -m|" bascule.ini
run bascule plan migrate development
like "$out" 'open +migrate-command' 'the line opens it'
like "$out" 'apply b2 make orders' 'every revision is a step'
like "$out" "alembic runs them, .*alembic upgrade a1" 'the command is in the plan'

run bascule migrate staging
is "$status" 3 'staging takes nothing that development has not'
like "$err" 'keeps no checksum: the id is compared' '... by the id, and says so'
run sh -c "$(hint | sed 's/ --to c3/ --to b2/')"
is "$status" 0 'development (SQLite) is migrated to the second'
is "$(counts development)" '2 1' '... and has two'
is "$(sqlite3 dev.sqlite 'SELECT version_num FROM alembic_version')" b2 '... by their own table'
is "$(sqlite3 dev.sqlite 'SELECT count(*) FROM bascule_history' 2>/dev/null || echo 0)" 0 \
	'... and no event of ours'
exits 0 'staging (MariaDB) follows' bascule migrate staging --to b2
is "$(my staging 'SELECT version_num FROM alembic_version')" b2 '... by its own table'
ok 'what it printed is kept' grep -q 'Running upgrade a1 -> b2' "$(folder 2)"/output-*.log
is "$(stat -c %a "$(folder 2)"/output-4.log)" 600 '... for the owner alone'
is "$(grep -rlF "$MY_PASSWORD" "$XDG_STATE_HOME")" '' '... and no password in the state folder'
exits 0 'production follows staging' bascule migrate production --to b2 --confirm production
is "$(counts production)" '2 1' '... and has two'
run bascule matrix
like "$out" 'a1 +make shop +ok +ok +#ok +tool' 'the matrix shows it'

# --- A failure in the middle ----------------------------------------------------------------------

revision c3 b2 'make items' \
	"op.execute('CREATE TABLE items (id int)'); op.execute('CREATE TABLE shop (id int)')" \
	"op.execute('DROP TABLE items')"
table d4 c3 last
run bascule migrate staging --override development-passed --reason 'to see it fail'
is "$status" 1 'a revision that fails ends the run'
like "$err" 'alembic could not apply c3' '... and is named'
like "$err" "already exists" '... in the words of the engine'
like "$err" 'exit status 1' '... with the exit status'
is "$(counts staging)" '2 2' '... and neither it nor the next is applied'
run_is 4 failed && pass 'the run failed' || fail 'the run failed' "$(bascule runs)"
# MariaDB keeps what ran before the failure.
my staging 'DROP TABLE IF EXISTS items'
table c3 b2 items
exits 0 'mended, it goes' bascule migrate staging --override development-passed --reason mended
is "$(counts staging)" '4 0' '... to the end'
exits 0 'rollback of the last' bascule rollback staging last 1
is "$(my staging 'SELECT version_num FROM alembic_version')" c3 '... is a downgrade'
exits 0 'rollback to a revision' bascule rollback staging to-version a1
is "$(counts staging)" '1 3' '... takes back what came after'
is "$(my staging 'SHOW TABLES LIKE "orders"')" '' '... in the database too'

# What the policy says: the downs of the tool take back what the run did.
revision d4 c3 'make last' "raise Exception('no, not this')" 'pass'
sed -i '/^requires = staging/a undo_migrations = always' bascule.ini
run bascule migrate production --confirm production --override staging-passed --reason 'to see it undone'
is "$status" 5 'undo_migrations = always takes back what a failed run did'
like "$err" 'Exception: no, not this' '... and says why'
like "$err" 'c3 taken back' '... and what'
is "$(my production 'SELECT version_num FROM alembic_version')" b2 '... by the downgrade'
is "$(my production 'SHOW TABLES LIKE "items"')" '' '... in the database too'
table d4 c3 last

# Edited between the plan and the step.
cat >editor <<'SH'
#!/bin/sh
echo '# edited' >>alembic/versions/b2_make_orders.py
exec "$@"
SH
chmod +x editor
sed -i.kept "s|^migrate_command = |&$PWD/editor |" bascule.ini
sed -i 's/^requires = development/;&/' bascule.ini
run bascule migrate staging --to b2
is "$status" 0 'a file that is edited by its own step is not looked at again'
run bascule rollback staging last 1
sed -i 's/b2_make_orders/c3_make_items/' editor
run bascule migrate staging --to c3
is "$status" 1 'a file that is edited before its step is refused'
like "$err" 'c3_make_items.py is not what the plan was made from' '... and named'
is "$(counts staging)" '2 2' '... before the tool is started'
mv bascule.ini.kept bascule.ini
table b2 a1 orders
table c3 b2 items

# A tool that ends well without having done it.
cat >liar <<'SH'
#!/bin/sh
echo "I did $*"
SH
chmod +x liar
sed -i.kept "s|^migrate_command.*|migrate_command = $PWD/liar 'with blanks'|" bascule.ini
run bascule migrate development --to c3
is "$status" 1 'exit status 0 without the revision is a failure'
like "$err" 'ended well, but c3 is not in its history' '... that says so'
like "$err" 'I did with blanks upgrade c3' '... with what it printed'
cat >liar <<SH
#!/bin/sh
$python -m alembic "\$2" "\$3"
exit 3
SH
run bascule migrate development --to c3
is "$status" 0 'another exit status with the revision there is no failure'
like "$out" 'done, but alembic ended with status 3' '... but is told'
mv bascule.ini.kept bascule.ini

# --- Branches -------------------------------------------------------------------------------------

# Two revisions on one, merged, and back: one revision a step, the other branch stays.
(
	mkdir -p "$TMPDIR/br/alembic/versions" && cd "$TMPDIR/br" || exit 1
	cp ../al/alembic.ini . && cp ../al/alembic/env.py alembic/
	sqlite3 dev.sqlite 'VACUUM'
	echo "DATABASE_URL=sqlite:///$PWD/dev.sqlite" >development.env
	printf '%s\n' '[project]' 'name = br' 'migrations = .' "migrate_command = $python -m alembic" \
		'[environment development]' 'database = sqlite:dev.sqlite' 'protected = no' \
		'env_files = development.env' >bascule.ini
	table a1 '' one
	table b1 a1 two
	table b2 a1 three
	revision m1 "b1', 'b2" merge pass pass
	sed -i "s/^down_revision.*/down_revision = ('b1', 'b2')/" alembic/versions/m1_merge.py
	bascule migrate development && bascule rollback development last 2
) >"$TMPDIR/said" 2>&1 || diag "$(cat "$TMPDIR/said")"
left=$(sqlite3 "$TMPDIR/br/dev.sqlite" 'SELECT group_concat(version_num) FROM alembic_version')
like "$left" '^b[12]$' 'of two branches one goes down'
is "$(sqlite3 "$TMPDIR/br/dev.sqlite" "SELECT count(*) FROM sqlite_master WHERE name = 'one' OR name =
	CASE '$left' WHEN 'b1' THEN 'two' ELSE 'three' END")" 2 '... and the other stays'

# --- Abort, and a runner that is killed -----------------------------------------------------------

revision d4 c3 'make last' "open('running', 'w').close()
    for i in range(6000):
        if os.path.exists('go'):
            break
        time.sleep(0.02)
    op.execute('CREATE TABLE last (id int)')" "op.execute('DROP TABLE last')"
bascule migrate development >said 2>&1 &
wait_until 60 test -e running || bail "$(cat said)"
tool=$(tool)
exits 4 'a run can be aborted while its tool runs' bascule abort "$(newest)"
wait $!
is "$?" 4 '... and ends so'
ok '... and with it the tool' wait_until 60 gone "$tool"
is "$(counts development)" '3 1' '... with what was done before'
rm -f running

bascule migrate development >said 2>&1 &
wait_until 60 test -e running || bail "$(cat said)"
tool=$(tool)
kill -KILL "$(runner)"
wait $!
n=$(newest)
run_is "$n" interrupted && pass 'a killed runner leaves an interrupted run' ||
	fail 'a killed runner leaves an interrupted run' "$(bascule runs)"
ok 'its tool goes on' kill -0 "$tool"
bascule resume "$n" >said 2>&1 &
ok 'resume waits for it' wait_until 60 journal_has "$n" 'outlived its runner'
touch go
wait $!
is "$?" 0 '... to its end'
like "$(cat said)" 'make last: applied' '... and finds the revision'
is "$(grep -c '^\$ ' "$(folder "$n")"/output-3.log)" 1 \
	'... and starts no second one'
is "$(counts development)" '4 0' 'everything is applied'

# An abort of a run without a runner ends the tool that outlived it.
bascule rollback development last 1 >/dev/null
rm -f running go
bascule migrate development >said 2>&1 &
wait_until 60 test -e running || bail "$(cat said)"
tool=$(tool)
kill -KILL "$(runner)"
wait $!
ok 'the tool of another killed runner goes on' kill -0 "$tool"
exits 4 'its run is given up' bascule abort "$(newest)"
ok '... and the tool is ended' wait_until 60 gone "$tool"
is "$(counts development)" '3 1' '... with nothing of it applied'

# --- Django ---------------------------------------------------------------------------------------

mkdir -p "$TMPDIR/dj/site" "$TMPDIR/dj/shop/migrations" && cd "$TMPDIR/dj" || bail 'no folder'
cat >manage.py <<'PY'
import os, sys
os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'settings')
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
PY
cat >settings.py <<'PY'
import os
SECRET_KEY = 'x'
INSTALLED_APPS = ['shop']
USE_TZ = True
DEFAULT_AUTO_FIELD = 'django.db.models.AutoField'
DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': os.environ['DB_NAME'],
    'HOST': os.environ['DB_HOST'], 'PORT': os.environ['DB_PORT'], 'USER': os.environ['DB_USER'],
    'PASSWORD': os.environ['DB_PASSWORD']}}
PY
touch shop/__init__.py shop/migrations/__init__.py
cat >shop/migrations/0001_initial.py <<'PY'
from django.db import migrations, models
class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [migrations.CreateModel('Order', [('id', models.AutoField(primary_key=True))],
                                         options={'db_table': 'orders'})]
PY
cat >shop/migrations/0002_total.py <<'PY'
from django.db import migrations, models
class Migration(migrations.Migration):
    dependencies = [('shop', '0001_initial')]
    operations = [migrations.AddField('order', 'total', models.IntegerField(default=0))]
PY
cat >shop/migrations/0003_name.py <<'PY'
from django.db import migrations, models
class Migration(migrations.Migration):
    dependencies = [('shop', '0002_total')]
    operations = [migrations.AddField('order', 'name', models.TextField(default=''))]
PY
printf 'DB_HOST=127.0.0.1\nDB_PORT=%s\nDB_NAME=app\nDB_USER=app\nDB_PASSWORD=%s\n' "$PG_PORT" \
	"$PG_PASSWORD" >app.env
cat >bascule.ini <<INI
[project]
name = dj
migrations = .
migrate_command = $python manage.py
[environment live]
database = postgresql://\${DB_USER}@\${DB_HOST}:\${DB_PORT}/\${DB_NAME}
password = env:DB_PASSWORD
env_files = app.env
protected = yes
INI
chmod 600 bascule.ini
services sql pg 'CREATE TABLE orders (id serial PRIMARY KEY); ALTER TABLE orders OWNER TO app' app >/dev/null
columns() { services sql pg "SELECT count(*) FROM information_schema.columns WHERE table_name = 'orders'" app; }

run bascule migrate live --confirm live
is "$status" 1 'a first migration that meets its table fails'
like "$err" 'django could not apply 0001_initial' '... and is named'
like "$err" 'relation "orders" already exists' '... in the words of the engine'
like "$err" 'bascule baseline live --to 0001_initial --confirm live' '... with the way forward'
run sh -c "$(hint)"
is "$status" 0 'which records it without running it'
like "$out" 'record as applied 0001' '... as a step'
exits 0 'then the others go' bascule migrate live --confirm live
is "$(columns)" 3 '... and have changed the table'
is "$(counts live)" '3 0' '... and are applied'
exits 0 'rollback of two' bascule rollback live last 2 --confirm live
is "$(columns)" 1 '... has taken the columns back'
is "$(services sql pg "SELECT string_agg(name, ',') FROM django_migrations" app)" 0001_initial \
	'... and the rows of Django'
is "$(grep -rlF "$PG_PASSWORD" "$XDG_STATE_HOME")" '' 'no password in the state folder'
done_testing
