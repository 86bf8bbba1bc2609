/* SPDX-License-Identifier: MIT */
/*
 * Layout "sqitch": sqitch.plan with deploy/, revert/ and verify/.
 *
 * The plan is the order: one change a line, `name [requires] time planner # note`, tags
 * (`@v1.0 …`) between them. A name that comes again reworks the earlier change, whose scripts have
 * then been copied to name@TAG.sql, TAG being one of those between the two; its id here is that
 * name, so that the plain name is always the newest. Scripts that require a change must stand
 * below it: sqitch would refuse such a plan, and so do we.
 *
 * verify/ is not run.
 */
#include "core/migrate/source_sqitch.h"

#include <string.h>

#include "core/migrate/source_layout.h"

#define PLAN "sqitch.plan"

/* ---- the plan ---- */

static int refuse(struct err *e, int line, const char *what)
{
	err_set(e, ERR_INPUT, PLAN " line %d: %s", line, what);
	return err_hint(e, "sqitch plan");
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The first word of a line. */
static struct sv take_word(struct sv *rest)
{
	size_t n = 0;
	struct sv word;

	while (n < rest->n && !is_blank(rest->p[n]))
		n++;
	word = sv_n(rest->p, n);
	*rest = sv_trim(sv_n(rest->p + n, rest->n - n));
	return word;
}

/* A name that can be a file's: no way out of the folder. */
static bool name_ok(struct sv name)
{
	if (name.n == 0 || name.n > SOURCE_NAME_MAX || name.p[0] == '/' || name.p[0] == '.')
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if ((unsigned char)name.p[i] < ' ' || strchr("@:#\\[]%", name.p[i]) != NULL)
			return false;
		if (name.p[i] == '/' && (i + 1 == name.n || name.p[i + 1] == '.'))
			return false;
	}
	return true;
}

static int take_tag(struct sqitch_plan *p, struct sv line, int n, struct err *e)
{
	struct sv tag = take_word(&line);

	tag = sv_n(tag.p + 1, tag.n - 1);
	if (!name_ok(tag))
		return refuse(e, n, "a tag without a name");
	if (p->n == 0)
		return refuse(e, n, "a tag before the first change");
	for (size_t i = 0; i < p->n_tag; i++)
		if (sv_eq(p->tag[i], tag))
			return refuse(e, n, "a second tag of this name");
	p->tag[p->n_tag] = tag;
	p->tag_at[p->n_tag++] = p->n;
	p->change[p->n - 1].tag = tag;
	return 0;
}

/* Finds the change of the same name that is not reworked yet. */
static int mark_rework(struct sqitch_plan *p, const struct sqitch_change *c, struct err *e)
{
	for (size_t i = p->n; i-- > 0;) {
		if (!sv_eq(p->change[i].name, c->name))
			continue;
		for (size_t t = 0; t < p->n_tag; t++)
			if (p->tag_at[t] > i) {
				p->change[i].reworked_by = p->n;
				return 0;
			}
		return refuse(e, c->line, "the change is there already, with no tag in between");
	}
	return 0;
}

static int take_change(struct sqitch_plan *p, struct sv line, int n, struct err *e)
{
	struct sqitch_change c = { .line = n };
	const char *note = memchr(line.p, '#', line.n);

	if (note != NULL) {
		c.note = sv_trim(sv_n(note + 1, (size_t)(line.p + line.n - note - 1)));
		line = sv_trim(sv_n(line.p, (size_t)(note - line.p)));
	}
	if (line.n > 0 && line.p[0] == '-')
		return refuse(e, n, "a change to be reverted");
	if (line.n > 0 && line.p[0] == '+')
		line = sv_trim(sv_n(line.p + 1, line.n - 1));
	c.name = take_word(&line);
	if (!name_ok(c.name))
		return refuse(e, n, "no name of a change");
	if (line.n > 0 && line.p[0] == '[') {
		const char *end = memchr(line.p, ']', line.n);

		if (end == NULL)
			return refuse(e, n, "'[' without ']'");
		c.requires = sv_trim(sv_n(line.p + 1, (size_t)(end - line.p - 1)));
	}
	if (mark_rework(p, &c, e) != 0)
		return -1;
	p->change[p->n++] = c;
	return 0;
}

int sqitch_plan_parse(struct arena *a, struct sv text, struct sqitch_plan *out, struct err *e)
{
	struct sqitch_plan p = { 0 };
	struct sv rest = text, line;
	size_t lines = 1;
	int n = 0;

	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	p.change = arena_alloc(a, lines * sizeof(*p.change));
	p.tag = arena_alloc(a, lines * sizeof(*p.tag));
	p.tag_at = arena_alloc(a, lines * sizeof(*p.tag_at));
	while (sv_cut(&rest, '\n', &line)) {
		n++;
		line = sv_trim(line);
		if (line.n == 0 || line.p[0] == '#' || line.p[0] == '%')
			continue;
		if (line.p[0] == '@' ? take_tag(&p, line, n, e) != 0
				     : take_change(&p, line, n, e) != 0)
			return -1;
	}
	*out = p;
	return 0;
}

/* ---- the layout ---- */

/* "name" or, for one that was reworked, "name@tag": of the tags between the two the first whose
 * script is there. */
