/* SPDX-License-Identifier: MIT */
/*
 * systemd: systemctl and journalctl of the host.
 *
 * Both are run by env(1) with the time zone and the language set, so that times and words of every version read the
 * same: --timestamp=unix is younger than systems that are in use. A unit that does not exist is LoadState=not-found
 * with exit status 0. NRestarts is 235 and later; where it is missing restarts are not counted.
 *
 * Not done: units of a user's own manager (systemctl --user), which belong to a session that ssh need not have.
 */
#include "core/runtime/runtime_inside.h"

#include <stdio.h>
#include <string.h>

#define PROPERTIES \
	"--property=Id,LoadState,LoadError,ActiveState,SubState,Result,MainPID,NRestarts," \
	"ExecMainPID,ExecMainStartTimestamp,ExecMainExitTimestamp,ExecMainCode,ExecMainStatus," \
	"InactiveEnterTimestamp,StatusText"

/* si_code of a child, as ExecMainCode gives it. */
enum { CODE_EXITED = 1, CODE_KILLED = 2, CODE_DUMPED = 3 };

static const char *const env_words[] = { "env", "LC_ALL=C", "TZ=UTC" };
#define ENV_WORDS (sizeof(env_words) / sizeof(env_words[0]))
#define WORDS_MAX 24

static void words_init(const char **word, size_t *n)
{
	memcpy(word, env_words, sizeof(env_words));
	*n = ENV_WORDS;
}

static void request_inspect(const struct runtime_service *s, struct arena *a,
			    struct runtime_request *req)
{
	const char *word[WORDS_MAX];
	size_t n;

	words_init(word, &n);
	word[n++] = "systemctl";
	word[n++] = "show";
	word[n++] = "--no-pager";
	word[n++] = PROPERTIES;
	word[n++] = "--";
	word[n++] = s->unit;
	req->argv = runtime_argv(a, word, n);
}

static char *journal_time(struct arena *a, const char *option, int64_t utc_ms)
{
	return arena_printf(a, "%s=@%lld.%03d", option, (long long)(utc_ms / 1000),
			    (int)(utc_ms % 1000));
}

static void request_logs(const struct runtime_service *s, const struct runtime_args *args,
			 struct arena *a, struct runtime_request *req)
{
	bool resume = !runtime_point_none(args->point) && args->point->cursor[0] != '\0';
	const char *word[WORDS_MAX];
	size_t n;

	words_init(word, &n);
	word[n++] = "journalctl";
	word[n++] = "--no-pager";
	word[n++] = "--quiet";
	word[n++] = "--all";
	word[n++] = "--output=json";
	word[n++] = "--output-fields=MESSAGE,PRIORITY,MESSAGE_ID,N_DROPPED";
	word[n++] = arena_printf(a, "--unit=%s", s->unit);
	if (resume)
		word[n++] = arena_printf(a, "--cursor=%s", args->point->cursor);
	else if (args->since_utc_ms > 0)
		word[n++] = journal_time(a, "--since", args->since_utc_ms);
	if (args->until_utc_ms > 0 && !args->follow)
		word[n++] = journal_time(a, "--until", args->until_utc_ms);
	/* Without it a followed journal begins with its last ten lines. */
	if (resume || args->tail < 0)
		word[n++] = "--lines=all";
	else
		word[n++] = arena_printf(a, "--lines=%lld", (long long)args->tail);
	if (args->follow)
		word[n++] = "--follow";
	req->argv = runtime_argv(a, word, n);
}

static int request(enum runtime_verb verb, const struct runtime_service *s,
		   const struct runtime_args *args, struct arena *a, struct runtime_request *req,
		   struct err *e)
{
	memset(req, 0, sizeof(*req));
	req->how = RUNTIME_WORDS;
	if (str_blank(s->unit)) {
		err_set(e, ERR_CONFIG, "service %s has no unit", s->name);
		return err_hint(e, "add unit = NAME.service to its section");
	}
	if (verb == RUNTIME_INSPECT) {
		request_inspect(s, a, req);
		return 0;
	}
	if (verb == RUNTIME_LOGS) {
		request_logs(s, args, a, req);
		return 0;
	}
	return err_set(e, ERR_UNSUPPORTED, "a systemd unit has no such question");
}

/* --- Replies ------------------------------------------------------------------------------------ */

