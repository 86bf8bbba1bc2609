/* SPDX-License-Identifier: MIT */
/*
 * How each gate is measured, and the command that opens it. gate.c has the table that names them.
 *
 * A measured value names up to LISTED migrations and counts the rest: it must fit a line of a
 * screen and the detail of an error. It says what is, not what should be; that is in the rule.
 *
 * A baseline or an accept in the gate environment says "believe me"; it does not let a migration
 * that never ran there into the next environment. So the gate of `requires` asks for the checksum
 * of the text that ran, and only for records (baseline, accept) for the one in force.
 */
#include "core/release/gate_rules.h"

#include "core/base/fs.h"
#include "core/migrate/git_state.h"

#include <stdarg.h>
#include <string.h>

#define LISTED 5

/* --- Findings: "0010: why; 0011: why and 3 more" -------------------------------------------------- */

struct findings {
	struct strbuf *out;
	size_t n;
};

static void find(struct findings *f, const char *id, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void find(struct findings *f, const char *id, const char *fmt, ...)
{
	va_list ap;

	if (f->n++ >= LISTED)
		return;
	strbuf_addf(f->out, "%s%s: ", f->n > 1 ? "; " : "", id);
	va_start(ap, fmt);
	strbuf_addv(f->out, fmt, ap);
	va_end(ap);
}

static bool nothing_found(const struct findings *f)
{
	if (f->n > LISTED)
		strbuf_addf(f->out, "; and %zu more", f->n - LISTED);
	return f->n == 0;
}

/* --- States of one migration ---------------------------------------------------------------------- */

bool applied_changed(const struct applied *a, const struct migration *file)
{
	/* Another tool's history may keep no checksum: then nobody knows of a change. */
	if (a && !a->checksum && !a->accepted)
		return false;
	/* A file that could not be read is an error of the source, not a change. */
	return a && a->applied && file && file->checksum[0] &&
	       !str_same(a->checksum, file->checksum);
}

bool applied_missing(const struct applied *a, const struct migration *file)
{
	bool accepted = a && a->accepted && !(a->checksum && *a->checksum);

	return a && a->applied && !file && !accepted;
}

bool applied_failed(const struct applied *a, const char *checksum)
{
	if (!a || a->applied || !a->failed || a->failed_down)
		return false;
	/* Not knowing which text failed is no proof that it was mended. */
	return !a->failed_checksum || !*a->failed_checksum ||
	       str_same(a->failed_checksum, checksum);
}

static void say(struct strbuf *why, const char *fmt, const char *name)
{
	if (why && strcmp(fmt, "other") == 0)
		strbuf_addf(why, "ran in %s with another checksum", name);
	else if (why)
		strbuf_addf(why, "%s in %s", fmt, name);
}

static bool record_passed(enum event_kind event, const struct applied *a, const char *checksum,
			  const char *name, struct strbuf *why)
{
	bool in_force = a && a->applied;

	if (event == EVENT_ACCEPTED && !(checksum && *checksum)) {
		if (!in_force || !(a->checksum && *a->checksum))
			return true;
		say(why, "not accepted as missing", name);
		return false;
	}
	if (!in_force) {
		say(why, "not applied", name);
		return false;
	}
	if (str_same(a->checksum, checksum))
		return true;
	say(why, "in force with another checksum", name);
	return false;
}

bool gate_passed(enum step_kind kind, enum event_kind event, const struct applied *a,
		 const char *checksum, const char *gate_name, struct strbuf *why)
{
	bool ran;

	if (kind == STEP_RECORD)
		return record_passed(event, a, checksum, gate_name, why);
	ran = a && a->ran_checksum && str_same(a->ran_checksum, checksum);
	if (a && a->applied && !a->baselined && ran)
		return true;
	if (!a || (!a->applied && a->generation == 0))
		say(why, a && a->failed ? "failed" : "not applied", gate_name);
	else if (!a->applied)
		say(why, a->failed && !a->failed_down ? "failed" : "rolled back", gate_name);
	else if (a->baselined)
		say(why, "only recorded by baseline, never run,", gate_name);
	else if (a->accepted && str_same(a->checksum, checksum))
		say(why, "only accepted, this text never ran,", gate_name);
	else
		say(why, "other", gate_name);
	return false;
}

/* Has the target what this step does already? On resume the steps done before are not asked again. */
static bool step_is_done(const struct step *s, const struct applied *a)
{
	/* Another tool's history knows no generations. */
	if (s->command)
		return (a && a->applied) == (s->kind != STEP_DOWN);
	if (!a || a->generation != s->generation)
		return false;
	if (s->kind == STEP_DOWN)
		return !a->applied;
	return a->applied && (s->event == EVENT_ACCEPTED || str_same(a->checksum, s->checksum));
}

static const struct applied *of_step(const struct history *h, const struct step *s)
{
	/* Another tool's rows are not what a step of ours did, and under the lock there are no files to
	 * join them with, unless it is the tool that does the step. */
	return h->tool && !s->command ? NULL : history_find(h, s->ns, s->id);
}

/* The first step a gate finds something about: what the command is made for. */
static struct pick pick_of_step(const struct measure *x, const struct step *s)
{
	const struct migration *f = x->make ? source_find(x->make->source, s->ns, s->id) : NULL;

	return (struct pick){ f, of_step(x->target, s), s->ns, s->id, s->title, s->sort_key };
}

/* --- source, ledger, unfinished-run --------------------------------------------------------------- */

bool gate_source_open(const struct measure *x, struct strbuf *out)
{
	const struct source *s = x->make->source;

	if (s->n_error == 0) {
		strbuf_addf(out, "%zu migration%s, no error", s->n, s->n == 1 ? "" : "s");
		return true;
	}
	strbuf_addf(out, "%zu error%s", s->n_error, s->n_error == 1 ? "" : "s");
	for (size_t i = 0; i < s->n_problem; i++) {
		if (!s->problem[i].error)
			continue;
		strbuf_addf(out, ": %s", s->problem[i].msg);
		break;
	}
	return false;
}

void gate_check_command(const struct measure *x, struct strbuf *out)
{
	(void)x;
	strbuf_adds(out, "bascule check");
}

bool gate_ledger_open(const struct measure *x, struct strbuf *out)
{
	if (x->target->format == 0)
		strbuf_adds(out, "no ledger yet, it will be made");
	else
		strbuf_addf(out, "format %d", x->target->format);
	return !x->target->read_only;
}

bool gate_foreign_open(const struct measure *x, struct strbuf *out)
{
	const struct history *h = x->target;

	strbuf_addf(out, "kept by %s in %s", h->tool, h->table);
	if (h->busy)
		strbuf_addf(out, "; %s", h->busy);
	return false;
}

/* The newest migration that the other tool has applied and that has a file: adopting it and what it
 * has before makes the history ours. */
void gate_foreign_satisfy(const struct measure *x, struct strbuf *out)
{
	const struct history *h = x->target;
	const char *id = NULL;

	if (!x->make)
		return;
	for (size_t i = 0; i < x->make->source->n; i++) {
		const struct migration *f = &x->make->source->list[i];
		const struct applied *a = history_find(h, f->ns, f->id);

		if (a && a->applied)
			id = f->id;
	}
	if (!id)
		return;
	strbuf_addf(out, "bascule baseline %s --to ", x->make->env->name);
	path_quote(out, id);
	command_confirm(out, x->make->env);
}

bool gate_command_open(const struct measure *x, struct strbuf *out)
{
	const struct plan *p = x->plan;

	if (p->migrate_command && *p->migrate_command) {
		strbuf_addf(out, "%s", p->migrate_command);
		return true;
	}
	strbuf_addf(out, "they are %s's, and no migrate_command says how it is started", p->tool);
	return false;
}

/* The line that is missing, put where it belongs. */
void gate_command_satisfy(const struct measure *x, struct strbuf *out)
{
	strbuf_addf(out, "sed -i '/^\\[project\\]/a migrate_command = %s' ",
		    strcmp(x->plan->tool, "django") == 0 ? "python3 manage.py"
							 : "python3 -m alembic");
	path_quote(out, x->make ? x->make->project->config_path : "bascule.ini");
}

/* A folder that nobody keeps in git has no such state: that is said, and no reason to refuse. */
bool gate_git_open(const struct measure *x, struct strbuf *out)
{
	const struct git_state *git = x->make->facts->git;

	git_state_words(git, out);
	for (size_t i = 0; i < git->n_listed && i < LISTED; i++)
		strbuf_addf(out, "%s%s", i ? ", " : ": ", git->uncommitted[i]);
	return git->n_uncommitted == 0 && git->n_unpushed == 0;
}

void gate_git_satisfy(const struct measure *x, struct strbuf *out)
{
	const struct git_state *git = x->make->facts->git;
	const char *const commands[] = { "add -A .", "commit -m 'migrations' .", "push" };

	for (size_t i = git->n_uncommitted ? 0 : 2; i < (git->has_upstream ? 3U : 2U); i++) {
		strbuf_adds(out, out->len ? " && git -C " : "git -C ");
		path_quote(out, git->dir);
		strbuf_addf(out, " %s", commands[i]);
	}
}

/* "118" of "118-9f3c2a": what people type. */
static struct sv run_number(const char *id)
{
	struct sv rest = sv_of(id), number = rest;

	sv_cut(&rest, '-', &number);
	return number;
}

bool gate_unfinished_open(const struct measure *x, struct strbuf *out)
{
	const struct plan_facts *f = x->make->facts;
	struct sv n;

	if (!f->unfinished_run) {
		strbuf_adds(out, "none");
		return true;
	}
	n = run_number(f->unfinished_run);
	strbuf_addf(out, "run %.*s is %s at step %zu (bascule abort %.*s gives it up)", (int)n.n,
		    n.p, f->unfinished_state ? f->unfinished_state : "interrupted",
		    f->unfinished_step, (int)n.n, n.p);
	return false;
}

void gate_unfinished_satisfy(const struct measure *x, struct strbuf *out)
{
	struct sv n = run_number(x->make->facts->unfinished_run);

	strbuf_addf(out, "bascule resume %.*s", (int)n.n, n.p);
}

/* --- requires ------------------------------------------------------------------------------------- */

/* What a tool says that it has applied, by the id alone: which text ran it does not know. */
static bool tool_passed(const struct applied *a, const char *name, struct strbuf *why)
{
	if (a && a->applied)
		return true;
	say(why, "not applied", name);
	return false;
}

bool gate_passed_open(const struct measure *x, struct strbuf *out)
{
	const char *name = x->plan->gate_env.name;
	struct findings f = { .out = out };
	size_t n = 0, passed = 0;
	struct strbuf why;

	if (!x->gate_env) {
		strbuf_addf(out, "the history of %s cannot be read", name);
		if (x->make)
			strbuf_addf(out, ": %s",
				    x->make->facts
					    ->history_err[env_index(x->make->project,
								    x->make->gate_env)]
					    .msg);
		return false;
	}
	strbuf_init(&why, STRBUF_NO_LIMIT);
	for (size_t i = 0; i < x->plan->n_step; i++) {
		const struct step *s = &x->plan->step[i];

		if (!s->id)
			continue;
		n++;
		strbuf_reset(&why);
		if (step_is_done(s, of_step(x->target, s)) && s->event != EVENT_ACCEPTED) {
			passed++;
		} else if (s->command
				   ? tool_passed(of_step(x->gate_env, s), name, &why)
				   : gate_passed(s->kind, s->event, of_step(x->gate_env, s),
						 s->gate_checksum ? s->gate_checksum : s->checksum,
						 name, &why)) {
			passed++;
		} else {
			find(&f, s->id, "%s", strbuf_str(&why));
		}
	}
	strbuf_clear(&why);
	if (nothing_found(&f))
		strbuf_addf(out, "%zu of %zu passed in %s", passed, n, name);
	if (x->plan->tool && n > 0)
		strbuf_addf(out, " (%s keeps no checksum: the id is compared)", x->plan->tool);
	return f.n == 0;
}

void gate_passed_satisfy(const struct measure *x, struct strbuf *out)
{
	const struct plan *p = x->plan;

	if (x->make) {
		remedy_passed(out, x->make);
		return;
	}
	/* On live data the environments before are not known: make the plan anew, it will say. */
	strbuf_adds(out, p->command);
	command_confirm(out, &p->env);
}

/* --- changed, missing ----------------------------------------------------------------------------- */

/* The applied migrations of the source's namespace in one of the two states; the first goes to
 * *first. */
static void look_at_files(const struct measure *x, bool missing, struct findings *f,
			  struct pick *first)
{
	const struct source *src = x->make->source;

	for (size_t i = 0; i < x->target->n; i++) {
		const struct applied *a = &x->target->list[i];
		const struct migration *m = source_find(src, a->ns, a->id);

		if (!source_knows(src, a->ns) ||
		    !(missing ? applied_missing(a, m) : applied_changed(a, m)))
			continue;
		if (f->n == 0 && first)
			*first = (struct pick){ m, a, a->ns, a->id, a->title, a->sort_key };
		find(f, a->id,
		     missing ? "applied, and there is no file any more"
			     : "the file is not what was applied");
	}
}

bool gate_changed_open(const struct measure *x, struct strbuf *out)
{
	struct findings f = { .out = out };

	look_at_files(x, false, &f, NULL);
	if (nothing_found(&f))
		strbuf_addf(out,
			    x->plan->tool ? "%zu applied; its tool keeps no checksums"
					  : "%zu applied, each as its file is now",
			    x->target->n_applied);
	return f.n == 0;
}

bool gate_missing_open(const struct measure *x, struct strbuf *out)
{
	struct findings f = { .out = out };

	look_at_files(x, true, &f, NULL);
	if (nothing_found(&f))
		strbuf_addf(out, "%zu applied, none without its file", x->target->n_applied);
	return f.n == 0;
}

static void accept_first(const struct measure *x, bool missing, struct strbuf *out)
{
	struct strbuf unused;
	struct findings f = { .out = &unused };
	struct pick first = { 0 };

	strbuf_init(&unused, STRBUF_NO_LIMIT);
	look_at_files(x, missing, &f, &first);
	if (first.id && !x->plan->tool)
		remedy_accept(out, x->make, x->make->env, &first);
	strbuf_clear(&unused);
}

void gate_changed_satisfy(const struct measure *x, struct strbuf *out)
{
	accept_first(x, false, out);
}

void gate_missing_satisfy(const struct measure *x, struct strbuf *out)
{
	accept_first(x, true, out);
}

/* --- failed --------------------------------------------------------------------------------------- */

static bool step_failed(const struct measure *x, const struct step *s)
{
	const struct applied *a = s->kind == STEP_UP ? of_step(x->target, s) : NULL;

	if (!applied_failed(a, s->checksum))
		return false;
	/* The run that failed may try again: its operator asked for that, and it is in the journal. */
	return !(x->plan->run && a->failed_run && str_same(a->failed_run, x->plan->run));
}

bool gate_failed_open(const struct measure *x, struct strbuf *out)
{
	struct findings f = { .out = out };
	const struct step *mended = NULL;

	for (size_t i = 0; i < x->plan->n_step; i++) {
		const struct step *s = &x->plan->step[i];
		const struct applied *a = s->kind == STEP_UP ? of_step(x->target, s) : NULL;

		if (step_failed(x, s))
			find(&f, s->id, "failed, and its file is the same since: %s",
			     a->error && *a->error ? a->error : "no words of the engine");
		else if (a && !a->applied && a->failed && !a->failed_down)
			mended = s;
	}
	if (!nothing_found(&f))
		return false;
	if (mended)
		strbuf_addf(out, "%s failed, and may be tried again", mended->id);
	else
		strbuf_adds(out, "no failed attempt");
	return true;
}

void gate_failed_satisfy(const struct measure *x, struct strbuf *out)
{
	for (size_t i = 0; i < x->plan->n_step; i++) {
		const struct step *s = &x->plan->step[i];
		struct pick k;

		if (!step_failed(x, s))
			continue;
		/* Stopped inside, by a run that waits to go on: nearer than to allow another try. */
		if (x->make && x->make->facts->unfinished_run && of_step(x->target, s)->partial) {
			gate_unfinished_satisfy(x, out);
			return;
		}
		k = pick_of_step(x, s);
		remedy_accept(out, x->make, x->make ? x->make->env : &x->plan->env, &k);
		return;
	}
}

/* --- late ----------------------------------------------------------------------------------------- */

static const struct step *step_of(const struct plan *p, const struct applied *a)
{
	for (size_t i = 0; i < p->n_step; i++) {
		const struct step *s = &p->step[i];

		if (s->id && str_same(s->id, a->id) && str_same(s->ns, a->ns))
			return s;
	}
	return NULL;
}

bool gate_late_open(const struct measure *x, struct strbuf *out)
{
	struct findings f = { .out = out };
	const struct applied *newest = NULL;
	const char *newest_key = "";

	/* The last of the order that is in force and not this plan's own work. A repeatable ("~…") has
	 * no place in it. */
	for (size_t i = x->target->n; i-- > 0;) {
		const struct applied *a = &x->target->list[i];
		const char *key;

		if (!a->applied || step_of(x->plan, a))
			continue;
		key = make_sort_key(x->make ? x->make->source : NULL, a);
		if (key[0] != '~' && (!newest || strcmp(key, newest_key) > 0)) {
			newest = a;
			newest_key = key;
		}
	}
	for (size_t i = 0; newest && i < x->plan->n_step; i++) {
		const struct step *s = &x->plan->step[i];

		if (s->kind == STEP_UP && strcmp(s->sort_key, newest_key) < 0 &&
		    !step_is_done(s, of_step(x->target, s)))
			find(&f, s->id, "%s, which is later, is applied", newest->id);
	}
	if (nothing_found(&f))
		strbuf_adds(out, "none is older than an applied one");
	return f.n == 0;
}

/* --- reversible ----------------------------------------------------------------------------------- */

bool gate_reversible_open(const struct measure *x, struct strbuf *out)
{
	struct findings f = { .out = out };
	size_t n = 0;

	for (size_t i = 0; i < x->plan->n_step; i++) {
		const struct step *s = &x->plan->step[i];

		if (s->kind != STEP_DOWN)
			continue;
		n++;
		if (!s->has_down)
			find(&f, s->id, "its down is missing or empty");
	}
	if (nothing_found(&f))
		strbuf_addf(out, "%zu of %zu have a down", n, n);
	return f.n == 0;
}

/* Fewer steps, or today's files, or the way back that needs no down: a backup. Without one a down
 * must be written first. */
void gate_reversible_satisfy(const struct measure *x, struct strbuf *out)
{
	const struct plan *p = x->plan;
	bool file_has = x->make && !p->down_from_file, met = false;
	const char *first = "";
	size_t before = 0;

	for (size_t i = 0; i < p->n_step; i++) {
		const struct step *s = &p->step[i];
		const struct migration *f;

		if (s->kind != STEP_DOWN)
			continue;
		f = x->make ? source_find(x->make->source, s->ns, s->id) : NULL;
		file_has = file_has && f && f->down == DOWN_SQL;
		if (!met && !s->has_down)
			first = s->id;
		met = met || !s->has_down;
		before += !met;
	}
	if (file_has)
		strbuf_addf(out, "%s --down=file", p->command);
	else if (before > 0)
		strbuf_addf(out, "bascule rollback %s last %zu%s", p->environment, before,
			    p->down_from_file ? " --down=file" : "");
	else if (x->make && x->make->facts->no_backup)
		strbuf_addf(out, "write a down of %s, then: %s%s", first, p->command,
			    p->down_from_file ? "" : " --down=file");
	else
		strbuf_addf(out, "bascule restore %s latest", p->environment);
	command_confirm(out, &p->env);
}

/* --- same-history --------------------------------------------------------------------------------- */

/* Is the migration of this step as the plan found it, or as the plan leaves it? */
static bool step_fits(const struct step *s, const struct applied *a)
{
	int64_t generation = a ? a->generation : 0;
	bool in_force = a && a->applied;

	/* Whether it is so already, or not yet: it is looked at again before the tool is started. */
	if (s->command || step_is_done(s, a))
		return true;
	if (s->kind == STEP_SEED)
		return true; /* it is no migration: its own probe looks */
	if (s->kind == STEP_DOWN || (s->event == EVENT_ACCEPTED && in_force))
		return in_force && generation == s->generation;
	return !in_force && generation == s->generation - 1;
}

/* What is in force beside the migrations of the plan. */
static void count_others(const struct plan *p, const struct history *h, size_t *n, int64_t *seq,
			 const struct applied **newest)
{
	*n = 0;
	*seq = 0;
	for (size_t i = 0; (!h->tool || p->tool) && i < h->n; i++) {
		const struct applied *a = &h->list[i];

		if (!a->applied || step_of(p, a))
			continue;
		++*n;
		if (!h->tool && a->seq > *seq) {
			*seq = a->seq;
			*newest = a;
		}
	}
}

bool gate_same_history_open(const struct measure *x, struct strbuf *out)
{
	struct findings f = { .out = out };
	const struct applied *newest = NULL;
	size_t n;
	int64_t seq;

	for (size_t i = 0; i < x->plan->n_step; i++) {
		const struct step *s = &x->plan->step[i];
		const struct applied *a = s->id ? of_step(x->target, s) : NULL;

		if (!s->id || step_fits(s, a))
			continue;
		find(&f, s->id, "%s meanwhile by %s", a && a->applied ? "applied" : "rolled back",
		     a && a->who ? a->who : "somebody");
	}
	count_others(x->plan, x->target, &n, &seq, &newest);
	if (x->make) {
		x->plan->base_count = n;
		x->plan->base_seq = seq;
	} else if (seq > x->plan->base_seq && newest) {
		find(&f, newest->id, "applied meanwhile by %s",
		     newest->who ? newest->who : "somebody");
	} else if (n != x->plan->base_count) {
		find(&f, "others", "%zu applied, there were %zu", n, x->plan->base_count);
	}
	if (nothing_found(&f))
		strbuf_addf(out, "%zu applied besides", n);
	return f.n == 0;
}

void gate_plan_again(const struct measure *x, struct strbuf *out)
{
	strbuf_adds(out, x->plan->command);
	command_confirm(out, &x->plan->env);
}
