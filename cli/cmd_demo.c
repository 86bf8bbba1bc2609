/* SPDX-License-Identifier: MIT */
/*
 * `demo`: a workspace to try everything on.
 *
 * Its files are written as a person would have, and its databases are brought where they are by
 * real runs of this program: what the console shows afterwards is what it shows of any project,
 * with nothing made up. The story: development went ahead; staging followed up to 0008; then
 * somebody edited 0008, took it back and applied it again in development, and staging still has
 * the text of before. Production stands at 0006. In each environment runs a small service, so that there
 * is a log to read and a health to ask for (cli/demo_services.c).
 *
 * The state (runs, backups) is kept in the workspace, so that the user's own stays clean. The
 * marker file says whether the workspace was finished; a folder with anything else in it is left
 * alone.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/demo_files.h"
#include "cli/demo_services.h"
#include "cli/hosts.h"
#include "core/base/fs.h"
#include "core/db/db.h"
#include "core/release/env_open.h"
#include "core/release/run.h"

#define MARKER ".bascule-demo"
#define FINISHED "finished\n"
#define DEFAULT_DIR "bascule-demo"

struct demo {
	struct cli *c;
	char *dir;               /* absolute */
	struct demo_ports ports; /* of one that is being made */
};

static int write_file(const struct demo *d, const char *name, const char *text, struct err *e)
{
	char *path = path_join(d->dir, name);
	int rc = fs_replace(path, text, strlen(text), 0644, e);

	mem_free(path);
	return rc;
}

static int make_dir(const struct demo *d, const char *name, struct err *e)
{
	char *path = path_join(d->dir, name);
	int rc = fs_mkdirs(path, 0755, e);

	mem_free(path);
	return rc;
}

static int write_migration(const struct demo *d, const struct demo_migration *m, const char *up,
			   struct err *e)
{
	char name[128];

	snprintf(name, sizeof(name), "migrations/up/%s.sql", m->name);
	if (write_file(d, name, up, e) != 0)
		return -1;
	if (m->down == NULL)
		return 0;
	snprintf(name, sizeof(name), "migrations/down/%s.sql", m->name);
	return write_file(d, name, m->down, e);
}

static int write_config(struct demo *d, struct err *e)
{
	struct strbuf text;
	int rc;

	strbuf_init(&text, 16384);
	strbuf_addf(&text, "%s", demo_config);
	rc = demo_services_config(&text, &d->ports, e);
	if (rc == 0)
		rc = write_file(d, "bascule.ini", strbuf_str(&text), e);
	strbuf_clear(&text);
	return rc;
}

static int write_files(struct demo *d, struct err *e)
{
	size_t i;

	if (make_dir(d, "data", e) != 0 || make_dir(d, "migrations/up", e) != 0 ||
	    make_dir(d, "migrations/down", e) != 0 ||
	    write_file(d, MARKER, "in the making\n", e) != 0 || write_config(d, e) != 0)
		return -1;
	for (i = 0; i < demo_migrations_n; i++) {
		const struct demo_migration *m = &demo_migrations[i];
		bool edited = strcmp(m->name, demo_edited_name) == 0;

		if (write_migration(d, m, edited ? demo_edited_before : m->up, e) != 0)
			return -1;
	}
	return 0;
}

static int edit_file(const struct demo *d, struct err *e)
{
	size_t i;

	for (i = 0; i < demo_migrations_n; i++)
		if (strcmp(demo_migrations[i].name, demo_edited_name) == 0)
			return write_migration(d, &demo_migrations[i], demo_migrations[i].up, e);
	return 0;
}

static int create_databases(const struct demo *d, struct err *e)
{
	const struct project *p = d->c->project;
	struct db *db = NULL;
	size_t i;

	for (i = 0; i < p->n_env; i++) {
		if (env_open(&d->c->ctx, &p->env[i], DB_CREATE, NULL, &db, e) != 0)
			return -1;
		db_close(db);
	}
	return 0;
}

/* --- Runs ------------------------------------------------------------------------------------ */

