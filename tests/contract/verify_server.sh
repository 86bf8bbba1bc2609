#!/bin/bash
# SPDX-License-Identifier: MIT
# What a migration left that is not in force, on real servers: found behind the apply, shown wherever
# the migration is, gone by itself when it is mended.
#
# needs: servers
# time-limit: 400
. tests/support/tap.sh
. tests/services/services.sh
services_need pg my

services start pg
services start my
eval "$(services env pg)"
eval "$(services env my)"

# project NAME URL: a project of one environment, dev.
project() {
	mkdir -p "$TMPDIR/$1/migrations/up" "$TMPDIR/$1/migrations/down"
	cat >"$TMPDIR/$1/bascule.ini" <<INI
[project]
name = $1
migrations = migrations

[environment dev]
database = $2
protected = no
confirm = none
INI
	export BASCULE_CONFIG=$TMPDIR/$1/bascule.ini XDG_STATE_HOME=$TMPDIR/$1/state
	up=$TMPDIR/$1/migrations/up
}
# put NAME: stdin becomes the migration.
put() { cat >"$up/$1.sql"; }
cells() { "$BASCULE" matrix --json | perl -MJSON::PP -0777 -ne '
	print join(" ", map { "$_->{id}:$_->{cells}{dev}{state}:" . ($_->{cells}{dev}{warning} // "-") }
		@{decode_json($_)->{rows}})'; }

# --- PostgreSQL ---------------------------------------------------------------------------------

project pg "$PG_URL"
put 001_tables <<'SQL'
CREATE TABLE orders (id int PRIMARY KEY, mail text, customer int);
CREATE TABLE customers (id int PRIMARY KEY);
INSERT INTO orders VALUES (1, 'a', 7), (2, 'a', 8);
SQL
exits 0 'tables are made' "$BASCULE" migrate dev
unlike "$out" 'WARNING' 'and nothing is said against them'
run "$BASCULE" status
unlike "$out" 'warnings' 'status has no row for warnings that are none'

# Somebody tried by hand, and left what IF NOT EXISTS passes over.
psql -Xq "$PG_URL" -c 'CREATE UNIQUE INDEX CONCURRENTLY orders_mail ON orders (mail)' 2>/dev/null
run "$BASCULE" check
like "$out" 'warn +dev +index orders_mail is invalid.*no migration of bascule left it' \
	'check knows an invalid index that nobody explains'
put 002_index <<'SQL'
-- transaction: no
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS orders_mail ON orders (mail);
SQL
put 003_plain <<'SQL'
CREATE TABLE plain (a int);
SQL
put 004_key <<'SQL'
ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES customers NOT VALID;
ALTER TABLE orders ADD CONSTRAINT "mail there" CHECK (mail <> '') NOT VALID;
SQL
put 005_checked <<'SQL'
ALTER TABLE orders ADD CONSTRAINT positive CHECK (id > 0) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT positive;
CREATE INDEX IF NOT EXISTS orders_customer ON orders (customer);
SQL
exits 0 'what it passes over counts as applied' "$BASCULE" migrate dev
like "$out" '002.*WARNING: index orders_mail is invalid' 'its step says that the index is invalid'
like "$out" '004.*WARNING: constraint .* is not validated.*and 1 more' \
	'a constraint without a name is known by not having been there before'
is "$(grep -c WARNING <<<"$out")" 2 'the others say nothing'
is "$(cells)" "001:applied:- 002:applied:index orders_mail is invalid: it is not even kept up to date 003:applied:- \
004:applied:constraint mail there of orders is not validated: old rows were never checked 005:applied:-" \
	'the matrix has both as applied, each with its warning'
run "$BASCULE" matrix
like "$out" '002 +index +ok WARNING' 'in words too'
run "$BASCULE" status
like "$out" 'warnings +2: 002 index orders_mail is invalid' 'status counts migrations'
exits 7 'status --check does not pass over them' "$BASCULE" status --check
run "$BASCULE" status --json
is "$(perl -MJSON::PP -0777 -ne 'print scalar @{decode_json($_)->{environments}[0]{migrations}{warnings}}' \
	<<<"$out")" 3 'its document has each object'
run "$BASCULE" history dev
is "$(grep -c ' warning ' <<<"$out")" 3 'the history has an event for each'
run "$BASCULE" check
like "$out" 'migration 002: index orders_mail is invalid.*try: REINDEX INDEX CONCURRENTLY public.orders_mail' \
	'check says how it is mended'
unlike "$out" 'no migration of bascule' 'and explains all of them'

# Mended without a word to bascule.
psql -Xq "$PG_URL" -c 'UPDATE orders SET mail = id' -c 'REINDEX INDEX CONCURRENTLY orders_mail' \
	-c 'ALTER TABLE orders VALIDATE CONSTRAINT "mail there"'
is "$(cells)" "001:applied:- 002:applied:- 003:applied:- \
004:applied:constraint orders_customer_fkey of orders is not validated: old rows were never checked 005:applied:-" \
	'what is mended is no warning any more'
psql -Xq "$PG_URL" -c 'ALTER TABLE orders DROP CONSTRAINT orders_customer_fkey'
unlike "$(cells)" 'not validated' 'nor is what is gone'
run "$BASCULE" status
unlike "$out" 'warnings' 'and the row is gone'

# --- MariaDB ------------------------------------------------------------------------------------

my() { mariadb --no-defaults -NB -u app --socket="$MY_SOCKET" app -e "$1"; }
project my "$MY_URL"
put 001_tables <<'SQL'
CREATE TABLE customers (id INT PRIMARY KEY) ENGINE=InnoDB;
CREATE TABLE orders (id INT PRIMARY KEY, customer INT) ENGINE=InnoDB;
INSERT INTO orders VALUES (1, 7), (2, 8), (3, NULL);
SQL
put 002_unchecked <<'SQL'
SET @old = @@foreign_key_checks, foreign_key_checks = 0;
ALTER TABLE orders ADD CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES customers (id);
SET foreign_key_checks = @old;
SQL
put 003_good <<'SQL'
SET SESSION foreign_key_checks = OFF;
CREATE TABLE notes (id INT PRIMARY KEY, orders INT,
  CONSTRAINT of_order FOREIGN KEY (orders) REFERENCES orders (id));
INSERT INTO notes VALUES (1, 1);
SQL
exits 0 'a foreign key that nobody checked is applied' "$BASCULE" migrate dev
like "$out" '002.*WARNING: foreign key of_customer of orders: 2 rows without a parent in customers' \
	'its step says how many rows break it'
is "$(grep -c WARNING <<<"$out")" 1 'one that holds by luck is no warning'
is "$(cells)" "001:applied:- \
002:applied:foreign key of_customer of orders: 2 rows without a parent in customers 003:applied:-" \
	'the matrix has it'
my 'INSERT INTO customers VALUES (7)'
run "$BASCULE" check
like "$out" 'migration 002: foreign key of_customer of orders: 1 row without a parent' \
	'check looks at the rows as they are'
my 'INSERT INTO customers VALUES (8)'
unlike "$(cells)" 'without a parent' 'with the last parent the warning is gone'
my 'SET foreign_key_checks = 0; DELETE FROM customers'
like "$(cells)" '2 rows without a parent' 'and back when they lose them again'
my 'ALTER TABLE orders DROP FOREIGN KEY of_customer'
unlike "$(cells)" 'without a parent' 'a key that is gone breaks nothing'

done_testing
