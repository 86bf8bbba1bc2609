/* SPDX-License-Identifier: MIT */
#include "core/base/digest.h"

#include "tests/support/tmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* The examples of FIPS 180-2. */
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define MILLION_A "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static void digest_hex__matches__the_standard(void **state)
{
	char hex[DIGEST_HEX_SIZE];

	(void)state;
	digest_hex("abc", 3, hex);
	assert_string_equal(hex, ABC);
	digest_hex(NULL, 0, hex);
	assert_string_equal(hex, EMPTY);
}

static void digest__is_the_same__in_pieces_and_when_used_again(void **state)
{
	struct digest *d = digest_new();
	char hex[DIGEST_HEX_SIZE];

	(void)state;
	digest_add(d, "a", 1);
	digest_add(d, "", 0);
	digest_add(d, "bc", 2);
	digest_end(d, hex);
	assert_string_equal(hex, ABC);
	for (int i = 0; i < 3; i++) {
		digest_begin(d);
		digest_add(d, "left over", 9);
		digest_begin(d);
		digest_add(d, "abc", 3);
		digest_end(d, hex);
		assert_string_equal(hex, ABC);
	}
	digest_free(d);
	digest_free(NULL);
}

static void digest_file__streams__large_and_empty_files(void **state)
{
	char *dir = tmp_make(), *large = tmp_path(dir, "large"), *empty = tmp_path(dir, "empty");
	char *bytes = malloc(1000000), hex[DIGEST_HEX_SIZE];
	struct err e;

	(void)state;
	memset(bytes, 'a', 1000000);
	tmp_write_bytes(dir, "large", bytes, 1000000);
	tmp_write(dir, "empty", "");
	assert_int_equal(digest_file(large, hex, &e), 0);
	assert_string_equal(hex, MILLION_A);
	assert_int_equal(digest_file(empty, hex, &e), 0);
	assert_string_equal(hex, EMPTY);
	free(bytes);
	free(empty);
	free(large);
	tmp_remove(dir);
}

static void digest_file__fails_untouched__for_what_is_no_file(void **state)
{
	char *dir = tmp_make(), *fifo = tmp_path(dir, "fifo"), hex[DIGEST_HEX_SIZE] = "old";
	struct err e;

	(void)state;
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(digest_file("/nowhere/at/all", hex, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(digest_file(dir, hex, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_int_equal(digest_file(fifo, hex, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_string_equal(hex, "old");
	free(fifo);
	tmp_remove(dir);
}

static void digest_random_hex__differs_and_has_length__every_time(void **state)
{
	char a[201], b[201];

	(void)state;
	digest_random_hex(0, a);
	assert_string_equal(a, "");
	digest_random_hex(100, a);
	digest_random_hex(100, b);
	assert_int_equal(strlen(a), 200);
	assert_int_equal(strspn(a, "0123456789abcdef"), 200);
	assert_string_not_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digest_hex__matches__the_standard),
		cmocka_unit_test(digest__is_the_same__in_pieces_and_when_used_again),
		cmocka_unit_test(digest_file__streams__large_and_empty_files),
		cmocka_unit_test(digest_file__fails_untouched__for_what_is_no_file),
		cmocka_unit_test(digest_random_hex__differs_and_has_length__every_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
