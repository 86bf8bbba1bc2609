/* SPDX-License-Identifier: MIT */
/*
 * One stream of a log, from the request to its end: bytes to lines, lines to what they say of themselves.
 *
 * The end matters more than the middle. A stream is whole when HTTP's own end was seen, or the script's exit
 * status 0: then the log really has no more. Anything else is a cut, and who asked goes on behind the last line.
 *
 * Times. A runtime's stamp counts; without one, the time in the text; without that, a line of the past is as old
 * as the line before it, and a line of now is of now. All of these but the last are by the clock of the host, and
 * are corrected by its measured skew. A time in a text that lies in the future is a word, not a time.
 *
 * Seeking. An engine that is asked for lines since a stamp reads the whole log file from its beginning (4 s for a
 * million lines), but gives its last lines at once. So a stream may be asked for by a number of last lines, and
 * what is not behind the point is passed over here. When the point is not among them, more lines came meanwhile
 * than were asked for: FOLLOW_MISSED, and the caller asks by the stamp.
 */
#include "core/logs/follow_own.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"

#define READ_BYTES ((size_t)256 << 10)
#define START_MS 30000
#define FINISH_MS 10000
#define SKEW_LOOK_MS 5000
#define FUTURE_NS ((int64_t)60000 * FOLLOW_NS_PER_MS)

struct stream {
	struct follower *f;
	const struct follow_request *r;
	struct runtime_log *log;
	int status;          /* of HTTP; 0 not yet known */
	struct strbuf words; /* with which it was refused */
	struct err err;      /* of reading it; ERR_OK none */
	int64_t skew_ms, skew_at_ms;
	int64_t now_ns;  /* when the bytes of now came, by the clock of the host */
	int64_t last_ns; /* raw time of the line before; 0 none */
	bool goes_on[2]; /* the next line of stdout, stderr is a part of the one before … */
	enum log_level part_of[2]; /* … which has this level */
};

int64_t follow_skew_ms(struct follower *f, bool *known)
{
	struct host_status s;

	host_status(f->spec.host, &s);
	*known = s.skew_known;
	return s.skew_known ? s.skew_ms : 0;
}

static void look_at_skew(struct stream *st)
{
	bool known;

	st->skew_ms = follow_skew_ms(st->f, &known);
	st->skew_at_ms = clock_mono_ms();
}

static bool is_success(int status)
{
	return status >= 200 && status < 300;
}

/* --- Lines ------------------------------------------------------------------------------------ */

static int64_t time_of(struct stream *st, const struct runtime_line *l,
		       const struct log_record *rec)
{
	if (l->utc_ns != 0)
		return l->utc_ns;
	if (rec->utc_ns != 0 && rec->utc_ns <= st->now_ns + FUTURE_NS)
		return rec->utc_ns;
	if (st->last_ns != 0 && (st->r->past || rec->continues))
		return st->last_ns;
	return st->now_ns;
}

static void tell_lost(struct stream *st)
{
	int64_t lost = runtime_log_lost(st->log);

	if (lost != 0)
		st->r->sink.lost(st->r->sink.arg, lost);
}

static void on_line(void *arg, const struct runtime_line *l)
{
	struct stream *st = arg;
	struct log_line line = { .text = l->text, .is_err = l->is_err };
	struct log_record rec;
	int64_t raw_ns;

	if (runtime_log_missed(st->log))
		return;
	tell_lost(st);
	log_record_read(l->text, l->priority, &rec);
	raw_ns = time_of(st, l, &rec);
	st->last_ns = raw_ns;
	line.utc_ns = raw_ns - st->skew_ms * FOLLOW_NS_PER_MS;
	line.source = (uint16_t)st->f->spec.source;
	line.level = (uint8_t)rec.level;
	line.shape = (uint8_t)rec.shape;
	line.continues = rec.continues;
	line.template = rec.template;
	if (st->goes_on[l->is_err]) {
		line.level = (uint8_t)st->part_of[l->is_err];
		line.shape = LOG_TEXT;
		line.continues = true;
	}
	st->goes_on[l->is_err] = l->more;
	st->part_of[l->is_err] = (enum log_level)line.level;
	st->r->sink.line(st->r->sink.arg, &line, raw_ns);
}

static void end_piece(struct stream *st)
{
	struct runtime_log_point point;

	tell_lost(st);
	if (runtime_log_seeks(st->log)) {
		st->r->sink.piece(st->r->sink.arg, NULL);
		return;
	}
	runtime_log_point(st->log, &point);
	st->r->sink.piece(st->r->sink.arg, &point);
}

