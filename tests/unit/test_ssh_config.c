/* SPDX-License-Identifier: MIT */
/* ssh's configuration: names of hosts, what ssh -G prints, and asking it. */
#include "core/host/ssh_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "tests/support/tmp.h"

static struct err e;
static const struct host_context world = { .home = "/home/u",
					   .login = "u",
					   .agent_socket = "/run/a" };

static void target(const char *name, const char *user, const char *host, int port)
{
	struct ssh_target t;

	if (ssh_target_parse(sv_of(name), &t, &e) != 0)
		fail_msg("%s: %s", name, e.msg);
	if (!sv_eq_str(t.user, user) || !sv_eq_str(t.host, host) || t.port != port)
		fail_msg("%s: \"%.*s\" \"%.*s\" %d", name, (int)t.user.n, t.user.p, (int)t.host.n,
			 t.host.p, t.port);
}

static void target__is_cut_into_parts(void **state)
{
	(void)state;
	target("app1", "", "app1", 0);
	target("deploy@app1", "deploy", "app1", 0);
	target("deploy@app1:2222", "deploy", "app1", 2222);
	target("a@b@app1:22", "a@b", "app1", 22);
	target("::1", "", "::1", 0);
	target("u@fe80::1", "u", "fe80::1", 0);
	target("[::1]:2222", "", "::1", 2222);
	target("[::1]", "", "::1", 0);
	target("ssh://u@h:9/", "u", "h", 9);
}

