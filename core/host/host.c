/* SPDX-License-Identifier: MIT */
/*
 * The pool of hosts: names, how each stands, what is asked and was answered.
 *
 * A struct host is made at the first hosts_get of its name and transport and stays until hosts_free, so a
 * pointer to it can be kept anywhere. What a transport needs it makes at the first request, in h->state. There
 * is one table of transports, in the order of enum host_transport; commands are in host_proc.c.
 *
 * Answers belong to the pool, because one key file opens several hosts. They are kept as secrets until the pool
 * ends. The answer about a host key is no secret but is kept for the one host that asked: the same key under
 * another name is another question.
 *
 * The clocks of two machines are compared without a command of its own where there is a command anyway: its
 * first mark says the time there (wrap.c). What is known is an interval; of several measurements of one
 * connection the first is kept, so that the times of lines do not jump against each other.
 */
#include "core/host/host.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/host/host_ops.h"
#include "core/host/http.h"

#include <string.h>

#define ANSWERS_MAX 256
#define ANSWERS_TEXT_MAX ((size_t)256 << 10)
/* Characters of a fingerprint that a person has to type. */
#define KEY_TYPED 4

static const struct host_ops *const transports[] = {
	[HOST_LOCAL] = &host_local_ops,
	[HOST_LIBSSH2] = &host_ssh_ops,
	[HOST_OPENSSH] = &host_openssh_ops,
};

/* Names in what hosts_answers_write writes; keys are not written. */
static const char *const kind_names[] = {
	[HOST_QUESTION_NONE] = NULL,
	[HOST_QUESTION_KEY] = NULL,
	[HOST_QUESTION_PASSPHRASE] = "passphrase",
	[HOST_QUESTION_PASSWORD] = "password",
	[HOST_QUESTION_PROMPT] = "prompt",
};

#define N_KINDS (sizeof(kind_names) / sizeof(kind_names[0]))

struct answer {
	enum host_question_kind kind;
	const struct host *host; /* of a key; NULL: counts everywhere */
	char *subject;
	struct secret text;
};

struct hosts {
	struct host_context ctx;
	pthread_mutex_t lock; /* guards everything below; taken before no other lock */
	struct host *first;
	struct answer *answer;
	size_t n_answer, cap_answer;
	uint64_t next_id;

	pthread_mutex_t
		watch_lock; /* guards watch, held while it is told; then only host->lock is taken */
	struct host_watch *watch;
};

struct hosts *hosts_new(const struct host_context *ctx)
{
	struct hosts *p = mem_calloc(1, sizeof(*p));

	p->ctx = *ctx;
	pthread_mutex_init(&p->lock, NULL); /* cannot fail on Linux */
	pthread_mutex_init(&p->watch_lock, NULL);
	p->next_id = 1;
	return p;
}

/* The one behind h; the first for NULL. */
static struct host *next_host(struct hosts *p, const struct host *h)
{
	struct host *next;

	pthread_mutex_lock(&p->lock);
	next = h ? h->next : p->first;
	pthread_mutex_unlock(&p->lock);
	return next;
}

void hosts_free(struct hosts *p)
{
	struct host *next;

	if (!p)
		return;
	/* A host that is being connected may go through another one, and may just ask for that: none is freed before
	 * all are closed. New ones come behind the last. */
	for (struct host *h = next_host(p, NULL); h; h = next_host(p, h)) {
		http_clients_end(h);
		h->ops->close(h);
	}
	for (struct host *h = p->first; h; h = next) {
		next = h->next;
		if (h->ops->forget)
			h->ops->forget(h);
		pthread_mutex_destroy(&h->lock);
		mem_free(h);
	}
	for (size_t i = 0; i < p->n_answer; i++) {
		secret_clear(&p->answer[i].text);
		mem_free(p->answer[i].subject);
	}
	mem_free(p->answer);
	pthread_mutex_destroy(&p->watch_lock);
	pthread_mutex_destroy(&p->lock);
	mem_free(p);
}

