/* SPDX-License-Identifier: MIT */
/*
 * [service NAME] and [service NAME on ENVIRONMENT] to the services of each environment.
 *
 * [service web] puts the service into every environment; a section "on" an environment changes single keys
 * of it there, `hosts = none` takes it out. Where there are sections "on" only, it is in those environments
 * and in no other. For each environment the two sections are laid over each other, key by key, and what
 * comes out is read like one section; so a mistake in the defaults is found once for each environment and
 * told once.
 *
 * Keys of another runtime are a mistake where they would have no effect. The exception: a section "on" that
 * changes the runtime leaves those of the defaults aside, they are for the other environments.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "config/reader.h"
#include "config/schema.h"
#include "core/base/fs.h"
#include "core/base/words.h"

/* Which runtime reads which key; what is not here is for all of them. */
static const struct {
	const char *key;
	unsigned kinds;
} owners[] = {
#define CONTAINERS (1u << RUNTIME_DOCKER | 1u << RUNTIME_PODMAN)
	{ "container", CONTAINERS },           { "engine_socket", CONTAINERS },
	{ "unit", 1u << RUNTIME_SYSTEMD },     { "pid_file", 1u << RUNTIME_PROCESS },
	{ "log_file", 1u << RUNTIME_PROCESS }, { "directory", 1u << RUNTIME_PROCESS },
	{ "command", 1u << RUNTIME_PROCESS },
};

/* The sections of one service, as one environment sees them. */
struct view {
	struct reader *r;
	const struct section *plain, *on; /* NULL: there is none */
	struct section both;
	const struct env *env;
	bool unknown; /* a value is not known here: settings are missing */
};

static bool is_service(const struct section *s)
{
	return strcmp(s->kind, "service") == 0;
}

/* The first section of a name stands for all of them. */
static bool is_first(const struct reader *r, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (is_service(r->list[i]) && strcmp(r->list[i]->name, r->list[at]->name) == 0)
			return false;
	return is_service(r->list[at]);
}

static void lay_over(const struct reader *r, const char *name, const char *env, struct view *v)
{
	v->plain = reader_find(r, "service", name, "");
	v->on = reader_find(r, "service", name, env);
	v->both = v->plain != NULL ? *v->plain : *v->on;
	v->both.on = v->on != NULL ? env : "";
	if (v->on == NULL)
		return;
	v->both.line = v->on->line;
	v->both.trouble = v->on->trouble != NULL ? v->on->trouble : v->both.trouble;
	for (size_t i = 0; i < options_n; i++)
		if (v->on->given[i].line != 0)
			v->both.given[i] = v->on->given[i];
}

static bool is_in(const struct reader *r, const char *name, const char *env)
{
	struct view v;

	if (reader_find(r, "service", name, "") == NULL &&
	    reader_find(r, "service", name, env) == NULL)
		return false;
	lay_over(r, name, env, &v);
	return !reader_hosts_none(&v.both);
}

bool reader_has_service(const struct reader *r, const char *env)
{
	for (size_t i = 0; i < r->n; i++)
		if (is_service(r->list[i]) && is_in(r, r->list[i]->name, env))
			return true;
	return false;
}

/* --- Runtimes ------------------------------------------------------------------------------------ */

/* Where a key is given: its line, and whether that is the section "on". */
static int given_line(const struct view *v, const char *key, bool *on)
{
	const struct option *o = option_find("service", key);

	*on = v->on != NULL && v->on->given[o - options].line != 0;
	return v->both.given[o - options].line;
}

static void check_owners(const struct view *v, enum runtime_kind kind)
{
	const struct option *o = option_find("service", "runtime");
	bool runtime_on, on;
	size_t i, k;

	given_line(v, "runtime", &runtime_on);
	for (i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		int line = given_line(v, owners[i].key, &on);

		if (line == 0 || (owners[i].kinds & 1u << kind) != 0 || (runtime_on && !on))
			continue;
		for (k = 0; (owners[i].kinds & 1u << k) == 0; k++)
			;
		reader_mistake(v->r, line,
			       arena_printf(&v->r->errs->arena, "remove it, or write runtime = %s",
					    o->values[k]),
			       "`%s` is not a key of runtime = %s", owners[i].key, o->values[kind]);
	}
}

static bool name_like(const char *text, const char *also)
{
	size_t i;

	for (i = 0; text[i] != '\0'; i++)
		if (!isalnum((unsigned char)text[i]) && strchr(also, text[i]) == NULL)
			return false;
	return i > 0 && i < 256 && text[0] != '-';
}

