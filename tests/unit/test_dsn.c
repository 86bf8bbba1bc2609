/* SPDX-License-Identifier: MIT */
#include "core/db/dsn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static struct err e;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	err_clear(&e);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_clear(&arena);
	return 0;
}

static const char *path_of(const char *url)
{
	struct dsn dsn;

	if (dsn_parse(&arena, url, "/srv/shop", &dsn, &e) != 0)
		fail_msg("%s: %s", url, e.msg);
	assert_string_equal(dsn.engine, "sqlite");
	assert_string_equal(dsn.shown, arena_printf(&arena, "sqlite:%s", dsn.path));
	return dsn.path;
}

/* Refused as a mistake of the configuration, with word in msg or hint, and *out left alone. */
static void refused(const char *url, const char *word)
{
	struct dsn dsn = { .engine = "kept" };

	assert_int_equal(dsn_parse(&arena, url, "/srv/shop", &dsn, &e), -1);
	assert_int_equal(e.code, ERR_CONFIG);
	if (strstr(e.msg, word) == NULL && strstr(e.hint, word) == NULL)
		fail_msg("%s: no \"%s\" in: %s / %s", url, word, e.msg, e.hint);
	assert_string_not_equal(e.hint, "");
	assert_string_equal(dsn.engine, "kept");
}

static void sqlite__resolves_relative_paths__against_the_base(void **state)
{
	(void)state;
	assert_string_equal(path_of("sqlite:shop.db"), "/srv/shop/shop.db");
	assert_string_equal(path_of("sqlite:./data/shop.db"), "/srv/shop/data/shop.db");
	assert_string_equal(path_of("sqlite:.//.///shop.db"), "/srv/shop/shop.db");
	assert_string_equal(path_of("sqlite:../shop.db"), "/srv/shop/../shop.db");
}

static void sqlite__takes_absolute_paths__in_both_forms(void **state)
{
	(void)state;
	assert_string_equal(path_of("sqlite:/var/lib/shop.db"), "/var/lib/shop.db");
	assert_string_equal(path_of("sqlite:///var/lib/shop.db"), "/var/lib/shop.db");
	assert_string_equal(path_of("sqlite://////var/lib/shop.db"), "/var/lib/shop.db");
}

static void sqlite__takes_bytes_as_they_are__in_names(void **state)
{
	(void)state;
	assert_string_equal(path_of("sqlite:my shop%20#1:a.db"), "/srv/shop/my shop%20#1:a.db");
	assert_string_equal(path_of("sqlite:\xC3\xBC.db"), "/srv/shop/\xC3\xBC.db");
}

static void sqlite__refuses__what_is_no_path(void **state)
{
	(void)state;
	refused("sqlite:", "path");
	refused("sqlite:  ", "path");
	refused("sqlite://", "sqlite:PATH");
	refused("sqlite:///", "folder");
	refused("sqlite:data/", "folder");
	refused("sqlite://host/shop.db", "host");
	refused("sqlite::memory:", "memory");
	refused("sqlite:shop.db?mode=ro", "?");
}

static void dsn__names_the_nearest__for_an_unknown_engine(void **state)
{
	(void)state;
	refused("sqlit:shop.db", "sqlite");
	refused("sqlite3:shop.db", "did you mean sqlite");
	refused("oracle:shop", "sqlite:PATH");
	refused("SQLite:shop.db", "sqlite");
}

static void dsn__refuses__a_text_without_an_engine(void **state)
{
	(void)state;
	refused("shop.db", "sqlite:PATH");
	refused("", "sqlite:PATH");
	refused(NULL, "sqlite:PATH");
	refused(":shop.db", "sqlite:PATH");
}

/* --- Servers ----------------------------------------------------------------------------------- */

static struct dsn server(const char *url)
{
	struct dsn dsn;

	if (dsn_parse(&arena, url, "/srv/shop", &dsn, &e) != 0)
		fail_msg("%s: %s: %s", url, e.msg, e.detail);
	assert_null(dsn.path);
	assert_false(dsn_is_file(&dsn));
	assert_int_equal(dsn.password_in_url, dsn.password != NULL);
	return dsn;
}

/* NULL is "-". */
static const char *parts(const struct dsn *d)
{
	struct strbuf out;
	const char *text;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	strbuf_addf(&out, "%s %s %s %s %s %s", d->engine, d->user != NULL ? d->user : "-",
		    d->password != NULL ? d->password : "-", d->host != NULL ? d->host : "-",
		    d->port != NULL ? d->port : "-", d->database != NULL ? d->database : "-");
	if (d->socket != NULL)
		strbuf_addf(&out, " socket=%s", d->socket);
	for (size_t i = 0; i < d->n_option; i++)
		strbuf_addf(&out, " %s=%s", d->option[i].name, d->option[i].value);
	text = arena_strdup(&arena, strbuf_str(&out));
	strbuf_clear(&out);
	return text;
}

