/* SPDX-License-Identifier: MIT */
/*
 * `check`: machines and services. Every machine of every environment is connected at the same time; then, one
 * after the other, its clock, its disk and what runs there are told. Nothing is changed there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/check.h"
#include "cli/look_text.h"
#include "cli/questions.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/library.h"
#include "core/base/mem.h"

#define HOSTS_MAX 1024
#define SKEW_WARN_MS 5000
#define HOST_FREE_WARN_KB ((int64_t)200 << 10)
#define HOST_FREE_FAIL_KB ((int64_t)4 << 10)

/* Of the folder that a login starts in and of /var, where containers and logs usually are. */
static const char df_script[] = "df -Pk . /var 2>/dev/null | tail -n +2";

/* --- What is here -------------------------------------------------------------------------------- */

static bool program_in_path(const char *name)
{
	struct sv rest = sv_of(getenv("PATH")), dir;
	bool found = false;

	while (!found && sv_cut(&rest, ':', &dir)) {
		char *folder = mem_strndup(dir.p, dir.n), *path = path_join(folder, name);

		found = dir.n > 0 && access(path, X_OK) == 0;
		mem_free(path);
		mem_free(folder);
	}
	return found;
}

/* libssh2 before 1.11 cannot sign with SHA-2, which is all that current servers take of RSA keys. */
static void check_libssh2(struct check *k)
{
	struct {
		const char *(*version)(int required);
	} lib;
	static const struct library_symbol symbols[] = { { "libssh2_version", 0 } };
	static const char *const files[] = { "libssh2.so.1", NULL };
	static const struct library libssh2 = { .name = "libssh2",
						.hint = "install the package libssh2-1, or write "
							"transport = openssh",
						.file = files,
						.symbol = symbols,
						.n_symbol = 1 };
	struct err e;

	if (library_load(&libssh2, &lib, &e) != 0)
		check_add(k, CHECK_FAIL, "libssh2", e.hint, "%s: %s", e.msg, e.detail);
	else if (lib.version(0x010b00) == NULL)
		check_add(k, CHECK_OK, "libssh2", "",
			  "%s: no RSA keys with current servers, no keys encrypted with gcm; "
			  "transport = openssh has them",
			  lib.version(0));
	else
		check_add(k, CHECK_OK, "libssh2", "", "%s", lib.version(0));
}

static void check_ssh(struct check *k, const struct host_spec *const *spec, size_t n)
{
	const char *agent = getenv("SSH_AUTH_SOCK");
	bool libssh2 = false, openssh = false;

	for (size_t i = 0; i < n; i++) {
		libssh2 = libssh2 || spec[i]->transport == HOST_LIBSSH2;
		openssh = openssh || spec[i]->transport == HOST_OPENSSH;
	}
	if (!libssh2 && !openssh)
		return;
	if (program_in_path("ssh"))
		check_add(k, CHECK_OK, "ssh", "", "the program ssh is there%s",
			  openssh ? "" : ": it reads ssh's configuration");
	else
		check_add(k, openssh ? CHECK_FAIL : CHECK_WARN, "ssh",
			  "install the package openssh-client",
			  "the program ssh is not in PATH: ssh's configuration is not read");
	if (libssh2)
		check_libssh2(k);
	if (agent == NULL || agent[0] == '\0')
		check_add(k, CHECK_OK, "ssh agent", "",
			  "none (SSH_AUTH_SOCK is not set): keys come from files");
	else if (access(agent, R_OK | W_OK) != 0)
		check_add(k, CHECK_WARN, "ssh agent", "ssh-add -l",
			  "SSH_AUTH_SOCK is %s, which is not there", agent);
	else
		check_add(k, CHECK_OK, "ssh agent", "", "%s", agent);
}

/* --- One machine --------------------------------------------------------------------------------- */

static void check_clock(struct check *k, const char *name, const struct host_status *st)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t skew = st->skew_ms < 0 ? -st->skew_ms : st->skew_ms;

	if (!st->skew_known)
		return;
	if (skew <= SKEW_WARN_MS)
		check_add(k, CHECK_OK, name, "", "its clock is as ours, within %lld ms",
			  (long long)skew);
	else
		check_add(k, CHECK_WARN, name, "synchronise both clocks, with chrony say",
			  "its clock is %s ours by %s", st->skew_ms > 0 ? "ahead of" : "behind",
			  clock_span(skew, text));
}

/* "FILESYSTEM 1024-blocks Used Available Capacity Mounted-on" */
static void check_disk_line(struct check *k, const char *name, struct sv line, struct sv *last)
{
	struct sv word, field[6];
	size_t n = 0;
	int64_t free_kb;

	while (n < 6 && sv_cut(&line, ' ', &word))
		if (word.n > 0)
			field[n++] = word;
	if (n < 6 || !sv_int(field[3], 0, INT64_MAX, &free_kb) || sv_eq(field[5], *last))
		return;
	*last = field[5];
	check_add(k,
		  free_kb < HOST_FREE_FAIL_KB   ? CHECK_FAIL
		  : free_kb < HOST_FREE_WARN_KB ? CHECK_WARN
						: CHECK_OK,
		  name, "", "%.*s: %lld MB free", (int)field[5].n, field[5].p,
		  (long long)free_kb >> 10);
}

