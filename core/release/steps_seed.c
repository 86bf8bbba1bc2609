/* SPDX-License-Identifier: MIT */
/*
 * One seed.
 *
 * It runs as a migration does, in one transaction where the engine can and statement by statement
 * elsewhere, and its event is its own record. It is not resumed inside: a seed can be repeated, so one
 * that stopped begins anew. Its text is not kept in the ledger, which would grow with every run; the
 * run's folder has it.
 */
#include "core/release/executor.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/migrate/apply.h"
#include "core/migrate/source.h"
#include "core/release/seeds.h"

#include <string.h>

static int find_seeded(struct executor *x, const struct step *s, const struct seeded **out,
		       struct err *e)
{
	const struct history *h;

	if (executor_history(x, &h, e))
		return -1;
	*out = seeded_find(h, s->id);
	return 0;
}

static enum probe_result seed_probe(struct executor *x, const struct step *s, struct err *e)
{
	const struct seeded *k;

	if (find_seeded(x, s, &k, e))
		return PROBE_ERROR;
	if (!k || k->runs < s->generation)
		return PROBE_TODO;
	if (k->run && !strcmp(k->run, x->run->id)) {
		executor_say(x, "has run");
		return PROBE_DONE;
	}
	err_set(e, ERR_GATE, "seed %s ran in %s since the plan was made", s->id,
		x->plan->environment);
	err_detail(e, "by %s in run %s", k->who ? k->who : "somebody", k->run ? k->run : "unknown");
	err_hint(e, "bascule seeds %s", x->plan->environment);
	return PROBE_ERROR;
}

/* A feed of one seed. */
struct seeding {
	struct executor *x;
	const struct step *step;
	struct apply_job job;
	struct apply_result result;
	bool given;
};

static int seed_next(void *arg, struct apply_job **job, struct err *e)
{
	struct seeding *d = arg;

	(void)e;
	if (d->given)
		return 0;
	d->given = true;
	*job = &d->job;
	return 1;
}

static int seed_done(void *arg, struct apply_job *job, const struct apply_result *r,
		     const struct err *why, struct err *e)
{
	(void)job;
	(void)why;
	(void)e;
	((struct seeding *)arg)->result = *r;
	return 0;
}

static void seed_again(void *arg, const struct apply_job *job, int attempt, int64_t wait_ms,
		       const struct err *why)
{
	struct seeding *d = arg;

	(void)job;
	record_again(d->x, d->step->n, attempt, wait_ms, why);
}

static void say_result(struct executor *x, const struct step *s, const struct apply_result *r,
		       bool failed)
{
	if (!failed)
		executor_say(x, "%zu statement%s", r->n_statement, r->n_statement == 1 ? "" : "s");
	else if (r->failed_line > 0 && r->statement_by_statement)
		executor_say(x, "failed at statement %zu of %zu, line %d of %s: %s; it begins anew",
			     r->failed_statement, r->n_script, r->failed_line, s->file,
			     r->failed_sql);
	else if (r->failed_line > 0)
		executor_say(x, "failed at line %d of %s, its transaction was rolled back",
			     r->failed_line, s->file);
}

static int seed_act(struct executor *x, const struct step *s, struct err *e)
{
	/* Numbers the records of its statements behind those of the tries before. */
	struct applied before = { .partial = true };
	struct seeding d = { .x = x, .step = s };
	struct apply_feed f = {
		.db = x->db,
		.lock = x->lock,
		.cancel = &x->work,
		.next = seed_next,
		.done = seed_done,
		.again = seed_again,
		.arg = &d,
	};
	const struct seeded *k;
	struct strbuf text;
	int ret = -1;

	strbuf_init(&text, SOURCE_FILE_MAX);
	executor_forget_history(x);
	if (find_seeded(x, s, &k, e) || run_script(x->run, s->checksum, &text, e))
		goto out;
	before.partial_attempt = k ? k->next_attempt : 0;
	d.job = (struct apply_job){
		.db = x->db,
		.lock = x->lock,
		.event = { .ns = s->ns,
			   .id = s->id,
			   .title = "",
			   .sort_key = s->id,
			   .kind = EVENT_SEEDED,
			   .generation = s->generation,
			   .checksum = s->checksum,
			   .run = x->run->id,
			   .epoch = lock_epoch(x->lock),
			   .who = x->ctx->who,
			   .host = x->ctx->host },
		.script = strbuf_sv(&text),
		.what = s->id,
		.environment = x->plan->environment,
		.no_transaction = s->no_transaction,
		.before = before.partial_attempt > 0 ? &before : NULL,
	};
	ret = apply_feed(&f, e);
	say_result(x, s, &d.result, ret != 0);
	executor_forget_history(x);
out:
	strbuf_clear(&text);
	return ret;
}

const struct step_ops step_seed_ops = {
	.name = "seed",
	.flags = STEP_OWN_RECORD,
	.probe = seed_probe,
	.act = seed_act,
};
