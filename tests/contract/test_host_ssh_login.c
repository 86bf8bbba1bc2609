/* SPDX-License-Identifier: MIT */
/*
 * Logging in by libssh2: host keys that are known, unknown, changed and revoked; keys, agents, passphrases, prompts
 * and passwords; the way through other hosts. Everything that is refused says what to do.
 * needs: servers
 * time-limit: 240
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/base/mem.h"
#include "tests/contract/ssh_world.h"
#include "tests/support/tmp.h"

#define PASSWORD "correct horse"

static struct ssh_world w;
static struct err e;

static int setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (w.pool != NULL)
		ssh_world_close(&w);
	return 0;
}

static void gets_in(void)
{
	assert_int_equal(ssh_world_run(&w, "exit 3", NULL), 3);
}

static void has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("no \"%s\" in: %s", part, text);
}

static void asks(enum host_question_kind kind, struct host_question *q)
{
	struct host_status st;

	ssh_world_refused(&w, &e, ERR_ASKS);
	assert_true(host_question(w.host, q));
	if (q->kind != kind)
		fail_msg("asks something else: %s", q->text);
	host_status(w.host, &st);
	assert_int_equal(st.state, HOST_ASKS);
}

static void answer(const struct host_question *q, const char *text)
{
	if (host_answer(w.host, q->id, text, &e) != 0)
		fail_msg("%s", ssh_world_said(&e));
}

/* --- Host keys --------------------------------------------------------------------------------- */

/* A world whose known_hosts file is DIR/kh with that text. */
static void world_known(const char *name, const char *options, const char *more, const char *known)
{
	struct strbuf text;

	ssh_world_open(&w, name, options);
	strbuf_init(&text, 4096);
	strbuf_addf(&text, "Host *\nUserKnownHostsFile %s/.ssh/kh\n%s\n", w.dir, more);
	if (known != NULL)
		tmp_write(w.dir, ".ssh/kh", known);
	ssh_world_config(&w, strbuf_str(&text));
	strbuf_clear(&text);
}

