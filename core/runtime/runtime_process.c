/* SPDX-License-Identifier: MIT */
/*
 * A service that is only a process: a pid file says which, a log file has its words.
 *
 * The script of runtime_process_scripts.c gathers facts, here they are judged. What is not obvious:
 *
 * - A pid is used again. The process is another one when it has another command than the service and began after
 *   the pid file was written. Neither alone is enough: programs change their title ("nginx: master process"), and
 *   clocks are set.
 * - A pid file without a process is a service that ended without removing it: failed. No pid file is one that was
 *   stopped, when it has written a log, else one that is not there.
 * - Nobody knows its exit status (-1), and nobody counts its restarts (-1): who looks twice sees another id, which
 *   is the pid and the clock tick of its start.
 */
#include "core/runtime/runtime_inside.h"

#include <stdio.h>
#include <string.h>

#include "core/base/words.h"
#include "core/runtime/runtime_process_scripts.h"

/* A pid file is written by the process or by who started it, a moment later. */
#define PID_SLACK_MS 5000
#define NAME_MAX_COMM 15 /* what Linux keeps of a name */

/* --- Requests ----------------------------------------------------------------------------------- */

static const char *path_of(const struct runtime_service *s, const char *path, struct arena *a)
{
	if (path == NULL || path[0] == '/' || s->directory == NULL)
		return path;
	return arena_printf(a, "%s/%s", s->directory, path);
}

static int request_inspect(const struct runtime_service *s, struct arena *a,
			   struct runtime_request *req, struct err *e)
{
	const char *pid_file = path_of(s, s->pid_file, a), *log = path_of(s, s->log_file, a);
	const char *const words[] = { pid_file, log != NULL ? log : "" };

	if (pid_file == NULL) {
		err_set(e, ERR_CONFIG, "service %s has no pid_file", s->name);
		return err_hint(e, "add pid_file = PATH to its section");
	}
	req->script = process_inspect_script;
	req->argv = runtime_argv(a, words, 2);
	return 0;
}

static int request_logs(const struct runtime_service *s, const struct runtime_args *args,
			struct arena *a, struct runtime_request *req, struct err *e)
{
	const struct runtime_log_point *p = args->point;
	bool resume = p != NULL && p->inode != 0;
	const char *const words[] = {
		path_of(s, s->log_file, a),
		args->follow ? "1" : "0",
		arena_printf(a, "%lld", (long long)(args->tail < 0 ? -1 : args->tail)),
		resume ? arena_printf(a, "%llu", (unsigned long long)p->inode) : "",
		resume ? arena_printf(a, "%lld", (long long)p->offset) : "0",
		resume && p->cursor[0] != '\0' ? p->cursor : "-",
	};

	if (words[0] == NULL) {
		err_set(e, ERR_CONFIG, "service %s has no log_file", s->name);
		return err_hint(e, "add log_file = PATH to its section");
	}
	req->script = process_logs_script;
	req->argv = runtime_argv(a, words, sizeof(words) / sizeof(words[0]));
	return 0;
}

static int request(enum runtime_verb verb, const struct runtime_service *s,
		   const struct runtime_args *args, struct arena *a, struct runtime_request *req,
		   struct err *e)
{
	memset(req, 0, sizeof(*req));
	req->how = RUNTIME_SCRIPT;
	if (verb == RUNTIME_INSPECT)
		return request_inspect(s, a, req, e);
	if (verb == RUNTIME_LOGS)
		return request_logs(s, args, a, req, e);
	return err_set(e, ERR_UNSUPPORTED, "a process has no such question");
}

/* --- Replies ------------------------------------------------------------------------------------ */

struct facts {
	struct sv pid_file, alive, state, comm, command, lstart, log;
	int64_t pid, pid_time, ticks, hz, btime;
	bool end;
};