static void fill_container(const struct view *v, struct runtime_service *rs)
{
	const struct option *o;
	int line;

	rs->container = reader_text(&v->both, "container", rs->name);
	reader_value(&v->both, "container", &o, &line);
	if (!name_like(rs->container, "_.-") || !isalnum((unsigned char)rs->container[0]))
		reader_mistake(v->r, line,
			       "letters, digits, . _ -, beginning with one of the first",
			       "`container` cannot be %s", rs->container);
	rs->socket = reader_value(&v->both, "engine_socket", &o, &line);
	if (rs->socket != NULL && rs->socket[0] != '/')
		reader_mistake(v->r, line, "write its path from /, such as /run/docker.sock",
			       "`engine_socket` cannot be %s", rs->socket);
}

static void fill_unit(const struct view *v, struct runtime_service *rs)
{
	const struct option *o;
	int line;

	rs->unit = reader_text(&v->both, "unit", rs->name);
	reader_value(&v->both, "unit", &o, &line);
	if (!name_like(rs->unit, "_.-:@\\"))
		reader_mistake(v->r, line, "write the name of a unit, such as shop-web.service",
			       "`unit` cannot be %s", rs->unit);
}

/* --- Processes ----------------------------------------------------------------------------------- */

static const char *joined(const struct view *v, const char *dir, const char *name)
{
	char *path = path_join(dir, name);
	const char *kept = arena_strdup(&v->r->p->arena, path);

	mem_free(path);
	return kept;
}

/* The path of a file or folder on the machine, from base (NULL: nowhere to start from). */
static const char *path_from(const struct view *v, const char *key, const char *base)
{
	const struct option *o;
	int line;
	const char *text = reader_value(&v->both, key, &o, &line);

	if (text == NULL || text[0] == '/')
		return text;
	if (base != NULL)
		return joined(v, base, text);
	reader_mistake(v->r, line,
		       strcmp(key, "directory") == 0 ? "write it from /"
						     : "write it from /, or add directory = /PATH",
		       "`%s` is a path from nowhere on another machine: %s", key, text);
	return NULL;
}

static void fill_process(struct view *v, const struct service *s, struct runtime_service *rs)
{
	static const char *const wanted[] = { "pid_file", "log_file" };
	const char *here = v->r->p->config_dir;
	const struct option *o;
	struct err e;
	char **words;
	size_t n;
	int line;

	for (size_t i = 0; i < s->n_host; i++)
		if (s->host[i]->transport != HOST_LOCAL)
			here = NULL;
	rs->directory = path_from(v, "directory", here);
	if (rs->directory == NULL)
		rs->directory = here;
	rs->pid_file = path_from(v, "pid_file", rs->directory);
	rs->log_file = path_from(v, "log_file", rs->directory);
	for (size_t i = 0; i < 2; i++) {
		reader_value(&v->both, wanted[i], &o, &line);
		if (line == 0)
			reader_mistake(v->r, v->both.line,
				       arena_printf(&v->r->errs->arena, "such as %s = %s",
						    wanted[i], o->example),
				       "%s is a process without `%s`", reader_shown(v->r, &v->both),
				       wanted[i]);
	}
	if (rs->pid_file != NULL && rs->log_file != NULL &&
	    strcmp(rs->pid_file, rs->log_file) == 0) {
		reader_value(&v->both, "log_file", &o, &line);
		reader_mistake(v->r, line, "name another file",
			       "`log_file` and `pid_file` are the same: %s", rs->log_file);
	}
	rs->command = reader_value(&v->both, "command", &o, &line);
	if (rs->command != NULL && words_split(&v->r->p->arena, rs->command, &words, &n, &e) != 0)
		reader_mistake(v->r, line, "write the words of the command", "`command`: %s",
			       e.msg);
}

/* --- Health -------------------------------------------------------------------------------------- */

/* What is wrong with a URL, or NULL. One with a name or password in it would be shown with them. */
static const char *url_trouble(const char *url, const char **hint)
{
	const char *host = strstr(url, "://"), *end, *colon, *p;
	int64_t port;

	*hint = "write http://HOST:PORT/PATH or https://…";
	if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
		return "is neither http:// nor https://";
	host += 3;
	end = host + strcspn(host, "/?#");
	for (p = url; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("\\\"<>^`{|}", *p) != NULL)
			return "has a character that must be written as %XX";
	if (memchr(host, '@', (size_t)(end - host)) != NULL) {
		*hint = "let the service answer without a password there";
		return "has a user name in it";
	}
	p = host[0] == '[' ? memchr(host, ']', (size_t)(end - host)) : host;
	if (p == NULL || host == end || *host == ':')
		return "names no machine";
	colon = memchr(p, ':', (size_t)(end - p));
	if (colon != NULL && !sv_int(sv_n(colon + 1, (size_t)(end - colon) - 1), 1, 65535, &port))
		return "has a port that is none";
	return NULL;
}

