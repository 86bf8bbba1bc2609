/* SPDX-License-Identifier: MIT */
/*
 * What a migration left that is not in force.
 *
 * PostgreSQL marks it in its catalogue. Nothing gets that mark but by some few words (CONCURRENTLY, NOT
 * VALID, ON ONLY …), or was there already and was passed over by IF NOT EXISTS; so a script without them
 * costs no question. Of a defect it is not known who made it. It belongs to the migration behind
 * which it was first seen, or that names it.
 *
 * MariaDB has no mark for a foreign key that was added while foreign_key_checks was off. The script says
 * so, and then the rows are asked whether each has its parent. What could not be asked in time is a
 * warning too: nobody knows is not the same as all is well.
 *
 * Not done here: foreign keys of SQLite, which every migration's commit compares (db_sqlite_migration.c).
 */
#include "core/migrate/verify.h"

#include <stdio.h>
#include <string.h>

#include "core/migrate/apply.h"

#define REFERENCE "foreign key "

void findings_clear(struct findings *f)
{
	mem_free(f->list);
	arena_clear(&f->arena);
	*f = (struct findings){ .list = NULL };
}

static const struct finding *find_object(const struct findings *f, const char *object)
{
	for (size_t i = 0; f != NULL && i < f->n; i++)
		if (strcmp(f->list[i].object, object) == 0)
			return &f->list[i];
	return NULL;
}

static void add_finding(struct findings *f, const char *object, const char *name, const char *words,
			const char *mend)
{
	if (find_object(f, object) != NULL)
		return;
	mem_grow(&f->list, &f->cap, f->n + 1, sizeof(*f->list));
	f->list[f->n++] = (struct finding){
		.object = arena_strdup(&f->arena, object),
		.name = arena_strdup(&f->arena, name),
		.words = arena_strdup(&f->arena, words),
		.mend = arena_strdup(&f->arena, mend),
	};
}

/* --- Words of a script -------------------------------------------------------------------------- */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Bytes of a name; those above ASCII are parts of letters. */
static bool is_name_byte(char c)
{
	return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '$' || (unsigned char)c >= 0x80;
}

/* Does words, in lower case, stand at p? A blank of words is any number of them. The end behind it, or NULL. */
static const char *match_at(const char *p, const char *end, const char *words)
{
	for (; *words != '\0'; words++) {
		if (*words == ' ') {
			if (p == end || !is_blank(*p))
				return NULL;
			while (p < end && is_blank(*p))
				p++;
		} else if (p == end || lower(*p++) != lower(*words)) {
			return NULL;
		}
	}
	return p;
}

/* The place behind the first of words in text, not inside of a longer name; NULL. */
static const char *find_words(struct sv text, const char *words)
{
	const char *end = text.p + text.n;

	for (const char *p = text.p; p < end; p++) {
		const char *behind;

		if (p > text.p && is_name_byte(p[-1]))
			continue;
		behind = match_at(p, end, words);
		if (behind != NULL && (behind == end || !is_name_byte(*behind)))
			return behind;
	}
	return NULL;
}

bool verify_wanted(const char *engine, struct sv script)
{
	static const char *const postgres[] = { "concurrently", "not valid", "index if not exists",
						"not enforced", "on only",   "alter table only" };

	if (strcmp(engine, "mariadb") == 0)
		return find_words(script, "foreign_key_checks") != NULL;
	for (size_t i = 0;
	     strcmp(engine, "postgresql") == 0 && i < sizeof(postgres) / sizeof(postgres[0]); i++)
		if (find_words(script, postgres[i]) != NULL)
			return true;
	return false;
}

/* --- The catalogue ------------------------------------------------------------------------------ */

static int take_defect(void *arg, const struct db_defect *d, struct err *e)
{
	(void)e;
	add_finding(arg, d->object, d->name, d->words, d->mend);
	return 0;
}

int verify_database(struct db *db, struct findings *out, struct err *e)
{
	return db_defects(db, take_defect, out, e);
}

/* --- Foreign keys without a mark ---------------------------------------------------------------- */

static void reference_words(struct arena *a, const struct db_reference *r, const char **words,
			    const char **mend)
{
	if (r->orphans < 0)
		*words = arena_printf(a, "foreign key %s of %s is not checked: %s", r->name,
				      r->table, r->why != NULL ? r->why : "nobody knows why");
	else
		*words = arena_printf(a,
				      "foreign key %s of %s: %lld%s row%s without a parent in %s",
				      r->name, r->table, (long long)r->orphans,
				      r->orphans >= DB_ORPHANS_MAX ? " or more" : "",
				      r->orphans == 1 ? "" : "s", r->parent);
	*mend = arena_printf(a, "give those rows of %s a parent in %s, or delete them", r->table,
			     r->parent);
}

static int take_reference(void *arg, const struct db_reference *r, struct err *e)
{
	struct findings *f = arg;
	const char *words, *mend;

	(void)e;
	if (r->orphans == 0)
		return 0;
	reference_words(&f->arena, r, &words, &mend);
	add_finding(f, arena_printf(&f->arena, REFERENCE "%s.%s", r->table, r->name), r->name,
		    words, mend);
	return 0;
}

/* What a statement leaves foreign_key_checks at: 1, 0, or -1 when it says nothing of it. Of "SET
 * @old = @@foreign_key_checks, foreign_key_checks = 0" the second counts. */