static void fact(struct facts *f, struct sv key, struct sv value)
{
	const struct {
		const char *key;
		struct sv *text;
		int64_t *number;
	} known[] = {
		{ "pidfile", &f->pid_file, NULL },
		{ "alive", &f->alive, NULL },
		{ "state", &f->state, NULL },
		{ "comm", &f->comm, NULL },
		{ "command", &f->command, NULL },
		{ "lstart", &f->lstart, NULL },
		{ "log", &f->log, NULL },
		{ "pid", NULL, &f->pid },
		{ "pidtime", NULL, &f->pid_time },
		{ "ticks", NULL, &f->ticks },
		{ "hz", NULL, &f->hz },
		{ "btime", NULL, &f->btime },
	};

	if (sv_eq_str(key, "end"))
		f->end = true;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!sv_eq_str(key, known[i].key))
			continue;
		if (known[i].text != NULL)
			*known[i].text = value;
		else if (!sv_int(value, 0, INT64_MAX / 1000000, known[i].number))
			*known[i].number = 0;
	}
}

static void facts_read(struct facts *f, struct sv text)
{
	struct sv line, key;

	memset(f, 0, sizeof(*f));
	while (sv_cut(&text, '\n', &line)) {
		key = sv_n("", 0);
		if (sv_cut(&line, ' ', &key))
			fact(f, key, line);
	}
}

/* "Sat Nov 28 10:52:00 2026", as ps prints it in UTC. */
static int64_t lstart_ms(struct sv s)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct sv word[5], cut;
	int64_t day, hour, minute, second, year;
	size_t n = 0;
	int month = 0;

	while (n < 5 && sv_cut(&s, ' ', &cut))
		if (cut.n > 0)
			word[n++] = cut;
	if (n < 5 || word[1].n != 3 || word[3].n != 8)
		return 0;
	for (int i = 0; i < 12; i++)
		if (memcmp(months + (ptrdiff_t)3 * i, word[1].p, 3) == 0)
			month = i + 1;
	if (month == 0 || !sv_int(word[2], 1, 31, &day) || !sv_int(word[4], 1970, 2250, &year) ||
	    !sv_int(sv_n(word[3].p, 2), 0, 23, &hour) ||
	    !sv_int(sv_n(word[3].p + 3, 2), 0, 59, &minute) ||
	    !sv_int(sv_n(word[3].p + 6, 2), 0, 60, &second))
		return 0;
	return runtime_seconds((int)year, month, (int)day, (int)hour, (int)minute, (int)second) *
	       1000;
}

static int64_t started_ms(const struct facts *f)
{
	if (f->lstart.n > 0)
		return lstart_ms(f->lstart);
	if (f->hz <= 0 || f->btime <= 0)
		return 0;
	return f->btime * 1000 + f->ticks * 1000 / f->hz;
}

static struct sv base_name(struct sv path)
{
	for (size_t i = path.n; i > 0; i--)
		if (path.p[i - 1] == '/')
			return sv_n(path.p + i, path.n - i);
	return path;
}

/* Whether the process's words end with those of the service, whatever interpreter stands before them, or one of
 * its first words or its name is the program of the service. */
static bool command_fits(const struct runtime_service *s, const struct facts *f)
{
	struct arena a;
	struct err ignored;
	struct sv words = f->command, word, program;
	char **argv;
	size_t n;
	bool fits = true;

	arena_init(&a);
	if (s->command != NULL && words_split(&a, s->command, &argv, &n, &ignored) == 0) {
		program = base_name(sv_of(argv[0]));
		fits = sv_eq(f->comm, sv_n(program.p,
					   program.n > NAME_MAX_COMM ? NAME_MAX_COMM : program.n));
		/* Words of a command line are divided by \1; a title of its own by blanks. */
		for (int i = 0; !fits && i < 4 && sv_cut(&words, '\1', &word); i++) {
			struct sv title = word;

			fits = sv_eq(base_name(word), program);
			if (!fits && sv_cut(&title, ' ', &word))
				fits = sv_eq(base_name(word), program) ||
				       (word.n == program.n + 1 && word.p[word.n - 1] == ':' &&
					sv_starts(word, program));
		}
	}
	arena_clear(&a);
	return fits;
}