struct show {
	struct sv load, load_error, active, sub, result, status_text;
	int64_t main_pid, restarts, exec_pid, code, status;
	int64_t start_ms, exit_ms, inactive_ms;
};

/* "Sat 2026-11-28 10:52:00 UTC", "2026-11-28 10:52:00 UTC", "n/a", "": milliseconds, 0. A fraction of the second,
 * as a systemd set to microseconds prints, is read too. */
static int64_t show_time(struct sv s)
{
	char text[48];
	struct sv word, date = { NULL, 0 };
	int64_t ns;

	while (sv_cut(&s, ' ', &word)) {
		if (word.n == 10 && word.p[4] == '-')
			date = word;
		else if (date.n > 0 && word.n >= 8 && word.p[2] == ':')
			break;
		word = sv_n("", 0);
	}
	if (date.n == 0 || word.n == 0 || word.n > 20)
		return 0;
	snprintf(text, sizeof(text), "%.*sT%.*sZ", (int)date.n, date.p, (int)word.n, word.p);
	return runtime_stamp(sv_of(text), &ns) > 0 ? ns / 1000000 : 0;
}

static int64_t show_int(struct sv value, int64_t missing)
{
	int64_t out;

	return sv_int(value, 0, INT64_MAX, &out) ? out : missing;
}

static void show_property(struct show *w, struct sv key, struct sv value)
{
	const struct {
		const char *key;
		struct sv *text;
		int64_t *number, *time;
	} known[] = {
		{ .key = "LoadState", .text = &w->load },
		{ .key = "LoadError", .text = &w->load_error },
		{ .key = "ActiveState", .text = &w->active },
		{ .key = "SubState", .text = &w->sub },
		{ .key = "Result", .text = &w->result },
		{ .key = "StatusText", .text = &w->status_text },
		{ .key = "MainPID", .number = &w->main_pid },
		{ .key = "NRestarts", .number = &w->restarts },
		{ .key = "ExecMainPID", .number = &w->exec_pid },
		{ .key = "ExecMainCode", .number = &w->code },
		{ .key = "ExecMainStatus", .number = &w->status },
		{ .key = "ExecMainStartTimestamp", .time = &w->start_ms },
		{ .key = "ExecMainExitTimestamp", .time = &w->exit_ms },
		{ .key = "InactiveEnterTimestamp", .time = &w->inactive_ms },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!sv_eq_str(key, known[i].key))
			continue;
		if (known[i].text != NULL)
			*known[i].text = value;
		else if (known[i].number != NULL)
			*known[i].number = show_int(value, -1);
		else
			*known[i].time = show_time(value);
	}
}

static void show_read(struct show *w, struct sv text)
{
	struct sv line, key;

	memset(w, 0, sizeof(*w));
	w->restarts = -1;
	while (sv_cut(&text, '\n', &line)) {
		/* Behind an empty line comes another unit: a pattern, which no unit of ours is. */
		if (line.n == 0)
			break;
		if (memchr(line.p, '=', line.n) != NULL && sv_cut(&line, '=', &key))
			show_property(w, key, line);
	}
}

static enum runtime_state state_of(const struct show *w)
{
	if (sv_eq_str(w->load, "not-found"))
		return UNIT_ABSENT;
	if (sv_eq_str(w->sub, "auto-restart") || sv_eq_str(w->sub, "auto-restart-queued"))
		return UNIT_RESTARTING;
	if (sv_eq_str(w->active, "active") || sv_eq_str(w->active, "reloading") ||
	    sv_eq_str(w->active, "refreshing"))
		return sv_eq_str(w->sub, "exited") || sv_eq_str(w->sub, "dead") ? UNIT_STOPPED
										: UNIT_RUNNING;
	if (sv_eq_str(w->active, "activating"))
		return UNIT_CREATED;
	if (sv_eq_str(w->active, "deactivating"))
		return UNIT_STOPPED;
	if (sv_eq_str(w->active, "failed"))
		return UNIT_FAILED;
	if (sv_eq_str(w->active, "inactive"))
		return sv_eq_str(w->load, "error") || sv_eq_str(w->load, "bad-setting")
			       ? UNIT_FAILED
			       : UNIT_STOPPED;
	return UNIT_UNKNOWN;
}

