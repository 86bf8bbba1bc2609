/* SPDX-License-Identifier: MIT */
/*
 * `logs`: lines of an environment's services, merged by time, without a terminal.
 *
 * Followers and the merge are those of the console, but there is no store behind them: what comes out of the merge
 * is filtered and printed at once, and a reader who is slow slows the followers down, so that memory stays small
 * and nothing is lost. Without -f the order is kept at any price (log_merge_patience), with it a source that is
 * silent is not waited for longer than the console waits.
 *
 * A record is shown whole: lines that continue one have its level, and are shown when it is. A line of a stack
 * trace that matches --grep by itself is shown too. One whose record was not read is taken for a record.
 *
 * Text is `TIME SOURCE LEVEL TEXT`, the text cleaned; what is not a line of a log (something is missing here, a
 * container was replaced) goes to stderr. With --json all of it is one object a line.
 */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/questions.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/utf8.h"
#include "core/logs/follow.h"
#include "core/logs/search.h"

#define LOOK_MS 1000 /* how often the states of the sources are looked at, with -f */
#define FIELDS_MAX 64
#define NS_PER_MS 1000000

struct followed {
	struct follower *follower;
	const struct host_spec *on;
	const struct service *service;
	struct log_source about;
	char label[200];
	bool begun;                /* the first line of its last record was read */
	bool shown;                /* its last record was */
	uint8_t level;             /* of its last record, which its continuation has too */
	enum log_source_state was; /* as it was told last */
	char told[256];
};

struct logs {
	struct cli *c;
	const struct env *env;
	bool json, follow, several;
	enum log_level level;
	struct log_pattern *pattern; /* NULL: all */
	int64_t since_utc_ms, tail;
	struct followed list[LOG_SOURCES_MAX];
	size_t n;
	size_t cols; /* of the longest label */
	struct log_store *store;
	struct log_merge *merge;
	atomic_int running;
	struct cancel over; /* all have ended, or nobody reads any more */

	/* Of the thread that has the merge's mouth. */
	struct strbuf out, fields;
	struct err failure;
};

/* --- What was asked for ----------------------------------------------------------------------- */

static int read_since(struct logs *l, struct err *e)
{
	const char *text = l->c->args.value[OPT_SINCE];

	if (clock_parse_past(text, clock_utc_ms(), &l->since_utc_ms))
		return 0;
	err_set(e, ERR_USAGE, "cannot understand the time %s", text);
	return err_hint(e, "write a time before now: 15m, 2h, 14:05 or 2026-11-21T14:05:00Z");
}

static int read_level(struct logs *l, struct err *e)
{
	const char *text = l->c->args.value[OPT_LEVEL];
	int level = log_level_of(sv_of(text));

	if (level <= LOG_LEVEL_NONE) {
		err_set(e, ERR_USAGE, "cannot understand the level %s", text);
		return err_hint(e, "trace, debug, info, warn, error or fatal");
	}
	l->level = (enum log_level)level;
	return 0;
}

static int read_options(struct logs *l, struct err *e)
{
	const struct args *a = &l->c->args;

	l->json = args_has(a, OPT_JSON);
	l->follow = args_has(a, OPT_FOLLOW);
	l->level = LOG_LEVEL_NONE;
	/* The default window is the smaller of both; who names one is given all of it. */
	l->since_utc_ms = args_has(a, OPT_TAIL) ? 0 : clock_utc_ms() - LOG_SINCE_DEFAULT_MS;
	l->tail = args_has(a, OPT_SINCE) ? -1 : LOG_TAIL_DEFAULT;
	if (args_has(a, OPT_SINCE) && read_since(l, e) != 0)
		return -1;
	if (args_has(a, OPT_TAIL) && !sv_int(sv_of(a->value[OPT_TAIL]), 0, INT32_MAX, &l->tail)) {
		err_set(e, ERR_USAGE, "cannot understand the number of lines %s",
			a->value[OPT_TAIL]);
		return err_hint(e, "write --tail 100");
	}
	if (args_has(a, OPT_LEVEL) && read_level(l, e) != 0)
		return -1;
	if (args_has(a, OPT_GREP) && log_pattern_new(a->value[OPT_GREP], &l->pattern, e) != 0) {
		e->code = e->code == ERR_INPUT ? ERR_USAGE : e->code;
		return -1;
	}
	return 0;
}

