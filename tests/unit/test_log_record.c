/* SPDX-License-Identifier: MIT */
#include "core/logs/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"

static struct log_record read_line(const char *line)
{
	struct log_record r;

	log_record_read(sv_of(line), -1, &r);
	return r;
}

static void level_is(const char *line, enum log_level want)
{
	enum log_level got = read_line(line).level;

	if (got != want)
		print_message("%s\n", line);
	assert_string_equal(log_level_name(got), log_level_name(want));
}

static void levels__are_read__where_programs_write_them(void **state)
{
	(void)state;
	level_is("2026-11-28 10:51:26,123 INFO  [main] com.shop.Cart - added", LOG_LEVEL_INFO);
	level_is("2026-11-28T10:51:26Z ERROR something", LOG_LEVEL_ERROR);
	level_is("[2026-11-28T10:51:26Z WARN  shop::cart] slow", LOG_LEVEL_WARN);
	level_is("2026-11-28T10:51:26.123Z\tinfo\tstarted", LOG_LEVEL_INFO);
	level_is("10:51:26.123 [main] DEBUG com.shop.Cart - x", LOG_LEVEL_DEBUG);
	level_is("2026/11/28 10:51:26 [error] 12#0: *1 open() failed", LOG_LEVEL_ERROR);
	level_is("ERROR:root:cannot", LOG_LEVEL_ERROR);
	level_is("2026-11-28 10:00:00,000 - shop.cart - CRITICAL - gone", LOG_LEVEL_FATAL);
	level_is("2026-11-28 10:51:26.123 UTC [123] LOG:  checkpoint starting", LOG_LEVEL_INFO);
	level_is("2026-11-28 10:51:26.123 UTC [123] FATAL:  no such role", LOG_LEVEL_FATAL);
	level_is("2026-11-28 10:51:26 0 [Warning] Aborted connection", LOG_LEVEL_WARN);
	level_is("E1121 14:05:50.123456    1 server.go:12] no route", LOG_LEVEL_ERROR);
	level_is("I1121 14:05:50.123456    1 server.go:12] ok", LOG_LEVEL_INFO);
	level_is("E, [2026-11-21T14:05:50.123456 #1234] ERROR -- : boom", LOG_LEVEL_ERROR);
	level_is("Nov 21 14:05:50 web1 shop[12]: error: no space", LOG_LEVEL_ERROR);
	level_is("[WARN ] padded", LOG_LEVEL_WARN);
	level_is("warning: unused", LOG_LEVEL_WARN);
	level_is("level=warn msg=\"slow\"", LOG_LEVEL_WARN);
	level_is("time=2026-11-21T14:05:50Z level=error msg=\"no\"", LOG_LEVEL_ERROR);
	level_is("shop started lvl=debug", LOG_LEVEL_DEBUG);
	level_is("TRACE enter", LOG_LEVEL_TRACE);
	level_is("panic: runtime error", LOG_LEVEL_FATAL);
	level_is("java.lang.IllegalStateException: no", LOG_LEVEL_ERROR);
	level_is("ValueError: bad", LOG_LEVEL_ERROR);
}

static void levels__are_not_read__out_of_sentences(void **state)
{
	(void)state;
	level_is("an error occurred, warning everybody", LOG_LEVEL_NONE);
	level_is("GET /static/ERROR/info.html", LOG_LEVEL_NONE);
	level_is("loaded com.shop.ERROR.Handler", LOG_LEVEL_NONE);
	level_is("ERRORS found: 0", LOG_LEVEL_NONE);
	level_is("", LOG_LEVEL_NONE);
	level_is("10.0.0.1 - - [21/Nov/2026:14:05:50 +0000] \"GET /error HTTP/1.1\" 200 12",
		 LOG_LEVEL_NONE);
}

