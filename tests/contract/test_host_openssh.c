/* SPDX-License-Identifier: MIT */
/*
 * The contract of hosts (host_cases.c), by the ssh program.
 * needs: servers
 * time-limit: 300
 */
#include "tests/contract/host_cases.h"

#include <glob.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Nobody listens any more at the control sockets of this folder, as behind a link that was killed. */
static size_t make_stale(const char *dir)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char pattern[300];
	size_t n;
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/m*", dir);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		assert_int_equal(unlink(found.gl_pathv[i]), 0);
		snprintf(a.sun_path, sizeof(a.sun_path), "%s", found.gl_pathv[i]);
		assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
		close(fd);
	}
	n = found.gl_pathc;
	globfree(&found);
	return n;
}

/* What finds its link gone did not run, and is run again. */
static void link__that_is_gone__is_made_again(void **state)
{
	struct host_spec spec = {
		.transport = HOST_OPENSSH,
		.connect_timeout_ms = HOST_CASES_MS / 2,
		.alive_ms = 1000,
	};
	struct server server;
	struct host_context ctx;
	struct hosts *pool;
	char *dir = tmp_make();

	(void)state;
	assert_int_equal(services_start_as(SERVICE_SSH, "stale", NULL, &server), 0);
	spec.name = server.name;
	ctx = (struct host_context){
		.home = dir, .login = "root", .ssh_config = server.config, .run_dir = dir
	};
	pool = hosts_new(&ctx);
	for (int i = 0; i < 3; i++) {
		char *said = host_world_sh(hosts_get(pool, &spec), "echo works");

		assert_string_equal(said, "works\n");
		assert_int_equal(make_stale(dir), 1);
		free(said);
	}
	hosts_free(pool);
	services_stop(&server);
	tmp_remove(dir);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest own[] = {
		cmocka_unit_test(link__that_is_gone__is_made_again),
	};

	host_cases_helper(argc, argv);
	return host_cases_run(HOST_OPENSSH, own, sizeof(own) / sizeof(own[0]));
}
