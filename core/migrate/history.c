/* SPDX-License-Identifier: MIT */
/*
 * Events to states.
 *
 * The ledger keeps events and never changes one; what is in force is what the events add up to,
 * read in the order they were written. A hash table finds the migration of an event, because an
 * environment has one event per migration and thousands of migrations.
 *
 * A restore puts back data of an earlier day under today's ledger, so the events between that day
 * and the restore are true but no longer in force. The `restored` event names the first of them. What
 * they leave behind is their generation numbers: those are taken for ever, because the ledger's
 * unique key knows them. Restores are rare, so the events are read a second time when there was one.
 *
 * Sort keys are computed from the ids again rather than believed: two environments written by
 * different versions must still sort alike, or the matrix would show one migration in two rows.
 */
#include "core/migrate/history.h"

#include <stdlib.h>
#include <string.h>

#include "core/ledger/ledger.h"
#include "core/migrate/foreign.h"
#include "core/migrate/migration.h"
#include "core/migrate/verify.h"

/* A migration while its events are added up. */
struct entry {
	struct applied a;
	int64_t failed_generation; /* the generation failed_attempts counts in */
	int64_t spent_generation;  /* highest one used by events that a restore undid */
	/* Of the try that goes statement by statement: in which generation and direction. */
	int64_t part_generation;
	bool part_down;
	int64_t part_attempt; /* highest number of its events; -1 none */
	size_t cap_hash;
	const char **hash; /* of the statements that have run; malloced until finish() */
};

/* Events first <= seq < end are not in force: the restore with seq end undid them. */
struct undone {
	int64_t first, end;
};

struct builder {
	struct history *h;
	struct entry *entry;
	size_t n, cap;
	size_t *slot;  /* open addressing: index + 1 into entry, 0 = free */
	size_t n_slot; /* power of two */
	bool with_events;
	size_t cap_event;
	struct undone *undone; /* oldest first */
	size_t n_undone, cap_undone;
	size_t cap_warning, cap_seed;
	/* The last text of each kind: who, host and run repeat in event after event. */
	const char *last_who, *last_host, *last_run, *last_ns;
};

static uint64_t hash_text(uint64_t h, const char *s)
{
	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3u;
	return (h ^ 0xffu) * 0x100000001b3u;
}

static uint64_t hash_key(const char *ns, const char *id)
{
	uint64_t h = hash_text(hash_text(0xcbf29ce484222325u, ns), id);

	return h ^ (h >> 29);
}

static void grow_slots(struct builder *b)
{
	size_t n = b->n_slot > 0 ? b->n_slot * 2 : 1024;

	mem_free(b->slot);
	b->slot = mem_calloc(n, sizeof(*b->slot));
	b->n_slot = n;
	for (size_t i = 0; i < b->n; i++) {
		size_t at = hash_key(b->entry[i].a.ns, b->entry[i].a.id) & (n - 1);

		while (b->slot[at] != 0)
			at = (at + 1) & (n - 1);
		b->slot[at] = i + 1;
	}
}

static const char *text(const char *s)
{
	return s != NULL ? s : "";
}

static const char *keep(struct builder *b, const char *s)
{
	return s != NULL && *s != '\0' ? arena_strdup(&b->h->arena, s) : NULL;
}

static const char *keep_again(struct builder *b, const char **last, const char *s)
{
	if (s == NULL || *s == '\0')
		return NULL;
	if (*last == NULL || strcmp(*last, s) != 0)
		*last = arena_strdup(&b->h->arena, s);
	return *last;
}

static struct entry *find_or_add(struct builder *b, const struct history_event *ev)
{
	const char *ns = text(ev->ns), *id = text(ev->id);
	struct entry *found;
	size_t at;