static struct host *host_new(struct hosts *p, const struct host_spec *spec)
{
	struct host *h = mem_calloc(1, sizeof(*h));

	str_copy(h->name, sizeof(h->name), spec->name);
	h->spec = *spec;
	h->spec.name = h->name;
	h->pool = p;
	h->ctx = &p->ctx;
	h->ops = transports[spec->transport];
	pthread_mutex_init(&h->lock, NULL);
	h->status.state = HOST_IDLE;
	h->status.since_utc_ms = clock_utc_ms();
	h->status.round_trip_us = -1;
	h->told = HOST_NEWS_BACK;
	return h;
}

struct host *hosts_get(struct hosts *p, const struct host_spec *spec)
{
	struct host **at;

	pthread_mutex_lock(&p->lock);
	/* The order of hosts_get is kept: the list is short. */
	for (at = &p->first; *at; at = &(*at)->next)
		if ((*at)->spec.transport == spec->transport && !strcmp((*at)->name, spec->name))
			break;
	if (!*at)
		*at = host_new(p, spec);
	pthread_mutex_unlock(&p->lock);
	return *at;
}

const char *host_name(const struct host *h)
{
	return h->name;
}

bool host_is_local(const struct host *h)
{
	return h->spec.transport == HOST_LOCAL;
}

/* --- How it stands ----------------------------------------------------------------------------- */

void host_status(struct host *h, struct host_status *out)
{
	pthread_mutex_lock(&h->lock);
	*out = h->status;
	pthread_mutex_unlock(&h->lock);
}

const char *host_state_name(enum host_state s)
{
	static const char *const names[] = {
		[HOST_IDLE] = "idle",   [HOST_CONNECTING] = "connecting",
		[HOST_READY] = "ready", [HOST_ASKS] = "asks",
		[HOST_DOWN] = "down",
	};

	return names[s];
}

void host_silent_err(const struct host *h, const struct host_status *now, struct err *e)
{
	char since[CLOCK_TEXT_SIZE];

	err_set(e, ERR_TIMEOUT, "%s does not answer", h->name);
	err_detail(e, "nothing came from it since %s", clock_hms(now->silent_utc_ms, since));
}

static void set_state_locked(struct host *h, enum host_state s, const struct err *why)
{
	if (h->status.state != s)
		h->status.since_utc_ms = clock_utc_ms();
	h->status.state = s;
	if (why)
		h->status.err = *why;
	else
		err_clear(&h->status.err);
	if (s == HOST_CONNECTING)
		h->clock_asked = false;
	if (s != HOST_READY) {
		h->status.round_trip_us = -1;
		h->status.silent_utc_ms = 0;
		h->status.about[0] = '\0';
	}
}

/* What there is to tell now, if anything. Of what happened in between nobody is told: the last news are true. */
static bool take_news(struct host *h, enum host_news *news, struct host_status *now)
{
	bool is_news;

	pthread_mutex_lock(&h->lock);
	*now = h->status;
	*news = h->told;
	if (now->state == HOST_DOWN)
		*news = HOST_NEWS_LOST;
	else if (now->state == HOST_READY)
		*news = now->silent_utc_ms != 0 ? HOST_NEWS_SILENT : HOST_NEWS_BACK;
	is_news = *news != h->told;
	h->told = *news;
	pthread_mutex_unlock(&h->lock);
	return is_news;
}

static void tell(struct host *h)
{
	struct hosts *p = h->pool;
	struct host_status now;
	enum host_news news;

	pthread_mutex_lock(&p->watch_lock);
	if (take_news(h, &news, &now))
		for (struct host_watch *w = p->watch; w; w = w->next)
			if (!w->only || w->only == h)
				w->fn(w->arg, h, news, &now);
	pthread_mutex_unlock(&p->watch_lock);
}