static void target__is_refused__when_ssh_or_a_shell_could_misread_it(void **state)
{
	static const char *const bad[] = {
		"",    "@h",   "u@",     "-oProxyCommand=x", "-l@h", "h:",   "h:0",  "h:65536",
		"h:x", "[::1", "[::1]x", "[::1]:",           "a b",  "a\nb", "$(x)", "a;b",
		"a,b", "../h", "ssh://",
	};
	struct ssh_target t = { .port = 7 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (ssh_target_parse(sv_of(bad[i]), &t, &e) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(e.code, ERR_CONFIG);
		assert_int_equal(t.port, 7);
	}
}

static void parse(struct ssh_config *c, const char *text, const char *name)
{
	struct ssh_target t;

	assert_int_equal(ssh_target_parse(sv_of(name), &t, &e), 0);
	ssh_config_parse(c, sv_of(text), &t, &world);
}

static void parse__takes_what_ssh_prints(void **state)
{
	struct ssh_config c;
	int port;

	(void)state;
	parse(&c,
	      "host x1\nuser bob\nhostname 10.0.0.1\nport 2222\nhashknownhosts yes\n"
	      "identitiesonly yes\nhostkeyalias ali\nidentityfile ~/.ssh/%h_%r_%p_%n_%k_%u_%%\n"
	      "identityfile /tmp/a b/id\nidentityfile none\nidentityagent ~/agent\n"
	      "userknownhostsfile /home/u/kh /tmp/a b/kh ~/three\n"
	      "globalknownhostsfile /etc/kh /etc/kh2\nproxyjump joe@a:2200,b\n"
	      "passwordauthentication no\npubkeyauthentication true\nnonsense\n\n",
	      "x1");
	assert_string_equal(c.user, "bob");
	assert_string_equal(c.host, "10.0.0.1");
	assert_int_equal(c.port, 2222);
	assert_string_equal(c.alias, "ali");
	assert_true(c.hash_known_hosts && c.identities_only && c.by_key && c.by_prompts);
	assert_false(c.by_password);
	assert_int_equal(c.n_identity, 2);
	assert_string_equal(c.identity[0], "/home/u/.ssh/10.0.0.1_bob_2222_x1_ali_u_%");
	assert_string_equal(c.identity[1], "/tmp/a b/id");
	assert_int_equal(c.n_known, 5);
	assert_string_equal(c.known[0], "/home/u/kh");
	assert_string_equal(c.known[1], "/tmp/a b/kh");
	assert_string_equal(c.known[2], "/home/u/three");
	assert_string_equal(c.known[4], "/etc/kh2");
	assert_string_equal(c.known_first, "/home/u/kh");
	assert_string_equal(c.agent, "/home/u/agent");
	assert_string_equal(c.jump, "joe@a:2200,b");
	assert_null(c.proxy);
	assert_string_equal(ssh_config_known_name(&c, &port), "ali");
	assert_int_equal(port, 22);
	ssh_config_clear(&c);
}

static void parse__fills_in__what_was_not_said(void **state)
{
	struct ssh_config c;
	int port;

	(void)state;
	parse(&c, "", "app1");
	assert_string_equal(c.host, "app1");
	assert_string_equal(c.user, "u");
	assert_int_equal(c.port, 22);
	assert_int_equal(c.n_identity + c.n_known, 0);
	assert_null(c.known_first);
	assert_string_equal(c.agent, "/run/a");
	ssh_config_clear(&c);
	parse(&c, "port 0\nport 70000\nport x\nuser\nproxyjump none\n", "bob@app1:23");
	assert_string_equal(c.user, "bob");
	assert_int_equal(c.port, 23);
	assert_null(c.jump);
	assert_string_equal(ssh_config_known_name(&c, &port), "app1");
	assert_int_equal(port, 23);
	ssh_config_clear(&c);
}

static void parse__knows_files_that_are_none(void **state)
{
	struct ssh_config c;

	(void)state;
	parse(&c, "userknownhostsfile /dev/null\nglobalknownhostsfile none\nidentityagent none\n",
	      "a");
	assert_null(c.known_first);
	assert_int_equal(c.n_known, 1);
	assert_null(c.agent);
	ssh_config_clear(&c);
	parse(&c, "identityagent SSH_AUTH_SOCK\nproxycommand nc %h %p\n", "a");
	assert_string_equal(c.agent, "/run/a");
	assert_string_equal(c.proxy, "nc %h %p");
	ssh_config_clear(&c);
	parse(&c, "identityagent $OTHER\n", "a");
	assert_null(c.agent);
	ssh_config_clear(&c);
}

static void parse__has_a_limit__of_files(void **state)
{
	struct strbuf text;
	struct ssh_config c;

	(void)state;
	strbuf_init(&text, 1 << 20);
	strbuf_adds(&text, "userknownhostsfile");
	for (size_t i = 0; i < 300; i++)
		strbuf_addf(&text, " /k%zu", i);
	for (size_t i = 0; i < 300; i++)
		strbuf_addf(&text, "\nidentityfile /i%zu", i);
	parse(&c, strbuf_str(&text), "a");
	assert_int_equal(c.n_known, SSH_CONFIG_FILES_MAX);
	assert_int_equal(c.n_identity, SSH_CONFIG_FILES_MAX);
	ssh_config_clear(&c);
	strbuf_clear(&text);
}

static int read_config(const char *file, const char *name, struct ssh_config *c)
{
	struct host_context ctx = world;
	struct ssh_target t;

	ctx.ssh_config = file;
	assert_int_equal(ssh_target_parse(sv_of(name), &t, &e), 0);
	return ssh_config_read(c, &t, &ctx, clock_mono_ms() + 20000, NULL, &e);
}

static void read__asks_ssh(void **state)
{
	char *dir = tmp_make(), *file = tmp_path(dir, "config");
	struct ssh_config c;

	(void)state;
	tmp_write(dir, "config",
		  "Host x*\n HostName 10.0.0.9\n Port 2200\n User joe\n IdentityFile ~/k_%h\n"
		  " UserKnownHostsFile \"/tmp/a b/kh\" /tmp/kh2\n ProxyJump b\n");
	assert_int_equal(read_config(file, "x1", &c), 0);
	assert_true(c.program);
	assert_string_equal(c.host, "10.0.0.9");
	assert_string_equal(c.user, "joe");
	assert_int_equal(c.port, 2200);
	assert_string_equal(c.identity[0], "/home/u/k_10.0.0.9");
	assert_string_equal(c.known[0], "/tmp/a b/kh");
	assert_string_equal(c.known[1], "/tmp/kh2");
	assert_string_equal(c.jump, "b");
	ssh_config_clear(&c);
	assert_int_equal(read_config(file, "ann@x1:99", &c), 0);
	assert_string_equal(c.user, "ann");
	assert_int_equal(c.port, 99);
	ssh_config_clear(&c);
	free(file);
	tmp_remove(dir);
}

static void read__says__what_ssh_does_not_understand(void **state)
{
	char *dir = tmp_make(), *file = tmp_path(dir, "config");
	struct ssh_config c;

	(void)state;
	tmp_write(dir, "config", "Host x\n Nonsense yes\n");
	assert_int_equal(read_config(file, "x", &c), -1);
	assert_int_equal(e.code, ERR_CONFIG);
	assert_non_null(strstr(e.hint, "ssh -G -F "));
	free(file);
	tmp_remove(dir);
}

static void read__ends__with_its_deadline(void **state)
{
	char *dir = tmp_make(), *file = tmp_path(dir, "config");
	struct host_context ctx = world;
	struct ssh_config c;
	struct ssh_target t;

	(void)state;
	tmp_write(dir, "config", "Match exec \"sleep 100\"\n User x\n");
	ctx.ssh_config = file;
	assert_int_equal(ssh_target_parse(SV("x"), &t, &e), 0);
	assert_int_equal(ssh_config_read(&c, &t, &ctx, clock_mono_ms() + 300, NULL, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	free(file);
	tmp_remove(dir);
}

static void read__has_defaults__without_an_ssh(void **state)
{
	struct ssh_config c;
	char *path = strdup(getenv("PATH"));
	int r;

	(void)state;
	setenv("PATH", "/nonexistent", 1);
	r = read_config(NULL, "bob@x1", &c);
	setenv("PATH", path, 1);
	free(path);
	assert_int_equal(r, 0);
	assert_false(c.program);
	assert_string_equal(c.host, "x1");
	assert_string_equal(c.user, "bob");
	assert_string_equal(c.known_first, "/home/u/.ssh/known_hosts");
	assert_string_equal(c.identity[2], "/home/u/.ssh/id_ed25519");
	ssh_config_clear(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(target__is_cut_into_parts),
		cmocka_unit_test(target__is_refused__when_ssh_or_a_shell_could_misread_it),
		cmocka_unit_test(parse__takes_what_ssh_prints),
		cmocka_unit_test(parse__fills_in__what_was_not_said),
		cmocka_unit_test(parse__knows_files_that_are_none),
		cmocka_unit_test(parse__has_a_limit__of_files),
		cmocka_unit_test(read__asks_ssh),
		cmocka_unit_test(read__says__what_ssh_does_not_understand),
		cmocka_unit_test(read__ends__with_its_deadline),
		cmocka_unit_test(read__has_defaults__without_an_ssh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
