/* SPDX-License-Identifier: MIT */
/*
 * Reading everything at once.
 *
 * Opening and hashing ten thousand files, reading three histories and asking twenty machines take about the
 * same time, and share nothing, so each environment has a thread while the calling one scans the folder. Each
 * thread writes only its own place; the join is the only meeting.
 *
 * A host that asks something fails its environment with ERR_ASKS. Whoever can be asked is, behind the look,
 * one question after the other, and those environments are looked at again.
 */
#include "cli/look.h"

#include <pthread.h>

#include "cli/questions.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/migrate/source.h"

#define ASK_ROUNDS 12
#define SERVICES_MS \
	15000 /* all hosts of one look; a host that does not answer by then is told as such */
#define HOSTS_OF_LOOK 512

/* One thread's work: reads a database, or looks at services. */
struct look_job {
	const struct context *ctx;
	const struct env *env;
	unsigned flags;
	struct env_snapshot *out; /* one of the two */
	struct look_services *services;
	bool again; /* to be read (once more) */
	pthread_t thread;
	bool started;
};

/* --- One job ------------------------------------------------------------------------------------- */

void look_services_clear(struct look_services *s)
{
	services_free(s->services);
	for (size_t i = 0; i < s->n_health; i++)
		health_result_clear(&s->health[i]);
	mem_free(s->health);
	*s = (struct look_services){ 0 };
}

static void read_services(const struct look_job *j)
{
	struct look_services *out = j->services;

	look_services_clear(out);
	if (services_read(j->env, j->ctx->hosts, NULL, SERVICES_MS, NULL, &out->services,
			  &out->err) == 0 &&
	    health_glance(j->env, out->services, j->ctx->hosts, NULL, &out->health, &out->n_health,
			  &out->err) == 0)
		err_clear(&out->err);
}

static void *look(void *arg)
{
	struct look_job *j = arg;

	if (j->services != NULL) {
		read_services(j);
		return NULL;
	}
	/* One that failed has nothing of its own. */
	*j->out = (struct env_snapshot){ 0 };
	snapshot_read_env(j->ctx, j->env, j->flags, NULL, j->out);
	return NULL;
}

static bool asks(const struct look_job *j)
{
	const struct services *s = j->services != NULL ? j->services->services : NULL;

	for (size_t i = 0; s != NULL && i < s->n_host; i++)
		if (s->host[i].err.code == ERR_ASKS)
			return true;
	return j->out != NULL && !j->out->reachable && j->out->err.code == ERR_ASKS;
}

/* --- All of them --------------------------------------------------------------------------------- */

static void start_each(struct look_job *job, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		job[i].started = job[i].again &&
				 pthread_create(&job[i].thread, NULL, look, &job[i]) == 0;
		if (job[i].again && !job[i].started)
			look(&job[i]); /* no thread to be had: one after the other */
	}
}

static void join_each(struct look_job *job, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (job[i].started)
			pthread_join(job[i].thread, NULL);
}

/* Asks what hosts asked; *any: what hung on them is to be looked at again. */
static int ask_for(struct cli *c, struct look_job *job, size_t n, bool *any, struct err *e)
{
	const struct host_spec **spec = mem_calloc(HOSTS_OF_LOOK, sizeof(const struct host_spec *));
	size_t n_spec = 0;
	int rc;

	for (size_t i = 0; i < n; i++) {
		job[i].again = asks(&job[i]);
		if (job[i].again)
			n_spec += cli_hosts_of(job[i].env, spec + n_spec, HOSTS_OF_LOOK - n_spec);
	}
	rc = cli_hosts_answer(c, spec, n_spec, any, e);
	mem_free(spec);
	return rc;
}

static void read_files(const struct project *p, unsigned flags, struct snapshot *s)
{
	struct source_spec spec = { .dir = p->migrations, .layout = p->layout };

	if (source_scan(&spec, NULL, &s->source, &s->source_err) != 0)
		s->source = NULL;
	if (flags & SNAPSHOT_GIT)
		s->git = shared_git_read(s->source, p->migrations, NULL);
}

static size_t make_jobs(struct cli *c, unsigned flags, const bool *wanted,
			struct look_services *services, struct snapshot *s, struct look_job *job)
{
	const struct project *p = c->project;
	size_t n = 0;

	for (size_t i = 0; i < p->n_env; i++) {
		job[n] = (struct look_job){
			.ctx = &c->ctx, .env = &p->env[i], .flags = flags, .again = true
		};
		job[n++].out = &s->env[i];
		if (services == NULL || !wanted[i] || p->env[i].n_service == 0)
			continue;
		job[n] = job[n - 1];
		job[n].out = NULL;
		job[n++].services = &services[i];
	}
	return n;
}

struct snapshot *look_read(struct cli *c, unsigned flags, const bool *wanted,
			   struct look_services *services, struct err *e)
{
	const struct project *p = c->project;
	struct snapshot *s = mem_calloc(1, sizeof(*s));
	struct look_job *job = mem_calloc(2 * p->n_env + 1, sizeof(*job));
	bool any = true;
	size_t n;
	int rc = 0;

	s->n_env = p->n_env;
	s->env = mem_calloc(p->n_env + 1, sizeof(*s->env));
	s->at_utc_ms = clock_utc_ms();
	n = make_jobs(c, flags, wanted, services, s, job);
	for (int round = 0; rc == 0 && any && round < ASK_ROUNDS; round++) {
		start_each(job, n);
		if (round == 0)
			read_files(p, flags, s);
		join_each(job, n);
		rc = ask_for(c, job, n, &any, e);
	}
	snapshot_join(p, s);
	if (rc != 0) {
		snapshot_free(s);
		s = NULL;
	}
	mem_free(job);
	return s;
}
