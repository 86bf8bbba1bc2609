/* SPDX-License-Identifier: MIT */
/*
 * What the makers of all operations share: growing arrays in the plan's arena, steps that open and
 * close every plan, and finding the migrations that the operator means.
 *
 * A plan outlives the source and the histories it was made from (it is frozen, shown, sent to a
 * runner), so every string that enters it is copied. What an operator types is compared as the
 * layouts do, by sort key: `--to 9` finds 009. A version label finds the last migration that
 * carries it, because a release is everything up to and with that one.
 */
#include "core/release/plan_make.h"

#include "core/db/db.h"

#include "core/base/fs.h"

#include <stdint.h>
#include <string.h>

void *arena_push(struct arena *a, void *list_ptr, size_t *n, size_t size)
{
	void **list = list_ptr;
	bool full = (*n & (*n - 1)) == 0; /* 0, 1, 2, 4, 8 …: the sizes it was made with */

	if (full) {
		char *more = arena_alloc(a, (*n ? *n * 2 : 1) * size);

		if (*n)
			memcpy(more, *list, *n * size);
		*list = more;
	}
	return (char *)*list + (*n)++ * size;
}

const char *plan_str(struct plan *p, const char *s)
{
	return s ? arena_strdup(&p->arena, s) : NULL;
}

bool str_same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

struct step *plan_add_step(struct plan_make *m, enum step_kind kind, const char *what,
			   const char *undo)
{
	struct plan *p = m->plan;
	struct step *s = arena_push(&p->arena, &p->step, &p->n_step, sizeof(*s));

	s->n = (int)p->n_step;
	s->kind = kind;
	s->what = plan_str(p, what);
	s->undo = plan_str(p, undo);
	s->expect_ms = -1;
	return s;
}

void plan_note(struct plan *p, const char *fmt, ...)
{
	const char **note;
	struct strbuf b;
	va_list ap;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	va_start(ap, fmt);
	strbuf_addv(&b, fmt, ap);
	va_end(ap);
	note = arena_push(&p->arena, &p->note, &p->n_note, sizeof(*note));
	*note = plan_str(p, strbuf_str(&b));
	strbuf_clear(&b);
}

const char *plan_what(struct plan *p, const char *verb, const struct pick *k)
{
	const char *title = k->title ? k->title : "";

	/* A ledger of an early day may not know the title. */
	if (!title[0] && k->file && k->file->title)
		title = k->file->title;
	return arena_printf(&p->arena, "%s %s%s%s", verb, k->id, title[0] ? " " : "", title);
}

void step_set_migration(struct plan *p, struct step *s, const struct pick *k)
{
	s->ns = plan_str(p, k->ns);
	s->id = plan_str(p, k->id);
	s->title = plan_str(p, k->title);
	s->sort_key = plan_str(p, k->sort_key);
	s->version = matrix_label(&p->arena, k->file, k->id, p->schema_version);
	s->version = plan_str(p, s->version); /* a header's label belongs to the source */
	if (!k->file)
		return;
	s->checksum = plan_str(p, k->file->checksum);
	s->file = plan_str(p, path_base(k->file->up_path));
	s->no_transaction = k->file->no_transaction;
	s->has_down = k->file->down == DOWN_SQL;
	if (s->has_down)
		s->down_checksum = plan_str(p, k->file->down_checksum);
}

/* --- Steps around the change ---------------------------------------------------------------------- */

void plan_add_opening(struct plan_make *m, const char *trigger)
{
	struct plan *p = m->plan;
	bool record = p->op == OP_BASELINE || p->op == OP_ACCEPT || p->op == OP_MARK;
	const struct db_ops *driver;
	struct step *s;

	plan_add_step(m, STEP_LOCK, arena_printf(&p->arena, "take the lock of %s", p->environment),
		      "give the lock back");
	plan_add_step(m, STEP_GATES, "measure the gates again, on live data", "");
	/* A record changes what the ledger says, not the data: only `always` wants a copy. */
	if (record && m->env->backup != BACKUP_ALWAYS)
		return;
	driver = db_driver(m->env->dsn.engine);
	if (driver != NULL && !(driver->caps & DB_ONLINE_COPY)) {
		plan_note(p, "no backup is taken: bascule does not back up %s yet", driver->scheme);
		return;
	}
	if (m->env->backup == BACKUP_NEVER) {
		plan_note(p, "no backup will be taken: backup = never");
		return;
	}
	s = plan_add_step(m, STEP_BACKUP,
			  arena_printf(&p->arena, "copy the database of %s and verify the copy",
				       p->environment),
			  "the copy is kept");
	s->backup = plan_str(p, trigger);
}

void plan_add_closing(struct plan_make *m)
{
	struct plan *p = m->plan;

	/* Seeds change no migration. */
	if (p->state_files && p->op != OP_SEED) {
		const char *name = arena_printf(&p->arena, "applied/%s.json", p->environment);
		char *path = path_join(p->source_dir, name);
		struct step *s = plan_add_step(m, STEP_STATE_FILE,
					       arena_printf(&p->arena, "write %s", name),
					       "written again from the history");

		s->path = plan_str(p, path);
		mem_free(path);
	}
	plan_add_step(m, STEP_RELEASE,
		      arena_printf(&p->arena, "give back the lock of %s", p->environment), "");
}

