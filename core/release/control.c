/* SPDX-License-Identifier: MIT */
/* Asking a runner for something from another process, and ending a run that has none. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/ledger/lock.h"
#include "core/release/control.h"
#include "core/release/control_socket.h"
#include "core/release/env_open.h"
#include "core/release/run_folder.h"
#include "core/release/tool_lock.h"

#define REPLY_MS 5000

/* --- Requests ------------------------------------------------------------------------------- */

static int request_connect(const struct context *ctx, const char *id, int *fd, struct err *e)
{
	struct sockaddr_un addr;
	char *dir = run_path(ctx, id, NULL);
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret = -1;

	mem_free(dir);
	if (dir_fd < 0)
		return err_sys(e, errno, "cannot open run %s", id);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0) {
		err_sys(e, errno, "cannot make a socket");
		goto out;
	}
	control_address(dir_fd, &addr);
	if (connect(*fd, (struct sockaddr *)&addr, sizeof(addr))) {
		err_set(e, ERR_NOT_FOUND, "run %s has no runner that listens", id);
		err_detail(e, "%s", strerror(errno));
		err_hint(e, "bascule resume %s", id);
		close(*fd);
		goto out;
	}
	ret = 0;
out:
	close(dir_fd);
	return ret;
}

static int reply_read(int fd, struct strbuf *reply, struct err *e)
{
	int64_t deadline_ms = clock_mono_ms() + REPLY_MS;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (reply->len == 0 || reply->data[reply->len - 1] != '\n') {
		char piece[512];
		int ready = wait_fds(&p, 1, deadline_ms, NULL, e);
		ssize_t n;

		if (ready < 0)
			return -1;
		n = ready > 0 ? recv(fd, piece, sizeof(piece), 0) : 0;
		if (n <= 0 || !strbuf_ok(reply)) {
			err_set(e, ERR_TIMEOUT, "the runner did not answer");
			return err_hint(e,
					"is it stopped? bascule runs shows whether it still beats");
		}
		strbuf_add(reply, piece, (size_t)n);
	}
	return 0;
}

static enum err_code code_of_name(const char *name)
{
	for (int i = ERR_OK + 1; i <= ERR_DIFFERS; i++)
		if (!strcmp(err_code_name((enum err_code)i), name))
			return (enum err_code)i;
	return ERR_INPUT;
}

static int reply_judge(struct sv text, struct err *e)
{
	json_t *j = json_parse(text, "the runner's answer", e);
	bool ok;
	int ret = -1;

	if (!j)
		return -1;
	if (json_bool(j, "ok", &ok, e))
		goto out;
	if (ok) {
		ret = 0;
		goto out;
	}
	err_set(e, code_of_name(json_str_opt(j, "code", "")), "%s",
		json_str_opt(j, "msg", "refused"));
	err_detail(e, "%s", json_str_opt(j, "detail", ""));
	err_hint(e, "%s", json_str_opt(j, "hint", ""));
out:
	json_decref(j);
	return ret;
}

int run_request(const struct context *ctx, const char *id, const char *verb, const char *who,
		const char *reason, struct err *e)
{
	struct strbuf text, reply;
	json_t *j = json_object();
	int fd = -1, ret = -1;

	strbuf_init(&text, CONTROL_MESSAGE_MAX);
	strbuf_init(&reply, CONTROL_MESSAGE_MAX);
	json_put_str(j, "verb", verb);
	json_put_str(j, "who", who);
	json_put_str(j, "reason", reason);
	json_write(&text, j);
	strbuf_addc(&text, '\n');
	if (!strbuf_ok(&text)) {
		err_set(e, ERR_LIMIT, "the reason is too long");
		goto out;
	}
	if (request_connect(ctx, id, &fd, e))
		goto out;
	if (send(fd, text.data, text.len, MSG_NOSIGNAL) != (ssize_t)text.len) {
		err_sys(e, errno, "cannot ask the runner of run %s", id);
		goto out;
	}
	if (reply_read(fd, &reply, e) || reply_judge(strbuf_sv(&reply), e))
		goto out;
	ret = 0;
out:
	if (fd >= 0)
		close(fd);
	strbuf_clear(&reply);
	strbuf_clear(&text);
	json_decref(j);
	return ret;
}

/* --- A run without a runner ----------------------------------------------------------------- */

/* Gives back what the dead runner held in the database. A database that is gone holds nothing. */
static int dead_lock_clear(const struct context *ctx, const struct run *r, const char *who,
			   struct err *e)
{
	struct db *db = NULL;
	int ret;

	if (r->epoch == 0)
		return 0; /* it never had the lock */
	if (env_open(ctx, &r->plan->env, 0, NULL, &db, e))
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	ret = lock_clear_dead(&r->plan->env.dsn, db, r->id, who, ctx->host, e);
	db_close(db);
	return ret;
}

static int dead_journal_end(const struct run *r, const char *who, const char *reason, struct err *e)
{
	char *path = path_join(r->dir, "journal.ndjson");
	json_t *request = json_object(), *ended = json_object();
	struct journal *j = NULL;
	int ret = -1;

	json_put_str(request, "verb", "abort");
	json_put_str(request, "who", who);
	json_put_str(request, "reason", reason);
	json_put_str(ended, "state", run_state_name(RUN_ABORTED));
	json_put_int(ended, "exit", 4);
	json_put_str(ended, "text",
		     r->chain.broken
			     ? "aborted while it had no runner; what it had done stays, its "
			       "damaged journal is kept beside this one"
			     : "aborted while it had no runner; what it had done stays");
	json_put_int(ended, "not_copied", r->not_copied + 2);
	/* Damage must not bar the environment for ever: giving the run up is the way out. */
	if (journal_cut_damage(path, e) || journal_open(path, false, r->epoch, &j, e) ||
	    journal_add(j, "request", 0, request, false, NULL, e) ||
	    journal_add(j, "ended", 0, ended, true, NULL, e))
		goto out;
	ret = 0;
out:
	journal_close(j);
	json_decref(request);
	json_decref(ended);
	mem_free(path);
	return ret;
}

int run_abort_dead(const struct context *ctx, const char *id, const char *who, const char *reason,
		   struct err *e)
{
	struct run *r = NULL;
	char *dir = run_path(ctx, id, NULL);
	int fd = -1, ret = -1;

	/* Nobody can start a runner while this is held. */
	if (run_lock_folder(dir, &fd, e) || run_load(ctx, id, &r, e))
		goto out;
	if (run_state_ended(r->state)) {
		err_set(e, ERR_GATE, "run %s has ended already (%s)", r->number,
			run_state_name(r->state));
		goto out;
	}
	/* A tool that outlived the runner is part of what is given up. */
	if (tool_lock_end(dir, e) || dead_lock_clear(ctx, r, who, e) ||
	    dead_journal_end(r, who, reason, e))
		goto out;
	ret = 0;
out:
	if (fd >= 0)
		close(fd);
	run_free(r);
	mem_free(dir);
	return ret;
}
