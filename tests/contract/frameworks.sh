#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Alembic and Django themselves against what we read from their files: the same migrations, the same
# parents, the same order. Skipped where a tool is not installed.
. tests/support/tap.sh
PATH=$(dirname "$BASCULE"):$PATH
PYTHON=/usr/bin/python3
export PYTHONDONTWRITEBYTECODE=1

# config: a project over the folder as it is.
config() {
	export XDG_STATE_HOME=$PWD/.state
	printf '%s\n' '[project]' 'name = p' "migrations = $1" \
		'[environment dev]' 'database = sqlite:dev.db' 'protected = no' >bascule.ini
	sqlite3 dev.db 'CREATE TABLE before(n); DROP TABLE before;'
}
keys() { bascule matrix --json | sed -n 's/.*"id": *"\([^"]*\)".*/\1/p'; }

if $PYTHON -c 'import alembic' 2>/dev/null; then
	mkdir -p "$TMPDIR/alembic" && cd "$TMPDIR/alembic" || bail 'no folder'
	alembic() { $PYTHON -m alembic "$@"; }
	alembic init scripts >/dev/null 2>&1 || bail 'no alembic init'
	sed -i 's|^sqlalchemy.url.*|sqlalchemy.url = sqlite:///dev.db|' alembic.ini
	for i in 1 2 3 4; do alembic revision -m "step $i" >/dev/null 2>&1; done
	config .
	# alembic history: newest first.
	is "$(keys)" "$(alembic history 2>/dev/null | sed 's/.*-> \([0-9a-f]*\).*/\1/' | tac)" \
		'alembic: a chain in the order of alembic history'
	base=$(keys | sed -n 2p)
	alembic revision -m 'side' --head "$base" --splice --branch-label side >/dev/null 2>&1
	like "$(bascule check 2>&1)" '2 heads, which .alembic upgrade head. refuses' 'alembic: two heads are told'
	is "$(alembic heads 2>/dev/null | cut -d' ' -f1 | sort)" \
		"$(bascule check 2>&1 | sed -n 's/.*refuses: \([0-9a-f, ]*\).*/\1/p' | tr -d ' ' | tr ',' '\n' | sort)" \
		'alembic: the heads that alembic heads names'
	run alembic upgrade head
	isnt "$status" 0 'alembic: and alembic does refuse'
	alembic merge heads -m 'both' >/dev/null 2>&1
	alembic upgrade head >/dev/null 2>&1
	is "$(keys | sort)" "$(alembic history 2>/dev/null | sed 's/.*-> \([0-9a-f]*\).*/\1/' | sort)" \
		'alembic: the same revisions after a merge'
	# Every parent stands above its child.
	order_ok() {
		alembic history 2>/dev/null | sed 's/^\(.*\) -> \([0-9a-f]*\).*/\2 \1/' |
			while read -r child parents; do
				for parent in ${parents//,/ }; do
					[ "$parent" = '<base>' ] && continue
					at=$(keys | grep -n "^$parent" | cut -d: -f1)
					under=$(keys | grep -n "^$child" | cut -d: -f1)
					[ -n "$at" ] && [ "$at" -lt "$under" ] || return 1
				done
			done
	}
	ok 'alembic: parents stand above their children' order_ok
else
	skip 'alembic is not installed'
fi

if $PYTHON -c 'import django' 2>/dev/null; then
	mkdir -p "$TMPDIR/django" && cd "$TMPDIR/django" || bail 'no folder'
	$PYTHON -m django startproject site1 . || bail 'no startproject'
	for app in shop crm core; do $PYTHON manage.py startapp $app; done
	sed -i "s|^INSTALLED_APPS = \[|INSTALLED_APPS = ['shop', 'crm', 'core',|" site1/settings.py
	sed -i "s|BASE_DIR / 'db.sqlite3'|BASE_DIR / 'dev.db'|" site1/settings.py
	printf 'class C(models.Model):\n    n = models.IntegerField()\n' >>core/models.py
	echo 'class S(models.Model): c = models.ForeignKey("crm.M", models.CASCADE)' >>shop/models.py
	echo 'class M(models.Model): c = models.ForeignKey("core.C", models.CASCADE)
class U(models.Model): u = models.ForeignKey("auth.User", models.CASCADE)' >>crm/models.py
	$PYTHON manage.py makemigrations >/dev/null || bail 'no makemigrations'
	echo '    more = models.IntegerField(default=0)' >>core/models.py
	$PYTHON manage.py makemigrations core >/dev/null
	sed -i "s|^    dependencies = \[|    dependencies = [('core', '__latest__'),|" shop/migrations/0001_initial.py
	config .
	# The plan without the apps that have no files here.
	plan() { $PYTHON manage.py showmigrations --plan | sed -n 's/^\[.\]  \(shop\|crm\|core\)\.\([^ ]*\).*/\1 \2/p'; }
	ours() { bascule matrix --json | sed -n 's/.*"id": *"\([^"]*\)".*"ns": *"\([^"]*\)".*/\2 \1/p; s/.*"ns": *"\([^"]*\)".*"id": *"\([^"]*\)".*/\1 \2/p'; }
	is "$(ours)" "$(plan)" 'django: the order of showmigrations --plan'
	$PYTHON manage.py makemigrations core --empty -n left >/dev/null
	cp core/migrations/0003_left.py core/migrations/0003_right.py
	like "$(bascule check 2>&1)" 'app core has two leaves' 'django: a conflict is told'
	run $PYTHON manage.py migrate
	isnt "$status" 0 'django: and Django does refuse'
	$PYTHON manage.py makemigrations --merge --noinput >/dev/null 2>&1
	is "$(ours)" "$(plan)" 'django: the order with a merge'
	unlike "$(bascule check 2>&1)" 'two leaves' 'django: merged, nothing is told'
else
	skip 'django is not installed'
fi

done_testing
