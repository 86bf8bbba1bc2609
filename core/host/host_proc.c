/* SPDX-License-Identifier: MIT */
/*
 * Commands, and what all transports share of streams.
 *
 * A transport gives two descriptors and, at the end, what it knows. Of a marked transport that is not enough: a
 * connection that is cut looks like the end of the output. So the result counts when four things agree: the last
 * mark was seen, both streams ended, the transport has an exit status and no signal, and the status is the one
 * in the mark. Otherwise it is ERR_LOST. One case is better known: an orderly end without a first mark is a
 * login shell that did not run our text (a restricted one, nologin), and then nothing ran.
 */
#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/mem.h"
#include "core/host/host_ops.h"
#include "core/host/wrap.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define RUN_BLOCK ((size_t)64 << 10)
#define LAST_LINE_SIZE 240
/* For asking the time there behind a dial: it must not hold up what was asked for. */
#define CLOCK_LIMIT_MS 5000
#define BUSY_TRIES 4

struct host_proc {
	struct host *host;
	struct host_wire wire;
	struct wrap_stream stream[2]; /* marked: of HOST_OUT and HOST_ERR */
	char *block;                  /* marked: stderr before its marks are taken out */
	int64_t sent_us;              /* when it was started; -1: the time is not asked */
	bool marked;
};

