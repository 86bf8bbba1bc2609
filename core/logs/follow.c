/* SPDX-License-Identifier: MIT */
/*
 * Following one service on one host, whatever happens to it.
 *
 * Everything is done in rounds, and each round in the same order: look which container is there now; read its past
 * (a request that ends by itself: the first time the last lines, later everything behind the last line that was
 * taken); then follow it, until that stream ends. When it ends, the next round finds out why: the container stopped,
 * was replaced, or the connection broke. So there is one way to go on after anything, and the end of the past is
 * known exactly: up to there the others wait for this source, behind it it is live (core/logs/merge.h).
 *
 * Between the two requests nothing is lost or doubled, for the same reason as behind a cut: both go on behind a
 * point, which is a stamp and how many lines carried it (core/runtime/runtime.h has it for the other kinds).
 *
 * A log file and a journal are not those of a process: they go on over its restarts, so nothing is looked at there.
 *
 * Whoever finds the host back wakes all its followers out of their pauses. So that a host that comes and goes does not
 * keep them busy, of two pauses in a row only one can be cut short. While a host is silent its log is called down,
 * though nothing has ended yet: most often the stream just goes on.
 *
 * What is told, as rows between the lines: a connection that was lost and how much with it, a container that
 * stopped, came up, was replaced or removed, older lines that were not fetched. What only stands in the way (no
 * host, no engine, no such container, no permission) is the state of the source, and is tried again.
 */
#include "core/logs/follow_own.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"

#define BATCH_LINES 512
#define BATCH_BYTES ((size_t)256 << 10)
#define HOLD_BYTES ((size_t)8 << 20)
#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 5000
#define POLL_MIN_MS 1000 /* a container that does not run */
#define POLL_MAX_MS 5000
#define ASKS_MS 250 /* whether somebody answered the host's question */
#define TRIES_MAX 3 /* without follow */
#define SEEK_LINES 1000
#define ID_SHOWN 12

enum { ROUND_AGAIN = 0, ROUND_OVER = -1 }; /* else: wait that many milliseconds */

static const char *name_of(const struct follower *f)
{
	return f->spec.service->name;
}

/* --- Into the merge --------------------------------------------------------------------------- */

static void give(struct follower *f, const struct log_line *line, const int64_t *raw_ns, size_t n)
{
	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		follow_gap_line(f, raw_ns[i], line[i].text);
	f->last_utc_ns = line[n - 1].utc_ns;
	atomic_fetch_add(&f->taken, (long long)n);
	log_merge_add(f->spec.merge, f->spec.source, line, n);
}

static void give_row(struct follower *f, enum log_kind kind, int64_t utc_ns, const char *text)
{
	struct log_line row = { .utc_ns = utc_ns,
				.source = (uint16_t)f->spec.source,
				.kind = (uint8_t)kind,
				.text = sv_of(text) };

	if (row.utc_ns > f->last_utc_ns)
		f->last_utc_ns = row.utc_ns;
	log_merge_add(f->spec.merge, f->spec.source, &row, 1);
}

/* The row before the first line: what is older was not asked for. */
static void give_older(struct follower *f, int64_t utc_ns, int64_t raw_ns)
{
	struct follow_gap g = { .row_ns = utc_ns,
				.first_ns = raw_ns,
				.behind = atomic_load(&f->taken),
				.tty = f->unit.tty };

	f->row_made = true;
	str_copy(g.id, sizeof(g.id), f->is_container ? f->unit.id : "");
	follow_gap_add(f, &g);
	f->gap_open = true;
	f->gap_row_ns = utc_ns;
	give_row(f, LOG_GAP, utc_ns, LOG_GAP_OLDER);
}

static void flush(struct follower *f)
{
	struct follow_batch *b = &f->batch;
	size_t from = 0;
	bool held = f->hold;

	f->hold = false;
	if (b->n == 0)
		return;
	follow_batch_seal(b);
	/* One more was asked for than is wanted, to see whether there is one. (A line in parts and a message of
	 * several lines are more than were asked for; then the first may be a part of one that is wanted.) */
	if (held && f->got > f->spec.tail) {
		f->older = true;
		from = f->got == f->spec.tail + 1 && b->n == (size_t)f->got ? 1 : 0;
	}
	if (f->older && !f->row_made && b->n > from)
		give_older(f, b->line[from].utc_ns, b->raw_ns[from]);
	if (b->n > from) /* an empty batch has no memory */
		give(f, b->line + from, b->raw_ns + from, b->n - from);
	follow_batch_reset(b);
}