static int checks_after(struct sv text)
{
	static const char variable[] = "foreign_key_checks";
	const char *end = text.p + text.n;
	struct sv rest = text;
	const char *p;
	int found = -1;

	while ((p = find_words(rest, variable)) != NULL) {
		const char *name = p - (sizeof(variable) - 1);
		bool of_user = name > text.p && name[-1] == '@' &&
			       !(name - 1 > text.p && name[-2] == '@');

		rest = sv_n(p, (size_t)(end - p));
		while (p < end && is_blank(*p))
			p++;
		if (p < end && *p == ':')
			p++;
		if (of_user || p == end || *p != '=')
			continue;
		for (p++; p < end && is_blank(*p);)
			p++;
		found = !(p < end && (*p == '0' || match_at(p, end, "off") != NULL ||
				      match_at(p, end, "false") != NULL));
	}
	return found;
}

/* Asks the tables whose foreign keys the script made while they were not checked. */
static int check_references(struct db *db, struct sv text, struct findings *out, struct err *e)
{
	struct script s;
	struct arena a;
	int on = 1, rc = -1;

	arena_init(&a);
	if (script_prepare(&a, db_engine(db), "the migration", text, true, &s, e) != 0)
		goto out;
	for (size_t i = 0; i < s.body.n; i++) {
		const struct sql_facts *f = &s.fact[i];
		struct sv statement = s.body.item[i].text;
		int said = f->class == SQL_CLASS_DML || f->class == SQL_CLASS_DDL
				   ? -1
				   : checks_after(statement);

		on = said >= 0 ? said : on;
		if (on || f->class != SQL_CLASS_DDL || find_words(statement, "references") == NULL)
			continue;
		for (size_t k = 0; k < f->n_object; k++)
			if (f->object[k].kind == SQL_OBJECT_TABLE &&
			    db_references_check(db, f->object[k].name, NULL, VERIFY_CHECK_MS,
						take_reference, out, e) != 0)
				goto out;
	}
	rc = 0;
out:
	arena_clear(&a);
	return rc;
}

int verify_script(struct db *db, struct sv script, const struct findings *before,
		  struct findings *out, struct err *e)
{
	struct findings now = { .list = NULL };
	int rc = -1;

	if (verify_database(db, &now, e) != 0 ||
	    (strcmp(db_engine(db), "mariadb") == 0 && check_references(db, script, out, e) != 0))
		goto out;
	for (size_t i = 0; i < now.n; i++) {
		const struct finding *f = &now.list[i];

		if ((before != NULL && find_object(before, f->object) == NULL) ||
		    find_words(script, f->name) != NULL)
			add_finding(out, f->object, f->name, f->words, f->mend);
	}
	rc = 0;
out:
	findings_clear(&now);
	return rc;
}

/* --- What was recorded -------------------------------------------------------------------------- */

/* The words of a warning that is still in force, or NULL. */
static const char *still(struct db *db, const struct findings *now, struct history *h,
			 const struct history_warning *w, int64_t limit_ms)
{
	struct findings keys = { .list = NULL };
	const struct finding *f = find_object(now, w->object);
	const char *words = f != NULL ? f->words : NULL, *dot;
	struct err ignored;
	char *table;

	if (strncmp(w->object, REFERENCE, sizeof(REFERENCE) - 1) == 0 &&
	    (dot = strrchr(w->object, '.')) != NULL) {
		const char *from = w->object + sizeof(REFERENCE) - 1;

		table = mem_strndup(from, (size_t)(dot - from));
		if (db_references_check(db, table, dot + 1, limit_ms, take_reference, &keys,
					&ignored) != 0)
			words = w->words;
		else if (keys.n > 0)
			words = keys.list[0].words;
		mem_free(table);
	}
	words = words != NULL ? arena_strdup(&h->arena, words) : NULL;
	findings_clear(&keys);
	return words;
}

static struct applied *warned(struct history *h, const struct history_warning *w)
{
	for (size_t i = 0; i < h->n; i++)
		if (strcmp(h->list[i].id, w->id) == 0 && strcmp(h->list[i].ns, w->ns) == 0)
			return &h->list[i];
	return NULL;
}

void verify_history(struct db *db, struct history *h, int64_t limit_ms)
{
	struct findings now = { .list = NULL };
	bool known = false;
	struct err ignored;

	for (size_t i = 0; i < h->n; i++) {
		h->list[i].warning = NULL;
		h->list[i].n_warning = 0;
	}
	if (h->n_warning > 0)
		known = verify_database(db, &now, &ignored) == 0;
	for (size_t i = 0; i < h->n_warning; i++) {
		struct history_warning *w = &h->warning[i];
		struct applied *a = warned(h, w);
		const char *words = known ? still(db, &now, h, w, limit_ms) : w->words;

		w->in_force = words != NULL && a != NULL && a->applied &&
			      a->generation == w->generation;
		if (!w->in_force)
			continue;
		w->words = words;
		if (a->n_warning++ == 0)
			a->warning = words;
	}
	findings_clear(&now);
}

int verify_report(struct db *db, struct history *h, int64_t limit_ms, struct findings *out,
		  struct err *e)
{
	if (verify_database(db, out, e) != 0)
		return -1;
	verify_history(db, h, limit_ms);
	for (size_t i = 0; i < h->n_warning; i++) {
		const struct history_warning *w = &h->warning[i];

		if (!w->in_force)
			continue;
		add_finding(out, w->object, w->object, w->words, "");
		for (size_t k = 0; k < out->n; k++)
			if (strcmp(out->list[k].object, w->object) == 0)
				out->list[k].migration = arena_strdup(&out->arena, w->id);
	}
	return 0;
}