/* "oom-kill", "exit-code: 3": what a reader of systemctl status knows. */
static void words_of(const struct show *w, struct runtime_unit *u)
{
	struct sv words = w->status_text;

	if (u->state == UNIT_ABSENT)
		words = sv_n("", 0);
	else if (w->load_error.n > 0)
		words = w->load_error;
	else if (sv_eq_str(w->load, "masked"))
		words = SV("masked");
	else if (w->result.n > 0 && !sv_eq_str(w->result, "success"))
		words = w->result;
	else if (sv_eq_str(w->active, "deactivating") || sv_eq_str(w->active, "activating"))
		words = w->sub;
	runtime_words(u->words, sizeof(u->words), words);
}

static int parse_inspect(const struct runtime_service *s, const struct runtime_reply *r,
			 struct runtime_unit *u, struct err *e)
{
	struct show w;

	show_read(&w, r->body);
	if (w.load.n == 0 || w.active.n == 0) {
		err_set(e, ERR_INPUT, "cannot read what systemctl says of %s", s->unit);
		return err_detail(e, "it gives neither LoadState nor ActiveState");
	}
	u->state = state_of(&w);
	str_copy(u->id, sizeof(u->id), s->unit);
	u->started_utc_ms = w.start_ms;
	u->ended_utc_ms = w.exit_ms;
	u->pid = w.main_pid > 0 ? w.main_pid : 0;
	u->restarts = w.restarts;
	u->oom = sv_eq_str(w.result, "oom-kill");
	/* As a shell says it: 128 and the signal. */
	if (w.code == CODE_KILLED || w.code == CODE_DUMPED)
		u->exit_code = 128 + (int)(w.status & 127);
	else
		u->exit_code = w.status > 0 ? (int)(w.status & 255) : 0;
	str_copy(u->log_driver, sizeof(u->log_driver), "journal");
	words_of(&w, u);
	return 0;
}

/* A program that ended with an error, or is not there. */
static int complaint(const struct runtime_service *s, const struct runtime_reply *r,
		     const char *program, struct err *e)
{
	static const struct {
		const char *word;
		enum err_code code;
		const char *hint;
	} known[] = {
		{ "not been booted with systemd", ERR_UNSUPPORTED,
		  "this host has another init system: use runtime = process" },
		{ "Failed to connect to bus", ERR_UNSUPPORTED,
		  "no systemd answers there: is it a container? use runtime = process" },
		{ "No such file or directory", ERR_UNSUPPORTED,
		  "this host has no systemd: use runtime = process" },
		{ "not found", ERR_UNSUPPORTED, "this host has no systemd: use runtime = process" },
		{ "insufficient permissions", ERR_REFUSED,
		  "put the user of the ssh connection into the group systemd-journal" },
		{ "No journal files were opened", ERR_REFUSED,
		  "put the user of the ssh connection into the group systemd-journal" },
		{ "Failed to seek to cursor", ERR_NOT_FOUND,
		  "read the log anew: its place is gone" },
		{ "ermission denied", ERR_REFUSED,
		  "put the user of the ssh connection into the group systemd-journal" },
	};
	struct sv last = runtime_last_line(r->err);
	char words[300];

	err_set(e, ERR_SYSTEM, "cannot ask %s for %s", program, s->unit);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (memmem(r->err.p, r->err.n, known[i].word, strlen(known[i].word)) == NULL)
			continue;
		e->code = known[i].code;
		err_hint(e, "%s", known[i].hint);
		break;
	}
	runtime_words(words, sizeof(words), last);
	if (words[0] == '\0')
		snprintf(words, sizeof(words), "it ended with status %d", r->status);
	return err_detail(e, "%s", words);
}

static int parse(enum runtime_verb verb, const struct runtime_service *s,
		 const struct runtime_reply *r, struct runtime_unit *u, struct err *e)
{
	if (verb == RUNTIME_INSPECT)
		return r->status == 0 ? parse_inspect(s, r, u, e) : complaint(s, r, "systemctl", e);
	if (verb == RUNTIME_LOGS)
		return r->status == 0 ? 0 : complaint(s, r, "journalctl", e);
	return err_set(e, ERR_UNSUPPORTED, "a systemd unit has no such question");
}

const struct runtime_ops runtime_systemd_ops = {
	.name = "systemd",
	.request = request,
	.parse = parse,
};