static void watch_add(struct hosts *p, const struct host *only, struct host_watch *w)
{
	pthread_mutex_lock(&p->watch_lock);
	w->only = only;
	w->next = p->watch;
	p->watch = w;
	pthread_mutex_unlock(&p->watch_lock);
}

void hosts_watch(struct hosts *p, struct host_watch *w)
{
	watch_add(p, NULL, w);
}

void host_watch(struct host *h, struct host_watch *w)
{
	watch_add(h->pool, h, w);
}

void hosts_unwatch(struct hosts *p, struct host_watch *w)
{
	pthread_mutex_lock(&p->watch_lock);
	for (struct host_watch **at = &p->watch; *at; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			break;
		}
	pthread_mutex_unlock(&p->watch_lock);
}

void host_unwatch(struct host *h, struct host_watch *w)
{
	hosts_unwatch(h->pool, w);
}

void host_set_state(struct host *h, enum host_state s, const struct err *why)
{
	pthread_mutex_lock(&h->lock);
	set_state_locked(h, s, why);
	pthread_mutex_unlock(&h->lock);
	tell(h);
}

void host_set_silent(struct host *h, int64_t since_utc_ms)
{
	pthread_mutex_lock(&h->lock);
	h->status.silent_utc_ms = h->status.state == HOST_READY ? since_utc_ms : 0;
	pthread_mutex_unlock(&h->lock);
	tell(h);
}

void host_set_about(struct host *h, const char *about)
{
	pthread_mutex_lock(&h->lock);
	str_copy(h->status.about, sizeof(h->status.about), about);
	pthread_mutex_unlock(&h->lock);
}

void host_set_round_trip(struct host *h, int64_t us)
{
	pthread_mutex_lock(&h->lock);
	h->status.round_trip_us = us;
	pthread_mutex_unlock(&h->lock);
}

void host_set_clock(struct host *h, int64_t sent_us, int64_t got_us, int64_t remote_us)
{
	int64_t way_us = 0, ours_us;

	pthread_mutex_lock(&h->lock);
	/* The way back is half of a round trip, where that is known; startup files of the login shell are part
	 * of the time before, so the middle of the two would be wrong by half of theirs. */
	if (h->status.round_trip_us > 0)
		way_us = h->status.round_trip_us / 2;
	ours_us = got_us - way_us < sent_us ? sent_us : got_us - way_us;
	/* A clock that was read between the two may be right: stamps are not moved by what the measuring itself
	 * takes, or a line would come before what it answers. */
	h->status.skew_ms = remote_us >= sent_us && remote_us <= got_us
				    ? 0
				    : (remote_us - ours_us) / 1000;
	h->status.skew_known = true;
	pthread_mutex_unlock(&h->lock);
}

/* --- Questions --------------------------------------------------------------------------------- */

static void hint_of(const struct host *h, const struct host_question *q, struct err *e)
{
	if (q->kind == HOST_QUESTION_KEY)
		err_hint(e, "bascule trust %s", h->name);
	else if (q->kind == HOST_QUESTION_PASSPHRASE)
		err_hint(e, "answer in the console, or give the key to the agent: ssh-add %s",
			 q->subject);
	else
		err_hint(e, "answer in the console, or use a key: ssh-copy-id %s", h->name);
}

int host_ask(struct host *h, const struct host_question *q, struct err *e)
{
	struct host_question asked = *q;

	pthread_mutex_lock(&h->pool->lock);
	asked.id = h->pool->next_id++;
	pthread_mutex_unlock(&h->pool->lock);
	str_copy(asked.host, sizeof(asked.host), h->name);
	if (!asked.subject[0] && asked.kind == HOST_QUESTION_KEY)
		snprintf(asked.subject, sizeof(asked.subject), "%s %s", asked.key_type,
			 asked.sha256);
	err_set(e, ERR_ASKS, "%s asks for an answer", h->name);
	err_detail(e, "%s", asked.text);
	hint_of(h, &asked, e);
	pthread_mutex_lock(&h->lock);
	h->question = asked;
	set_state_locked(h, HOST_ASKS, e);
	pthread_mutex_unlock(&h->lock);
	return -1;
}