static int on_run(void *arg, const struct run *r)
{
	struct err *e = arg;

	if (!run_state_ended(r->state) && r->state != RUN_PAUSED && r->state != RUN_INTERRUPTED)
		return 0;
	if (r->state != RUN_DONE) {
		err_set(e, ERR_INPUT, "cannot make the demo: run %s is %s", r->number,
			run_state_name(r->state));
		err_detail(e, "%s: %s", r->error_msg, r->error_detail);
	}
	return 1;
}

/* Freezes the plan of a request, starts its runner and waits for its end. */
static int run_plan(const struct demo *d, const struct plan *plan, const struct source *source,
		    const struct env *env, struct err *e)
{
	struct err result = { 0 };
	struct db *db = NULL;
	char id[RUN_ID_SIZE];
	pid_t runner = 0;
	int rc = -1;

	if (env_open(&d->c->ctx, env, DB_READ_ONLY, NULL, &db, e) == 0)
		rc = run_create(&d->c->ctx, plan, source, db, id, e);
	db_close(db);
	if (rc != 0 || run_spawn(&d->c->ctx, id, "start", 0, &runner, e) != 0)
		return -1;
	rc = run_follow(&d->c->ctx, id, on_run, &result, NULL, e);
	waitpid(runner, NULL, 0);
	if (rc == 0 && result.code != ERR_OK) {
		*e = result;
		rc = -1;
	}
	return rc;
}

/* One change of the story: migrate to a number, or (to NULL) roll back the last one. */
static int change(const struct demo *d, const char *env, const char *to, struct err *e)
{
	struct plan_request r = { .op = to != NULL ? OP_MIGRATE : OP_ROLLBACK,
				  .environment = env,
				  .to = to,
				  .last = to != NULL ? 0 : 1 };
	struct plan_facts facts = { 0 };
	struct plan *plan = NULL;
	int rc = -1;

	if (plan_facts_read(d->c->project, &d->c->ctx, env, false, NULL, &facts, e) != 0)
		return -1;
	if (plan_build(d->c->project, &facts, &r, &plan, e) != 0)
		goto out;
	if (plan_closed_gate(plan) != NULL)
		plan_refuse(plan, e);
	else
		rc = run_plan(d, plan, facts.source, env_find(d->c->project, env), e);
out:
	plan_free(plan);
	plan_facts_clear(&facts);
	return rc;
}

static int tell_story(const struct demo *d, struct err *e)
{
	if (change(d, "development", "0008", e) != 0 || change(d, "staging", "0008", e) != 0 ||
	    change(d, "production", "0006", e) != 0)
		return -1;
	if (change(d, "development", NULL, e) != 0 || edit_file(d, e) != 0)
		return -1;
	return change(d, "development", "0010", e);
}

/* --- The folder ------------------------------------------------------------------------------ */

enum found { FOUND_NOTHING, FOUND_DEMO, FOUND_OTHER, FOUND_HALF };

static enum found look_at(const struct demo *d)
{
	char *marker = path_join(d->dir, MARKER);
	enum found found = FOUND_NOTHING;
	struct dirent *entry;
	struct strbuf text;
	struct err ignored;
	DIR *dir;

