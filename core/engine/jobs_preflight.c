/* SPDX-License-Identifier: MIT */
/* Job: what stands in the way of a change of one environment, over a connection of its own. */
#include "core/engine/job.h"

#include "core/base/mem.h"

void job_preflight(struct job *job)
{
	const struct env *env = env_find(job->engine->project, job->arg);
	struct event *ev = event_new(EV_PREFLIGHT, job->request);
	struct preflight *p = mem_calloc(1, sizeof(*p));

	str_copy(ev->u.preflight.env, sizeof(ev->u.preflight.env), job->arg);
	if (!env || !env->has_db) {
		err_set(&ev->err, ERR_NOT_FOUND, "%s has no database", (const char *)job->arg);
	} else if (preflight_ask(job->engine->ctx, env, &job->cancel, p, &ev->err) == 0) {
		err_clear(&ev->err);
		ev->u.preflight.preflight = p;
		p = NULL;
	}
	if (p)
		preflight_clear(p);
	mem_free(p);
	/* First, so that whoever sees the answer may ask again. */
	engine_preflight_done(job->engine);
	job_post(job, ev);
}