	if (b->n * 2 >= b->n_slot)
		grow_slots(b);
	at = hash_key(ns, id) & (b->n_slot - 1);
	for (; b->slot[at] != 0; at = (at + 1) & (b->n_slot - 1)) {
		found = &b->entry[b->slot[at] - 1];
		if (strcmp(found->a.id, id) == 0 && strcmp(found->a.ns, ns) == 0)
			return found;
	}
	mem_grow(&b->entry, &b->cap, b->n + 1, sizeof(*b->entry));
	found = &b->entry[b->n++];
	*found = (struct entry){ .part_attempt = -1 };
	if (b->last_ns == NULL || strcmp(b->last_ns, ns) != 0)
		b->last_ns = arena_strdup(&b->h->arena, ns);
	found->a.ns = b->last_ns;
	found->a.id = arena_strdup(&b->h->arena, id);
	found->a.title = "";
	found->a.sort_key = migration_sort_key(&b->h->arena, sv_of(id));
	b->slot[at] = b->n;
	return found;
}

/* Who did the last thing that counts. */
static void set_actor(struct builder *b, struct applied *a, const struct history_event *ev)
{
	a->who = keep_again(b, &b->last_who, ev->who);
	a->host = keep_again(b, &b->last_host, ev->host);
	a->run = keep_again(b, &b->last_run, ev->run);
	a->at_utc_ms = ev->at_utc_ms;
	a->took_ms = ev->took_ms;
}

static void clear_failure(struct applied *a)
{
	a->failed = a->failed_down = false;
	a->failed_checksum = a->failed_run = a->error = NULL;
	a->failed_at_utc_ms = 0;
}

/* ---- statement by statement ---- */

static void clear_open(struct applied *a)
{
	a->open_objects = a->open_session = a->open_hash = NULL;
}

/* The migration is whole again, in one direction or the other. */
static void clear_parts(struct entry *x)
{
	clear_open(&x->a);
	x->a.partial = x->a.partial_down = false;
	x->a.statements_done = x->a.statements_total = x->a.partial_attempt = 0;
	x->a.partial_checksum = NULL;
	x->part_generation = 0;
	x->part_attempt = -1;
}

/* The event belongs to a try that goes on or begins with it. */
static void part_of(struct builder *b, struct entry *x, const struct history_event *ev)
{
	struct applied *a = &x->a;

	if (x->part_generation != ev->generation || x->part_down != ev->down)
		clear_parts(x);
	x->part_generation = ev->generation;
	x->part_down = ev->down;
	if (ev->attempt > x->part_attempt)
		x->part_attempt = ev->attempt;
	a->partial_attempt = x->part_attempt + 1;
	a->partial_down = ev->down;
	if (ev->statements > 0)
		a->statements_total = ev->statements;
	if (ev->checksum != NULL && ev->checksum[0] != '\0')
		a->partial_checksum = keep(b, ev->down ? ev->down_checksum : ev->checksum);
	if (!a->applied || ev->down)
		set_actor(b, a, ev);
}

static void statement_done(struct builder *b, struct entry *x, const struct history_event *ev)
{
	struct applied *a = &x->a;
	const char *hash = ev->hash != NULL && ev->hash[0] != '\0' ? ev->hash : a->open_hash;

	/* Only the next one counts: events come in the order in which statements ran. */
	if (ev->statement != a->statements_done + 1)
		return;
	mem_grow(&x->hash, &x->cap_hash, (size_t)ev->statement, sizeof(*x->hash));
	x->hash[ev->statement - 1] = arena_strdup(&b->h->arena, text(hash));
	a->statements_done = ev->statement;
	a->partial = true;
	clear_open(a);
}

static void on_intent(struct builder *b, struct entry *x, const struct history_event *ev)
{
	clear_failure(&x->a);
	part_of(b, x, ev);
	if (ev->statement != x->a.statements_done + 1)
		return;
	x->a.open_hash = keep(b, ev->hash);
	x->a.open_objects = keep(b, ev->objects);
	x->a.open_session = keep(b, ev->session);
	x->a.partial = true;
}

static void on_statement(struct builder *b, struct entry *x, const struct history_event *ev)
{
	clear_failure(&x->a);
	part_of(b, x, ev);
	statement_done(b, x, ev);
}