static void unknown_key(const char *more)
{
	struct host_question q;
	char *path, *text;
	const char *last;
	struct stat st;

	world_known("fresh", "", more, NULL);
	asks(HOST_QUESTION_KEY, &q);
	assert_string_equal(q.key_type, "ssh-ed25519");
	assert_string_equal(q.sha256, w.server.host_key_ed25519);
	has(q.text, q.sha256);
	has(e.hint, "bascule trust");
	last = q.sha256 + strlen(q.sha256) - 4;
	assert_int_equal(host_answer(w.host, q.id + 1, last, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(host_answer(w.host, q.id, "yes", &e), -1);
	assert_int_equal(e.code, ERR_GATE);
	/* Still asked, and nothing written. */
	ssh_world_refused(&w, &e, ERR_ASKS);
	path = tmp_path(w.dir, ".ssh/kh");
	assert_int_equal(stat(path, &st), -1);
	assert_true(host_question(w.host, &q));
	answer(&q, last);
	gets_in();
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	text = tmp_read(w.dir, ".ssh/kh");
	if (strstr(more, "HashKnownHosts") != NULL)
		assert_null(strstr(text, "127.0.0.1"));
	else
		has(text, "[127.0.0.1]:");
	free(text);
	free(path);
	/* Another process knows it from the file. */
	ssh_world_again(&w);
	gets_in();
	assert_false(host_question(w.host, &q));
}

static void key__that_is_unknown__is_asked_for_and_kept(void **state)
{
	(void)state;
	unknown_key("");
}

static void key__is_kept__without_the_name(void **state)
{
	(void)state;
	unknown_key("HashKnownHosts yes");
}

static void key__that_changed__is_refused(void **state)
{
	struct host_question q;
	struct server now;
	char *old;

	(void)state;
	ssh_world_open(&w, "changed", "");
	gets_in();
	old = strdup(w.server.host_key_ed25519);
	free(services_tell("rekey", w.server.name, NULL));
	ssh_world_again(&w);
	ssh_world_refused(&w, &e, ERR_REFUSED);
	has(e.msg, "changed");
	has(e.detail, old);
	has(e.detail, w.server.known_hosts);
	has(e.hint, "ssh-keygen -R '[127.0.0.1]:");
	services_env("changed", &now);
	has(e.detail, now.host_key_ed25519);
	services_clear(&now);
	/* There is nothing to be answered. */
	assert_false(host_question(w.host, &q));
	free(old);
}

/* The key of the server of that type, as a line of known_hosts has it. */
static char *key_of(const char *type)
{
	struct strbuf name;
	char *text, *end;

	strbuf_init(&name, 200);
	strbuf_addf(&name, "hostkey_%s.pub", type);
	text = tmp_read(w.server.dir, strbuf_str(&name));
	end = strrchr(text, ' '); /* in front of the comment's last word */
	while (end != NULL && strstr(end, "==") == NULL && strchr(text, ' ') != end) {
		*end = '\0';
		end = strrchr(text, ' ');
	}
	strbuf_clear(&name);
	return text;
}

static void known_as(const char *format, const char *type)
{
	char *key = key_of(type);
	struct strbuf text;

	strbuf_init(&text, 8192);
	for (const char *c = format; *c != '\0'; c++)
		if (*c == 'K')
			strbuf_adds(&text, key);
		else if (*c == 'P')
			strbuf_addf(&text, "%d", w.server.port);
		else
			strbuf_addc(&text, *c);
	tmp_write(w.dir, ".ssh/kh", strbuf_str(&text));
	strbuf_clear(&text);
	free(key);
	ssh_world_again(&w);
}

static void key__is_found__however_it_is_written(void **state)
{
	struct host_question q;

	(void)state;
	world_known("written", "", "", "");
	/* The server would rather show its ed25519 key. */
	known_as("[127.0.0.1]:P K\n", "ecdsa");
	gets_in();
	known_as("garbage\n[127.0.0.*]:*,!x K\n", "ed25519");
	gets_in();
	known_as("127.0.0.1 K\n", "ed25519");
	gets_in();
	known_as("[127.0.0.*]:*,![127.0.0.1]:P K\n", "ed25519");
	asks(HOST_QUESTION_KEY, &q);
	known_as("@revoked * K\n[127.0.0.1]:P K\n", "ed25519");
	ssh_world_refused(&w, &e, ERR_REFUSED);
	has(e.msg, "revoked");
	known_as("@cert-authority * K\n", "ed25519");
	asks(HOST_QUESTION_KEY, &q);
	has(q.text, "authority");
}

static void key__is_looked_for__under_its_alias(void **state)
{
	(void)state;
	world_known("alias", "", "HostKeyAlias shop", "");
	known_as("shop K\n", "ed25519");
	gets_in();
}

static void key__that_is_rsa_only__is_explained(void **state)
{
	(void)state;
	ssh_world_open(&w, "rsa", "--hostkeys rsa");
	ssh_world_refused(&w, &e, ERR_REFUSED);
	has(e.hint, "transport = openssh");
}

static void known_hosts__that_cannot_be_read__is_said(void **state)
{
	(void)state;
	world_known("unread", "", "", NULL);
	tmp_write(w.dir, ".ssh/kh/is_a_folder", "");
	ssh_world_refused(&w, &e, ERR_INPUT);
	has(e.hint, ".ssh/kh");
}

/* --- Keys -------------------------------------------------------------------------------------- */

#define WORDS_MAX 16

/* Runs a program, words up to a NULL, and fails when it does. */
static __attribute__((sentinel)) void tool(const char *name, ...)
{
	char *argv[WORDS_MAX];
	struct tmp_child child;
	const char *word = name;
	size_t n = 0;
	va_list ap;

	va_start(ap, name);
	for (; word != NULL && n < WORDS_MAX - 1; word = va_arg(ap, const char *))
		argv[n++] = mem_strdup(word);
	va_end(ap);
	argv[n] = NULL;
	tmp_run(&child, NULL, argv);
	if (child.status != 0)
		fail_msg("%s: %s", name, child.err);
	tmp_child_clear(&child);
	while (n > 0)
		mem_free(argv[--n]);
}

static void passphrase__is_asked_once__and_again_when_wrong(void **state)
{
	struct host_question q;
	struct strbuf kept;

	(void)state;
	ssh_world_open(&w, "locked", "--encrypted-key");
	asks(HOST_QUESTION_PASSPHRASE, &q);
	has(q.text, w.server.key);
	answer(&q, "wrong");
	asks(HOST_QUESTION_PASSPHRASE, &q);
	has(q.text, "wrong");
	answer(&q, w.server.passphrase);
	gets_in();
	/* A runner is given it. */
	strbuf_init(&kept, 4096);
	hosts_answers_write(w.pool, &kept);
	ssh_world_again(&w);
	assert_int_equal(hosts_answers_read(w.pool, strbuf_sv(&kept), &e), 0);
	gets_in();
	strbuf_clear(&kept);
}

static void passphrase__is_not_asked__for_a_key_that_is_not_wanted(void **state)
{
	struct strbuf text;
	char *key;

	(void)state;
	ssh_world_open(&w, "twokeys", "");
	key = tmp_path(w.dir, "other");
	tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", key, NULL);
	strbuf_init(&text, 4096);
	strbuf_addf(&text, "Host *\nIdentityFile %s\nIdentityFile %s\n", key, w.server.key);
	ssh_world_config(&w, strbuf_str(&text));
	gets_in();
	strbuf_reset(&text);
	strbuf_addf(&text, "Host *\nIdentityFile %s\n", key);
	ssh_world_config(&w, strbuf_str(&text));
	ssh_world_refused(&w, &e, ERR_REFUSED);
	has(e.detail, key);
	has(e.detail, "it accepts publickey");
	strbuf_clear(&text);
	free(key);
}

static void key_files__that_libssh2_cannot_use__are_explained(void **state)
{
	struct strbuf text;
	char *gcm, *rsa, *open, *none;

	(void)state;
	ssh_world_open(&w, "odd", "");
	gcm = tmp_path(w.dir, "gcm");
	rsa = tmp_path(w.dir, "rsa");
	open = tmp_path(w.dir, "open");
	none = tmp_path(w.dir, "none");
	tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-Z", "aes256-gcm@openssh.com",
	     "-f", gcm, NULL);
	tool("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", rsa, NULL);
	tool("cp", w.server.key, open, NULL);
	tool("chmod", "644", open, NULL);
	tmp_write(w.dir, "none", "nothing\n");
	tool("chmod", "600", none, NULL);
	strbuf_init(&text, 4096);
	strbuf_addf(&text,
		    "Host *\nIdentityFile %s\nIdentityFile %s\nIdentityFile %s\nIdentityFile %s\n"
		    "IdentityFile %s/missing\n",
		    rsa, gcm, open, none, w.dir);
	ssh_world_config(&w, strbuf_str(&text));
	ssh_world_refused(&w, &e, ERR_REFUSED);
	has(e.detail, "rsa is an RSA key");
	has(e.detail, "gcm is encrypted in a way");
	has(e.detail, "open may be read by others");
	has(e.detail, "none is not a private key");
	assert_null(strstr(e.detail, "missing"));
	has(e.hint, "chmod 600"); /* of the first one that was found out */
	strbuf_clear(&text);
	free(gcm);
	free(rsa);
	free(open);
	free(none);
}

/* The key alone is no help where only its certificate counts; that it was not shown must not be a riddle. */
static void certificates__that_are_not_shown__are_explained(void **state)
{
	struct strbuf text;
	char *ca, *key, *named, *beside;

	(void)state;
	ssh_world_open(&w, "certified", "");
	ca = tmp_path(w.dir, "ca");
	key = tmp_path(w.dir, "key");
	beside = tmp_path(w.dir, "key-cert.pub");
	named = tmp_path(w.dir, "named-cert.pub");
	tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ca, NULL);
	tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key, NULL);
	tool("ssh-keygen", "-q", "-s", ca, "-I", "me", "-n", w.server.user, key, NULL);
	strbuf_init(&text, 4096);
	strbuf_addf(&text, "Host *\nIdentityFile %s\n", key);
	ssh_world_config(&w, strbuf_str(&text));
	ssh_world_refused(&w, &e, ERR_REFUSED);
	has(e.detail, "key-cert.pub is not used by libssh2");
	has(e.hint, "transport = openssh");
	tool("mv", beside, named, NULL);
	strbuf_addf(&text, "CertificateFile %s\nCertificateFile %s/none\n", named, w.dir);
	ssh_world_config(&w, strbuf_str(&text));
	ssh_world_refused(&w, &e, ERR_REFUSED);
	has(e.detail, "named-cert.pub is not used by libssh2");
	assert_null(strstr(e.detail, "none is not"));
	has(e.hint, "transport = openssh");
	strbuf_clear(&text);
	free(ca);
	free(key);
	free(named);
	free(beside);
}