static void levels__of_fields__are_words_or_numbers(void **state)
{
	(void)state;
	level_is("{\"level\":\"error\",\"msg\":\"x\"}", LOG_LEVEL_ERROR);
	level_is("{\"level\":30,\"msg\":\"x\"}", LOG_LEVEL_INFO);
	level_is("{\"level\":60,\"msg\":\"x\"}", LOG_LEVEL_FATAL);
	level_is("{\"severity\":\"WARNING\",\"message\":\"x\"}", LOG_LEVEL_WARN);
	level_is("{\"PRIORITY\":\"3\",\"MESSAGE\":\"x\"}", LOG_LEVEL_ERROR);
	level_is("{\"version\":\"1.1\",\"level\":4,\"short_message\":\"x\"}", LOG_LEVEL_WARN);
	level_is("{\"http\":{\"level\":\"error\"},\"msg\":\"x\"}", LOG_LEVEL_NONE);
	level_is("{\"msg\":\"\\\"level\\\":\\\"error\\\"\",\"lvl\":\"debug\"}", LOG_LEVEL_DEBUG);
	level_is("{\"msg\":\"cut off", LOG_LEVEL_NONE);
	level_is("{}", LOG_LEVEL_NONE);
}

static void levels__of_access_lines__are_those_of_the_status(void **state)
{
	static const char shape[] =
		"10.0.0.1 - bob [21/Nov/2026:14:05:50 +0000] \"GET /x HTTP/1.1\" %d 12 \"-\"";
	char line[200];

	(void)state;
	snprintf(line, sizeof(line), shape, 503);
	level_is(line, LOG_LEVEL_ERROR);
	snprintf(line, sizeof(line), shape, 404);
	level_is(line, LOG_LEVEL_WARN);
	snprintf(line, sizeof(line), shape, 302);
	level_is(line, LOG_LEVEL_NONE);
	level_is("took 503 ms", LOG_LEVEL_NONE);
}

static void levels__of_the_runtime__win_but_for_its_default(void **state)
{
	struct log_record r;

	(void)state;
	log_record_read(SV("all is well"), 3, &r);
	assert_int_equal(r.level, LOG_LEVEL_ERROR);
	log_record_read(SV("INFO all is well"), 4, &r);
	assert_int_equal(r.level, LOG_LEVEL_WARN);
	log_record_read(SV("ERROR what a program printed"), 6, &r);
	assert_int_equal(r.level, LOG_LEVEL_ERROR);
	log_record_read(SV("what a program printed"), 6, &r);
	assert_int_equal(r.level, LOG_LEVEL_INFO);
}

static void time_is(const char *line, const char *want_iso)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t ns = read_line(line).utc_ns;

	if (want_iso == NULL) {
		assert_int_equal(ns, 0);
		return;
	}
	assert_string_equal(clock_iso_ms(ns / 1000000, text), want_iso);
}

static void times__are_read__in_the_usual_forms(void **state)
{
	(void)state;
	time_is("2026-11-21T14:05:50.123Z INFO x", "2026-11-21T14:05:50.123Z");
	time_is("2026-11-21 14:05:50,5 INFO x", "2026-11-21T14:05:50.500Z");
	time_is("2026/11/21 14:05:50 x", "2026-11-21T14:05:50.000Z");
	time_is("2026-11-21T14:05:50+01:30 x", "2026-11-21T12:35:50.000Z");
	time_is("2026-11-21T14:05:50-0500 x", "2026-11-21T19:05:50.000Z");
	time_is("[21/Nov/2026:14:05:50 +0000] x", "2026-11-21T14:05:50.000Z");
	time_is("h - - [21/Nov/2026:14:05:50 +0100] \"GET / HTTP/1.1\" 200 1",
		"2026-11-21T13:05:50.000Z");
	time_is("28 Nov 2026 10:51:26.123 * Ready", "2026-11-28T10:51:26.123Z");
	time_is("Sat Nov 21 14:05:50 2026 x", "2026-11-21T14:05:50.000Z");
	time_is("Nov 21 14:05:50 host shop: x", NULL);
	time_is("14:05:50 x", NULL);
	time_is("1763733950.250 x", "2025-11-21T14:05:50.250Z");
	time_is("{\"time\":1763733950250,\"msg\":\"x\"}", "2025-11-21T14:05:50.250Z");
	time_is("{\"ts\":1763733950.25,\"msg\":\"x\"}", "2025-11-21T14:05:50.250Z");
	time_is("{\"@timestamp\":\"2026-11-21T14:05:50Z\"}", "2026-11-21T14:05:50.000Z");
	time_is("time=\"2026-11-21T14:05:50Z\" level=info", "2026-11-21T14:05:50.000Z");
	time_is("2026-13-21T14:05:50Z x", NULL);
	time_is("2026-11-21", NULL);
	time_is("1234567890123456789012345 x", NULL);
}