static void on_marked(struct builder *b, struct entry *x, const struct history_event *ev)
{
	clear_failure(&x->a);
	part_of(b, x, ev);
	if (ev->done)
		statement_done(b, x, ev);
	else if (ev->statement == x->a.statements_done + 1)
		clear_open(&x->a);
	x->a.partial = x->a.statements_done > 0 || x->a.open_hash != NULL;
}

/* A failed statement did not run, but where nothing could tell: that stays open. */
static void part_failed(struct builder *b, struct entry *x, const struct history_event *ev)
{
	if (ev->statements == 0)
		return;
	part_of(b, x, ev);
	if (x->a.open_objects != NULL)
		clear_open(&x->a);
	x->a.partial = x->a.statements_done > 0 || x->a.open_hash != NULL;
}

static void on_warning(struct builder *b, const struct entry *x, const struct history_event *ev)
{
	struct history *h = b->h;

	mem_grow(&h->warning, &b->cap_warning, h->n_warning + 1, sizeof(*h->warning));
	h->warning[h->n_warning++] = (struct history_warning){
		.ns = x->a.ns,
		.id = x->a.id,
		.generation = ev->generation,
		.object = arena_strdup(&h->arena, text(ev->objects)),
		.words = arena_strdup(&h->arena, text(ev->error)),
	};
}

/* What was known of an earlier application says nothing of this one. */
static void forget_warnings(struct history *h, const struct applied *a)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n_warning; i++)
		if (strcmp(h->warning[i].id, a->id) != 0 || strcmp(h->warning[i].ns, a->ns) != 0)
			h->warning[n++] = h->warning[i];
	h->n_warning = n;
}

/* Seeds are no migrations: they have no order and no state but when they ran last. */
static void on_seed(struct builder *b, const struct history_event *ev, bool undone)
{
	struct history *h = b->h;
	struct seeded *s = NULL;

	for (size_t i = 0; i < h->n_seed && s == NULL; i++)
		if (strcmp(h->seed[i].id, text(ev->id)) == 0)
			s = &h->seed[i];
	if (s == NULL) {
		mem_grow(&h->seed, &b->cap_seed, h->n_seed + 1, sizeof(*h->seed));
		s = &h->seed[h->n_seed++];
		*s = (struct seeded){ .id = arena_strdup(&h->arena, text(ev->id)) };
	}
	if (ev->kind != EVENT_SEEDED && ev->kind != EVENT_FAILED) {
		/* A statement of one that goes statement by statement. */
		if (ev->generation > s->runs && ev->attempt >= s->next_attempt)
			s->next_attempt = ev->attempt + 1;
		return;
	}
	if (undone) {
		/* Its rows went with the restore; its number is taken. */
		if (ev->generation > s->runs)
			s->runs = ev->generation;
		return;
	}
	s->failed = ev->kind == EVENT_FAILED;
	s->error = keep(b, ev->error);
	if (s->failed) {
		s->failed_attempts++;
		return;
	}
	s->failed_attempts = s->next_attempt = 0;
	s->runs = ev->generation;
	s->checksum = keep(b, ev->checksum);
	s->who = keep_again(b, &b->last_who, ev->who);
	s->host = keep_again(b, &b->last_host, ev->host);
	s->run = keep_again(b, &b->last_run, ev->run);
	s->at_utc_ms = ev->at_utc_ms;
	s->took_ms = ev->took_ms;
}

static void on_applied(struct builder *b, struct entry *x, const struct history_event *ev)
{
	struct applied *a = &x->a;

	clear_failure(a);
	clear_parts(x);
	forget_warnings(b->h, a);
	/* Attempts are numbered within a generation, over up and down alike. */
	if (x->failed_generation != ev->generation)
		a->failed_attempts = 0;
	x->failed_generation = ev->generation;
	a->applied = true;
	a->baselined = ev->kind == EVENT_BASELINED;
	a->accepted = false;
	a->accepted_attempts = 0;
	a->checksum = keep(b, ev->checksum);
	if (ev->kind == EVENT_APPLIED)
		a->ran_checksum = a->checksum;
	a->down_checksum = keep(b, ev->down_checksum);
	a->generation = ev->generation;
	a->seq = a->script_seq = ev->seq;
	set_actor(b, a, ev);
}