/* --- The agent --------------------------------------------------------------------------------- */

static pid_t agent_start(char **socket)
{
	char program[] = "ssh-agent", shell[] = "-s", at[] = "-a";
	char *argv[] = { program, shell, at, *socket = tmp_path(w.dir, "agent"), NULL };
	struct tmp_child child;
	long pid = 0;

	tmp_run(&child, NULL, argv);
	if (child.status != 0 || strstr(child.out, "SSH_AGENT_PID=") == NULL)
		fail_msg("ssh-agent: %s", child.err);
	pid = strtol(strstr(child.out, "SSH_AGENT_PID=") + 14, NULL, 10);
	tmp_child_clear(&child);
	setenv("SSH_AUTH_SOCK", *socket, 1);
	return (pid_t)pid;
}

static void agent__signs(void **state)
{
	struct strbuf text;
	char *socket, *moved, *rsa, *public;
	pid_t pid;

	(void)state;
	ssh_world_open(&w, "agent", "");
	pid = agent_start(&socket);
	rsa = tmp_path(w.dir, "rsa");
	moved = tmp_path(w.dir, "elsewhere");
	tool("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", rsa, NULL);
	tool("ssh-add", "-q", rsa, NULL);
	strbuf_init(&text, 4096);
	strbuf_addf(&text, "Host *\nIdentityAgent %s\nIdentityFile %s/missing\n", socket, w.dir);
	ssh_world_config(&w, strbuf_str(&text));
	ssh_world_refused(&w, &e, ERR_REFUSED);
	has(e.detail, "RSA key cannot be used");
	tool("ssh-add", "-q", w.server.key, NULL);
	gets_in();
	/* Only those that are configured: this one is not. */
	strbuf_reset(&text);
	strbuf_addf(&text, "Host *\nIdentityAgent %s\nIdentitiesOnly yes\nIdentityFile %s\n",
		    socket, moved);
	ssh_world_config(&w, strbuf_str(&text));
	ssh_world_refused(&w, &e, ERR_REFUSED);
	/* Its public half is enough to say which one. */
	strbuf_reset(&text);
	strbuf_addf(&text, "%s.pub", w.server.key);
	public = tmp_path(w.dir, "elsewhere.pub");
	tool("cp", strbuf_str(&text), public, NULL);
	free(public);
	gets_in();
	strbuf_clear(&text);
	kill(pid, SIGTERM);
	ssh_world_again(&w);
	ssh_world_refused(&w, &e, ERR_REFUSED);
	has(e.detail, "agent");
	free(socket);
	free(moved);
	free(rsa);
}