static void note(struct follower *f, int64_t utc_ns, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void note(struct follower *f, int64_t utc_ns, const char *fmt, ...)
{
	struct strbuf text;
	va_list ap;

	flush(f);
	strbuf_init(&text, 1024);
	va_start(ap, fmt);
	strbuf_addv(&text, fmt, ap);
	va_end(ap);
	give_row(f, LOG_NOTE, utc_ns, strbuf_str(&text));
	strbuf_clear(&text);
}

static int64_t now_ns(void)
{
	return clock_utc_ms() * FOLLOW_NS_PER_MS;
}

/* A time that the host gave, by our clock; now when it gave none. */
static int64_t corrected_ns(struct follower *f, int64_t utc_ms)
{
	bool known;

	return utc_ms > 0 ? (utc_ms - follow_skew_ms(f, &known)) * FOLLOW_NS_PER_MS : now_ns();
}

/* --- What a stream gives ---------------------------------------------------------------------- */

/* A time that was asked for, by the clock of the host: its stamps are compared with that one. */
static int64_t host_ms(const struct follower *f, int64_t utc_ms)
{
	return utc_ms > 0 ? utc_ms + f->skew_ms : 0;
}

/* What the runtime could not leave out by itself. */
static bool is_outside(struct follower *f, int64_t raw_ns)
{
	if (f->read_once || f->fresh)
		return false;
	if (raw_ns / FOLLOW_NS_PER_MS < host_ms(f, f->spec.since_utc_ms)) {
		f->older = true;
		return true;
	}
	return f->spec.until_utc_ms > 0 &&
	       raw_ns / FOLLOW_NS_PER_MS >= host_ms(f, f->spec.until_utc_ms);
}

static void on_line(void *arg, const struct log_line *line, int64_t raw_ns)
{
	struct follower *f = arg;

	f->got++;
	if (is_outside(f, raw_ns))
		return;
	follow_batch_add(&f->batch, line, raw_ns);
	if (f->hold ? f->batch.text.len >= HOLD_BYTES
		    : f->batch.n >= BATCH_LINES || f->batch.text.len >= BATCH_BYTES) {
		/* Too much to keep: that older lines exist is likely, and asking for them does no harm. */
		f->older = f->older || f->hold;
		flush(f);
	}
}

static void on_piece(void *arg, const struct runtime_log_point *point)
{
	struct follower *f = arg;

	if (!f->hold)
		flush(f);
	if (point != NULL)
		f->point = *point;
}

static void on_lost(void *arg, int64_t lines)
{
	struct follower *f = arg;
	char text[96];

	flush(f);
	if (lines < 0)
		str_copy(text, sizeof(text), "lines are lost here, nobody knows how many");
	else
		snprintf(text, sizeof(text), "%lld line%s lost here", (long long)lines,
			 lines == 1 ? " is" : "s are");
	give_row(f, LOG_GAP, f->last_utc_ns != 0 ? f->last_utc_ns : now_ns(), text);
	log_store_source_lost(f->spec.store, f->spec.source, lines);
	if (lines < 0 || f->lost_since_cut < 0)
		f->lost_since_cut = -1;
	else
		f->lost_since_cut += lines;
}

static void tell_skew(struct follower *f)
{
	bool known;
	int64_t skew_ms = follow_skew_ms(f, &known);

	if (!known)
		return;
	f->skew_ms = skew_ms;
	log_store_source_skew(f->spec.store, f->spec.source, skew_ms);
}

/* --- What is said of the source ----------------------------------------------------------------- */

static void say_state(struct follower *f, enum log_source_state state, const struct err *why)
{
	pthread_mutex_lock(&f->lock);
	f->state = state;
	f->state_err = *why;
	if (!f->silent || state == LOG_SOURCE_DOWN)
		log_store_source_state(f->spec.store, f->spec.source, state, why);
	pthread_mutex_unlock(&f->lock);
}

static void set_state(struct follower *f, enum log_source_state state)
{
	struct err none;

	err_clear(&none);
	f->down = false;
	say_state(f, state, &none);
}

static void set_down(struct follower *f, const struct err *e)
{
	f->down = true;
	log_merge_ended(f->spec.merge, f->spec.source);
	say_state(f, LOG_SOURCE_DOWN, e);
}

/* Any thread. Of a host that is lost the follower's own thread hears by what it reads from. */
static void on_news(void *arg, const struct host *h, enum host_news news,
		    const struct host_status *now)
{
	const uint64_t one = 1;
	struct follower *f = arg;
	struct err e;

	pthread_mutex_lock(&f->lock);
	f->silent = news == HOST_NEWS_SILENT;
	if (f->silent && f->state != LOG_SOURCE_DOWN) {
		host_silent_err(h, now, &e);
		log_store_source_state(f->spec.store, f->spec.source, LOG_SOURCE_DOWN, &e);
	} else if (news == HOST_NEWS_BACK) {
		log_store_source_state(f->spec.store, f->spec.source, f->state, &f->state_err);
	}
	pthread_mutex_unlock(&f->lock);
	if (news == HOST_NEWS_BACK)
		(void)!write(f->back_fd, &one, sizeof(one));
}

/* It answers (again): its past is waited for. */
static void on_began_past(void *arg)
{
	struct follower *f = arg;

	tell_skew(f);
	if (f->down)
		set_state(f, LOG_SOURCE_CONNECTING);
	log_merge_catching_up(f->spec.merge, f->spec.source);
}

static void on_began_live(void *arg)
{
	struct follower *f = arg;

	tell_skew(f);
	set_state(f, LOG_SOURCE_LIVE);
}

/* --- Streams ---------------------------------------------------------------------------------- */

static bool is_up(const struct runtime_unit *u)
{
	return u->state == UNIT_RUNNING || u->state == UNIT_PAUSED;
}

static bool has_point(const struct follower *f)
{
	return f->point.utc_ns != 0 || f->point.cursor[0] != '\0' || f->point.inode != 0;
}

static void request_init(struct follower *f, struct follow_request *r)
{
	*r = (struct follow_request){
		.args = { .id = f->is_container ? f->unit.id : NULL,
			  .tail = -1,
			  .tty = f->unit.tty },
		.sink = { .line = on_line,
			  .piece = on_piece,
			  .lost = on_lost,
			  .began = on_began_live,
			  .arg = f },
		.http = f->http,
	};
}

static void tell_resumed(struct follower *f)
{
	char span[CLOCK_TEXT_SIZE], lost[64];
	int64_t took_ms = clock_mono_ms() - f->cut_ms;

	if (f->cut_ms == 0)
		return;
	if (f->lost_since_cut < 0)
		str_copy(lost, sizeof(lost), "some lines lost");
	else
		snprintf(lost, sizeof(lost), "%lld line%s lost", (long long)f->lost_since_cut,
			 f->lost_since_cut == 1 ? "" : "s");
	note(f, now_ns(), "resumed after %s, %s", clock_span(took_ms, span), lost);
	f->cut_ms = 0;
	f->lost_since_cut = 0;
}

/* What the container or the file has that was not taken yet. */
static enum follow_end read_past(struct follower *f, struct err *e)
{
	struct runtime_log_point from = f->point;
	struct follow_request r;
	enum follow_end end;

	tell_skew(f);
	request_init(f, &r);
	r.past = true;
	r.ends = !f->spec.follow || (f->is_container && !is_up(&f->unit));
	r.sink.began = on_began_past;
	f->got = 0;
	if (has_point(f)) {
		r.args.point = &from;
	} else if (!f->fresh && !f->read_once) {
		r.args.since_utc_ms = host_ms(f, f->spec.since_utc_ms);
		r.args.until_utc_ms = host_ms(f, f->spec.until_utc_ms);
		r.args.tail = f->spec.tail >= 0 ? f->spec.tail + 1 : -1;
		f->hold = f->spec.tail >= 0;
		f->older = f->is_container && f->spec.since_utc_ms > 0 &&
			   f->unit.created_utc_ms > 0 &&
			   f->unit.created_utc_ms < host_ms(f, f->spec.since_utc_ms);
	} else if (!f->fresh) {
		r.args.since_utc_ms = host_ms(f, f->spec.since_utc_ms);
	}
	end = follow_stream(f, &r, e);
	/* Cut: whether the first that came is the one too many is not known any more. */
	f->older = f->older || (f->hold && end != FOLLOW_WHOLE);
	flush(f);
	if (end == FOLLOW_CUT || (end == FOLLOW_REFUSED && !has_point(f)))
		return end;
	/* Nothing came, and there may be older lines: the row stands where they would end. */
	if (f->older && !f->row_made && !f->read_once && end == FOLLOW_WHOLE)
		give_older(f,
			   f->spec.since_utc_ms > 0 ? f->spec.since_utc_ms * FOLLOW_NS_PER_MS
						    : now_ns(),
			   host_ms(f, f->spec.since_utc_ms) * FOLLOW_NS_PER_MS);
	if (end == FOLLOW_WHOLE) {
		f->read_once = true;
		f->missing = false;
		tell_resumed(f);
	}
	return end;
}

/* What comes from now on. */
static enum follow_end read_live(struct follower *f, struct err *e)
{
	struct runtime_log_point from = f->point;
	struct follow_request r;
	enum follow_end end = FOLLOW_MISSED;

	log_merge_live(f->spec.merge, f->spec.source);
	request_init(f, &r);
	r.args.follow = true;
	r.ends = f->is_container;
	if (f->is_container && from.utc_ns != 0) {
		r.args.tail = SEEK_LINES;
		r.seek = &from;
		end = follow_stream(f, &r, e);
		flush(f);
	}
	if (end != FOLLOW_MISSED || cancel_fired(&f->stop))
		return end;
	r.seek = NULL;
	r.args.tail = -1;
	if (has_point(f))
		r.args.point = &from;
	else
		r.args.since_utc_ms = f->fresh ? 0 : host_ms(f, f->spec.since_utc_ms);
	end = follow_stream(f, &r, e);
	flush(f);
	return end;
}

/* --- Rounds ----------------------------------------------------------------------------------- */

static int pause_of(struct follower *f, int64_t min_ms, int64_t max_ms)
{
	int64_t ms = f->pause_ms < min_ms ? min_ms : f->pause_ms > max_ms ? max_ms : f->pause_ms;

	f->pause_ms = 2 * ms;
	return (int)ms;
}

/* Something does not work. Says so, and how long to wait before it is tried again. */
static int trouble(struct follower *f, const struct err *e)
{
	struct host_status host;

	if (cancel_fired(&f->stop))
		return ROUND_OVER;
	if (f->read_once && f->cut_ms == 0) {
		f->cut_ms = clock_mono_ms();
		f->lost_since_cut = 0;
		f->pause_ms = 0;
		if (follow_is_lost(e))
			note(f, now_ns(), "connection to %s lost", host_name(f->spec.host));
		else
			note(f, now_ns(), "%s%s%s", e->msg, e->detail[0] != '\0' ? ": " : "",
			     e->detail);
	}
	set_down(f, e);
	host_status(f->spec.host, &host);
	if (e->code == ERR_ASKS && f->spec.follow)
		return host.state == HOST_ASKS ? ASKS_MS : RETRY_MIN_MS;
	if (!f->spec.follow && (!follow_is_lost(e) || ++f->tries >= TRIES_MAX))
		return ROUND_OVER;
	return pause_of(f, RETRY_MIN_MS, RETRY_MAX_MS);
}

static int absent(struct follower *f)
{
	struct err e;

	err_set(&e, ERR_NOT_FOUND, "no container %s on %s",
		f->spec.service->container != NULL ? f->spec.service->container : name_of(f),
		host_name(f->spec.host));
	if (f->unit.id[0] != '\0') {
		err_detail(&e, "it was removed while it was followed");
		if (!f->gone)
			note(f, now_ns(), "%s removed", name_of(f));
		/* What it wrote behind the cut went with it. */
		if (f->missing)
			on_lost(f, -1);
		f->missing = false;
		f->cut_ms = 0;
	}
	f->gone = true;
	set_down(f, &e);
	return f->spec.follow ? pause_of(f, POLL_MIN_MS, POLL_MAX_MS) : ROUND_OVER;
}

static void note_stopped(struct follower *f, const struct runtime_unit *u)
{
	int64_t at_ns = corrected_ns(f, u->ended_utc_ms);

	if (u->exit_code < 0)
		note(f, at_ns, "%s stopped", name_of(f));
	else
		note(f, at_ns, "%s %s, exit %d%s", name_of(f),
		     u->state == UNIT_RESTARTING ? "ended and is started again" : "stopped",
		     u->exit_code, u->oom ? ", out of memory" : "");
}

/* The same container as before: whether it went down or came up. */
static void note_change(struct follower *f, const struct runtime_unit *u)
{
	const struct runtime_unit *was = &f->unit;
	bool restarted = u->started_utc_ms != was->started_utc_ms || u->restarts > was->restarts;

	if (is_up(was) && !is_up(u))
		note_stopped(f, u);
	else if (!is_up(was) && is_up(u))
		note(f, corrected_ns(f, u->started_utc_ms), "%s up again", name_of(f));
	else if (is_up(u) && restarted && u->restarts > 0)
		note(f, corrected_ns(f, u->started_utc_ms), "%s restarted, %lld time%s now",
		     name_of(f), (long long)u->restarts, u->restarts == 1 ? "" : "s");
	else if (is_up(u) && restarted)
		note(f, corrected_ns(f, u->started_utc_ms), "%s restarted", name_of(f));
	/* Read once more where it went down: that costs little, and nobody has to rely on how its stream ended. */
	if (is_up(u) || is_up(was) || restarted)
		f->complete = false;
	if (restarted)
		f->missing = true;
}

/* Another container has the name. What the old one still has is read first, if it is there. */
static void replaced(struct follower *f, const struct runtime_unit *u)
{
	struct err e;

	/* It writes no more: what stands there without a newline is a line. */
	f->unit.state = UNIT_STOPPED;
	if (f->missing && read_past(f, &e) != FOLLOW_WHOLE && !cancel_fired(&f->stop))
		on_lost(f, -1);
	note(f, corrected_ns(f, u->created_utc_ms), "%s replaced by %.*s, image %s", name_of(f),
	     ID_SHOWN, u->id, u->image[0] != '\0' ? u->image : "unknown");
	memset(&f->point, 0, sizeof(f->point));
	f->fresh = true;
	f->complete = f->missing = false;
	f->cut_ms = 0;
}

/* Looks at the container. 1 when its log is to be read, else as a round. */
static int look(struct follower *f)
{
	struct runtime_unit u;
	struct err e;

	if (!f->is_container)
		return 1;
	if (follow_inspect(f, f->http, NULL, &u, &e) != 0)
		return trouble(f, &e);
	if (u.state == UNIT_ABSENT)
		return absent(f);
	if (f->unit.id[0] != '\0' && strcmp(u.id, f->unit.id) != 0)
		replaced(f, &u);
	else if (f->unit.id[0] != '\0')
		note_change(f, &u);
	else
		f->missing = true;
	f->unit = u;
	f->gone = false;
	if (!f->complete)
		return 1;
	log_merge_ended(f->spec.merge, f->spec.source);
	/* It was away, and is back as it was. */
	if (f->down) {
		tell_resumed(f);
		set_state(f, LOG_SOURCE_ENDED);
	}
	return pause_of(f, POLL_MIN_MS, POLL_MAX_MS);
}

/* It does not run, and all of it was read. */
static int wait_for_start(struct follower *f)
{
	f->complete = true;
	f->pause_ms = 0;
	log_merge_ended(f->spec.merge, f->spec.source);
	set_state(f, LOG_SOURCE_ENDED);
	return POLL_MIN_MS;
}

/* Removed between the look and the question: the next look says what became of it. */
static bool is_removed(const struct follower *f, enum follow_end end, const struct err *e)
{
	return end == FOLLOW_REFUSED && f->is_container && e->code == ERR_NOT_FOUND &&
	       f->spec.follow;
}

static int round_once(struct follower *f)
{
	struct err e;
	enum follow_end end;
	long long before;
	int next = look(f);

	if (next != 1)
		return next;
	end = read_past(f, &e);
	if (cancel_fired(&f->stop))
		return ROUND_OVER;
	if (is_removed(f, end, &e))
		return pause_of(f, RETRY_MIN_MS, RETRY_MAX_MS);
	if (end != FOLLOW_WHOLE)
		return trouble(f, &e);
	if (!f->spec.follow)
		return ROUND_OVER;
	if (f->is_container && !is_up(&f->unit))
		return wait_for_start(f);
	before = atomic_load(&f->taken);
	end = read_live(f, &e);
	if (cancel_fired(&f->stop))
		return ROUND_OVER;
	f->pause_ms = atomic_load(&f->taken) != before ? 0 : 1;
	if (is_removed(f, end, &e))
		return pause_of(f, RETRY_MIN_MS, RETRY_MAX_MS);
	f->missing = end != FOLLOW_WHOLE;
	if (f->missing)
		return trouble(f, &e);
	/* The container ended; or its stream does so again and again, and a file's never should. */
	f->complete = f->is_container;
	return f->is_container && f->pause_ms == 0 ? ROUND_AGAIN
						   : pause_of(f, RETRY_MIN_MS, RETRY_MAX_MS);
}

/* Until it is tried again. -1: it is to stop. */
static int wait_pause(struct follower *f, int ms)
{
	struct pollfd back = { .fd = f->back_fd, .events = POLLIN };
	uint64_t count;
	struct err e;
	int n;

	if (f->woken)
		(void)!read(f->back_fd, &count, sizeof(count));
	n = wait_fds(&back, f->woken ? 0 : 1, clock_mono_ms() + ms, &f->stop, &e);
	f->woken = n > 0;
	if (f->woken)
		(void)!read(f->back_fd, &count, sizeof(count));
	return n < 0 ? -1 : 0;
}

static void *follower_main(void *arg)
{
	struct follower *f = arg;
	int next;

	do {
		next = round_once(f);
		/* 1 is of no use as a time to wait, and means something else. */
		if (next > 1 && wait_pause(f, next) != 0)
			next = ROUND_OVER;
	} while (next != ROUND_OVER && !cancel_fired(&f->stop));
	flush(f);
	if (!f->down)
		set_state(f, f->spec.follow ? LOG_SOURCE_OFF : LOG_SOURCE_ENDED);
	log_merge_ended(f->spec.merge, f->spec.source);
	atomic_store(&f->ended, true);
	if (!cancel_fired(&f->stop) && f->spec.ended != NULL)
		f->spec.ended(f->spec.arg);
	return NULL;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void follower_free(struct follower *f)
{
	if (f->back_fd >= 0)
		close(f->back_fd);
	http_client_free(f->http);
	follow_batch_clear(&f->batch);
	pthread_mutex_destroy(&f->lock);
	cancel_clear(&f->stop);
	mem_free(f);
}

/* Signals are for the threads of whoever started us. */
int follow_thread(pthread_t *out, void *(*fn)(void *), struct follower *f)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(out, NULL, fn, f);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return error;
}

int follow_start(const struct follow_spec *spec, struct follower **out, struct err *e)
{
	struct follower *f = mem_calloc(1, sizeof(*f));
	struct err none;
	int error;

	if (cancel_init(&f->stop, e) != 0) {
		mem_free(f);
		return -1;
	}
	f->back_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->back_fd < 0) {
		error = errno;
		cancel_clear(&f->stop);
		mem_free(f);
		return err_sys(e, error, "cannot create an event descriptor");
	}
	f->spec = *spec;
	f->ops = runtime_ops_of(spec->service->kind);
	f->is_container = spec->service->kind == RUNTIME_DOCKER ||
			  spec->service->kind == RUNTIME_PODMAN;
	f->http = http_client_new(spec->host);
	atomic_init(&f->ended, false);
	atomic_init(&f->taken, 0);
	pthread_mutex_init(&f->lock, NULL);
	err_clear(&none);
	log_merge_catching_up(spec->merge, spec->source);
	say_state(f, LOG_SOURCE_CONNECTING, &none);
	f->watch = (struct host_watch){ .fn = on_news, .arg = f };
	host_watch(spec->host, &f->watch);
	error = follow_thread(&f->thread, follower_main, f);
	if (error != 0) {
		log_merge_ended(spec->merge, spec->source);
		host_unwatch(spec->host, &f->watch);
		follower_free(f);
		return err_sys(e, error, "cannot start a thread for the log of %s",
			       spec->service->name);
	}
	*out = f;
	return 0;
}

void follow_stop_soon(struct follower *f)
{
	if (f != NULL)
		cancel_fire(&f->stop);
}

void follow_stop(struct follower *f)
{
	if (f == NULL)
		return;
	cancel_fire(&f->stop);
	follow_fetch_stop(f);
	pthread_join(f->thread, NULL);
	host_unwatch(f->spec.host, &f->watch);
	follower_free(f);
}

bool follow_has_ended(const struct follower *f)
{
	return atomic_load(&f->ended);
}