static int64_t utc_us(void)
{
	struct timespec ts = { 0 };

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int check_command(const struct host_command *cmd, struct err *e)
{
	assert(cmd->script || (cmd->argv && cmd->argv[0]));
	assert(!cmd->duplex || cmd->input.n == 0);
	if (cmd->input.n > HOST_INPUT_MAX)
		return err_set(e, ERR_LIMIT, "the input of a command is longer than %zu bytes",
			       HOST_INPUT_MAX);
	return 0;
}

/* Whether this command is to say the time there: one of each connection. */
static bool ask_clock(struct host *h)
{
	bool ask;

	pthread_mutex_lock(&h->lock);
	ask = !h->clock_asked;
	h->clock_asked = true;
	pthread_mutex_unlock(&h->lock);
	return ask;
}

static int start_marked(struct host_proc *p, const struct host_command *cmd, int64_t deadline_ms,
			struct cancel *c, struct err *e)
{
	struct host_command sent = *cmd;
	char nonce[WRAP_NONCE_SIZE];
	struct strbuf text, input;
	int ret = -1;

	/* A connection that is made by this very start forgets that the time was asked, so this command is
	 * asked whenever there is none yet. */
	bool clock = ask_clock(p->host);

	digest_random_hex((WRAP_NONCE_SIZE - 1) / 2, nonce);
	strbuf_init(&text, WRAP_TEXT_MAX);
	strbuf_init(&input, STRBUF_NO_LIMIT);
	if (wrap_text(cmd, nonce, clock, &text, e))
		goto out;
	wrap_input(cmd, nonce, &input);
	sent.input = strbuf_sv(&input);
	p->marked = true;
	p->sent_us = clock ? utc_us() : -1;
	wrap_stream_init(&p->stream[HOST_OUT], nonce, false);
	wrap_stream_init(&p->stream[HOST_ERR], nonce, true);
	p->block = mem_alloc(RUN_BLOCK);
	ret = p->host->ops->start(p->host, cmd->argv, text.data, &sent, deadline_ms, c, &p->wire,
				  e);
	if (clock) {
		/* Also when the connection was only made now. */
		pthread_mutex_lock(&p->host->lock);
		p->host->clock_asked = ret == 0;
		pthread_mutex_unlock(&p->host->lock);
	}
out:
	secret_clear_buf(&input);
	strbuf_clear(&text);
	return ret;
}

int host_start(struct host *h, const struct host_command *cmd, int64_t deadline_ms,
	       struct cancel *c, struct host_proc **out, struct err *e)
{
	struct host_proc *p;
	int ret;

	if (check_command(cmd, e))
		return -1;
	p = mem_calloc(1, sizeof(*p));
	p->host = h;
	p->wire = (struct host_wire){ .out = -1, .err = -1, .in = -1 };
	p->sent_us = -1;
	if (h->ops->marked)
		ret = start_marked(p, cmd, deadline_ms, c, e);
	else
		ret = h->ops->start(h, cmd->argv, NULL, cmd, deadline_ms, c, &p->wire, e);
	if (ret == 0) {
		*out = p;
		return 0;
	}
	mem_free(p->block);
	mem_free(p);
	return -1;
}

static int *fd_of(struct host_proc *p, enum host_stream s)
{
	return s == HOST_OUT ? &p->wire.out : &p->wire.err;
}

int host_proc_fd(const struct host_proc *p, enum host_stream s)
{
	return s == HOST_OUT ? p->wire.out : p->wire.err;
}

int host_proc_in(const struct host_proc *p)
{
	return p->wire.in;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void host_proc_end_input(struct host_proc *p)
{
	close_fd(&p->wire.in);
}

/* What was read into from, without marks, into buf. */
static size_t unmark(struct host_proc *p, enum host_stream s, struct sv from, char *buf)
{
	struct wrap_stream *stream = &p->stream[s];
	size_t n = wrap_stream_take(stream, from, buf);

	if (p->sent_us >= 0 && stream->begun && stream->clock_us >= 0) {
		host_set_clock(p->host, p->sent_us, utc_us(), stream->clock_us);
		p->sent_us = -1;
	}
	return n;
}

int host_proc_read(struct host_proc *p, enum host_stream s, void *buf, size_t size, size_t *got,
		   struct err *e)
{
	int *fd = fd_of(p, s);
	/* Behind its only mark nothing is copied. */
	bool direct = !p->marked || (s == HOST_OUT && p->stream[s].begun);
	size_t room = size;
	ssize_t n;

	assert(size >= HOST_READ_MIN);
	*got = 0;
	if (*fd < 0)
		return 0;
	if (!direct)
		room = size - WRAP_MARK_MAX < RUN_BLOCK ? size - WRAP_MARK_MAX : RUN_BLOCK;
	do
		n = read(*fd, direct ? buf : p->block, room);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		return err_sys(e, errno, "cannot read what comes from %s", p->host->name);
	if (n == 0) {
		*got = p->marked ? wrap_stream_end(&p->stream[s], buf) : 0;
		close_fd(fd);
		return 0;
	}
	*got = direct ? (size_t)n : unmark(p, s, sv_n(p->block, (size_t)n), buf);
	return 0;
}

/* Reads what nobody wants to the end of both streams. */
static int drain(struct host_proc *p, int64_t deadline_ms, struct cancel *c, struct err *e)
{
	char *buf = mem_alloc(RUN_BLOCK);
	int ret = 0;

	while (ret == 0 && (p->wire.out >= 0 || p->wire.err >= 0)) {
		struct pollfd fds[2] = { { .fd = p->wire.out, .events = POLLIN },
					 { .fd = p->wire.err, .events = POLLIN } };
		size_t got;

		ret = wait_fds(fds, 2, deadline_ms, c, e);
		if (ret == 0)
			ret = err_set(e, ERR_TIMEOUT, "a command on %s did not end in time",
				      p->host->name);
		else if (ret > 0)
			ret = host_proc_read(p, HOST_OUT, buf, RUN_BLOCK, &got, e) ||
					      host_proc_read(p, HOST_ERR, buf, RUN_BLOCK, &got, e)
				      ? -1
				      : 0;
	}
	mem_free(buf);
	return ret;
}

static int lost(const struct host_proc *p, const char *detail, struct err *e)
{
	err_set(e, ERR_LOST, "the end of a command on %s was not seen", p->host->name);
	err_detail(e, "%s: it may have run, in part or whole", detail);
	return err_hint(e, "look what became of it before it is run again");
}

/* The last line of text that says anything. */
static struct sv last_words(struct sv text)
{
	const char *newline;

	text = sv_trim(text);
	newline = text.n > 0 ? memrchr(text.p, '\n', text.n) : NULL;
	return newline ? sv_n(newline + 1, text.n - (size_t)(newline + 1 - text.p)) : text;
}

/* An orderly end, and no mark. */
static int nothing_ran(const struct host_proc *p, const struct host_result *r, struct err *e)
{
	const struct host_ops *ops = p->host->ops;
	struct sv said[2], line;
	struct err why;

	for (int i = 0; i < 2; i++)
		said[i] = sv_n(p->stream[i].noise, p->stream[i].n_noise);
	if (ops->explain && r->status == ops->lost_status) {
		ops->explain(p->host, &p->wire, said[HOST_ERR], e);
		if (e->code == ERR_BUSY)
			return -1;
		/* Its words may as well be noise of the login shell, behind which the connection was cut. */
		why = *e;
		return lost(p, why.detail[0] ? why.detail : "the connection was cut", e);
	}
	line = last_words(said[HOST_ERR]);
	if (line.n == 0)
		line = last_words(said[HOST_OUT]);
	err_set(e, ERR_REFUSED, "the login shell of %s did not run the command", p->host->name);
	if (line.n > 0)
		err_detail(e, "%.*s", (int)line.n, line.p);
	else
		err_detail(e, "it ended with status %d and said nothing", r->status);
	return err_hint(e, "ssh %s /bin/sh -c true", p->host->name);
}

/* Compares what the transport says, r, with the marks, and puts together what is true. */
static int judge(const struct host_proc *p, bool known, struct host_result *r, struct err *e)
{
	const struct wrap_stream *marks = &p->stream[HOST_ERR];

	if (!p->marked)
		return known ? 0 : lost(p, "the system did not tell how it ended", e);
	if (known && !r->signal[0] && !marks->begun && !p->stream[HOST_OUT].begun)
		return nothing_ran(p, r, e);
	if (!known)
		return lost(p, "the connection was cut", e);
	if (r->signal[0])
		return lost(p, "the shell around it was killed", e);
	if (!marks->ended || !p->stream[HOST_OUT].begun)
		return lost(p, "its output ended without our mark", e);
	if (r->status != marks->status)
		return lost(p, "two different exit codes came back", e);
	if (marks->signal[0]) {
		r->status = -1;
		str_copy(r->signal, sizeof(r->signal), marks->signal);
	}
	return 0;
}

int host_proc_finish(struct host_proc *p, int64_t deadline_ms, struct cancel *c,
		     struct host_result *r, struct err *e)
{
	struct host_result seen = { .status = -1 };
	bool known = false;

	if (drain(p, deadline_ms, c, e) ||
	    p->host->ops->finish(p->host, &p->wire, deadline_ms, c, &seen, &known, e) ||
	    judge(p, known, &seen, e))
		return -1;
	*r = seen;
	return 0;
}

void host_proc_close(struct host_proc *p)
{
	if (!p)
		return;
	close_fd(&p->wire.in);
	p->host->ops->end(p->host, &p->wire);
	close_fd(&p->wire.out);
	close_fd(&p->wire.err);
	mem_free(p->block);
	mem_free(p);
}

/* --- All of it --------------------------------------------------------------------------------- */

/* The end of stderr, for an error's detail. */
struct last_line {
	char text[LAST_LINE_SIZE];
	size_t n;
};

static void last_line_add(struct last_line *l, struct sv bytes)
{
	size_t keep;

	if (bytes.n >= sizeof(l->text)) {
		bytes = sv_n(bytes.p + bytes.n - sizeof(l->text), sizeof(l->text));
		l->n = 0;
	}
	keep = l->n + bytes.n > sizeof(l->text) ? sizeof(l->text) - bytes.n : l->n;
	memmove(l->text, l->text + l->n - keep, keep);
	memcpy(l->text + keep, bytes.p, bytes.n);
	l->n = keep + bytes.n;
}

static struct sv last_line(const struct last_line *l)
{
	return last_words(sv_n(l->text, l->n));
}

static int take_stream(struct host_proc *p, enum host_stream s, char *block, struct strbuf *out,
		       struct last_line *last, struct err *e)
{
	size_t got;

	if (host_proc_read(p, s, block, RUN_BLOCK, &got, e))
		return -1;
	if (s == HOST_ERR && got > 0)
		last_line_add(last, sv_n(block, got));
	if (!out || got == 0)
		return 0;
	strbuf_add(out, block, got);
	if (!strbuf_ok(out))
		return err_set(e, ERR_LIMIT, "a command on %s wrote more than %zu bytes",
			       p->host->name, out->max);
	return 0;
}

static int read_all(struct host_proc *p, struct strbuf *out, struct strbuf *err,
		    struct last_line *last, int64_t deadline_ms, struct cancel *c, struct err *e)
{
	char *block = mem_alloc(RUN_BLOCK);
	int ret = 0;

	while (ret == 0 && (p->wire.out >= 0 || p->wire.err >= 0)) {
		struct pollfd fds[2] = { { .fd = p->wire.out, .events = POLLIN },
					 { .fd = p->wire.err, .events = POLLIN } };
		int ready = wait_fds(fds, 2, deadline_ms, c, e);

		if (ready == 0)
			ret = err_set(e, ERR_TIMEOUT, "a command on %s did not end in time",
				      p->host->name);
		else if (ready < 0 || take_stream(p, HOST_OUT, block, out, last, e) ||
			 take_stream(p, HOST_ERR, block, err, last, e))
			ret = -1;
	}
	mem_free(block);
	return ret;
}

/* A status other than 0 as an error. */
static int refuse(const struct host *h, const struct host_command *cmd, const struct host_result *r,
		  const struct last_line *last, struct err *e)
{
	const char *name = cmd->script || !cmd->argv ? "a script" : cmd->argv[0];
	struct sv line = last_line(last);

	if (r->status < 0)
		err_set(e, ERR_INPUT, "%s on %s was killed by %s", name, h->name, r->signal);
	else
		err_set(e, r->status == 127 ? ERR_NOT_FOUND : ERR_INPUT,
			"%s on %s ended with status %d", name, h->name, r->status);
	if (line.n > 0)
		err_detail(e, "%.*s", (int)line.n, line.p);
	return -1;
}

static int run_once(struct host *h, const struct host_command *cmd, struct strbuf *out,
		    struct strbuf *err, struct host_result *r, int64_t deadline_ms,
		    struct cancel *c, struct err *e)
{
	struct last_line last = { .n = 0 };
	struct host_result seen;
	struct host_proc *p = NULL;
	int ret = -1;

	if (host_start(h, cmd, deadline_ms, c, &p, e))
		return -1;
	host_proc_end_input(p); /* duplex: nobody is going to write */
	if (read_all(p, out, err, &last, deadline_ms, c, e) ||
	    host_proc_finish(p, deadline_ms, c, &seen, e))
		goto out;
	if (r)
		*r = seen;
	else if (seen.status != 0 && refuse(h, cmd, &seen, &last, e))
		goto out;
	ret = 0;
out:
	host_proc_close(p);
	return ret;
}

int host_run(struct host *h, const struct host_command *cmd, struct strbuf *out, struct strbuf *err,
	     struct host_result *r, int64_t deadline_ms, struct cancel *c, struct err *e)
{
	int ret = -1;

	/* A server that takes no more sessions ran nothing, and the transport has learned how many it takes. */
	for (int i = 0; i < BUSY_TRIES; i++) {
		ret = run_once(h, cmd, out, err, r, deadline_ms, c, e);
		if (ret == 0 || e->code != ERR_BUSY)
			break;
	}
	return ret;
}

/* --- Streams ----------------------------------------------------------------------------------- */

/* A connection that is only dialled through is asked for its time by a command that does nothing. */
static void measure_clock(struct host *h, int64_t deadline_ms, struct cancel *c)
{
	const struct host_command nothing = { .script = ":" };
	int64_t limit_ms = clock_mono_ms() + CLOCK_LIMIT_MS;
	struct host_result r;
	struct err ignored;
	bool asked;

	pthread_mutex_lock(&h->lock);
	asked = h->clock_asked;
	pthread_mutex_unlock(&h->lock);
	if (asked || !h->ops->marked)
		return;
	/* What fails here is not known, and said by skew_known. */
	if (host_run(h, &nothing, NULL, NULL, &r, deadline_ms < limit_ms ? deadline_ms : limit_ms,
		     c, &ignored))
		err_clear(&ignored);
	(void)ask_clock(h);
}

/* What may be wrong with a unix socket there, by exit status; $1 is its path. Only the last name is compared with
 * those that are listened at: /var/run is a link to /run. */
static const char look_text[] =
	"[ -e \"$1\" ] || exit 10; [ -S \"$1\" ] || exit 11\n"
	"[ -w \"$1\" ] || { ls -ld \"$1\"; exit 12; }\n"
	"while read -r a b c flags d e f path; do\n"
	"[ \"${path##*/}\" = \"${1##*/}\" ] && [ \"$flags\" = 00010000 ] && exit 14\n"
	"done </proc/net/unix; exit 13\n";

static const struct {
	int status;
	enum err_code code;
	const char *detail, *hint;
} socket_faults[] = {
	{ 10, ERR_NOT_FOUND, "there is no such file", "start the service there" },
	{ 11, ERR_INPUT, "that is no socket", "name the right file" },
	{ 12, ERR_REFUSED, "we may not write to it",
	  "become a member of its group there, and log in anew" },
	{ 13, ERR_NOT_FOUND, "nobody listens", "start the service there" },
	{ 14, ERR_UNSUPPORTED, "somebody listens, but the ssh server does not let us through",
	  "allow it in its sshd_config: AllowStreamLocalForwarding" },
};

/* A server says of a unix socket only that it did not work: a command looks why. e stays as it is when that
 * does not go. */
static void explain_socket(struct host *h, const char *path, int64_t deadline_ms, struct cancel *c,
			   struct err *e)
{
	const char *const words[] = { path, NULL };
	const struct host_command look = { .script = look_text, .argv = words };
	struct host_result r = { .status = -1 };
	struct strbuf out;
	struct err ignored;
	struct sv line;

	strbuf_init(&out, LAST_LINE_SIZE);
	if (host_run(h, &look, &out, NULL, &r, deadline_ms, c, &ignored))
		r.status = -1;
	for (size_t i = 0; i < sizeof(socket_faults) / sizeof(socket_faults[0]); i++) {
		if (socket_faults[i].status != r.status)
			continue;
		line = sv_trim(strbuf_sv(&out));
		err_set(e, socket_faults[i].code, "cannot connect to %s on %s", path, h->name);
		if (line.n > 0)
			err_detail(e, "%s: %.*s", socket_faults[i].detail, (int)line.n, line.p);
		else
			err_detail(e, "%s", socket_faults[i].detail);
		err_hint(e, "%s", socket_faults[i].hint);
	}
	strbuf_clear(&out);
}

int host_dial(struct host *h, const struct host_target *t, int64_t deadline_ms, struct cancel *c,
	      int *fd, struct err *e)
{
	if (h->ops->dial(h, t, deadline_ms, c, fd, e)) {
		if (t->path && h->ops->marked &&
		    (e->code == ERR_NOT_FOUND || e->code == ERR_REFUSED))
			explain_socket(h, t->path, deadline_ms, c, e);
		return -1;
	}
	measure_clock(h, deadline_ms, c);
	return 0;
}

struct host_forward {
	struct host *host;
	void *state;
};

int host_forward_open(struct host *h, const struct host_target *t, const char *path,
		      int64_t deadline_ms, struct cancel *c, struct host_forward **out,
		      struct err *e)
{
	struct host_forward *f;
	void *state = NULL;

	if (h->ops->forward(h, t, path, deadline_ms, c, &state, e))
		return -1;
	measure_clock(h, deadline_ms, c);
	f = mem_calloc(1, sizeof(*f));
	*f = (struct host_forward){ .host = h, .state = state };
	*out = f;
	return 0;
}

void host_forward_close(struct host_forward *f)
{
	if (!f)
		return;
	f->host->ops->forward_end(f->host, f->state);
	mem_free(f);
}