static void words_with_command(const struct facts *f, struct runtime_unit *u)
{
	struct strbuf line;

	strbuf_init(&line, sizeof(u->words) * 2);
	strbuf_addf(&line, "pid %lld is another program now: ", (long long)f->pid);
	for (size_t i = 0; i < f->command.n && i < sizeof(u->words); i++)
		strbuf_addc(&line, f->command.p[i] == '\1' ? ' ' : f->command.p[i]);
	runtime_words(u->words, sizeof(u->words), strbuf_sv(&line));
	strbuf_clear(&line);
}

static void judge_process(const struct runtime_service *s, const struct facts *f,
			  struct runtime_unit *u)
{
	bool zombie = sv_eq_str(f->state, "Z") || sv_eq_str(f->state, "X");

	if (!sv_eq_str(f->alive, "yes") || zombie) {
		u->state = UNIT_FAILED;
		u->exit_code = -1;
		snprintf(u->words, sizeof(u->words), "pid %lld of the pid file is gone",
			 (long long)f->pid);
		return;
	}
	if (!command_fits(s, f) && f->pid_time > 0 &&
	    started_ms(f) > f->pid_time * 1000 + PID_SLACK_MS) {
		u->state = UNIT_FAILED;
		u->exit_code = -1;
		words_with_command(f, u);
		return;
	}
	u->state = sv_eq_str(f->state, "T") ? UNIT_PAUSED : UNIT_RUNNING;
	u->pid = f->pid;
	u->started_utc_ms = started_ms(f);
	snprintf(u->id, sizeof(u->id), "%lld.%lld", (long long)f->pid,
		 (long long)(f->lstart.n > 0 ? u->started_utc_ms / 1000 : f->ticks));
}

static int parse_inspect(const struct runtime_service *s, const struct runtime_reply *r,
			 struct runtime_unit *u, struct err *e)
{
	struct facts f;

	facts_read(&f, r->body);
	if (!f.end || f.pid_file.n == 0) {
		char words[200];

		err_set(e, ERR_INPUT, "cannot read the state of %s", s->name);
		runtime_words(words, sizeof(words), runtime_last_line(r->err));
		return err_detail(e, "the script on the host ended with status %d%s%s", r->status,
				  words[0] != '\0' ? ": " : "", words);
	}
	if (sv_eq_str(f.pid_file, "unreadable")) {
		err_set(e, ERR_REFUSED, "cannot read the pid file of %s", s->name);
		err_detail(e, "%s", s->pid_file);
		return err_hint(e, "let the user of the ssh connection read it");
	}
	u->restarts = -1;
	str_copy(u->log_driver, sizeof(u->log_driver), "file");
	if (sv_eq_str(f.pid_file, "ok")) {
		judge_process(s, &f, u);
	} else if (sv_eq_str(f.pid_file, "bad")) {
		u->state = UNIT_UNKNOWN;
		str_copy(u->words, sizeof(u->words), "the pid file has no number in it");
	} else {
		u->state = f.log.n > 0 ? UNIT_STOPPED : UNIT_ABSENT;
		u->exit_code = -1;
	}
	return 0;
}

static int parse(enum runtime_verb verb, const struct runtime_service *s,
		 const struct runtime_reply *r, struct runtime_unit *u, struct err *e)
{
	char words[200];

	if (verb == RUNTIME_INSPECT)
		return parse_inspect(s, r, u, e);
	if (verb != RUNTIME_LOGS)
		return err_set(e, ERR_UNSUPPORTED, "a process has no such question");
	if (r->status == 0)
		return 0;
	err_set(e, ERR_SYSTEM, "cannot read the log file of %s", s->name);
	runtime_words(words, sizeof(words), runtime_last_line(r->err));
	return err_detail(e, "the script on the host ended with status %d%s%s", r->status,
			  words[0] != '\0' ? ": " : "", words);
}

const struct runtime_ops runtime_process_ops = {
	.name = "process",
	.request = request,
	.parse = parse,
};