static void on_rolled_back(struct builder *b, struct entry *x, const struct history_event *ev)
{
	struct applied *a = &x->a;

	clear_failure(a);
	clear_parts(x);
	forget_warnings(b->h, a);
	a->applied = a->baselined = a->accepted = false;
	a->checksum = a->down_checksum = NULL;
	a->failed_attempts = a->accepted_attempts = 0;
	a->seq = a->script_seq = 0;
	a->generation = ev->generation;
	set_actor(b, a, ev);
}

static void on_accepted(struct builder *b, struct entry *x, const struct history_event *ev)
{
	struct applied *a = &x->a;

	clear_failure(a); /* accepting is the way out of a failure, too */
	a->accepted_attempts++;
	if (!a->applied)
		return;
	a->accepted = true;
	a->checksum = keep(b, ev->checksum);
	/* That the file is gone was accepted: what was stored when it ran is still the way back. */
	if (a->checksum == NULL)
		return;
	a->down_checksum = keep(b, ev->down_checksum);
	a->script_seq = ev->seq;
}

static void on_failed(struct builder *b, struct entry *x, const struct history_event *ev)
{
	struct applied *a = &x->a;

	if (x->failed_generation != ev->generation)
		a->failed_attempts = 0;
	x->failed_generation = ev->generation;
	a->failed_attempts++;
	a->failed = true;
	a->failed_down = ev->down;
	a->failed_checksum = keep(b, ev->checksum);
	a->failed_run = keep_again(b, &b->last_run, ev->run);
	a->error = keep(b, ev->error);
	a->failed_at_utc_ms = ev->at_utc_ms;
	/* What is in force keeps the name of who applied it. */
	if (!a->applied)
		set_actor(b, a, ev);
	part_failed(b, x, ev);
}

/* The restore that undid the event, or NULL. */
static const struct undone *undone_by(const struct builder *b, int64_t seq)
{
	for (size_t i = 0; i < b->n_undone; i++)
		if (seq >= b->undone[i].first && seq < b->undone[i].end)
			return &b->undone[i];
	return NULL;
}

/* After a restore: what is in force continues in a generation that no event has used. */
static void on_restored(struct builder *b)
{
	for (size_t i = 0; i < b->n; i++) {
		struct entry *x = &b->entry[i];

		if (x->spent_generation == 0)
			continue;
		if (x->spent_generation > x->a.generation || x->a.applied)
			x->a.generation = x->spent_generation + (x->a.applied ? 1 : 0);
		x->spent_generation = 0;
		x->a.failed_attempts = x->a.accepted_attempts = 0;
	}
}

static void add_up(struct builder *b, const struct history_event *ev)
{
	struct entry *x;

	if (ev->ns != NULL && strcmp(ev->ns, HISTORY_SEEDS) == 0) {
		on_seed(b, ev, undone_by(b, ev->seq) != NULL);
		return;
	}
	if (undone_by(b, ev->seq) != NULL) {
		if (ev->kind == EVENT_RESTORED)
			return;
		x = find_or_add(b, ev);
		if (ev->generation > x->spent_generation)
			x->spent_generation = ev->generation;
		return;
	}
	if (ev->kind == EVENT_RESTORED) {
		on_restored(b);
		return;
	}
	x = find_or_add(b, ev);
	if (ev->title != NULL && strcmp(x->a.title, ev->title) != 0)
		x->a.title = arena_strdup(&b->h->arena, ev->title);
	switch (ev->kind) {
	case EVENT_APPLIED:
	case EVENT_BASELINED:
		on_applied(b, x, ev);
		break;
	case EVENT_ROLLED_BACK:
		on_rolled_back(b, x, ev);
		break;
	case EVENT_ACCEPTED:
		on_accepted(b, x, ev);
		break;
	case EVENT_FAILED:
		on_failed(b, x, ev);
		break;
	case EVENT_INTENT:
		on_intent(b, x, ev);
		break;
	case EVENT_STATEMENT:
		on_statement(b, x, ev);
		break;
	case EVENT_MARKED:
		on_marked(b, x, ev);
		break;
	case EVENT_WARNING:
		on_warning(b, x, ev);
		break;
	case EVENT_RESTORED:
	case EVENT_SEEDED:
	case EVENT_KINDS:
		break;
	}
}