static void agent__with_many_keys__does_not_use_up_the_tries(void **state)
{
	struct strbuf text;
	char *socket, *key;
	pid_t pid;

	(void)state;
	ssh_world_open(&w, "manykeys", "");
	pid = agent_start(&socket);
	for (int i = 0; i < 9; i++) {
		struct strbuf name;

		strbuf_init(&name, 100);
		strbuf_addf(&name, "key%d", i);
		key = tmp_path(w.dir, strbuf_str(&name));
		tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key, NULL);
		tool("ssh-add", "-q", key, NULL);
		strbuf_clear(&name);
		free(key);
	}
	/* The file that is configured has its turn. */
	strbuf_init(&text, 4096);
	strbuf_addf(&text, "Host *\nIdentityAgent %s\n", socket);
	ssh_world_config(&w, strbuf_str(&text));
	gets_in();
	strbuf_addf(&text, "IdentityFile %s/missing\n", w.dir);
	ssh_world_config(&w, strbuf_str(&text));
	ssh_world_refused(&w, &e, ERR_REFUSED);
	has(e.detail, "agent key SHA256:");
	has(e.detail, "other keys of the agent were not tried");
	has(e.hint, "IdentitiesOnly");
	strbuf_clear(&text);
	kill(pid, SIGTERM);
	free(socket);
}