void host_ask_no_more(struct host *h)
{
	pthread_mutex_lock(&h->lock);
	memset(&h->question, 0, sizeof(h->question));
	pthread_mutex_unlock(&h->lock);
}

bool host_question(struct host *h, struct host_question *out)
{
	bool asked;

	pthread_mutex_lock(&h->lock);
	asked = h->question.kind != HOST_QUESTION_NONE;
	if (asked)
		*out = h->question;
	pthread_mutex_unlock(&h->lock);
	return asked;
}

/* The answer kept for it, or NULL. */
static struct answer *find_answer(struct hosts *p, const struct host *h,
				  enum host_question_kind kind, const char *subject)
{
	for (size_t i = 0; i < p->n_answer; i++) {
		struct answer *a = &p->answer[i];

		if (a->kind == kind && (!a->host || a->host == h) && !strcmp(a->subject, subject))
			return a;
	}
	return NULL;
}

/* h NULL: counts everywhere. */
static int keep_answer(struct hosts *p, const struct host *h, enum host_question_kind kind,
		       const char *subject, struct sv text, struct err *e)
{
	struct answer *a;
	int ret = 0;

	pthread_mutex_lock(&p->lock);
	a = find_answer(p, h, kind, subject);
	if (!a && p->n_answer >= ANSWERS_MAX) {
		ret = err_set(e, ERR_LIMIT, "more than %d answers are kept", ANSWERS_MAX);
	} else if (!a) {
		mem_grow(&p->answer, &p->cap_answer, p->n_answer + 1, sizeof(*p->answer));
		a = &p->answer[p->n_answer++];
		*a = (struct answer){ .kind = kind, .host = h, .subject = mem_strdup(subject) };
	}
	if (ret == 0) {
		secret_set(&a->text, text);
		if (kind != HOST_QUESTION_KEY)
			secret_know(a->text.text);
	}
	pthread_mutex_unlock(&p->lock);
	return ret;
}

/* The last four characters of a fingerprint, as it is shown. */
static bool is_key_typed(const struct host_question *q, const char *text)
{
	size_t n = strlen(q->sha256);

	return n >= KEY_TYPED && sv_eq_str(sv_trim(sv_of(text)), q->sha256 + n - KEY_TYPED);
}

int host_answer(struct host *h, uint64_t id, const char *text, struct err *e)
{
	struct host_question q;
	bool key;

	if (!host_question(h, &q) || q.id != id) {
		err_set(e, ERR_NOT_FOUND, "%s does not ask that any more", h->name);
		return err_hint(e, "try again what needed the answer");
	}
	key = q.kind == HOST_QUESTION_KEY;
	if (key && !is_key_typed(&q, text)) {
		err_set(e, ERR_GATE, "these are not the last %d characters of the key of %s",
			KEY_TYPED, h->name);
		err_detail(e, "%s %s", q.key_type, q.sha256);
		return err_hint(
			e,
			"compare the key with the one its owner names, and type its last %d characters",
			KEY_TYPED);
	}
	if (strchr(text, '\n') || strlen(text) > SECRET_MAX)
		return err_set(e, ERR_INPUT, "an answer is one line of at most %zu bytes",
			       SECRET_MAX);
	if (keep_answer(h->pool, key ? h : NULL, q.kind, q.subject, sv_of(text), e))
		return -1;
	pthread_mutex_lock(&h->lock);
	/* Unless something else is asked by now. */
	if (h->question.id == id) {
		memset(&h->question, 0, sizeof(h->question));
		set_state_locked(h, HOST_IDLE, NULL);
	}
	pthread_mutex_unlock(&h->lock);
	return 0;
}