static void goes_on(const char *line, bool want)
{
	if (read_line(line).continues != want)
		print_message("%s\n", line);
	assert_int_equal(read_line(line).continues, want);
}

static void continuation__is_told__by_the_line_alone(void **state)
{
	(void)state;
	goes_on("    at com.shop.Cart.add(Cart.java:12)", true);
	goes_on("\tat com.shop.Cart.add(Cart.java:12)", true);
	goes_on("at Object.<anonymous> (/app/x.js:1:2)", true);
	goes_on("Caused by: java.io.IOException: no", true);
	goes_on("Traceback (most recent call last):", true);
	goes_on("  File \"x.py\", line 3, in f", true);
	goes_on("    raise ValueError('ERROR')", true);
	goes_on("... 12 more", true);
	goes_on("}", true);
	goes_on("  \"level\": \"error\",", true);
	goes_on("],", true);
	goes_on("", true);
	goes_on("  INFO  indented head", false);
	goes_on(" 2026-11-21T14:05:50Z x", false);
	goes_on("at last it works", false);
	goes_on("} else is text", false);
	goes_on("ValueError: bad", false);
	goes_on("{\"a\":1}", false);
	goes_on("2026-11-21T14:05:50Z x", false);
	goes_on("plain", false);
}

static void same(const char *a, const char *b, bool want)
{
	uint64_t x = read_line(a).template, y = read_line(b).template;

	if ((x == y) != want)
		print_message("%s\n%s\n", a, b);
	assert_int_equal(x == y, want);
}

static void templates__are_equal__where_only_values_differ(void **state)
{
	(void)state;
	same("INFO took 31 ms", "ERROR took 45 ms", true);
	same("2026-11-21T14:05:50Z INFO took 31 ms", "2026-11-21T14:05:51.5Z INFO took 7 ms", true);
	same("user 3fa85f64-5717-4562-b3fc-2c963f66afa6 in",
	     "user 12345678-abcd-4562-b3fc-000000000000 in", true);
	same("from 10.0.0.1:80", "from 192.168.17.250:44123", true);
	same("cannot open \"a b\"", "cannot open \"c\"", true);
	same("took   7 ms", "took 117 ms", true);
	same("0xdeadbeef1 free", "0x1 free", true);
	same("{\"msg\":\"took 3 ms\",\"id\":\"x\"}", "{\"id\":\"yy\",\"msg\":\"took 4 ms\"}", true);
	same("level=info msg=\"a b 1\" id=7", "level=info msg=\"a b 2\" id=8", true);
	same("took 31 ms", "took 31 s", false);
	same("user in", "user out", false);
	same("don't stop 1", "don't go 1", false);
	same("{\"msg\":\"a\"}", "{\"msg\":\"b\"}", false);
	same("", "x", false);
}

static void body__begins__behind_time_and_level(void **state)
{
	static const char line[] = "2026-11-21T14:05:50Z INFO  the body",
			  only[] = "2026-11-21T14:05:50Z";

	(void)state;
	assert_string_equal(line + read_line(line).body, "the body");
	assert_int_equal(read_line(only).body, strlen(only));
	assert_int_equal(read_line("plain text").body, 0);
	assert_int_equal(read_line("{\"level\":\"info\"}").body, 0);
}

static void fields_are(const char *line, enum log_shape shape, const char *want)
{
	struct log_field f[16];
	struct strbuf buf, out;
	size_t n;

	strbuf_init(&buf, STRBUF_NO_LIMIT);
	strbuf_init(&out, STRBUF_NO_LIMIT);
	n = log_fields_read(sv_of(line), shape, &buf, f, 16);
	for (size_t i = 0; i < n; i++) {
		strbuf_addsv(&out, f[i].name);
		strbuf_addc(&out, '=');
		strbuf_addsv(&out, f[i].value);
		strbuf_addc(&out, '|');
	}
	assert_string_equal(strbuf_str(&out), want);
	strbuf_clear(&buf);
	strbuf_clear(&out);
}