static void fill_health(const struct view *v, struct health_spec *h)
{
	struct reader *r = v->r;
	const struct section *s = &v->both;
	const char *trouble = NULL, *hint;
	const struct option *o;
	int line;

	h->url = reader_value(s, "health", &o, &line);
	if (h->url != NULL)
		trouble = url_trouble(h->url, &hint);
	if (trouble != NULL)
		reader_mistake(r, line, hint, "`health` %s: %s", trouble, h->url);
	h->delay_ms = reader_span(r, s, "health_delay");
	h->interval_ms = reader_span(r, s, "health_interval");
	h->timeout_ms = reader_span(r, s, "health_timeout");
	h->attempts = reader_count(r, s, "health_attempts");
	h->successes = reader_count(r, s, "health_successes");
	h->redirects = reader_bool(r, s, "health_redirects", false);
	if (h->successes > h->attempts) {
		int at;

		reader_value(s, "health_attempts", &o, &at);
		reader_value(s, "health_successes", &o, &line);
		reader_mistake(r, line > 0 ? line : at,
			       "write at most as many successes as attempts",
			       "%d successes in a row cannot be had in %d attempts", h->successes,
			       h->attempts);
	}
	reader_value(s, "health_redirects", &o, &line);
	if (line > 0 && h->redirects && h->url == NULL && o != NULL) {
		int at;

		reader_value(s, "health", &o, &at);
		if (at == 0)
			reader_mistake(r, line, "add health = URL, or remove it",
				       "`health_redirects` without `health`");
	}
}

/* --- Services ------------------------------------------------------------------------------------ */

static bool fill_service(struct view *v, size_t n_filled, struct service *s)
{
	struct runtime_service *rs = &s->runtime;
	bool hosts;

	*s = (struct service){ .line = v->both.line };
	rs->name = v->both.name;
	rs->kind = (enum runtime_kind)reader_enum(v->r, &v->both, "runtime", RUNTIME_DOCKER);
	hosts = reader_service_hosts(v->r, &v->both, v->env, n_filled, &s->host, &s->n_host);
	check_owners(v, rs->kind);
	if (rs->kind == RUNTIME_DOCKER || rs->kind == RUNTIME_PODMAN)
		fill_container(v, rs);
	else if (rs->kind == RUNTIME_SYSTEMD)
		fill_unit(v, rs);
	else
		fill_process(v, s, rs);
	fill_health(v, &s->health);
	return hosts;
}

/* With settings that are missing, what hangs on them is left out: a guess would look at another service.
 * The environment's trouble is told where the environment is. */
static bool is_known(const struct view *v)
{
	for (size_t i = 0; i < options_n; i++)
		if (v->both.given[i].line != 0 && v->both.given[i].value == NULL)
			return false;
	return true;
}

static void fill_env_services(struct reader *r, struct env *env)
{
	env->service = arena_alloc(&r->p->arena, (r->n + 1) * sizeof(*env->service));
	for (size_t i = 0; i < r->n; i++) {
		struct view v = { .r = r, .env = env };

		if (!is_first(r, i) || !is_in(r, r->list[i]->name, env->name))
			continue;
		lay_over(r, r->list[i]->name, env->name, &v);
		if (fill_service(&v, env->n_service, &env->service[env->n_service]) && is_known(&v))
			env->n_service++;
	}
}

/* Sections that no environment has. */
static void check_places(struct reader *r, const struct section *s)
{
	if (s->on[0] != '\0' && reader_find(r, "environment", s->on, "") == NULL) {
		reader_mistake(r, s->line, reader_nearest_env(r, s->on),
			       "%s is on an environment that has no section", reader_shown(r, s));
		return;
	}
	for (size_t i = 0; i < r->p->n_env; i++)
		if (is_in(r, s->name, r->p->env[i].name))
			return;
	reader_mistake(r, s->line, "name its machines in `hosts`, or remove it",
		       "%s is in no environment", reader_shown(r, s));
}

void reader_services(struct reader *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (is_service(r->list[i]))
			check_places(r, r->list[i]);
	for (size_t i = 0; i < r->p->n_env; i++)
		fill_env_services(r, &r->p->env[i]);
}