bool host_answered(struct host *h, enum host_question_kind kind, const char *subject,
		   struct secret *out)
{
	struct answer *a;

	pthread_mutex_lock(&h->pool->lock);
	a = find_answer(h->pool, h, kind, subject);
	if (a)
		secret_set(out, sv_n(a->text.text, a->text.n));
	pthread_mutex_unlock(&h->pool->lock);
	return a != NULL;
}

void host_answer_forget(struct host *h, enum host_question_kind kind, const char *subject)
{
	struct hosts *p = h->pool;
	struct answer *a;

	pthread_mutex_lock(&p->lock);
	a = find_answer(p, h, kind, subject);
	if (a) {
		secret_clear(&a->text);
		mem_free(a->subject);
		*a = p->answer[--p->n_answer];
	}
	pthread_mutex_unlock(&p->lock);
}

/* --- Answers for a runner ---------------------------------------------------------------------- */

/* A subject may be a path with anything in it: what would end its field is written as %XX. */
static void write_subject(struct strbuf *out, const char *subject)
{
	for (; *subject; subject++) {
		unsigned char c = (unsigned char)*subject;

		if (c < ' ' || c == '%')
			strbuf_addf(out, "%%%02X", c);
		else
			strbuf_addc(out, (char)c);
	}
}

void hosts_answers_write(struct hosts *p, struct strbuf *out)
{
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n_answer; i++) {
		const struct answer *a = &p->answer[i];

		if (!kind_names[a->kind])
			continue;
		strbuf_addf(out, "%s\t", kind_names[a->kind]);
		write_subject(out, a->subject);
		strbuf_addc(out, '\t');
		strbuf_add(out, a->text.text, a->text.n);
		strbuf_addc(out, '\n');
	}
	pthread_mutex_unlock(&p->lock);
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static void read_subject(struct sv text, struct strbuf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		int high = i + 2 < text.n && text.p[i] == '%' ? hex_digit(text.p[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(text.p[i + 2]) : -1;

		if (low >= 0) {
			strbuf_addc(out, (char)(high * 16 + low));
			i += 2;
		} else {
			strbuf_addc(out, text.p[i]);
		}
	}
}

static int read_answer(struct hosts *p, struct sv line, struct err *e)
{
	enum host_question_kind kind = HOST_QUESTION_NONE;
	struct strbuf subject;
	struct sv name, field;
	int ret;

	/* The third field may be empty, so both tabs have to be there. */
	if (!sv_cut(&line, '\t', &name) || line.n == 0 || !memchr(line.p, '\t', line.n) ||
	    !sv_cut(&line, '\t', &field))
		return err_set(e, ERR_INPUT, "an answer for hosts has not three fields");
	for (size_t i = 0; i < N_KINDS; i++)
		if (kind_names[i] && sv_eq_str(name, kind_names[i]))
			kind = (enum host_question_kind)i;
	if (kind == HOST_QUESTION_NONE)
		return err_set(e, ERR_INPUT, "an answer for hosts is of an unknown kind");
	if (line.n > SECRET_MAX)
		return err_set(e, ERR_LIMIT, "an answer for hosts is longer than %zu bytes",
			       SECRET_MAX);
	strbuf_init(&subject, ANSWERS_TEXT_MAX);
	read_subject(field, &subject);
	ret = keep_answer(p, NULL, kind, strbuf_str(&subject), line, e);
	strbuf_clear(&subject);
	return ret;
}

int hosts_answers_read(struct hosts *p, struct sv text, struct err *e)
{
	struct sv line;

	if (text.n > ANSWERS_TEXT_MAX)
		return err_set(e, ERR_LIMIT, "the answers for hosts are longer than %zu bytes",
			       ANSWERS_TEXT_MAX);
	while (sv_cut(&text, '\n', &line))
		if (line.n > 0 && read_answer(p, line, e))
			return -1;
	return 0;
}
