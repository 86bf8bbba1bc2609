/* SPDX-License-Identifier: MIT */
/*
 * Plans whose migrations are a framework's code: the framework's own tool runs them and writes its own
 * history; the plan says with which words, one command a migration.
 *
 * One at a time, although both tools would take the whole list: so that every migration is a step
 * with a beginning and an end, that an abort stops between two, and that what is read back
 * from the tool's table is about one of them.
 *
 * Down is the command that goes to what stands before. Alembic takes the revision that this one builds
 * on, which would take back its applied siblings as well; where it has some, "REV@-1" means this
 * branch alone (but fails for a merge of branches, which has no siblings to lose).
 */
#include "core/release/plan_make.h"

#include "core/base/fs.h"

#include <string.h>

const char *framework_tool(const struct source *s)
{
	if (!s || !s->framework || !s->layout)
		return NULL;
	if (strcmp(s->layout, "alembic") == 0 || strcmp(s->layout, "django") == 0)
		return s->layout;
	return NULL;
}

const char *framework_history(const struct source *s, const char *want)
{
	const char *tool = framework_tool(s);

	return tool ? tool : want;
}

/* --- Words ---------------------------------------------------------------------------------------- */

/* A word for words_split(), which knows quotes and nothing else. */
static int add_word(struct strbuf *out, const char *word, struct err *e)
{
	bool plain = word[0] && !strpbrk(word, " \t'\"");

	if (word[0] == '-' || (strchr(word, '\'') && strchr(word, '"'))) {
		err_set(e, ERR_INPUT, "cannot give %s to a command", word);
		return err_detail(e, "it begins with a minus sign, or holds both kinds of quotes");
	}
	strbuf_addc(out, ' ');
	if (plain)
		strbuf_adds(out, word);
	else
		strbuf_addf(out, strchr(word, '\'') ? "\"%s\"" : "'%s'", word);
	return 0;
}

/* NS of "NS/ID". */
static bool in_namespace(const char *name, const char *ns)
{
	size_t n = strlen(ns);

	return strncmp(name, ns, n) == 0 && name[n] == '/';
}

/* The id of the first migration of its own namespace that this one builds on, or NULL. */
static const char *previous_of(const struct migration *f)
{
	for (size_t i = 0; i < f->n_depends; i++) {
		if (in_namespace(f->depends[i], f->ns))
			return f->depends[i] + strlen(f->ns) + 1;
	}
	return NULL;
}

static bool builds_on(const struct migration *f, const char *ns, const char *id)
{
	for (size_t i = 0; i < f->n_depends; i++) {
		if (in_namespace(f->depends[i], ns) &&
		    strcmp(f->depends[i] + strlen(ns) + 1, id) == 0)
			return true;
	}
	return false;
}

/* Does another applied one build on the same (NULL: on nothing)? */
static bool has_sibling(const struct plan_make *m, const struct migration *f, const char *previous)
{
	for (size_t i = 0; i < m->source->n; i++) {
		const struct migration *other = &m->source->list[i];
		const struct applied *a;

		if (other == f || strcmp(other->ns, f->ns) != 0 ||
		    (previous ? !builds_on(other, f->ns, previous) : other->n_depends > 0))
			continue;
		a = history_find(m->history, other->ns, other->id);
		if (a && a->applied)
			return true;
	}
	return false;
}

static int alembic_words(const struct plan_make *m, const struct step *s, const struct pick *k,
			 bool down, struct strbuf *out, struct err *e)
{
	const char *previous = previous_of(k->file), *to = k->id;
	char *branch = NULL;
	int rc;

	strbuf_adds(out, s->kind == STEP_RECORD ? " stamp" : down ? " downgrade" : " upgrade");
	if (down && k->file->n_depends < 2 && has_sibling(m, k->file, previous)) {
		struct strbuf b;

		strbuf_init(&b, STRBUF_NO_LIMIT);
		strbuf_addf(&b, "%s@-1", k->id);
		to = branch = strbuf_detach(&b);
	} else if (down) {
		to = previous ? previous : "base";
	}
	rc = add_word(out, to, e);
	mem_free(branch);
	return rc;
}