static void check_disk(struct check *k, const struct host_spec *spec)
{
	const struct host_command cmd = { .script = df_script };
	struct sv rest, line, last = { NULL, 0 };
	struct strbuf out;
	struct err e;

	strbuf_init(&out, (size_t)16 << 10);
	if (host_run(hosts_get(k->c->ctx.hosts, spec), &cmd, &out, NULL, NULL,
		     clock_mono_ms() + spec->connect_timeout_ms, NULL, &e) != 0) {
		check_err(k, CHECK_WARN, spec->name, &e);
	} else {
		rest = strbuf_sv(&out);
		while (sv_cut(&rest, '\n', &line))
			check_disk_line(k, spec->name, line, &last);
	}
	strbuf_clear(&out);
}

static void check_host(struct check *k, const struct host_spec *spec, const struct err *why)
{
	struct host_question q;
	struct host_status st;
	struct host *h = hosts_get(k->c->ctx.hosts, spec);
	struct err e = *why;

	host_status(h, &st);
	if (why->code == ERR_ASKS && host_question(h, &q))
		cli_question_err(&q, &e);
	if (why->code != ERR_OK) {
		check_err(k, CHECK_FAIL, spec->name, &e);
		return;
	}
	if (spec->transport != HOST_LOCAL) {
		check_add(k, CHECK_OK, spec->name, "", "reached by %s%s%s",
			  env_transport_name(spec->transport), st.about[0] != '\0' ? ", " : "",
			  st.about);
		check_clock(k, spec->name, &st);
	}
	check_disk(k, spec);
}

/* --- Services ------------------------------------------------------------------------------------ */

static void check_unit(struct check *k, const struct env *env, const struct services *s,
		       const struct service_unit *u)
{
	const char *kind = runtime_kind_name(u->service->runtime.kind);
	struct strbuf words, hint;

	/* What is wrong with the machine itself is told with it. */
	if (s->host[u->host].err.code != ERR_OK)
		return;
	if (u->err.code != ERR_OK) {
		check_err(k, CHECK_FAIL, env->name, &u->err);
		return;
	}
	strbuf_init(&words, 1024);
	strbuf_init(&hint, 512);
	service_words(u, clock_utc_ms(), &words);
	if (!service_unit_ok(u))
		strbuf_addf(&hint, "bascule logs %s %s", env->name, u->service->runtime.name);
	check_add(k, service_unit_ok(u) ? CHECK_OK : CHECK_WARN, env->name, strbuf_str(&hint),
		  "%s on %s: %s, %s", u->service->runtime.name, s->host[u->host].name, kind,
		  strbuf_str(&words));
	strbuf_clear(&words);
	strbuf_clear(&hint);
}

static void check_services(struct check *k, const struct env *env)
{
	struct services *s = NULL;
	struct err e;

	if (env->n_service == 0)
		return;
	if (services_read(env, k->c->ctx.hosts, NULL, 2 * env->connect_timeout_ms, NULL, &s, &e) !=
	    0)
		check_err(k, CHECK_FAIL, env->name, &e);
	for (size_t i = 0; s != NULL && i < s->n_unit; i++)
		check_unit(k, env, s, &s->unit[i]);
	services_free(s);
}

/* --- All ----------------------------------------------------------------------------------------- */

static size_t all_hosts(const struct project *p, const struct host_spec **list)
{
	size_t n = 0, k;

	for (size_t i = 0; i < p->n_env; i++) {
		const struct env *env = &p->env[i];
		size_t from = n;

		n += cli_hosts_of(env, list + n, HOSTS_MAX - n);
		for (size_t h = 0; h < env->n_host && n < HOSTS_MAX; h++) {
			for (k = from; k < n && list[k] != env->host[h]; k++)
				;
			if (k == n)
				list[n++] = env->host[h];
		}
	}
	return n;
}

/* The same name by the same transport is one machine, in whichever environments it is. */
static bool seen_before(const struct host_spec *const *list, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (list[i]->transport == list[at]->transport &&
		    strcmp(list[i]->name, list[at]->name) == 0)
			return true;
	return false;
}

int check_hosts(struct check *k, struct err *e)
{
	const struct project *p = k->c->project;
	const struct host_spec **list = mem_calloc(HOSTS_MAX, sizeof(const struct host_spec *));
	struct err *why = mem_calloc(HOSTS_MAX, sizeof(*why));
	size_t n = k->c->ctx.hosts != NULL ? all_hosts(p, list) : 0;
	bool any = false;
	int rc;

	check_ssh(k, list, n);
	cli_hosts_connect(k->c, list, n, why);
	rc = cli_hosts_answer(k->c, list, n, &any, e);
	if (any)
		cli_hosts_connect(k->c, list, n, why);
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (!seen_before(list, i))
			check_host(k, list[i], &why[i]);
	for (size_t i = 0; rc == 0 && n > 0 && i < p->n_env; i++)
		check_services(k, &p->env[i]);
	mem_free(why);
	mem_free(list);
	return rc;
}