static void keep_event(struct builder *b, const struct history_event *ev)
{
	struct history *h = b->h;
	struct history_event *to;

	mem_grow(&h->event, &b->cap_event, h->n_event + 1, sizeof(*h->event));
	to = &h->event[h->n_event++];
	*to = *ev;
	to->ns = arena_strdup(&h->arena, text(ev->ns));
	to->id = arena_strdup(&h->arena, text(ev->id));
	to->title = keep(b, ev->title);
	to->sort_key = keep(b, ev->sort_key);
	to->checksum = keep(b, ev->checksum);
	to->down_checksum = keep(b, ev->down_checksum);
	to->run = keep_again(b, &b->last_run, ev->run);
	to->who = keep_again(b, &b->last_who, ev->who);
	to->host = keep_again(b, &b->last_host, ev->host);
	to->error = keep(b, ev->error);
	to->hash = keep(b, ev->hash);
	to->objects = keep(b, ev->objects);
	to->session = keep(b, ev->session);
}

static void note_restore(struct builder *b, const struct history_event *ev)
{
	if (ev->kind != EVENT_RESTORED || ev->statement <= 0)
		return;
	mem_grow(&b->undone, &b->cap_undone, b->n_undone + 1, sizeof(*b->undone));
	b->undone[b->n_undone++] = (struct undone){ ev->statement, ev->seq };
}

static int on_event(void *arg, const struct history_event *ev, struct err *e)
{
	struct builder *b = arg;

	(void)e;
	add_up(b, ev);
	if (b->with_events)
		keep_event(b, ev);
	return 0;
}

static int on_event_first(void *arg, const struct history_event *ev, struct err *e)
{
	struct builder *b = arg;
	size_t n = b->n_undone;
	int rc;

	/* Nothing counts as undone in the first reading. */
	b->n_undone = 0;
	rc = on_event(b, ev, e);
	b->n_undone = n;
	note_restore(b, ev);
	return rc;
}

/* A restore that a later one undid never happened for the state: its range is dropped. */
static void drop_undone_restores(struct builder *b)
{
	size_t keep = b->n_undone;

	for (size_t i = b->n_undone; i-- > 0;) {
		bool dead = false;

		for (size_t k = keep; k < b->n_undone; k++)
			dead = dead || (b->undone[i].end >= b->undone[k].first &&
					b->undone[i].end < b->undone[k].end);
		if (!dead)
			b->undone[--keep] = b->undone[i];
	}
	b->n_undone -= keep;
	memmove(b->undone, b->undone + keep, b->n_undone * sizeof(*b->undone));
}

/* Adds up again from the first event, now knowing which were undone. */
static int read_again(struct builder *b, struct db *db, struct err *e)
{
	drop_undone_restores(b);
	for (size_t i = 0; i < b->n; i++)
		mem_free(b->entry[i].hash);
	b->n = 0;
	b->h->n_warning = b->h->n_seed = 0;
	b->with_events = false; /* kept already */
	if (b->n_slot > 0)
		memset(b->slot, 0, b->n_slot * sizeof(*b->slot));
	return ledger_events(db, on_event, b, e);
}

static int applied_cmp(const void *va, const void *vb)
{
	const struct applied *a = va, *b = vb;
	int d = strcmp(a->sort_key, b->sort_key);

	if (d == 0 && a->ns != b->ns)
		d = strcmp(a->ns, b->ns);
	return d != 0 ? d : strcmp(a->id, b->id);
}