/* --- Passwords --------------------------------------------------------------------------------- */

static void world_password(const char *name, const char *options)
{
	struct strbuf all;

	if (geteuid() != 0)
		skip();
	strbuf_init(&all, 1000);
	strbuf_addf(&all, "--password correct-horse %s", options);
	ssh_world_open(&w, name, strbuf_str(&all));
	strbuf_clear(&all);
}

static void no_key(void)
{
	struct strbuf text;

	strbuf_init(&text, 1000);
	strbuf_addf(&text, "Host *\nIdentityFile %s/missing\n", w.dir);
	ssh_world_config(&w, strbuf_str(&text));
	strbuf_clear(&text);
}

static void prompts__are_passed_on(void **state)
{
	struct host_question q;

	(void)state;
	world_password("prompts", "");
	no_key();
	asks(HOST_QUESTION_PROMPT, &q);
	has(q.text, "assword");
	assert_false(q.echo);
	answer(&q, "wrong");
	asks(HOST_QUESTION_PROMPT, &q);
	has(q.text, "refused");
	answer(&q, w.server.password);
	gets_in();
	/* Kept as long as the pool lives. */
	free(services_tell("crash", w.server.name, NULL));
	services_clear(&w.server);
	(void)services_start_as(SERVICE_SSH, "prompts", "", &w.server);
	w.spec.name = w.server.name;
	no_key();
	asks(HOST_QUESTION_PROMPT, &q);
}

static void password__is_asked_for(void **state)
{
	struct host_question q;

	(void)state;
	world_password("password", "--set KbdInteractiveAuthentication=no");
	no_key();
	asks(HOST_QUESTION_PASSWORD, &q);
	answer(&q, "wrong");
	asks(HOST_QUESTION_PASSWORD, &q);
	has(q.text, "refused");
	answer(&q, w.server.password);
	gets_in();
}

static void key_and_prompt__are_both_given(void **state)
{
	struct host_question q;

	(void)state;
	world_password("factors", "--set AuthenticationMethods=publickey,keyboard-interactive");
	asks(HOST_QUESTION_PROMPT, &q);
	answer(&q, w.server.password);
	gets_in();
}

/* --- The way ----------------------------------------------------------------------------------- */