static void fields__are_read__in_order(void **state)
{
	(void)state;
	fields_are("{\"b\":1,\"a\":\"x\\ny\\u00e9\\ud83d\\ude00\",\"n\":null}", LOG_JSON,
		   "b=1|a=x\ny\xc3\xa9\xf0\x9f\x98\x80|n=null|");
	fields_are("{ \"o\" : { \"x\" : [ 1, \"a b\" ] } , \"t\":true }", LOG_JSON,
		   "o={\"x\":[1,\"a b\"]}|t=true|");
	fields_are("{\"a\":\"\\ud83d\",\"b\":\"\\q\\u12\"}", LOG_JSON, "a=\xef\xbf\xbd|b=qu12|");
	fields_are("a=1 b=\"x y\" flag c= d=\"open", LOG_LOGFMT, "a=1|b=x y|flag=|c=|d=\"open|");
	fields_are("a=\"q \\\" q\"", LOG_LOGFMT, "a=q \" q|");
}

static void fields__of_damaged_lines__are_those_before_the_damage(void **state)
{
	(void)state;
	fields_are("{\"a\":1,\"b\":\"cut", LOG_JSON, "a=1|");
	fields_are("{\"a\":1,\"b\":{\"c\":", LOG_JSON, "a=1|");
	fields_are("{\"a\":1 \"b\":2}", LOG_JSON, "a=1|");
	fields_are("{", LOG_JSON, "");
	fields_are("", LOG_JSON, "");
	fields_are("", LOG_LOGFMT, "");
	fields_are("plain", LOG_TEXT, "");
}

static void message__is_found__under_its_usual_names(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out, STRBUF_NO_LIMIT);
	log_message(SV("{\"event\":\"e\",\"msg\":\"the \\\"m\\\"\"}"), LOG_JSON, &out);
	assert_string_equal(strbuf_str(&out), "the \"m\"");
	strbuf_reset(&out);
	log_message(SV("level=info event=started"), LOG_LOGFMT, &out);
	assert_string_equal(strbuf_str(&out), "started");
	strbuf_reset(&out);
	log_message(SV("{\"x\":1}"), LOG_JSON, &out);
	assert_int_equal(out.len, 0);
	strbuf_clear(&out);
}

static void level__of_a_word__is_known_in_any_case(void **state)
{
	(void)state;
	assert_int_equal(log_level_of(SV("warn")), LOG_LEVEL_WARN);
	assert_int_equal(log_level_of(SV("WARNING")), LOG_LEVEL_WARN);
	assert_int_equal(log_level_of(SV("Err")), LOG_LEVEL_ERROR);
	assert_int_equal(log_level_of(SV("E")), LOG_LEVEL_ERROR);
	assert_int_equal(log_level_of(SV("emergency")), LOG_LEVEL_FATAL);
	assert_int_equal(log_level_of(SV("Information")), LOG_LEVEL_INFO);
	assert_int_equal(log_level_of(SV("criticalx")), -1);
	assert_int_equal(log_level_of(SV("errors")), -1);
	assert_int_equal(log_level_of(SV("")), -1);
	assert_int_equal(log_level_of(SV("e1")), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels__are_read__where_programs_write_them),
		cmocka_unit_test(levels__are_not_read__out_of_sentences),
		cmocka_unit_test(levels__of_fields__are_words_or_numbers),
		cmocka_unit_test(levels__of_access_lines__are_those_of_the_status),
		cmocka_unit_test(levels__of_the_runtime__win_but_for_its_default),
		cmocka_unit_test(times__are_read__in_the_usual_forms),
		cmocka_unit_test(continuation__is_told__by_the_line_alone),
		cmocka_unit_test(templates__are_equal__where_only_values_differ),
		cmocka_unit_test(body__begins__behind_time_and_level),
		cmocka_unit_test(fields__are_read__in_order),
		cmocka_unit_test(fields__of_damaged_lines__are_those_before_the_damage),
		cmocka_unit_test(message__is_found__under_its_usual_names),
		cmocka_unit_test(level__of_a_word__is_known_in_any_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