static int add_service(struct logs *l, const struct service *s, struct err *e)
{
	for (size_t k = 0; k < s->n_host; k++) {
		struct followed *f = &l->list[l->n];

		if (l->n == LOG_SOURCES_MAX) {
			err_set(e, ERR_LIMIT, "%s has more than %d logs", l->env->name,
				LOG_SOURCES_MAX);
			return err_hint(e, "bascule logs %s %s", l->env->name, s->runtime.name);
		}
		l->n++;
		f->service = s;
		f->on = s->host[k];
		f->about.is_protected = l->env->is_protected;
		str_copy(f->about.environment, sizeof(f->about.environment), l->env->name);
		str_copy(f->about.service, sizeof(f->about.service), s->runtime.name);
		str_copy(f->about.host, sizeof(f->about.host), f->on->name);
	}
	return 0;
}

static bool is_chosen(const struct logs *l, const struct service *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->list[i].service == s)
			return true;
	return false;
}

static int choose(struct logs *l, struct err *e)
{
	const struct env *env = l->env;

	if (env->n_service == 0) {
		err_set(e, ERR_GATE, "cannot read logs of %s: it has no services", env->name);
		return err_hint(e, "add a section [service NAME] to the configuration");
	}
	for (size_t w = 1; cli_word(l->c, w) != NULL; w++) {
		const struct service *s = cli_service(env, cli_word(l->c, w), e);

		if (s == NULL || (!is_chosen(l, s) && add_service(l, s, e) != 0))
			return -1;
	}
	for (size_t i = 0; cli_word(l->c, 1) == NULL && i < env->n_service; i++)
		if (add_service(l, &env->service[i], e) != 0)
			return -1;
	return 0;
}

/* The host is named where the service runs on several. */
static void make_labels(struct logs *l)
{
	l->several = l->n > 1;
	for (size_t i = 0; i < l->n; i++) {
		struct followed *f = &l->list[i];
		size_t cols;

		if (f->service->n_host > 1)
			snprintf(f->label, sizeof(f->label), "%s@%s", f->service->runtime.name,
				 f->on->name);
		else
			str_copy(f->label, sizeof(f->label), f->about.service);
		cols = utf8_cols(sv_of(f->label));
		l->cols = cols > l->cols ? cols : l->cols;
	}
}

/* --- Printing --------------------------------------------------------------------------------- */

static void add_time(struct strbuf *out, int64_t utc_ns, bool exact)
{
	int64_t ms = utc_ns / NS_PER_MS;
	char text[CLOCK_TEXT_SIZE];

	clock_iso_ms(ms, text);
	if (!exact || utc_ns < 0) {
		strbuf_adds(out, text);
		return;
	}
	/* "….123Z" with the rest of the second. */
	strbuf_add(out, text, strlen(text) - 1);
	strbuf_addf(out, "%06lldZ", (long long)(utc_ns % NS_PER_MS));
}

/* A JSON string that is valid UTF-8 and that a terminal shows as it is: what is no character becomes U+FFFD,
 * what has no width or controls is escaped. */
static void add_json_text(struct strbuf *out, struct sv s)
{
	uint32_t cp;
	size_t n;

	strbuf_addc(out, '"');
	while (s.n > 0) {
		size_t plain = 0;

		while (plain < s.n && s.p[plain] >= ' ' && s.p[plain] < 0x7f && s.p[plain] != '"' &&
		       s.p[plain] != '\\')
			plain++;
		strbuf_add(out, s.p, plain);
		s = sv_n(s.p + plain, s.n - plain);
		if (s.n == 0)
			break;
		n = utf8_decode(s, &cp);
		if (n == 0)
			strbuf_adds(out, "\\ufffd");
		else if (cp == '"' || cp == '\\')
			strbuf_addf(out, "\\%c", (char)cp);
		else if (utf8_width(cp) >= 0)
			strbuf_add(out, s.p, n);
		else if (cp < 0x10000)
			strbuf_addf(out, "\\u%04x", (unsigned)cp);
		else
			strbuf_addf(out, "\\u%04x\\u%04x",
				    (unsigned)(0xd800 + ((cp - 0x10000) >> 10)),
				    (unsigned)(0xdc00 + ((cp - 0x10000) & 0x3ff)));
		n = n == 0 ? 1 : n;
		s = sv_n(s.p + n, s.n - n);
	}
	strbuf_addc(out, '"');
}

static void add_member(struct strbuf *out, const char *name, const char *value)
{
	strbuf_addf(out, ",\"%s\":", name);
	add_json_text(out, sv_of(value));
}

static void add_fields(struct logs *l, const struct log_line *line)
{
	struct log_field field[FIELDS_MAX];
	size_t n;

	if (line->shape == LOG_TEXT || line->kind != LOG_LINE)
		return;
	strbuf_reset(&l->fields);
	n = log_fields_read(line->text, (enum log_shape)line->shape, &l->fields, field, FIELDS_MAX);
	if (n == 0)
		return;
	strbuf_adds(&l->out, ",\"fields\":{");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			strbuf_addc(&l->out, ',');
		add_json_text(&l->out, field[i].name);
		strbuf_addc(&l->out, ':');
		add_json_text(&l->out, field[i].value);
	}
	strbuf_addc(&l->out, '}');
}