static void way__leads_through_two_others(void **state)
{
	struct server first, second;
	struct host_status st;
	struct strbuf text;

	(void)state;
	(void)services_start_as(SERVICE_SSH, "first", "", &first);
	services_need(&first);
	(void)services_start_as(SERVICE_SSH, "second", "", &second);
	ssh_world_open(&w, "third", "");
	strbuf_init(&text, 8192);
	strbuf_addf(&text, "Host third\nProxyJump first,second\nHost *\nInclude %s\n",
		    w.server.config_all);
	tmp_write(w.dir, "config", strbuf_str(&text));
	strbuf_clear(&text);
	w.config = tmp_path(w.dir, "config");
	ssh_world_again(&w);
	gets_in();
	host_status(hosts_get(w.pool,
			      &(struct host_spec){ .name = "first", .transport = HOST_LIBSSH2 }),
		    &st);
	assert_int_equal(st.state, HOST_READY);
	/* What breaks on the way breaks what goes through. */
	free(services_tell("crash", "first", NULL));
	ssh_world_refused(&w, &e, ERR_NOT_FOUND);
	has(e.msg, "through first,second");
	services_stop(&first);
	services_stop(&second);
}

static void way__asks_in_the_name_of_its_end(void **state)
{
	struct host_question q;
	struct server first;
	struct strbuf text;
	const char *last;

	(void)state;
	(void)services_start_as(SERVICE_SSH, "gate", "", &first);
	services_need(&first);
	ssh_world_open(&w, "behind", "");
	strbuf_init(&text, 8192);
	strbuf_addf(
		&text,
		"Host behind\nProxyJump gate\nHost gate\nUserKnownHostsFile %s/kh\nHost *\nInclude %s\n",
		w.dir, w.server.config_all);
	tmp_write(w.dir, "config", strbuf_str(&text));
	strbuf_clear(&text);
	w.config = tmp_path(w.dir, "config");
	ssh_world_again(&w);
	asks(HOST_QUESTION_KEY, &q);
	has(q.text, "on the way");
	assert_string_equal(q.sha256, first.host_key_ed25519);
	last = q.sha256 + strlen(q.sha256) - 4;
	answer(&q, last);
	gets_in();
	services_stop(&first);
}

/* Whoever confirmed the key of the host on the way has not said anything about the one behind it, which may show the
 * same: because it is a copy of that machine, or because the host on the way plays its part. */
static void way__that_shows_one_key_twice__is_asked_about_twice(void **state)
{
	struct host_question q;
	struct strbuf text;

	(void)state;
	ssh_world_open(&w, "twice", "");
	strbuf_init(&text, 8192);
	strbuf_addf(&text,
		    "Host twice\nProxyJump gate\nUserKnownHostsFile %s/kh\n"
		    "Host gate\nHostName 127.0.0.1\nPort %d\nUser %s\nIdentityFile %s\n"
		    "UserKnownHostsFile %s/kh.gate\n"
		    "Host twice\nIdentityFile %s\n",
		    w.dir, w.server.port, w.server.user, w.server.key, w.dir, w.server.key);
	ssh_world_config(&w, strbuf_str(&text));
	strbuf_clear(&text);
	asks(HOST_QUESTION_KEY, &q);
	has(q.text, "on the way");
	answer(&q, q.sha256 + strlen(q.sha256) - 4);
	asks(HOST_QUESTION_KEY, &q);
	assert_null(strstr(q.text, "on the way"));
	answer(&q, q.sha256 + strlen(q.sha256) - 4);
	gets_in();
}

/* Two machines of one name and port, each behind its own host: what was typed for one is nothing for the other. */
static void way__is_part_of_what_an_answer_is_for(void **state)
{
	struct host_question q;
	struct server gate;
	struct strbuf text;

	(void)state;
	world_password("inner", "--set KbdInteractiveAuthentication=no");
	(void)services_start_as(SERVICE_SSH, "gate", "", &gate);
	strbuf_init(&text, 8192);
	strbuf_addf(&text,
		    "Host inner\nProxyJump east\nHost inner-west\nProxyJump west\n"
		    "Host inner*\nHostName 127.0.0.1\nPort %d\nUser %s\nIdentityFile %s/missing\n"
		    "UserKnownHostsFile %s\nHostKeyAlias [127.0.0.1]:%d\n"
		    "Host east west\nHostName 127.0.0.1\nPort %d\nUser %s\nIdentityFile %s\n"
		    "UserKnownHostsFile %s\n",
		    w.server.port, w.server.user, w.dir, w.server.known_hosts, w.server.port,
		    gate.port, gate.user, gate.key, gate.known_hosts);
	ssh_world_config(&w, strbuf_str(&text));
	strbuf_clear(&text);
	asks(HOST_QUESTION_PASSWORD, &q);
	has(q.text, " through east");
	answer(&q, w.server.password);
	gets_in();
	w.spec.name = "inner-west";
	w.host = hosts_get(w.pool, &w.spec);
	asks(HOST_QUESTION_PASSWORD, &q);
	has(q.text, " through west");
	answer(&q, w.server.password);
	gets_in();
	services_stop(&gate);
}

