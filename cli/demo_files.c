/* SPDX-License-Identifier: MIT */
/*
 * The files of the demo workspace.
 *
 * A small web shop, grown the way schemas grow: tables first, then indexes, payments, stock, a
 * backfill that cannot be undone, a trigger, an audit table, a column with a rule. The rows come
 * with the migrations, so that each environment has some without a generator: enough to see that
 * a rollback of a table takes its rows with it.
 */
#include "cli/demo_files.h"

const char demo_config[] =
	"; The demo of bascule: a shop with three environments, each an SQLite file.\n"
	"; bascule.ini(5) explains every key.\n"
	"[project]\n"
	"name = shop\n"
	"migrations = migrations          ; up/NNNN_name.sql and down/NNNN_name.sql\n"
	"schema_version = 1.{n}.0         ; migration 0008 is version 1.8.0\n"
	"pipeline = development -> staging -> production\n"
	"\n"
	"[environment development]\n"
	"database = sqlite:data/development.sqlite\n"
	"\n"
	"[environment staging]\n"
	"database = sqlite:data/staging.sqlite\n"
	"confirm = yes\n"
	"\n"
	"[environment production]\n"
	"database = sqlite:data/production.sqlite\n"
	"requires = staging               ; takes only what staging has run with the same "
	"checksum\n"
	"protected = yes                  ; its name is typed, and it is copied before a change\n";

const char demo_edited_name[] = "0008_coupons";

const char demo_edited_before[] =
	"-- Coupons: a code that takes some percent off an order.\n"
	"CREATE TABLE coupons (\n"
	"    code        TEXT PRIMARY KEY,\n"
	"    percent_off INTEGER NOT NULL,\n"
	"    expires_on  TEXT\n"
	");\n"
	"INSERT INTO coupons (code, percent_off, expires_on) VALUES\n"
	"    ('WELCOME', 10, NULL),\n"
	"    ('AUTUMN', 15, '2026-11-30');\n"
	"ALTER TABLE orders ADD COLUMN coupon_code TEXT REFERENCES coupons (code);\n";

