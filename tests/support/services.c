/* SPDX-License-Identifier: MIT */
#include "tests/support/services.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/mem.h"
#include "tests/support/tmp.h"

#define WORDS_MAX 24
#define NOT_INSTALLED 77

static const char *const kind_name[] = {
	[SERVICE_PG] = "pg", [SERVICE_MY] = "my", [SERVICE_SSH] = "ssh", [SERVICE_DOCKER] = "docker"
};

/* argv[0..4] are ours; words go behind, up to a NULL. */
struct command {
	const char *argv[5 + WORDS_MAX + 1];
	char *script, owner[24];
	size_t n;
};

static void command_init(struct command *c)
{
	const char *source = getenv("BASCULE_SOURCE");

	c->script = tmp_path(source ? source : ".", "tests/services/services.sh");
	snprintf(c->owner, sizeof(c->owner), "%ld", (long)getpid());
	c->argv[0] = "bash";
	c->argv[1] = c->script;
	c->argv[2] = "--owner";
	c->argv[3] = c->owner;
	c->n = 4;
}

static void command_add(struct command *c, const char *word)
{
	assert_true(c->n + 1 < sizeof(c->argv) / sizeof(*c->argv));
	c->argv[c->n++] = word;
	c->argv[c->n] = NULL;
}

static void command_add_all(struct command *c, const char *verb, va_list more)
{
	for (const char *word = verb; word; word = va_arg(more, const char *))
		command_add(c, word);
}

static void command_run(struct command *c, struct tmp_child *child)
{
	tmp_run(child, NULL, (char *const *)(uintptr_t)c->argv);
	mem_free(c->script);
}

static char *without_newline(char *text)
{
	size_t n = strlen(text);

	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = '\0';
	return text;
}

/* Runs it to a good end; what it printed. */
static char *command_must(struct command *c)
{
	const char *verb = c->argv[4];
	struct tmp_child child;

	command_run(c, &child);
	if (child.status != 0)
		fail_msg("services.sh %s: status %d\n%s%s", verb, child.status, child.out,
			 child.err);
	free(child.err);
	return without_newline(child.out);
}

char *services_tell(const char *verb, ...)
{
	struct command c;
	va_list more;

	command_init(&c);
	va_start(more, verb);
	command_add_all(&c, verb, more);
	va_end(more);
	return command_must(&c);
}

int services_try(char **said, const char *verb, ...)
{
	struct tmp_child child;
	struct command c;
	va_list more;

	command_init(&c);
	va_start(more, verb);
	command_add_all(&c, verb, more);
	va_end(more);
	command_run(&c, &child);
	if (said) {
		*said = tmp_path(child.out, child.err);
		/* tmp_path joins by a slash; here it is a line. */
		(*said)[strlen(child.out)] = '\n';
	}
	tmp_child_clear(&child);
	return child.status;
}

char *services_sql(const struct server *s, const char *sql)
{
	return services_tell("sql", s->name, sql, NULL);
}

/* What `env` says, and where it goes. */
static const struct {
	const char *key;
	size_t at;
} field[] = {
	{ "SOCKET_DIR", offsetof(struct server, socket_dir) },
	{ "SOCKET", offsetof(struct server, socket) },
	{ "USER", offsetof(struct server, user) },
	{ "PASSWORD", offsetof(struct server, password) },
	{ "DB", offsetof(struct server, db) },
	{ "SUPERUSER", offsetof(struct server, superuser) },
	{ "URL", offsetof(struct server, url) },
	{ "URL_TCP", offsetof(struct server, url_tcp) },
	{ "URL_PASSWORD", offsetof(struct server, url_password) },
	{ "DATA", offsetof(struct server, data) },
	{ "LOG", offsetof(struct server, log) },
	{ "CA", offsetof(struct server, ca) },
	{ "TLS", offsetof(struct server, tls) },
	{ "DIR", offsetof(struct server, dir) },
	{ "CONFIG", offsetof(struct server, config) },
	{ "CONFIG_ALL", offsetof(struct server, config_all) },
	{ "KEY", offsetof(struct server, key) },
	{ "KNOWN_HOSTS", offsetof(struct server, known_hosts) },
	{ "PASSPHRASE", offsetof(struct server, passphrase) },
	{ "HOSTKEY_SHA256", offsetof(struct server, host_key) },
	{ "HOSTKEY_ED25519", offsetof(struct server, host_key_ed25519) },
	{ "HOSTKEY_ECDSA", offsetof(struct server, host_key_ecdsa) },
};