static void way__that_leads_in_a_circle__is_refused(void **state)
{
	(void)state;
	ssh_world_open(&w, "circle", "");
	ssh_world_config(&w, "Host circle\nProxyJump other\nHost other\nProxyJump circle\n");
	ssh_world_refused(&w, &e, ERR_CONFIG);
	has(e.hint, "ProxyJump");
}

static void proxy_command__is_for_the_ssh_program(void **state)
{
	(void)state;
	ssh_world_open(&w, "proxied", "");
	ssh_world_config(&w, "Host proxied\nProxyCommand nc %h %p\n");
	ssh_world_refused(&w, &e, ERR_UNSUPPORTED);
	has(e.hint, "transport = openssh");
}

static void revoked_keys__are_for_the_ssh_program(void **state)
{
	(void)state;
	ssh_world_open(&w, "revoking", "");
	ssh_world_config(&w, "Host *\nRevokedHostKeys /etc/ssh/revoked\n");
	ssh_world_refused(&w, &e, ERR_UNSUPPORTED);
	has(e.detail, "/etc/ssh/revoked");
	has(e.hint, "transport = openssh");
}

static void name__may_have_user_and_port(void **state)
{
	struct strbuf name;

	(void)state;
	ssh_world_open(&w, "named", "");
	strbuf_init(&name, 200);
	strbuf_addf(&name, "%s@127.0.0.1:%d", w.server.user, w.server.port);
	ssh_world_config(&w, "Host *\nGlobalKnownHostsFile /dev/null\n");
	{
		char *config = tmp_read(w.dir, "config");
		char *at = strstr(config, "Host named");

		memcpy(at, "Host *    ", 10);
		tmp_write(w.dir, "config", config);
		free(config);
	}
	w.spec.name = strbuf_str(&name);
	ssh_world_again(&w);
	gets_in();
	strbuf_clear(&name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		CASE(key__that_is_unknown__is_asked_for_and_kept),
		CASE(key__is_kept__without_the_name),
		CASE(key__that_changed__is_refused),
		CASE(key__is_found__however_it_is_written),
		CASE(key__is_looked_for__under_its_alias),
		CASE(key__that_is_rsa_only__is_explained),
		CASE(known_hosts__that_cannot_be_read__is_said),
		CASE(passphrase__is_asked_once__and_again_when_wrong),
		CASE(passphrase__is_not_asked__for_a_key_that_is_not_wanted),
		CASE(key_files__that_libssh2_cannot_use__are_explained),
		CASE(certificates__that_are_not_shown__are_explained),
		CASE(agent__signs),
		CASE(agent__with_many_keys__does_not_use_up_the_tries),
		CASE(prompts__are_passed_on),
		CASE(password__is_asked_for),
		CASE(key_and_prompt__are_both_given),
		CASE(way__leads_through_two_others),
		CASE(way__asks_in_the_name_of_its_end),
		CASE(way__that_shows_one_key_twice__is_asked_about_twice),
		CASE(way__is_part_of_what_an_answer_is_for),
		CASE(way__that_leads_in_a_circle__is_refused),
		CASE(proxy_command__is_for_the_ssh_program),
		CASE(revoked_keys__are_for_the_ssh_program),
		CASE(name__may_have_user_and_port),
#undef CASE
	};

	cmocka_set_test_filter(getenv("TEST_FILTER"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
