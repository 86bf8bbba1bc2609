/* SPDX-License-Identifier: MIT */
#include "core/ledger/pack.h"

#include "core/base/digest.h"
#include "core/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct strbuf packed, text;
static struct err e;

static int setup(void **state)
{
	(void)state;
	strbuf_init(&packed, STRBUF_NO_LIMIT);
	strbuf_init(&text, STRBUF_NO_LIMIT);
	err_clear(&e);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	strbuf_clear(&packed);
	strbuf_clear(&text);
	return 0;
}

static void round_trip(struct sv in, char first)
{
	strbuf_reset(&packed);
	strbuf_reset(&text);
	assert_int_equal(pack(&packed, in, &e), 0);
	assert_int_equal(packed.data[0], first);
	assert_true(packed.len <= in.n + 1);
	assert_int_equal(unpack(&text, strbuf_sv(&packed), in.n, &e), 0);
	assert_true(sv_eq(strbuf_sv(&text), in));
}

static void pack__gives_back_the_same__short_and_long(void **state)
{
	struct strbuf b;

	(void)state;
	round_trip(SV(""), 'r');
	round_trip(SV("x"), 'r');
	round_trip(SV("a\0b\xff"), 'r');
	strbuf_init(&b, STRBUF_NO_LIMIT);
	for (int i = 0; i < 20000; i++)
		strbuf_addf(&b, "INSERT INTO t VALUES (%d);\n", i);
	round_trip(strbuf_sv(&b), 'z');
	assert_true(packed.len < b.len / 2);
	strbuf_clear(&b);
}

static void pack__stores_as_it_is__what_does_not_shrink(void **state)
{
	char noise[2001];

	(void)state;
	digest_random_hex(1000, noise);
	/* Pairs of hex digits to bytes: true noise. */
	for (int i = 0; i < 1000; i++) {
		char hex[3] = { noise[2 * i], noise[2 * i + 1], '\0' };

		noise[i] = (char)strtol(hex, NULL, 16);
	}
	round_trip(sv_n(noise, 1000), 'r');
}

static void pack__appends__behind_what_is_there(void **state)
{
	(void)state;
	strbuf_adds(&packed, "head");
	assert_int_equal(pack(&packed, SV("tail"), &e), 0);
	assert_string_equal(strbuf_str(&packed), "headrtail");
}

static void pack__fails__when_the_buffer_is_too_small(void **state)
{
	struct strbuf small;

	(void)state;
	strbuf_init(&small, 3);
	assert_int_equal(pack(&small, SV("four"), &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	strbuf_clear(&small);
}

static void unpack__refuses__more_than_the_limit(void **state)
{
	char *zeros = mem_calloc(1, 100000);

	(void)state;
	assert_int_equal(pack(&packed, sv_n(zeros, 100000), &e), 0);
	assert_int_equal(packed.data[0], 'z');
	assert_int_equal(unpack(&text, strbuf_sv(&packed), 99999, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(text.len, 0);
	assert_int_equal(unpack(&text, SV("rabc"), 2, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	mem_free(zeros);
}

static void unpack__refuses__damage(void **state)
{
	char *zeros = mem_calloc(1, 100000);
	size_t whole;

	(void)state;
	assert_int_equal(unpack(&text, SV(""), 100, &e), -1);
	assert_int_equal(e.code, ERR_CORRUPT);
	assert_int_equal(unpack(&text, SV("qabc"), 100, &e), -1);
	assert_int_equal(e.code, ERR_CORRUPT);
	assert_int_equal(unpack(&text, SV("zabc"), 100, &e), -1);
	assert_int_equal(e.code, ERR_CORRUPT);
	assert_int_equal(pack(&packed, sv_n(zeros, 100000), &e), 0);
	whole = packed.len;
	for (size_t n = 1; n < whole; n++) {
		err_clear(&e);
		assert_int_equal(unpack(&text, sv_n(packed.data, n), 100000, &e), -1);
		assert_int_equal(e.code, ERR_CORRUPT);
		assert_int_equal(text.len, 0);
	}
	mem_free(zeros);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pack__gives_back_the_same__short_and_long, setup,
						teardown),
		cmocka_unit_test_setup_teardown(pack__stores_as_it_is__what_does_not_shrink, setup,
						teardown),
		cmocka_unit_test_setup_teardown(pack__appends__behind_what_is_there, setup,
						teardown),
		cmocka_unit_test_setup_teardown(pack__fails__when_the_buffer_is_too_small, setup,
						teardown),
		cmocka_unit_test_setup_teardown(unpack__refuses__more_than_the_limit, setup,
						teardown),
		cmocka_unit_test_setup_teardown(unpack__refuses__damage, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