static int django_words(const struct step *s, const struct pick *k, bool down, struct strbuf *out,
			struct err *e)
{
	const char *previous = previous_of(k->file);

	strbuf_adds(out, " migrate");
	if (add_word(out, k->ns, e) < 0 || add_word(out,
						    !down      ? k->id
						    : previous ? previous
							       : "zero",
						    e) < 0)
		return -1;
	strbuf_adds(out, s->kind == STEP_RECORD ? " --fake --noinput" : " --noinput");
	return 0;
}

/* The whole command line; "" when there is no command (gate migrate-command) or no file. */
static int command_of(struct plan_make *m, const struct step *s, const struct pick *k, bool down,
		      const char **out, struct err *e)
{
	const char *command = m->plan->migrate_command;
	struct strbuf b;
	int rc = 0;

	*out = "";
	if (!command || !*command || !k->file)
		return 0;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	strbuf_adds(&b, command);
	rc = strcmp(m->plan->tool, "django") == 0 ? django_words(s, k, down, &b, e)
						  : alembic_words(m, s, k, down, &b, e);
	if (rc == 0)
		*out = plan_str(m->plan, strbuf_str(&b));
	strbuf_clear(&b);
	return rc;
}

/* --- Steps ---------------------------------------------------------------------------------------- */

int framework_step(struct plan_make *m, struct step *s, const struct pick *k, struct err *e)
{
	struct plan *p = m->plan;
	bool never = m->env->undo_migrations == UNDO_NEVER, down = s->kind == STEP_DOWN;
	const char *back = "";

	step_set_migration(p, s, k);
	s->generation = 0;
	/* What a downgrade does is in the code; whether there is one, its tool says. */
	s->has_down = k->file != NULL;
	s->down_checksum = NULL;
	s->no_return = down;
	if (command_of(m, s, k, down, &s->command, e) < 0 ||
	    (s->kind != STEP_RECORD && command_of(m, s, k, !down, &back, e) < 0))
		return -1;
	s->undo_command = back[0] ? back : NULL;
	if (s->kind == STEP_RECORD)
		return 0;
	if (down)
		s->undo = never ? "stays rolled back: undo_migrations = never"
				: "apply it again (data the down removed stays lost)";
	else
		s->undo = never ? "stays applied: undo_migrations = never"
				: arena_printf(&p->arena, "taken back by %s", p->tool);
	return 0;
}

void framework_notes(struct plan_make *m)
{
	struct plan *p = m->plan;
	const char *first = NULL;

	for (size_t i = 0; i < p->n_step && !first; i++)
		first = p->step[i].command && p->step[i].command[0] ? p->step[i].command : NULL;
	if (first)
		plan_note(p, "%s runs them, one command each, in %s: %s", p->tool,
			  p->base_dir[0] ? p->base_dir : ".", first);
	if (p->op == OP_MIGRATE && m->env->undo_migrations == UNDO_NEVER)
		plan_note(
			p,
			"if a step fails: %s decides what stays of that migration; those before it "
			"stay applied",
			p->tool);
	else if (p->op == OP_MIGRATE)
		plan_note(p,
			  "if a step fails: %s decides what stays of that migration; those of this "
			  "run are taken back by its downs",
			  p->tool);
}

const struct applied **framework_newest_first(const struct plan_make *m, size_t *n)
{
	const struct history *h = m->history;
	const struct applied **list = mem_calloc(h->n + 1, sizeof(*list));

	*n = 0;
	for (size_t i = h->n; i-- > 0;) {
		if (h->list[i].applied && source_knows(m->source, h->list[i].ns))
			list[(*n)++] = &h->list[i];
	}
	return list;
}