const struct demo_migration demo_migrations[] = {
	{ "0001_customers",
	  "CREATE TABLE customers (\n"
	  "    id         INTEGER PRIMARY KEY,\n"
	  "    name       TEXT NOT NULL,\n"
	  "    email      TEXT NOT NULL,\n"
	  "    created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP\n"
	  ");\n"
	  "CREATE UNIQUE INDEX customers_email ON customers (lower(email));\n"
	  "INSERT INTO customers (name, email, created_at) VALUES\n"
	  "    ('Amara Okafor', 'amara@example.com', '2026-01-04 09:12:00'),\n"
	  "    ('Bence Nagy', 'bence@example.com', '2026-01-09 17:40:00'),\n"
	  "    ('Chloé Martin', 'chloe@example.com', '2026-02-01 08:05:00'),\n"
	  "    ('Dmitri Petrov', 'dmitri@example.com', '2026-02-14 20:31:00'),\n"
	  "    ('Eun-ji Park', 'eunji@example.com', '2026-03-03 11:54:00'),\n"
	  "    ('Farid Haddad', 'farid@example.com', '2026-03-22 15:20:00');\n",
	  "DROP TABLE customers;\n" },
	{ "0002_products",
	  "CREATE TABLE products (\n"
	  "    id          INTEGER PRIMARY KEY,\n"
	  "    sku         TEXT NOT NULL UNIQUE,\n"
	  "    name        TEXT NOT NULL,\n"
	  "    price_cents INTEGER NOT NULL CHECK (price_cents >= 0)\n"
	  ");\n"
	  "INSERT INTO products (sku, name, price_cents) VALUES\n"
	  "    ('TEA-GRN-100', 'Green tea, 100 g', 890),\n"
	  "    ('TEA-BLK-100', 'Black tea, 100 g', 790),\n"
	  "    ('COF-ESP-250', 'Espresso beans, 250 g', 1190),\n"
	  "    ('COF-FIL-250', 'Filter beans, 250 g', 1090),\n"
	  "    ('MUG-WHT-300', 'White mug, 300 ml', 1250),\n"
	  "    ('POT-CLY-600', 'Clay teapot, 600 ml', 4900);\n",
	  "DROP TABLE products;\n" },
	{ "0003_orders",
	  "CREATE TABLE orders (\n"
	  "    id          INTEGER PRIMARY KEY,\n"
	  "    customer_id INTEGER NOT NULL REFERENCES customers (id),\n"
	  "    ordered_at  TEXT NOT NULL\n"
	  ");\n"
	  "-- Two hundred orders, spread over the customers and the spring.\n"
	  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)\n"
	  "INSERT INTO orders (id, customer_id, ordered_at)\n"
	  "    SELECT i, 1 + i * 7 % 6, datetime('2026-04-01 08:00:00', '+' || (i * 11) || ' "
	  "hours')\n"
	  "    FROM n;\n",
	  "DROP TABLE orders;\n" },
	{ "0004_order_items",
	  "CREATE TABLE order_items (\n"
	  "    order_id    INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE,\n"
	  "    product_id  INTEGER NOT NULL REFERENCES products (id),\n"
	  "    quantity    INTEGER NOT NULL CHECK (quantity > 0),\n"
	  "    price_cents INTEGER NOT NULL,\n"
	  "    PRIMARY KEY (order_id, product_id)\n"
	  ");\n"
	  "INSERT INTO order_items (order_id, product_id, quantity, price_cents)\n"
	  "    SELECT o.id, p.id, 1 + (o.id + p.id) % 3, p.price_cents\n"
	  "    FROM orders AS o JOIN products AS p ON (o.id + p.id) % 4 = 0;\n",
	  "DROP TABLE order_items;\n" },
	{ "0005_order_indexes",
	  "CREATE INDEX orders_by_customer ON orders (customer_id, ordered_at);\n"
	  "CREATE INDEX order_items_by_product ON order_items (product_id);\n",
	  "DROP INDEX order_items_by_product;\n"
	  "DROP INDEX orders_by_customer;\n" },
	{ "0006_payments",
	  "CREATE TABLE payments (\n"
	  "    id           INTEGER PRIMARY KEY,\n"
	  "    order_id     INTEGER NOT NULL REFERENCES orders (id),\n"
	  "    method       TEXT NOT NULL CHECK (method IN ('card', 'transfer', 'cash')),\n"
	  "    amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),\n"
	  "    paid_at      TEXT NOT NULL\n"
	  ");\n"
	  "INSERT INTO payments (order_id, method, amount_cents, paid_at)\n"
	  "    SELECT o.id, CASE o.id % 5 WHEN 0 THEN 'transfer' ELSE 'card' END,\n"
	  "           sum(i.quantity * i.price_cents), datetime(o.ordered_at, '+5 minutes')\n"
	  "    FROM orders AS o JOIN order_items AS i ON i.order_id = o.id\n"
	  "    GROUP BY o.id;\n",
	  "DROP TABLE payments;\n" },
	{ "0007_inventory",
	  "CREATE TABLE inventory (\n"
	  "    product_id INTEGER PRIMARY KEY REFERENCES products (id),\n"
	  "    in_stock   INTEGER NOT NULL DEFAULT 0,\n"
	  "    counted_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP\n"
	  ");\n"
	  "INSERT INTO inventory (product_id, in_stock)\n"
	  "    SELECT id, 40 + id * 13 FROM products;\n",
	  "DROP TABLE inventory;\n" },
	{ "0008_coupons",
	  "-- Coupons: a code that takes some percent off an order.\n"
	  "CREATE TABLE coupons (\n"
	  "    code        TEXT PRIMARY KEY COLLATE NOCASE,\n"
	  "    percent_off INTEGER NOT NULL CHECK (percent_off BETWEEN 1 AND 90),\n"
	  "    expires_on  TEXT\n"
	  ");\n"
	  "INSERT INTO coupons (code, percent_off, expires_on) VALUES\n"
	  "    ('WELCOME', 10, NULL),\n"
	  "    ('AUTUMN', 15, '2026-11-30');\n"
	  "ALTER TABLE orders ADD COLUMN coupon_code TEXT REFERENCES coupons (code);\n",
	  "ALTER TABLE orders DROP COLUMN coupon_code;\n"
	  "DROP TABLE coupons;\n" },
	{ "0009_backfill_welcome_coupon",
	  "-- The first order of every customer came with the welcome coupon; until now that was\n"
	  "-- only known from the mails. There is no way back: which orders had none before is "
	  "not\n"
	  "-- recorded anywhere.\n"
	  "UPDATE orders SET coupon_code = 'WELCOME'\n"
	  "    WHERE id IN (SELECT min(id) FROM orders GROUP BY customer_id);\n",
	  NULL },
	{ "0010_stock_trigger",
	  "CREATE TRIGGER order_items_take_stock AFTER INSERT ON order_items\n"
	  "BEGIN\n"
	  "    UPDATE inventory SET in_stock = in_stock - NEW.quantity\n"
	  "        WHERE product_id = NEW.product_id;\n"
	  "    SELECT CASE\n"
	  "        WHEN (SELECT in_stock FROM inventory WHERE product_id = NEW.product_id) < 0\n"
	  "        THEN raise(ABORT, 'not enough in stock')\n"
	  "    END;\n"
	  "END;\n",
	  "DROP TRIGGER order_items_take_stock;\n" },
	{ "0011_audit",
	  "CREATE TABLE audit (\n"
	  "    id         INTEGER PRIMARY KEY,\n"
	  "    at         TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,\n"
	  "    product_id INTEGER NOT NULL REFERENCES products (id),\n"
	  "    was_cents  INTEGER NOT NULL,\n"
	  "    now_cents  INTEGER NOT NULL\n"
	  ");\n"
	  "CREATE TRIGGER products_price_audit AFTER UPDATE OF price_cents ON products\n"
	  "WHEN OLD.price_cents <> NEW.price_cents\n"
	  "BEGIN\n"
	  "    INSERT INTO audit (product_id, was_cents, now_cents)\n"
	  "        VALUES (NEW.id, OLD.price_cents, NEW.price_cents);\n"
	  "END;\n",
	  "DROP TRIGGER products_price_audit;\n"
	  "DROP TABLE audit;\n" },
	{ "0012_order_status",
	  "ALTER TABLE orders ADD COLUMN status TEXT NOT NULL DEFAULT 'new'\n"
	  "    CHECK (status IN ('new', 'paid', 'sent', 'returned'));\n"
	  "UPDATE orders SET status = 'paid'\n"
	  "    WHERE id IN (SELECT order_id FROM payments);\n"
	  "CREATE INDEX orders_by_status ON orders (status) WHERE status IN ('new', 'paid');\n",
	  "DROP INDEX orders_by_status;\n"
	  "ALTER TABLE orders DROP COLUMN status;\n" },
};
const size_t demo_migrations_n = sizeof(demo_migrations) / sizeof(demo_migrations[0]);