static void add_json_line(struct logs *l, const struct followed *f, const struct log_line *line)
{
	static const char *const kinds[] = { [LOG_GAP] = "gap", [LOG_NOTE] = "note" };
	const char *level = log_level_name((enum log_level)line->level);
	struct strbuf *out = &l->out;

	strbuf_adds(out, "{\"time\":\"");
	add_time(out, line->utc_ns, true);
	strbuf_addc(out, '"');
	if (line->kind != LOG_LINE)
		add_member(out, "kind", kinds[line->kind]);
	add_member(out, "environment", f->about.environment);
	add_member(out, "service", f->about.service);
	add_member(out, "host", f->on->name);
	if (line->kind == LOG_LINE) {
		strbuf_adds(out, ",\"level\":");
		if (level[0] == '\0')
			strbuf_adds(out, "null");
		else
			strbuf_addc(out, '"');
		for (; *level != '\0'; level++)
			strbuf_addc(out, (char)(*level | 0x20));
		if (line->level != LOG_LEVEL_NONE)
			strbuf_addc(out, '"');
	}
	strbuf_adds(out, ",\"text\":");
	add_json_text(out, line->text);
	add_fields(l, line);
	strbuf_adds(out, "}\n");
}

static void add_text_line(struct logs *l, const struct followed *f, const struct log_line *line)
{
	const char *level = log_level_name((enum log_level)line->level);
	struct strbuf *out = &l->out;

	add_time(out, line->utc_ns, false);
	strbuf_addc(out, ' ');
	if (l->several)
		add_cell(out, f->label, l->cols);
	add_cell(out, level[0] != '\0' ? level : "-", 5);
	clean_text(out, line->text, false);
	strbuf_addc(out, '\n');
}

static bool is_wanted(struct logs *l, struct followed *f, struct log_line *line)
{
	int level;
	bool matches = l->pattern == NULL || log_pattern_match(l->pattern, line->text, NULL, NULL);
	bool continues = line->continues && f->begun;

	if (!continues)
		f->level = line->level;
	else if (line->level == LOG_LEVEL_NONE)
		line->level = f->level;
	f->begun = f->begun || !line->continues;
	level = line->level == LOG_LEVEL_NONE ? LOG_LEVEL_INFO : line->level;
	if (continues)
		return f->shown || (matches && l->pattern != NULL && level >= (int)l->level);
	f->shown = matches && level >= (int)l->level;
	return f->shown;
}

static void write_out(struct logs *l)
{
	struct err e;

	if (l->out.len > 0 && l->failure.code == ERR_OK && print_out(strbuf_sv(&l->out), &e) != 0) {
		l->failure = e;
		cancel_fire(&l->over);
	}
	strbuf_reset(&l->out);
}

/* What the merge gives. */
static void on_lines(void *arg, const struct log_line *line, size_t n)
{
	struct logs *l = arg;

	if (l->failure.code != ERR_OK)
		return;
	for (size_t i = 0; i < n; i++) {
		struct followed *f = &l->list[line[i].source];
		struct log_line one = line[i];

		if (one.kind == LOG_LINE && !is_wanted(l, f, &one))
			continue;
		/* What stands behind it may go on a record that is not here. */
		f->begun = f->begun && one.kind != LOG_GAP;
		if (l->json) {
			add_json_line(l, f, &one);
		} else if (one.kind == LOG_LINE) {
			add_text_line(l, f, &one);
		} else {
			/* Where both are one terminal, in order. */
			write_out(l);
			print_note("%s: %.*s", f->label, (int)one.text.n, one.text.p);
		}
	}
	write_out(l);
}

/* --- All of it -------------------------------------------------------------------------------- */

static void on_ended(void *arg)
{
	struct logs *l = arg;

	if (atomic_fetch_sub(&l->running, 1) == 1)
		cancel_fire(&l->over);
}

static int start(struct logs *l, struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		(void)log_store_source(l->store, &l->list[i].about);
		log_merge_catching_up(l->merge, (int)i);
	}
	atomic_store(&l->running, (int)l->n);
	for (size_t i = 0; i < l->n; i++) {
		struct followed *f = &l->list[i];
		struct follow_spec spec = { .host = hosts_get(l->c->ctx.hosts, f->on),
					    .service = &f->service->runtime,
					    .store = l->store,
					    .merge = l->merge,
					    .source = (int)i,
					    .since_utc_ms = l->since_utc_ms,
					    .tail = l->tail,
					    .follow = l->follow,
					    .ended = on_ended,
					    .arg = l };

		if (follow_start(&spec, &f->follower, e) != 0)
			return -1;
	}
	return 0;
}

