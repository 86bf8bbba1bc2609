/* SPDX-License-Identifier: MIT */
#include "cli/demo_services.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const char lead[] = "health = http://127.0.0.1:";

/* The ports of a configuration. */
static void ports_of(struct strbuf *config, int port[DEMO_SERVICES])
{
	const char *at = strbuf_str(config);

	for (int i = 0; i < DEMO_SERVICES; i++) {
		struct sv rest, digits;
		int64_t n = 0;

		at = strstr(at, lead);
		assert_non_null(at);
		at += strlen(lead);
		rest = sv_of(at);
		assert_true(sv_cut(&rest, '/', &digits) && sv_int(digits, 1, 65535, &n));
		port[i] = (int)n;
	}
}

/* As a service listens. */
static int listen_on(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void ports__of_two_demos_made_at_once__are_different(void **state)
{
	struct demo_ports held[2] = { { .n = 0 }, { .n = 0 } };
	int port[2][DEMO_SERVICES], fd[DEMO_SERVICES];
	struct strbuf config[2];
	struct err e;

	(void)state;
	for (int d = 0; d < 2; d++) {
		strbuf_init(&config[d], 1 << 16);
		assert_int_equal(demo_services_config(&config[d], &held[d], &e), 0);
		ports_of(&config[d], port[d]);
	}
	for (int i = 0; i < DEMO_SERVICES; i++)
		for (int j = 0; j < DEMO_SERVICES; j++)
			assert_int_not_equal(port[0][i], port[1][j]);
	/* The services come in while their ports are held, and stay when they are not any more. */
	for (int i = 0; i < DEMO_SERVICES; i++)
		fd[i] = listen_on(port[0][i]);
	demo_ports_release(&held[0]);
	demo_ports_release(&held[1]);
	demo_ports_release(&held[1]);
	for (int i = 0; i < DEMO_SERVICES; i++)
		close(fd[i]);
	strbuf_clear(&config[0]);
	strbuf_clear(&config[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports__of_two_demos_made_at_once__are_different),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