/* --- Facts ---------------------------------------------------------------------------------------- */

const struct history *make_history(const struct plan_make *m, const struct env *env)
{
	size_t i = env_index(m->project, env);

	return i < m->facts->n_env ? m->facts->history[i] : NULL;
}

int64_t make_expect_ms(const struct plan_make *m, const struct migration *file)
{
	for (size_t i = env_index(m->project, m->env); file && i-- > 0;) {
		const struct history *h = i < m->facts->n_env ? m->facts->history[i] : NULL;
		const struct applied *a = h ? history_find(h, file->ns, file->id) : NULL;

		if (a && !a->baselined && str_same(a->ran_checksum, file->checksum))
			return a->took_ms;
	}
	return -1;
}

struct pick *make_pending(const struct plan_make *m, const char *to, size_t *n)
{
	struct pick *list = NULL;

	*n = 0;
	for (size_t i = 0; i < m->source->n; i++) {
		const struct migration *f = &m->source->list[i];
		const struct applied *a = history_find(m->history, f->ns, f->id);
		struct pick *k;

		if (to && strcmp(f->sort_key, to) > 0)
			break;
		/* Baseline adopts what another tool has applied, and only that. */
		if (m->plan->op == OP_BASELINE && m->history->tool && !m->plan->tool
			    ? !a || !a->applied
			    : a && a->applied)
			continue;
		k = arena_push(&m->plan->arena, &list, n, sizeof(*k));
		*k = (struct pick){ f, a, f->ns, f->id, f->title, f->sort_key };
	}
	return list;
}

const char *make_sort_key(const struct source *source, const struct applied *a)
{
	const struct migration *f = source ? source_find(source, a->ns, a->id) : NULL;

	return f ? f->sort_key : a->sort_key;
}

void picks_text(struct strbuf *out, const struct pick *list, size_t n, size_t limit)
{
	for (size_t i = 0; i < n && i < limit; i++)
		strbuf_addf(out, "%s%s", i ? ", " : "", list[i].id);
	if (n > limit)
		strbuf_addf(out, " and %zu more", n - limit);
}

/* --- What the operator typed ---------------------------------------------------------------------- */

/* Every migration there is: files first, then what only the history knows. */
static struct pick *all_migrations(const struct plan_make *m, struct arena *a, size_t *n)
{
	struct pick *list = NULL, *k;

	*n = 0;
	for (size_t i = 0; i < m->source->n; i++) {
		const struct migration *f = &m->source->list[i];

		k = arena_push(a, &list, n, sizeof(*k));
		*k = (struct pick){ f,        history_find(m->history, f->ns, f->id),
				    f->ns,    f->id,
				    f->title, f->sort_key };
	}
	for (size_t i = 0; i < m->history->n; i++) {
		const struct applied *x = &m->history->list[i];

		if (source_find(m->source, x->ns, x->id))
			continue;
		k = arena_push(a, &list, n, sizeof(*k));
		*k = (struct pick){ NULL, x, x->ns, x->id, x->title, x->sort_key };
	}
	return list;
}

/* Index of the match, or n. An exact id wins over the same number, that over a label. */
static size_t find_typed(const struct pick *list, size_t n, const char *const *label,
			 const char *typed, const char *key)
{
	size_t found = n;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].id, typed) == 0)
			return i;
	}
	for (size_t i = 0; i < n && *key; i++) {
		if (strcmp(list[i].sort_key, key) == 0)
			return i;
	}
	for (size_t i = 0; i < n && *key; i++) {
		if (version_cmp(label[i], typed) != 0)
			continue;
		if (found == n || strcmp(list[i].sort_key, list[found].sort_key) > 0)
			found = i;
	}
	return found;
}

int make_resolve(const struct plan_make *m, const char *typed, struct pick *out, struct err *e)
{
	struct arena a = { 0 };
	const char **label, *near, *key;
	struct pick *list;
	size_t n, i;
	int rc = -1;

	arena_init(&a);
	list = all_migrations(m, &a, &n);
	/* Labels, and behind them ids: one list for the nearest name. */
	label = arena_alloc(&a, (2 * n + 1) * sizeof(*label));
	for (i = 0; i < n; i++) {
		label[i] = matrix_label(&a, list[i].file, list[i].id, m->project->schema_version);
		label[n + i] = list[i].id;
	}
	key = migration_sort_key(&a, sv_of(typed));
	i = find_typed(list, n, label, typed, key);
	if (i < n) {
		*out = list[i];
		rc = 0;
		goto out;
	}
	err_set(e, ERR_USAGE, "no migration %s", typed);
	err_detail(e, "neither an id nor a version label of %s or of %s", m->source->dir,
		   m->env->name);
	near = str_nearest(typed, label, 2 * n);
	if (near)
		err_hint(e, "did you mean %s", near);
	else
		err_hint(e, "bascule matrix");
out:
	arena_clear(&a);
	return rc;
}