static const char *id_of(struct source_walk *w, const struct sqitch_plan *p, size_t i)
{
	const struct sqitch_change *c = &p->change[i];
	const char *first = NULL;

	for (size_t t = 0; c->reworked_by != 0 && t < p->n_tag; t++) {
		char *id;

		if (p->tag_at[t] <= i || p->tag_at[t] > c->reworked_by)
			continue;
		id = arena_printf(&w->s->arena, "%.*s@%.*s", (int)c->name.n, c->name.p,
				  (int)p->tag[t].n, p->tag[t].p);
		if (first == NULL)
			first = id;
		if (source_has(w, arena_printf(&w->arena, "deploy/%s.sql", id)))
			return id;
	}
	return first != NULL ? first : arena_strndup(&w->s->arena, c->name.p, c->name.n);
}

/* Index of the change a requirement names, among the first n; n when it is not there. */
static size_t find_change(const struct sqitch_plan *p, size_t n, struct sv word)
{
	struct sv name, tag = word;
	size_t limit = n;

	if (!sv_cut(&tag, '@', &name))
		return n;
	for (size_t t = 0; tag.n > 0 && t < p->n_tag; t++)
		if (sv_eq(p->tag[t], tag) && p->tag_at[t] < limit)
			limit = p->tag_at[t];
	if (name.n == 0) /* "@tag" alone: the change it stands behind */
		return limit < n && limit > 0 ? limit - 1 : n;
	for (size_t i = limit; i-- > 0;)
		if (sv_eq(p->change[i].name, name))
			return i;
	return n;
}

static void add_depends(struct source_walk *w, const struct sqitch_plan *p, size_t i,
			const struct migration *all, struct migration *m)
{
	const struct sqitch_change *c = &p->change[i];
	struct sv rest = c->requires, word;
	const char **list = arena_alloc(&w->s->arena, (c->requires.n / 2 + 2) * sizeof(*list));

	m->depends = list;
	while (rest.n > 0) {
		size_t at;

		word = take_word(&rest);
		/* '!' conflicts; a colon belongs to another project. */
		if (word.p[0] == '!' || memchr(word.p, ':', word.n) != NULL)
			continue;
		at = find_change(p, i, word);
		if (at < i)
			list[m->n_depends++] = arena_printf(&w->s->arena, "%s/%s", w->s->ns,
							    all[at].id);
		else
			source_problem_add(w->s, true, source_path(w, NULL, PLAN),
					   "move the change below what it requires",
					   "line %d: %s requires %.*s, which is not above it",
					   c->line, m->id, (int)word.n, word.p);
	}
}

static const char *title_of(struct source_walk *w, const struct sqitch_change *c)
{
	struct sv text = c->note.n > 0 ? c->note : c->name;
	char *title = arena_strndup(&w->s->arena, text.p, text.n);

	for (char *p = title; c->note.n == 0 && *p != '\0'; p++)
		if (*p == '_' || *p == '-')
			*p = ' ';
	return title;
}

static void add_changes(struct source_walk *w, const struct sqitch_plan *p)
{
	struct arena *a = &w->s->arena;
	struct migration *all = arena_alloc(a, (p->n + 1) * sizeof(*all));

	for (size_t i = 0; i < p->n; i++) {
		struct migration *m = &all[i];
		struct source_pair *pair;

		m->id = id_of(w, p, i);
		m->title = title_of(w, &p->change[i]);
		m->sort_key = source_place_key(a, i);
		if (p->change[i].tag.n > 0)
			m->version = arena_sv(a, p->change[i].tag).p;
		add_depends(w, p, i, all, m);
		pair = source_pair_add(w, p->change[i].name);
		pair->as = m;
		pair->up = source_path(w, "deploy", arena_printf(&w->arena, "%s.sql", m->id));
		pair->down = source_path(w, "revert", arena_printf(&w->arena, "%s.sql", m->id));
		pair->down_optional = true;
	}
}

static void pair_sqitch(struct source_walk *w)
{
	const char *path = source_path(w, NULL, PLAN);
	struct sqitch_plan plan;
	struct strbuf text;
	struct err e;

	strbuf_init(&text, SOURCE_FILE_MAX + 1);
	source_watch(w, path);
	if (source_read_text(w->dirfd, PLAN, path, &text, &e) != 0 ||
	    sqitch_plan_parse(&w->arena, strbuf_sv(&text), &plan, &e) != 0)
		source_problem_add(w->s, true, path, e.hint, "%s%s%s", e.msg,
				   e.detail[0] != '\0' ? ": " : "", e.detail);
	else if (plan.n > SOURCE_FILES_MAX)
		source_problem_add(w->s, true, path, "sqitch plan", "more than %d changes",
				   SOURCE_FILES_MAX);
	else
		add_changes(w, &plan);
	strbuf_clear(&text);
}

static bool marked_sqitch(struct source_walk *w)
{
	return source_listing_has(&w->root, PLAN);
}

static bool claims_none(const struct source_name *f)
{
	(void)f;
	return false;
}

const struct source_layout source_sqitch = {
	.name = "sqitch",
	.new_hint = "sqitch add NAME",
	.claims = claims_none,
	.pair = pair_sqitch,
	.marked = marked_sqitch,
};