	strbuf_init(&text, 64);
	dir = opendir(d->dir);
	while (dir != NULL && found == FOUND_NOTHING && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			found = FOUND_OTHER;
	if (dir != NULL)
		closedir(dir);
	else if (fs_exists(d->dir))
		found = FOUND_OTHER;
	if (found == FOUND_OTHER && fs_read(marker, 64, &text, &ignored) == 0)
		found = strcmp(strbuf_str(&text), FINISHED) == 0 ? FOUND_DEMO : FOUND_HALF;
	strbuf_clear(&text);
	mem_free(marker);
	return found;
}

static int refuse_folder(const struct demo *d, bool half, struct err *e)
{
	struct strbuf word;

	strbuf_init(&word, 400);
	path_quote(&word, d->dir);
	err_set(e, ERR_EXISTS, "cannot make the demo in %s", d->dir);
	if (half) {
		err_detail(e, "a demo was begun there and not finished");
		err_hint(e, "rm -r %s && bascule demo %s", strbuf_str(&word), strbuf_str(&word));
	} else {
		err_detail(e, "the folder is not empty, and what is in it is not a demo");
		err_hint(e, "bascule demo %s-demo", strbuf_str(&word));
	}
	strbuf_clear(&word);
	return -1;
}

static int read_project(const struct demo *d, struct err *e)
{
	struct cli *c = d->c;
	char *path = path_join(d->dir, "bascule.ini");
	int rc;

	c->args.value[OPT_CONFIG] = arena_strdup(&c->arena, path);
	cli_set_state(c, arena_printf(&c->arena, "%s/.state/bascule", d->dir));
	rc = cli_read_config(c, e);
	if (rc == 0)
		rc = cli_hosts_need(c, e);
	mem_free(path);
	return rc;
}

static int make(struct demo *d, struct err *e)
{
	print_note("making a demo workspace in %s", d->dir);
	if (fs_mkdirs(d->dir, 0755, e) != 0 || write_files(d, e) != 0 || read_project(d, e) != 0 ||
	    create_databases(d, e) != 0 || tell_story(d, e) != 0)
		return -1;
	return write_file(d, MARKER, FINISHED, e);
}

/* Whether the shell's `bascule` is this program: after `make demo` it is nowhere in PATH. */
static bool is_in_path(const struct context *ctx)
{
	const char *path = getenv("PATH");
	struct sv rest = sv_of(path != NULL ? path : ""), dir;
	struct stat mine, other;
	bool found = false;

	if (stat(ctx->exe, &mine) != 0)
		return true;
	while (!found && sv_cut(&rest, ':', &dir)) {
		char *folder = mem_strndup(dir.p, dir.n);
		char *file = path_join(folder, "bascule");

		found = stat(file, &other) == 0;
		mem_free(file);
		mem_free(folder);
	}
	return found && mine.st_dev == other.st_dev && mine.st_ino == other.st_ino;
}

static int say_how_to_return(const struct demo *d, struct err *e)
{
	struct strbuf out, word;
	int rc;

	strbuf_init(&out, 4096);
	strbuf_init(&word, 4096);
	path_quote(&word, d->dir);
	strbuf_addf(&out, "the demo is in %s; to open it again:\n", d->dir);
	strbuf_addf(&out, "  cd %s && XDG_STATE_HOME=$PWD/.state ", strbuf_str(&word));
	path_quote(&out, is_in_path(&d->c->ctx) ? "bascule" : d->c->ctx.exe);
	strbuf_addc(&out, '\n');
	rc = print_out(strbuf_sv(&out), e);
	strbuf_clear(&out);
	strbuf_clear(&word);
	return rc;
}

static int show(const struct demo *d, struct err *e)
{
	struct cli *c = d->c;
	int rc;

	if (cli_can_draw(c) && !args_has(&c->args, OPT_PLAIN)) {
		rc = cli_console(c, e);
		return rc == 0 ? say_how_to_return(d, e) : rc;
	}
	if (cmd_matrix(c, e) != 0 || print_out(SV("\n"), e) != 0)
		return -1;
	/* The words on the command line are demo's own. */
	c->args.n_word = 0;
	if (cmd_status(c, e) != 0 || print_out(SV("\n"), e) != 0)
		return -1;
	return say_how_to_return(d, e);
}

int cmd_demo(struct cli *c, struct err *e)
{
	const char *name = cli_word(c, 0) != NULL ? cli_word(c, 0) : DEFAULT_DIR;
	struct demo d = { .c = c, .dir = path_absolute(name, e) };
	int rc = -1;

	if (d.dir == NULL)
		return -1;
	switch (look_at(&d)) {
	case FOUND_NOTHING:
		rc = make(&d, e);
		break;
	case FOUND_DEMO:
		rc = read_project(&d, e);
		break;
	case FOUND_OTHER:
		refuse_folder(&d, false, e);
		break;
	case FOUND_HALF:
		refuse_folder(&d, true, e);
		break;
	}
	if (rc == 0)
		rc = demo_services_start(c->project, c->ctx.exe, e);
	demo_ports_release(&d.ports);
	if (rc == 0)
		rc = show(&d, e);
	mem_free(d.dir);
	return rc;
}
