/* SPDX-License-Identifier: MIT */
/*
 * A copy before the change, and putting one back.
 *
 * A backup counts as this run's when its manifest names the run and it reads back whole. A restore
 * counts as done when the history has this run's `restored` event: without it the database is put
 * back again, which changes nothing the second time.
 */
#include "core/release/executor.h"

#include "core/backup/backup.h"
#include "core/base/fs.h"
#include "core/base/mem.h"
#include "core/ledger/ledger.h"

/* --- Backup --------------------------------------------------------------------------------- */

static enum probe_result backup_probe(struct executor *x, const struct step *s, struct err *e)
{
	enum probe_result result = PROBE_TODO;
	struct backup *list = NULL;
	size_t n = 0;
	struct err why;

	/* Only a run that was interrupted can have one. */
	if (x->mode == RUNNER_START)
		return PROBE_TODO;
	if (backup_list(x->backups_dir, x->plan->environment, &list, &n, e))
		return PROBE_ERROR;
	for (size_t i = 0; i < n && result == PROBE_TODO; i++) {
		if (strcmp(list[i].run, x->run->id) || strcmp(list[i].trigger, s->backup) ||
		    !list[i].verified)
			continue;
		if (backup_verify(&list[i], &x->work, &why))
			continue; /* damaged since: take another */
		executor_say(x, "%s, verified again", list[i].id);
		result = PROBE_DONE;
	}
	backup_list_free(list, n);
	return result;
}

static const char *head_version(const struct plan *p)
{
	struct arena *a = (struct arena *)&p->arena;

	return p->from_head && p->from_head[0]
		       ? matrix_label(a, NULL, p->from_head, p->schema_version)
		       : "";
}

static int backup_act(struct executor *x, const struct step *s, struct err *e)
{
	const struct backup_spec spec = {
		.root = x->backups_dir,
		.environment = x->plan->environment,
		.trigger = s->backup,
		.run = x->run->id,
		.who = x->ctx->who,
		.host = x->ctx->host,
		.schema_version = head_version(x->plan),
		.head = x->plan->from_head ? x->plan->from_head : "",
	};
	struct backup b = { 0 };

	if (backup_take(x->db, &spec, &x->work, &b, e))
		return -1;
	executor_say(x, "%s, %lld bytes, verified", b.id, (long long)b.bytes);
	backup_clear(&b);
	return 0;
}

const struct step_ops step_backup_ops = {
	.name = "backup",
	.flags = STEP_CHANGES_WORLD,
	.probe = backup_probe,
	.act = backup_act,
};

/* --- Restore -------------------------------------------------------------------------------- */

static int look_for_restored(void *arg, const struct history_event *ev, struct err *e)
{
	struct executor *x = arg;

	(void)e;
	if (ev->kind == EVENT_RESTORED && ev->run && !strcmp(ev->run, x->run->id))
		executor_say(x, "backup %s restored", ev->id);
	return 0;
}

static enum probe_result restore_probe(struct executor *x, const struct step *s, struct err *e)
{
	(void)s;
	x->text[0] = '\0';
	if (ledger_events(x->db, look_for_restored, x, e))
		return PROBE_ERROR;
	return x->text[0] ? PROBE_DONE : PROBE_TODO;
}

/* The backup in the folder path: <root>/<environment>/<id>. */
static int backup_at(const char *path, struct backup *out, struct err *e)
{
	char *env_dir = path_dir(path);
	char *root = path_dir(env_dir);
	int ret = backup_find(root, path_base(env_dir), path_base(path), out, e);

	mem_free(root);
	mem_free(env_dir);
	return ret;
}

static int restore_fence(void *arg, struct err *e)
{
	return lock_fence_file(arg, e);
}

/* Data and event go in together: the event is in the copy before the copy takes the database's
 * place, so no crash leaves one without the other. */
static int restore_act(struct executor *x, const struct step *s, struct err *e)
{
	const struct history_event ev = {
		.ns = "",
		.run = x->run->id,
		.epoch = lock_epoch(x->lock),
		.who = x->ctx->who,
		.host = x->ctx->host,
	};
	struct backup b = { 0 };
	int ret = -1;

	if (backup_at(s->path, &b, e))
		return -1;
	if (backup_restore_recorded(x->db, &x->plan->env.dsn, &b, &ev, restore_fence, x->lock,
				    &x->work, e))
		goto out;
	executor_say(x, "%lld bytes of %s", (long long)b.bytes, b.id);
	ret = 0;
out:
	executor_forget_history(x);
	backup_clear(&b);
	return ret;
}

const struct step_ops step_restore_ops = {
	.name = "restore",
	.flags = STEP_CHANGES_WORLD,
	.probe = restore_probe,
	.act = restore_act,
};