static char **field_of(struct server *s, size_t i)
{
	return (char **)(void *)((char *)s + field[i].at);
}

/* The value of a line S_KEY='VALUE' of text; caller frees. NULL: the kind has no such thing. */
static char *env_value(const char *text, const char *key)
{
	char line[64];
	const char *at, *end;

	snprintf(line, sizeof(line), "S_%s='", key);
	at = strstr(text, line);
	if (!at)
		return NULL;
	at += strlen(line);
	end = strchr(at, '\'');
	assert_non_null(end);
	return strndup(at, (size_t)(end - at));
}

static long env_number(const char *text, const char *key)
{
	char *value = env_value(text, key);
	long n = value ? strtol(value, NULL, 10) : 0;

	free(value);
	return n;
}

void services_env(const char *name, struct server *s)
{
	char *text = services_tell("env", name, "S", NULL);

	memset(s, 0, sizeof(*s));
	s->name = strdup(name);
	for (size_t i = 0; i < sizeof(field) / sizeof(*field); i++)
		*field_of(s, i) = env_value(text, field[i].key);
	s->port = (int)env_number(text, "PORT");
	s->pid = (pid_t)env_number(text, "PID");
	free(text);
}

static void stop_all(void)
{
	struct tmp_child child;
	struct command c;

	command_init(&c);
	command_add(&c, "stop-all");
	command_run(&c, &child);
	tmp_child_clear(&child);
}

/* The watcher of the session would do it a moment later. */
static void stop_all_at_exit(void)
{
	static int registered;

	if (!registered)
		registered = atexit(stop_all) == 0;
}

bool services_have(const char *what)
{
	const char *ci = getenv("CI");
	char *said;
	int status = services_try(&said, "need", what, NULL);

	if (status == NOT_INSTALLED) {
		/* With a colon it is no package but a reason. */
		const char *why = strchr(said, ':') ? "" : "not installed: ";

		if (ci && strcmp(ci, "true") == 0)
			fail_msg("%s%s", why, said);
		print_message("%s%s\n", why, said);
	} else if (status != 0) {
		fail_msg("services.sh need: %s", said);
	}
	free(said);
	return status == 0;
}

int services_start_as(enum server_kind kind, const char *name, const char *options,
		      struct server *out)
{
	char *words = mem_strdup(options ? options : ""), *rest = words, *word;
	struct command c;

	memset(out, 0, sizeof(*out));
	if (!services_have(kind_name[kind])) {
		mem_free(words);
		return -1;
	}
	stop_all_at_exit();
	if (services_try(NULL, "running", name, NULL) != 0) {
		command_init(&c);
		command_add(&c, "start");
		command_add(&c, kind_name[kind]);
		command_add(&c, name);
		while ((word = strsep(&rest, " ")) != NULL)
			if (*word)
				command_add(&c, word);
		free(command_must(&c));
	}
	mem_free(words);
	services_env(name, out);
	return 0;
}

int services_start(enum server_kind kind, struct server *out)
{
	return services_start_as(kind, kind_name[kind], NULL, out);
}

void services_need(const struct server *s)
{
	if (!s->name)
		skip();
}

void services_clear(struct server *s)
{
	free(s->name);
	for (size_t i = 0; i < sizeof(field) / sizeof(*field); i++)
		free(*field_of(s, i));
	memset(s, 0, sizeof(*s));
}

void services_stop(struct server *s)
{
	if (s->name)
		free(services_tell("stop", s->name, NULL));
	services_clear(s);
}