/* 0, or -1 when the stream is not wanted any more. */
static int on_piece(struct stream *st, struct sv bytes)
{
	if (clock_mono_ms() - st->skew_at_ms > SKEW_LOOK_MS)
		look_at_skew(st);
	st->now_ns = (clock_utc_ms() + st->skew_ms) * FOLLOW_NS_PER_MS;
	if (runtime_log_feed(st->log, bytes, on_line, st, &st->err) != 0)
		return -1;
	st->err.code = ERR_OK;
	end_piece(st);
	return runtime_log_missed(st->log) ? -1 : 0;
}

/* The host may have been connected to just now, and its clock been measured. */
static void begin(struct stream *st)
{
	look_at_skew(st);
	if (st->r->sink.began != NULL)
		st->r->sink.began(st->r->sink.arg);
}

/* --- HTTP ------------------------------------------------------------------------------------- */

static void http_began(void *arg, int status)
{
	struct stream *st = arg;

	st->status = status;
	if (is_success(status))
		begin(st);
}

static int http_bytes(void *arg, struct sv bytes)
{
	struct stream *st = arg;

	if (is_success(st->status))
		return on_piece(st, bytes);
	strbuf_addsv(&st->words, bytes); /* no more than its maximum */
	return 0;
}

/* The runtime's words to an error. */
static enum follow_end refused(struct stream *st, int status, struct err *e)
{
	struct runtime_reply reply = { .status = status };
	struct runtime_unit unit = { 0 };

	if (st->f->is_container)
		reply.body = strbuf_sv(&st->words);
	else
		reply.err = strbuf_sv(&st->words);
	if (st->f->ops->parse(RUNTIME_LOGS, st->f->spec.service, &reply, &unit, e) != 0)
		return FOLLOW_REFUSED;
	err_set(e, ERR_INPUT, "cannot read the log of %s on %s", st->f->spec.service->name,
		host_name(st->f->spec.host));
	err_detail(e, "it answered with %d", status);
	return FOLLOW_REFUSED;
}

static enum follow_end cut_off(const struct stream *st, struct err *e)
{
	err_set(e, ERR_LOST, "connection to %s lost", host_name(st->f->spec.host));
	err_detail(e, "the log of %s broke off", st->f->spec.service->name);
	return FOLLOW_CUT;
}

static enum follow_end stream_http(struct stream *st, const struct runtime_request *q,
				   struct err *e)
{
	struct http_request r = { .method = q->method,
				  .target = { .path = q->socket },
				  .url = q->path,
				  .max_bytes = SIZE_MAX,
				  .deadline_ms = WAIT_FOREVER,
				  .through = q->through,
				  .bytes = http_bytes,
				  .began = http_began,
				  .arg = st };
	struct http_reply reply = { 0 };
	bool whole;
	int rc;

	strbuf_init(&reply.body, FOLLOW_ERROR_MAX);
	rc = http_do(st->r->http, &r, &st->f->stop, &reply, e);
	whole = reply.whole;
	strbuf_clear(&reply.body);
	if (runtime_log_missed(st->log))
		return FOLLOW_MISSED;
	if (st->err.code != ERR_OK) {
		*e = st->err;
		return FOLLOW_REFUSED;
	}
	if (rc != 0)
		return is_success(st->status) ? FOLLOW_CUT : FOLLOW_REFUSED;
	if (!is_success(reply.status))
		return refused(st, reply.status, e);
	return whole ? FOLLOW_WHOLE : cut_off(st, e);
}

/* --- Commands --------------------------------------------------------------------------------- */

/* Reads what is there of one stream. 0, or -1 with e. */
static int read_some(struct stream *st, struct host_proc *p, enum host_stream which, char *buffer,
		     struct err *e)
{
	size_t got;

	if (host_proc_read(p, which, buffer, READ_BYTES, &got, e) != 0)
		return -1;
	if (got == 0)
		return 0;
	if (which == HOST_ERR) {
		if (st->words.len + got > FOLLOW_ERROR_MAX)
			strbuf_reset(&st->words);
		strbuf_addsv(&st->words, sv_n(buffer, got));
		return 0;
	}
	if (on_piece(st, sv_n(buffer, got)) == 0)
		return 0;
	*e = st->err;
	return -1;
}