/* Moves the entries to the history's list, sorted. Migrations are applied in order nearly always,
 * so sorting is skipped when it would change nothing. */
static void finish(struct builder *b)
{
	struct history *h = b->h;
	bool sorted = true;

	h->list = arena_alloc(&h->arena, (b->n + 1) * sizeof(*h->list));
	h->n = b->n;
	for (size_t i = 0; i < b->n; i++) {
		const struct entry *x = &b->entry[i];
		size_t n = (size_t)x->a.statements_done;

		h->list[i] = x->a;
		if (n > 0) {
			const char **hash = arena_alloc(&h->arena, n * sizeof(*hash));

			memcpy(hash, x->hash, n * sizeof(*hash));
			h->list[i].done_hash = hash;
		}
		h->n_applied += h->list[i].applied;
		sorted = sorted && (i == 0 || applied_cmp(&h->list[i - 1], &h->list[i]) < 0);
	}
	if (!sorted)
		qsort(h->list, h->n, sizeof(*h->list), applied_cmp);
}

int history_read(struct db *db, bool with_events, struct history **out, struct err *e)
{
	return history_read_from(db, NULL, with_events, out, e);
}

int history_read_from(struct db *db, const char *want, bool with_events, struct history **out,
		      struct err *e)
{
	struct history *h = mem_calloc(1, sizeof(*h));
	struct builder b = { .h = h, .with_events = with_events };
	int rc = -1;

	arena_init(&h->arena);
	if (ledger_events_format(db, &h->format, on_event_first, &b, e) != 0 ||
	    (b.n_undone > 0 && read_again(&b, db, e) != 0))
		goto out;
	h->read_only = h->format > LEDGER_FORMAT;
	finish(&b);
	if (h->n == 0 && (want == NULL || strcmp(want, "bascule") != 0) &&
	    foreign_read(db, want, h, e) != 0)
		goto out;
	verify_history(db, h, VERIFY_LOOK_MS);
	*out = h;
	h = NULL;
	rc = 0;
out:
	mem_free(b.undone);
	for (size_t i = 0; i < b.n; i++)
		mem_free(b.entry[i].hash);
	mem_free(b.entry);
	mem_free(b.slot);
	history_free(h);
	return rc;
}

void history_free(struct history *h)
{
	if (h == NULL)
		return;
	mem_free(h->event);
	mem_free(h->warning);
	mem_free(h->seed);
	foreign_free(h->foreign);
	arena_clear(&h->arena);
	mem_free(h);
}

const struct applied *history_find(const struct history *h, const char *ns, const char *id)
{
	struct arena a;
	struct applied key = { .ns = ns, .id = id };
	const struct applied *found;

	/* The order of another tool's files need not follow from their ids. */
	for (size_t i = 0; h->tool != NULL && i < h->n; i++)
		if (strcmp(h->list[i].id, id) == 0 && strcmp(h->list[i].ns, ns) == 0)
			return &h->list[i];
	if (h->tool != NULL)
		return NULL;
	arena_init(&a);
	key.sort_key = migration_sort_key(&a, sv_of(id));
	found = h->n > 0 ? bsearch(&key, h->list, h->n, sizeof(key), applied_cmp) : NULL;
	arena_clear(&a);
	return found;
}

/* Baselines of one run share no order of their own but seq: a higher number was recorded later. */
static int newest_cmp(const void *va, const void *vb)
{
	const struct applied *a = *(const struct applied *const *)va;
	const struct applied *b = *(const struct applied *const *)vb;

	return a->seq != b->seq ? (a->seq > b->seq ? -1 : 1) : -applied_cmp(a, b);
}

const struct applied **history_newest_first(const struct history *h, size_t *n)
{
	const struct applied **list = mem_calloc(h->n_applied + 1, sizeof(*list));

	*n = 0;
	for (size_t i = 0; i < h->n; i++)
		if (h->list[i].applied)
			list[(*n)++] = &h->list[i];
	if (*n > 1)
		qsort(list, *n, sizeof(*list), newest_cmp);
	return list;
}
