/* SPDX-License-Identifier: MIT */
#include "core/host/http_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void urls__say__host_and_port(void **state)
{
	static const struct {
		const char *url, *host; /* host NULL: no URL */
		int port;
		bool tls;
	} row[] = {
		{ "http://127.0.0.1:8000/api/health/", "127.0.0.1", 8000, false },
		{ "http://shop", "shop", 80, false },
		{ "https://shop.example.com/x:y@z", "shop.example.com", 443, true },
		{ "HTTPS://Shop:8443?x", "Shop", 8443, true },
		{ "http://[::1]:9000/", "::1", 9000, false },
		{ "http://[fe80::1]", "fe80::1", 80, false },
		{ "http://user:pass@word@host:81/", "host", 81, false },
		{ "http://host#frag", "host", 80, false },
		{ "ftp://host/", NULL, 0, false },
		{ "http:/host", NULL, 0, false },
		{ "http://", NULL, 0, false },
		{ "http:///path", NULL, 0, false },
		{ "http://:80/", NULL, 0, false },
		{ "http://host:/", NULL, 0, false },
		{ "http://host:0/", NULL, 0, false },
		{ "http://host:65536/", NULL, 0, false },
		{ "http://host:8x/", NULL, 0, false },
		{ "http://[::1/", NULL, 0, false },
		{ "http://[::1]x/", NULL, 0, false },
		{ "http://ho st/", NULL, 0, false },
		{ "http://ho\nst/", NULL, 0, false },
		{ "host:80", NULL, 0, false },
		{ "", NULL, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct http_url u;
		struct err e;
		int rc = http_url_read(row[i].url, &u, &e);

		if ((rc == 0) != (row[i].host != NULL))
			fail_msg("%s", row[i].url);
		if (rc != 0) {
			assert_int_equal(e.code, ERR_CONFIG);
			continue;
		}
		assert_string_equal(u.host, row[i].host);
		assert_int_equal(u.port, row[i].port);
		assert_int_equal(u.tls, row[i].tls);
	}
}

static void urls__are_of_one_place__whatever_their_paths(void **state)
{
	(void)state;
	assert_true(http_url_same("http://a:80/x", "http://A/y"));
	assert_false(http_url_same("http://a/x", "https://a/x"));
	assert_false(http_url_same("http://a/x", "http://b/x"));
	assert_false(http_url_same("http://a/x", "file:///x"));
	assert_false(http_url_same("javascript:x", "http://a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls__say__host_and_port),
		cmocka_unit_test(urls__are_of_one_place__whatever_their_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
