/* SPDX-License-Identifier: MIT */
/* The job behind the view "Database". */
#include "core/engine/job.h"

#include "core/base/mem.h"
#include "core/engine/details.h"

void job_details(struct job *job)
{
	const char *name = job->arg;
	const struct env *env = env_find(job->engine->project, name);
	struct event *ev = event_new(EV_DETAILS, job->request);

	str_copy(ev->u.details.env, sizeof(ev->u.details.env), name);
	if (!env || !env->has_db)
		err_set(&ev->err, ERR_USAGE, "%s has no database", name);
	else if (details_read(job->engine->ctx, env, &job->cancel, &ev->u.details.details,
			      &ev->err) == 0)
		err_clear(&ev->err);
	job_post(job, ev);
}