static void stop(struct logs *l)
{
	if (l->merge != NULL)
		log_merge_patience(l->merge, 0);
	for (size_t i = 0; i < l->n; i++)
		follow_stop_soon(l->list[i].follower);
	for (size_t i = 0; i < l->n; i++) {
		follow_stop(l->list[i].follower);
		l->list[i].follower = NULL;
	}
	log_merge_free(l->merge);
	l->merge = NULL;
}

/* Says of each source that it cannot be read, once for each reason. Returns how many cannot. */
static size_t tell_troubles(struct logs *l)
{
	struct log_source now[LOG_SOURCES_MAX];
	size_t n = log_store_sources(l->store, now, LOG_SOURCES_MAX), bad = 0;

	for (size_t i = 0; i < n && i < l->n; i++) {
		struct followed *f = &l->list[i];
		struct err e = now[i].err;

		if (now[i].state != LOG_SOURCE_DOWN) {
			if (now[i].state == LOG_SOURCE_LIVE)
				f->told[0] = '\0';
			continue;
		}
		bad++;
		if (strcmp(f->told, e.msg) == 0)
			continue;
		str_copy(f->told, sizeof(f->told), e.msg);
		err_wrap(&e, "cannot read the log of %s on %s", f->about.service, f->on->name);
		print_err(&e);
	}
	return bad;
}

/* Until all have ended, nobody reads any more, or an interrupt. */
static void watch(struct logs *l, struct cancel *interrupted)
{
	struct pollfd fd[2];
	struct err e;
	int rc;

	do {
		fd[0] = (struct pollfd){ .fd = l->over.fd, .events = POLLIN };
		fd[1] = (struct pollfd){ .fd = STDOUT_FILENO, .events = 0 }; /* POLLERR alone */
		rc = wait_fds(fd, 2, l->follow ? clock_mono_ms() + LOOK_MS : WAIT_FOREVER,
			      interrupted, &e);
		if (rc == 0)
			(void)tell_troubles(l);
	} while (rc == 0);
}

static void logs_clear(struct logs *l)
{
	stop(l);
	log_store_free(l->store);
	log_pattern_free(l->pattern);
	strbuf_clear(&l->out);
	strbuf_clear(&l->fields);
}

static int run(struct logs *l, struct err *e)
{
	const struct host_spec *hosts[LOG_SOURCES_MAX];
	struct interrupt it;
	bool interrupted, closed;
	size_t bad = 0;
	int rc;

	for (size_t i = 0; i < l->n; i++)
		hosts[i] = l->list[i].on;
	/* One that asks, with nobody there to answer, is like one that is gone: the others are read. */
	if (cli_hosts_ready(l->c, hosts, l->n, e) != 0 && (e->code != ERR_ASKS || l->n == 1))
		return -1;
	if (interrupt_start(&it, 0, e) != 0)
		return -1;
	rc = start(l, e);
	if (rc == 0)
		watch(l, &it.fired);
	interrupted = cancel_fired(&it.fired);
	stop(l);
	if (rc == 0 && !interrupted)
		bad = tell_troubles(l);
	interrupt_stop(&it);
	closed = l->failure.code != ERR_OK && strcmp(l->failure.sys, "EPIPE") == 0;
	if (rc == 0 && l->failure.code != ERR_OK && !closed) {
		*e = l->failure;
		return -1;
	}
	if (rc != 0)
		return -1;
	return bad > 0 && !interrupted && !closed ? EXIT_FAILED : EXIT_DONE;
}

int cmd_logs(struct cli *c, struct err *e)
{
	struct logs *l = mem_calloc(1, sizeof(*l));
	int rc = -1;

	l->c = c;
	strbuf_init(&l->out, STRBUF_NO_LIMIT);
	strbuf_init(&l->fields, STRBUF_NO_LIMIT);
	/* A reader that has seen enough is no error, and children must not be left behind. */
	signal(SIGPIPE, SIG_IGN);
	if (cancel_init(&l->over, e) != 0)
		goto out;
	if (cli_env(c, cli_word(c, 0), &l->env, e) == 0 && read_options(l, e) == 0 &&
	    choose(l, e) == 0) {
		make_labels(l);
		l->store = log_store_new(LOG_CHUNK_BYTES);
		l->merge = log_merge_new_to(on_lines, l);
		if (!l->follow)
			log_merge_patience(l->merge, WAIT_FOREVER);
		rc = run(l, e);
	}
	logs_clear(l);
	cancel_clear(&l->over);
out:
	mem_free(l);
	return rc;
}
