/* SPDX-License-Identifier: MIT */
/* applied/<environment>.json: what is in force, for tools that cannot ask the database. Written from
 * the history as it is behind the change, so writing it twice is no harm. */
#include "core/release/executor.h"

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/mem.h"

static enum probe_result state_file_probe(struct executor *x, const struct step *s, struct err *e)
{
	(void)x;
	(void)s;
	(void)e;
	return PROBE_TODO;
}

/* The label of a migration: as planned when this plan has it (a header may have named it). */
static const char *label_of(const struct plan *p, struct arena *a, const struct applied *m)
{
	for (size_t i = 0; i < p->n_step; i++) {
		const struct step *s = &p->step[i];

		if (s->id && !strcmp(s->id, m->id) && s->version && s->version[0])
			return s->version;
	}
	return matrix_label(a, NULL, m->id, p->schema_version);
}

static json_t *state_document(const struct plan *p, const struct history *h, struct arena *a)
{
	const struct applied *head = NULL;
	json_t *list = json_array();
	json_t *j = json_object();
	char now[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < h->n; i++) {
		if (!h->list[i].applied)
			continue;
		head = &h->list[i];
		json_array_append_new(list, json_string(head->id));
	}
	json_put_str(j, "environment", p->environment);
	json_put_str(j, "schema_version", head ? label_of(p, a, head) : NULL);
	json_object_set_new(j, "applied_migrations", list);
	json_put_str(j, "last_updated", clock_iso(clock_utc_ms(), now));
	return j;
}

static int state_file_act(struct executor *x, const struct step *s, struct err *e)
{
	const struct history *h;
	struct strbuf text;
	struct arena a;
	char *dir = NULL;
	json_t *j = NULL;
	int ret = -1;

	arena_init(&a);
	strbuf_init(&text, STRBUF_NO_LIMIT);
	/* What the steps before changed is not in the history read before them. */
	executor_forget_history(x);
	if (executor_history(x, &h, e))
		goto out;
	j = state_document(x->plan, h, &a);
	json_write_pretty(&text, j);
	dir = path_dir(s->path);
	if (fs_mkdirs(dir, 0755, e) || fs_replace(s->path, text.data, text.len, 0644, e))
		goto out;
	executor_say(x, "%zu applied", h->n_applied);
	ret = 0;
out:
	mem_free(dir);
	json_decref(j);
	strbuf_clear(&text);
	arena_clear(&a);
	return ret;
}

const struct step_ops step_state_file_ops = {
	.name = "state file",
	.flags = STEP_CHANGES_WORLD,
	.probe = state_file_probe,
	.act = state_file_act,
};