static int read_all(struct stream *st, struct host_proc *p, char *buffer, struct err *e)
{
	struct pollfd fd[2];

	for (;;) {
		fd[0] = (struct pollfd){ .fd = host_proc_fd(p, HOST_OUT), .events = POLLIN };
		fd[1] = (struct pollfd){ .fd = host_proc_fd(p, HOST_ERR), .events = POLLIN };
		if (fd[0].fd < 0 && fd[1].fd < 0)
			return 0;
		if (wait_fds(fd, 2, WAIT_FOREVER, &st->f->stop, e) < 0)
			return -1;
		if (fd[0].revents != 0 && read_some(st, p, HOST_OUT, buffer, e) != 0)
			return -1;
		if (fd[1].revents != 0 && read_some(st, p, HOST_ERR, buffer, e) != 0)
			return -1;
	}
}

static enum follow_end stream_command(struct stream *st, const struct runtime_request *q,
				      struct err *e)
{
	struct host_command cmd = { .argv = q->argv,
				    .script = q->how == RUNTIME_SCRIPT ? q->script : NULL,
				    .bulk = true };
	struct host_proc *p = NULL;
	struct host_result result = { 0 };
	enum follow_end end = FOLLOW_CUT;
	char *buffer;

	if (host_start(st->f->spec.host, &cmd, clock_mono_ms() + START_MS, &st->f->stop, &p, e) !=
	    0)
		return FOLLOW_REFUSED;
	begin(st);
	buffer = mem_alloc(READ_BYTES);
	if (read_all(st, p, buffer, e) != 0)
		end = runtime_log_missed(st->log) ? FOLLOW_MISSED
		      : st->err.code != ERR_OK    ? FOLLOW_REFUSED
						  : FOLLOW_CUT;
	else if (host_proc_finish(p, clock_mono_ms() + FINISH_MS, &st->f->stop, &result, e) != 0)
		end = FOLLOW_CUT;
	else if (result.status == 0)
		end = FOLLOW_WHOLE;
	else if (result.status < 0)
		end = cut_off(st, e);
	else
		end = refused(st, result.status, e);
	host_proc_close(p);
	mem_free(buffer);
	return end;
}

/* --- All of it -------------------------------------------------------------------------------- */

enum follow_end follow_stream(struct follower *f, const struct follow_request *r, struct err *e)
{
	struct stream st = { .f = f, .r = r };
	struct runtime_request q;
	enum follow_end end = FOLLOW_REFUSED;
	struct arena a;

	arena_init(&a);
	strbuf_init(&st.words, FOLLOW_ERROR_MAX);
	look_at_skew(&st);
	if (r->args.point != NULL)
		st.last_ns = r->args.point->utc_ns;
	st.log = runtime_log_new(f->spec.service->kind, &r->args);
	if (r->seek != NULL) {
		runtime_log_seek(st.log, r->seek);
		st.last_ns = r->seek->utc_ns;
	}
	if (f->ops->request(RUNTIME_LOGS, f->spec.service, &r->args, &a, &q, e) == 0)
		end = q.how == RUNTIME_HTTP ? stream_http(&st, &q, e) : stream_command(&st, &q, e);
	if (end == FOLLOW_WHOLE) {
		/* Else its half line comes again, whole, behind the point. */
		if (r->ends)
			runtime_log_end(st.log, on_line, &st);
		end_piece(&st);
		if (runtime_log_seeks(st.log))
			end = FOLLOW_MISSED;
	}
	runtime_log_free(st.log);
	strbuf_clear(&st.words);
	arena_clear(&a);
	return end;
}

/* --- Batches ---------------------------------------------------------------------------------- */

void follow_batch_add(struct follow_batch *b, const struct log_line *line, int64_t raw_ns)
{
	mem_grow(&b->line, &b->cap, b->n + 1, sizeof(*b->line));
	mem_grow(&b->raw_ns, &b->raw_cap, b->n + 1, sizeof(*b->raw_ns));
	if (b->text.max == 0)
		strbuf_init(&b->text, STRBUF_NO_LIMIT);
	b->line[b->n] = *line;
	/* Not yet: the buffer moves while it grows. */
	b->line[b->n].text.p = NULL;
	b->raw_ns[b->n] = raw_ns;
	b->n++;
	strbuf_addsv(&b->text, line->text);
}

void follow_batch_seal(struct follow_batch *b)
{
	size_t at = 0;

	for (size_t i = 0; i < b->n; i++) {
		b->line[i].text.p = strbuf_str(&b->text) + at;
		at += b->line[i].text.n;
	}
}

void follow_batch_reset(struct follow_batch *b)
{
	b->n = 0;
	strbuf_reset(&b->text);
}

void follow_batch_clear(struct follow_batch *b)
{
	mem_free(b->line);
	mem_free(b->raw_ns);
	strbuf_clear(&b->text);
	*b = (struct follow_batch){ 0 };
}
