/* SPDX-License-Identifier: MIT */
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/release/run.h"

static void put_time(json_t *j, const char *key, int64_t utc_ms)
{
	char text[CLOCK_TEXT_SIZE];

	json_put_str(j, key, utc_ms > 0 ? clock_iso(utc_ms, text) : NULL);
}

static json_t *run_steps_json(const struct run *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->plan->n_step; i++) {
		const struct run_step *s = &r->step[i];
		json_t *j = json_object();

		json_put_int(j, "n", r->plan->step[i].n);
		json_put_str(j, "name", step_kind_name(r->plan->step[i].kind));
		json_put_str(j, "what", r->plan->step[i].what);
		json_put_str(j, "state", step_state_name(s->state));
		put_time(j, "started", s->started_utc_ms);
		json_object_set_new(j, "ms",
				    s->took_ms < 0 ? json_null() : json_integer(s->took_ms));
		json_put_str(j, "text", s->text);
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *run_error_json(const struct run *r)
{
	json_t *j;

	if (!r->error_msg[0])
		return json_null();
	j = json_object();
	json_put_str(j, "msg", r->error_msg);
	json_put_str(j, "detail", r->error_detail);
	json_put_str(j, "hint", r->error_hint);
	return j;
}

static json_t *run_chain_json(const struct run *r)
{
	json_t *j = json_object();

	json_put_int(j, "lines", r->chain.lines);
	json_put_int(j, "evidence", r->chain.evidence);
	json_put_bool(j, "sound", !r->chain.broken);
	json_put_str(j, "head", r->chain.head);
	json_put_int(j, "not_copied", r->not_copied);
	return j;
}

json_t *run_json(const struct run *r)
{
	json_t *j = json_object();

	json_put_str(j, "id", r->id);
	json_put_str(j, "operation", operation_name(r->plan->op));
	json_put_str(j, "environment", r->plan->environment);
	json_put_str(j, "state", run_state_name(r->state));
	json_put_int(j, "step", r->current);
	json_put_int(j, "of", (int64_t)r->plan->n_step);
	json_put_str(j, "by", r->who);
	json_put_str(j, "from", r->from);
	put_time(j, "created", r->created_utc_ms);
	put_time(j, "started", r->started_utc_ms);
	put_time(j, "ended", r->ended_utc_ms);
	put_time(j, "paused_until", r->state == RUN_PAUSED ? r->paused_until_utc_ms : 0);
	json_object_set_new(j, "exit", r->exit_code < 0 ? json_null() : json_integer(r->exit_code));
	json_put_int(j, "epoch", r->epoch);
	json_put_bool(j, "runner_alive", r->runner_alive);
	json_put_str(j, "target", r->plan->target);
	json_object_set_new(j, "error", run_error_json(r));
	json_object_set_new(j, "journal", run_chain_json(r));
	json_object_set_new(j, "steps", run_steps_json(r));
	return j;
}
