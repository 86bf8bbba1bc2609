/* SPDX-License-Identifier: MIT */
/*
 * Reading everything at once.
 *
 * Opening and hashing ten thousand files and reading three histories take about the same time, and
 * share nothing, so each environment has a thread while the calling one scans the folder. Each
 * thread writes only its own env_snapshot; the join is the only meeting.
 */
#include "cli/look.h"

#include <pthread.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/migrate/source.h"

struct look_env {
	const struct context *ctx;
	const struct env *env;
	unsigned flags;
	struct env_snapshot *out;
	pthread_t thread;
	bool started;
};

static void *read_env(void *arg)
{
	struct look_env *j = arg;

	snapshot_read_env(j->ctx, j->env, j->flags, NULL, j->out);
	return NULL;
}

struct snapshot *look_read(const struct project *p, const struct context *ctx, unsigned flags)
{
	struct source_spec spec = { .dir = p->migrations, .layout = p->layout };
	struct snapshot *s = mem_calloc(1, sizeof(*s));
	struct look_env *job = mem_calloc(p->n_env + 1, sizeof(*job));

	s->n_env = p->n_env;
	s->env = mem_calloc(p->n_env + 1, sizeof(*s->env));
	s->at_utc_ms = clock_utc_ms();
	for (size_t i = 0; i < p->n_env; i++) {
		struct look_env *j = &job[i];

		*j = (struct look_env){
			.ctx = ctx, .env = &p->env[i], .flags = flags, .out = &s->env[i]
		};
		j->started = pthread_create(&j->thread, NULL, read_env, j) == 0;
		if (!j->started)
			read_env(j); /* no thread to be had: one after the other */
	}
	if (source_scan(&spec, NULL, &s->source, &s->source_err) != 0)
		s->source = NULL;
	for (size_t i = 0; i < p->n_env; i++)
		if (job[i].started)
			pthread_join(job[i].thread, NULL);
	snapshot_join(p, s);
	mem_free(job);
	return s;
}