static void server__is_taken_apart__in_every_form(void **state)
{
	static const char *const cases[][3] = {
		{ "postgresql://app@db2/shop", "postgresql app - db2 - shop",
		  "postgresql://app@db2/shop" },
		{ "postgres://app:s3@db2:5433/shop?sslmode=verify-full&a=",
		  "postgresql app s3 db2 5433 shop sslmode=verify-full a=",
		  "postgresql://app@db2:5433/shop" },
		{ "postgresql:///shop", "postgresql - - - - shop", "postgresql:///shop" },
		{ "postgresql:///shop?host=/run/pg&port=1&user=u&password=p",
		  "postgresql u p /run/pg 1 shop", "postgresql://u@/run/pg:1/shop" },
		{ "postgresql://%2Frun%2Fpg/shop", "postgresql - - /run/pg - shop",
		  "postgresql:///run/pg/shop" },
		{ "postgresql://h1:1,h2,[::1]:3/shop", "postgresql - - h1,h2,::1 1,,3 shop",
		  "postgresql://h1:1,h2,[::1]:3/shop" },
		{ "postgresql://h1,h2/shop", "postgresql - - h1,h2 - shop",
		  "postgresql://h1,h2/shop" },
		{ "postgresql://[::1]/shop", "postgresql - - ::1 - shop",
		  "postgresql://[::1]/shop" },
		{ "postgresql:///?dbname=shop", "postgresql - - - - shop", "postgresql:///shop" },
		{ "postgresql://app:@db2/shop", "postgresql app - db2 - shop",
		  "postgresql://app@db2/shop" },
		{ "postgresql://a%40b:%70%3a%2F%25@db2/sh%6Fp", "postgresql a@b p:/% db2 - shop",
		  "postgresql://a@b@db2/shop" },
		{ "postgresql://app:p@ss:word@db2/shop", "postgresql app p@ss:word db2 - shop",
		  "postgresql://app@db2/shop" },
		{ "mysql://db1:3307/shop", "mariadb - - db1 3307 shop", "mariadb://db1:3307/shop" },
		{ "mariadb://root@/shop?socket=/run/m.sock&charset=utf8mb4&ssl",
		  "mariadb root - - - shop socket=/run/m.sock charset=utf8mb4 ssl=",
		  "mariadb://root@/run/m.sock/shop" },
		{ "mariadb://\xC3\xBC@db1/shop", "mariadb \xC3\xBC - db1 - shop",
		  "mariadb://\xC3\xBC@db1/shop" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dsn d = server(cases[i][0]);

		assert_string_equal(parts(&d), cases[i][1]);
		assert_string_equal(d.shown, cases[i][2]);
	}
}

static void server__refuses__what_cannot_be_read(void **state)
{
	(void)state;
	refused("postgresql:shop", "//");
	refused("postgresql:/shop", "//");
	refused("postgresql://", "DATABASE");
	refused("postgresql://db2", "no name");
	refused("postgresql://db2/", "no name");
	refused("mariadb://app@db1/?charset=utf8", "mariadb://app@db1/DATABASE");
	refused("postgresql://db2:0/shop", "65535");
	refused("postgresql://db2:65536/shop", "65535");
	refused("postgresql://db2:x/shop", "65535");
	refused("postgresql://db2:1:2/shop", "65535");
	refused("postgresql:///shop?port=x", "65535");
	refused("postgresql://[::1/shop", "[");
	refused("postgresql://[::1]x/shop", "]");
	refused("postgresql://a%zz@db2/shop", "%");
	refused("postgresql://a%4", "%");
	refused("postgresql://a%00@db2/shop", "control");
	refused("postgresql://db2/sh%0Aop", "control");
	refused("postgresql://db2/sh%FFop", "UTF-8");
	refused("mariadb://db1,db2/shop", "several hosts");
	refused("mariadb://db1/shop?sslmode=require", "sslmode");
	refused("mariadb://db1/shop?ssl-cer=x", "did you mean ssl-cert");
	refused("mariadb://db1/shop?a b=x", "option");
	refused("postgresql://db1/shop?=x", "option");
	refused("postgresql://db1/shop?sslpassword=x", "secret");
	refused("mysq://db1/shop", "did you mean mysql");
}

static void server__refuses_more_options__than_its_limit(void **state)
{
	struct strbuf url;

	(void)state;
	strbuf_init(&url, STRBUF_NO_LIMIT);
	strbuf_adds(&url, "postgresql://db2/shop?");
	for (int i = 0; i < 65; i++)
		strbuf_addf(&url, "o%d=1&", i);
	assert_int_equal(dsn_parse(&arena, strbuf_str(&url), "/", &(struct dsn){ 0 }, &e), -1);
	assert_non_null(strstr(e.msg, "64 options"));
	strbuf_clear(&url);
}

/* Whatever is wrong with a URL, its password is in no part of the error. */
static void password__is_in_no_error__however_the_url_is_broken(void **state)
{
	static const char *const urls[] = {
		"app:CANARY@db2/shop",
		"postgresql:app:CANARY@db2/shop",
		"postgresql//app:CANARY@db2/shop",
		"postgres//app:CANARY@db2/shop",
		"postgresq://app:CANARY@db2/shop",
		"mysql+pymysql://app:CANARY@db2/shop",
		"sqlite://app:CANARY@db2/shop",
		"sqlite:shop.db?key=CANARY",
		"postgresql://app:CANARY@db2",
		"postgresql://app:CANARY@db2:x/shop",
		"postgresql://app:CANARY%@db2/shop",
		"postgresql://app:12/CANARY@db2/shop",
		"postgresql://app:12/CANARY@db2/",
		"postgresql://app:12?CANARY@db2/shop",
		"mariadb://app:12?CANARY@db2/shop",
		"mariadb://app:12?CANARY@db2",
		"postgresql://app:CANARY/x@db2/shop",
		"mariadb://app:CANARY@db1,db2/shop",
		"mariadb://app:CANARY@db1/shop?nonsense=1",
		"mariadb://app@db1/shop?password=CANARY&nonsense=1",
		"mariadb://app@db1/shop?passwort=CANARY",
		"postgresql://app@db1/shop?sslpassword=CANARY",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct dsn d;

		if (dsn_parse(&arena, urls[i], "/", &d, &e) == 0)
			fail_msg("%s was taken: %s", urls[i], parts(&d));
		if (strstr(e.msg, "CANARY") || strstr(e.detail, "CANARY") ||
		    strstr(e.hint, "CANARY"))
			fail_msg("%s: %s / %s / %s", urls[i], e.msg, e.detail, e.hint);
	}
}

static void copy__has_everything__but_the_password(void **state)
{
	struct dsn from = server("postgresql://app:s3@h1:1,h2/shop?sslmode=require&a=b"), to;

	(void)state;
	dsn_copy(&arena, &from, &to);
	assert_null(to.password);
	assert_false(to.password_in_url);
	assert_string_equal(parts(&to), "postgresql app - h1,h2 1, shop sslmode=require a=b");
	assert_ptr_not_equal(to.host, from.host);
	assert_ptr_not_equal(to.option[1].value, from.option[1].value);
	assert_string_equal(to.shown, from.shown);
	assert_true(dsn_same(&from, &to));
}

static void same__is_told__across_spellings(void **state)
{
	static const struct {
		bool same;
		const char *a, *b;
	} cases[] = {
		{ true, "sqlite:a", "sqlite:///srv/shop/a" },
		{ false, "sqlite:a", "sqlite:b" },
		{ false, "sqlite:a", "postgresql:///a" },
		{ true, "postgresql://u1@DB/s?a=b", "postgres://u2:p@db:5432/s" },
		{ false, "postgresql://db/s", "postgresql://db/S" },
		{ false, "postgresql://db:5433/s", "postgresql://db/s" },
		{ false, "postgresql://db1/s", "postgresql://db2/s" },
		{ true, "postgresql://localhost/s", "postgresql://127.0.0.1/s" },
		{ true, "postgresql://[::1]/s", "postgresql://localhost/s" },
		{ false, "postgresql:///s", "postgresql://db/s" },
		{ false, "postgresql:///s?host=/a", "postgresql:///s?host=/b" },
		{ true, "mariadb:///s", "mysql://localhost:3306/s" },
		{ false, "mariadb://db/s", "postgresql://db:3306/s" },
		{ true, "mariadb://a/s?socket=/x", "mariadb:///s?socket=/x" },
		{ false, "mariadb:///s?socket=/y", "mariadb:///s?socket=/x" },
		{ false, "mariadb:///s", "mariadb:///s?socket=/x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dsn a, b;

		assert_int_equal(dsn_parse(&arena, cases[i].a, "/srv/shop", &a, &e), 0);
		assert_int_equal(dsn_parse(&arena, cases[i].b, "/srv/shop", &b, &e), 0);
		if (dsn_same(&a, &b) != cases[i].same || dsn_same(&b, &a) != cases[i].same)
			fail_msg("%s and %s", cases[i].a, cases[i].b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sqlite__resolves_relative_paths__against_the_base,
						setup, teardown),
		cmocka_unit_test_setup_teardown(sqlite__takes_absolute_paths__in_both_forms, setup,
						teardown),
		cmocka_unit_test_setup_teardown(sqlite__takes_bytes_as_they_are__in_names, setup,
						teardown),
		cmocka_unit_test_setup_teardown(sqlite__refuses__what_is_no_path, setup, teardown),
		cmocka_unit_test_setup_teardown(dsn__names_the_nearest__for_an_unknown_engine,
						setup, teardown),
		cmocka_unit_test_setup_teardown(dsn__refuses__a_text_without_an_engine, setup,
						teardown),
		cmocka_unit_test_setup_teardown(server__is_taken_apart__in_every_form, setup,
						teardown),
		cmocka_unit_test_setup_teardown(server__refuses__what_cannot_be_read, setup,
						teardown),
		cmocka_unit_test_setup_teardown(server__refuses_more_options__than_its_limit, setup,
						teardown),
		cmocka_unit_test_setup_teardown(password__is_in_no_error__however_the_url_is_broken,
						setup, teardown),
		cmocka_unit_test_setup_teardown(copy__has_everything__but_the_password, setup,
						teardown),
		cmocka_unit_test_setup_teardown(same__is_told__across_spellings, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
