/* SPDX-License-Identifier: MIT */
/*
 * Starting the runner of a run.
 *
 * What the runner itself would refuse before it may write a line (another one is at work, the holder
 * still beats) is refused here already, where there is somebody to tell. The runner asks again.
 *
 * Secrets are no part of a run's folder. Whoever starts a runner has read the configuration and has them
 * in its context; the new process gets them through a pipe, which no argument, variable or file shows.
 */
#include <unistd.h>

#include "core/base/child.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/secret.h"
#include "core/ledger/lock.h"
#include "core/release/env_open.h"
#include "core/release/run_folder.h"
#include "core/release/run_secrets.h"

/* A stopped runner keeps its folder, a runner at work its lock. */
static int refuse_locked(const struct run *r, const struct lock_holder *h, struct err *e)
{
	err_set(e, ERR_LOCKED, "run %s has a runner already", r->number);
	err_detail(e, "%s from %s, pid %lld%s%s", h->who, h->host, (long long)h->pid,
		   h->stopped ? ", stopped" : "",
		   h->stale ? ", silent for longer than its lease" : "");
	return err_hint(e, h->stale ? "bascule takeover %s" : "bascule watch %s", r->number);
}

/* On a server it is asked there: a takeover changes the environment at once. */
static int lock_look(const struct context *ctx, const struct run *r, struct lock_holder *out,
		     struct err *e)
{
	const struct env *env = &r->plan->env;
	struct db *db = NULL;
	int ret = -1;

	if (dsn_is_file(&env->dsn) || !env_open(ctx, env, DB_READ_ONLY, NULL, &db, e))
		ret = lock_read(&env->dsn, db, env->lock_stale_ms, out, e);
	db_close(db);
	return ret;
}

static int spawn_allowed(const struct context *ctx, const char *id, const char *dir,
			 const char *mode, struct err *e)
{
	bool takeover = !strncmp(mode, "takeover", 8);
	struct lock_holder holder = { .pid = 0 };
	struct run *r = NULL;
	bool busy = false;
	int fd = -1, ret = -1;

	if (!takeover && run_lock_folder(dir, &fd, e)) {
		if (e->code != ERR_LOCKED)
			return -1;
		busy = true;
	}
	if (fd >= 0)
		close(fd);
	if (!takeover && !busy)
		return 0;
	if (run_load(ctx, id, &r, e) || (lock_look(ctx, r, &holder, e) && !busy))
		goto out;
	if (busy || !lock_may_take_over(&holder)) {
		refuse_locked(r, &holder, e);
		goto out;
	}
	ret = 0;
out:
	run_free(r);
	return ret;
}

/* Names the process before it wrote its first line, so that nobody takes the run for interrupted. */
static int spawn_record(const char *dir, pid_t pid, struct err *e)
{
	char *path = path_join(dir, "runner.pid");
	json_t *j = json_object();
	struct strbuf text;
	char boot[40], state;
	int64_t start = 0;
	int ret;

	strbuf_init(&text, 4096);
	fs_boot_id(boot);
	fs_process(pid, &start, &state);
	json_put_int(j, "pid", pid);
	json_put_int(j, "start", start);
	json_put_str(j, "boot", boot);
	json_write(&text, j);
	ret = fs_replace(path, text.data, text.len, 0600, e);
	strbuf_clear(&text);
	json_decref(j);
	mem_free(path);
	return ret;
}

/* What the runner must know, appended to out; nothing when nothing is secret. */
static int spawn_secrets(const struct context *ctx, const char *id, struct strbuf *out,
			 struct err *e)
{
	struct run *r = NULL;

	if ((!ctx->secrets || ctx->secrets->n == 0) && !ctx->hosts)
		return 0;
	if (run_read(ctx, id, &r, e))
		return -1;
	strbuf_room(out, CHILD_INPUT_MAX); /* it does not move, so that nothing is left behind */
	run_secrets_write(r->plan, ctx->hosts, out);
	run_free(r);
	if (!strbuf_ok(out))
		return err_set(e, ERR_LIMIT, "the settings in env_files are longer than %zu bytes",
			       CHILD_INPUT_MAX);
	return 0;
}

int run_spawn(const struct context *ctx, const char *id, const char *mode, int64_t wait_ms,
	      pid_t *pid, struct err *e)
{
	char wait_text[24];
	char *dir = run_path(ctx, id, NULL);
	char *log = run_path(ctx, id, "runner.log");
	char *argv[] = { mem_strdup(ctx->exe),
			 mem_strdup("run"),
			 mem_strdup(id),
			 mem_strdup("--state"),
			 mem_strdup(ctx->state_dir),
			 mem_strdup("--mode"),
			 mem_strdup(mode),
			 mem_strdup("--wait"),
			 wait_text,
			 NULL };
	struct strbuf secrets;
	pid_t child;
	int ret = -1;

	strbuf_init(&secrets, CHILD_INPUT_MAX);
	if (spawn_allowed(ctx, id, dir, mode, e))
		goto out;
	snprintf(wait_text, sizeof(wait_text), "%lld", (long long)wait_ms);
	if (spawn_secrets(ctx, id, &secrets, e) ||
	    child_spawn_detached(ctx->exe, argv, log, strbuf_sv(&secrets), &child, e))
		goto out;
	/* The runner is on its way; not being able to note its pid is not worth stopping it. */
	if (spawn_record(dir, child, e))
		err_clear(e);
	if (pid)
		*pid = child;
	ret = 0;
out:
	secret_clear_buf(&secrets);
	for (int i = 0; argv[i] != wait_text; i++)
		mem_free(argv[i]);
	mem_free(log);
	mem_free(dir);
	return ret;
}
