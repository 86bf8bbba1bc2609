/* SPDX-License-Identifier: MIT */
/*
 * Reading a journal, and what its chain says.
 *
 * The chain of a run is a line of lines until a runner is taken over; then it may fork. The new
 * runner's first line is `adopt`, which names the line it goes on from (epoch, seq, hash). The old
 * runner, if it ever continues, appends lines that hang on its own last line. Those are evidence:
 * - a line of an older epoch that stands behind an adopt, and
 * - a line of an older epoch beyond the seq that an adopt names, even if it stands before it (the old
 *   runner wrote between the new one's reading and its adopt).
 * The second rule needs to know the adopts first, so the file is looked through twice: once for
 * adopts (a search for a few bytes, parsing only hits), once for everything.
 *
 * Evidence is checked against the last line of its own epoch, state against the head. A line that
 * is no JSON is what a crash left of a line; it is allowed where the next line goes on from the
 * head as if it were not there. Anything else is damage, reported with the first line it shows at.
 */
#include "core/release/journal.h"

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/mem.h"

struct adopt {
	int64_t line, epoch, parent_seq;
};

/* The last line seen of an epoch. */
struct epoch_tail {
	int64_t epoch;
	char hash[DIGEST_HEX_SIZE];
};

struct reader {
	struct journal_check check;
	struct digest *digest;
	struct adopt *adopt;
	size_t n_adopt, cap_adopt;
	struct epoch_tail *tail;
	size_t n_tail, cap_tail;
	int64_t file_line;
};

static void reader_broken(struct reader *r, const char *why)
{
	if (r->check.broken)
		return;
	r->check.broken = true;
	r->check.broken_line = r->file_line;
	r->check.broken_why = why;
}

/* Takes a line apart. The reference in *json is the caller's. False: it is not a journal line. */
static bool line_parse(struct sv text, json_t **json, struct journal_line *out, const char **prev)
{
	json_t *j = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	const char *at = json_string_value(json_object_get(j, "at"));

	*out = (struct journal_line){
		.seq = json_integer_value(json_object_get(j, "seq")),
		.epoch = json_integer_value(json_object_get(j, "epoch")),
		.kind = json_string_value(json_object_get(j, "kind")),
		.step = (int)json_integer_value(json_object_get(j, "step")),
		.json = j,
		.text = text,
	};
	*prev = json_string_value(json_object_get(j, "prev"));
	if (out->seq < 1 || out->epoch < 0 || out->step < 0 || !out->kind || !*prev || !at ||
	    !clock_parse_iso(at, &out->at_utc_ms)) {
		json_decref(j);
		return false;
	}
	*json = j;
	return true;
}

/* The next line off rest. False at the end, or at a piece without a newline (*torn is set then). */
static bool line_cut(struct sv *rest, struct sv *line, bool *torn)
{
	const char *nl = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;

	if (!nl) {
		*torn = rest->n > 0;
		return false;
	}
	*line = sv_n(rest->p, (size_t)(nl - rest->p));
	*rest = sv_n(nl + 1, rest->n - line->n - 1);
	return true;
}

static void reader_find_adopts(struct reader *r, struct sv rest)
{
	static const char mark[] = "\"kind\":\"adopt\"";
	struct journal_line l;
	const char *prev;
	bool torn;
	json_t *j;
	struct sv text;

	for (int64_t n = 1; line_cut(&rest, &text, &torn); n++) {
		if (text.n == 0 || !memmem(text.p, text.n, mark, sizeof(mark) - 1) ||
		    !line_parse(text, &j, &l, &prev))
			continue;
		if (!strcmp(l.kind, "adopt")) {
			mem_grow(&r->adopt, &r->cap_adopt, r->n_adopt + 1, sizeof(*r->adopt));
			r->adopt[r->n_adopt++] = (struct adopt){
				.line = n,
				.epoch = l.epoch,
				.parent_seq = json_int_opt(j, "parent_seq", l.seq - 1),
			};
		}
		json_decref(j);
	}
}

static bool reader_is_evidence(const struct reader *r, const struct journal_line *l)
{
	for (size_t i = 0; i < r->n_adopt; i++) {
		const struct adopt *a = &r->adopt[i];

		if (l->epoch < a->epoch && (r->file_line > a->line || l->seq > a->parent_seq))
			return true;
	}
	return false;
}

static struct epoch_tail *reader_tail(struct reader *r, int64_t epoch)
{
	for (size_t i = 0; i < r->n_tail; i++)
		if (r->tail[i].epoch == epoch)
			return &r->tail[i];
	return NULL;
}

static void reader_set_tail(struct reader *r, int64_t epoch, const char *hash)
{
	struct epoch_tail *t = reader_tail(r, epoch);

	if (!t) {
		mem_grow(&r->tail, &r->cap_tail, r->n_tail + 1, sizeof(*r->tail));
		t = &r->tail[r->n_tail++];
		t->epoch = epoch;
	}
	str_copy(t->hash, sizeof(t->hash), hash);
}

/* Compares a line with what must come next, and moves on to it. */
static void reader_judge(struct reader *r, struct journal_line *l, const char *prev)
{
	struct journal_check *c = &r->check;
	char hash[DIGEST_HEX_SIZE];

	digest_begin(r->digest);
	digest_add(r->digest, l->text.p, l->text.n);
	digest_end(r->digest, hash);
	l->evidence = reader_is_evidence(r, l);
	if (l->evidence) {
		const struct epoch_tail *t = reader_tail(r, l->epoch);

		if (!t || strcmp(prev, t->hash))
			reader_broken(r, "it does not follow the last line of its epoch");
		c->evidence++;
	} else {
		if (strcmp(prev, c->head))
			reader_broken(r, "the hash of the line before it does not fit");
		else if (l->seq != c->seq + 1)
			reader_broken(r, "its number does not follow the one before");
		else if (l->epoch < c->epoch)
			reader_broken(r, "its epoch is older than the one before");
		c->seq = l->seq;
		c->epoch = l->epoch;
		str_copy(c->head, sizeof(c->head), hash);
	}
	reader_set_tail(r, l->epoch, hash);
}

static int reader_line(struct reader *r, struct sv text,
		       int (*fn)(void *, const struct journal_line *, struct err *), void *arg,
		       struct err *e)
{
	struct journal_line l;
	const char *prev;
	json_t *json;
	int ret = 0;

	r->file_line++;
	if (text.n > JOURNAL_LINE_MAX) {
		reader_broken(r, "it is longer than any line we write");
		return 0;
	}
	if (!line_parse(text, &json, &l, &prev)) {
		r->check.torn_lines++;
		return 0;
	}
	r->check.lines++;
	reader_judge(r, &l, prev);
	if (fn)
		ret = fn(arg, &l, e);
	json_decref(json);
	return ret;
}

int journal_scan(struct sv text, int (*fn)(void *, const struct journal_line *, struct err *),
		 void *arg, struct journal_check *check, struct err *e)
{
	struct reader r = { .digest = digest_new() };
	size_t n = text.n;
	struct sv line;
	int ret = 0;

	memset(r.check.head, '0', DIGEST_HEX_SIZE - 1);
	reader_find_adopts(&r, text);
	while (!ret && line_cut(&text, &line, &r.check.torn))
		ret = reader_line(&r, line, fn, arg, e);
	r.check.bytes = n - text.n;
	if (!ret && check)
		*check = r.check;
	mem_free(r.tail);
	mem_free(r.adopt);
	digest_free(r.digest);
	return ret;
}

int journal_scan_on(struct sv text, int (*fn)(void *, const struct journal_line *, struct err *),
		    void *arg, struct journal_check *check, struct err *e)
{
	struct reader r = { .check = *check, .file_line = check->lines };
	struct sv line, rest;
	int ret = 0;

	if (check->broken || check->evidence > 0 || check->torn_lines > 0 || check->bytes > text.n)
		return 1;
	rest = sv_n(text.p + check->bytes, text.n - check->bytes);
	r.digest = digest_new();
	r.check.torn = false;
	reader_find_adopts(&r, rest);
	text = rest;
	while (!ret && r.n_adopt == 0 && line_cut(&rest, &line, &r.check.torn))
		ret = reader_line(&r, line, fn, arg, e);
	if (!ret &&
	    (r.n_adopt > 0 || r.check.broken || r.check.evidence > 0 || r.check.torn_lines > 0))
		ret = 1;
	r.check.bytes += text.n - rest.n;
	if (!ret)
		*check = r.check;
	mem_free(r.tail);
	mem_free(r.adopt);
	digest_free(r.digest);
	return ret;
}

int journal_read(const char *path, int (*fn)(void *, const struct journal_line *, struct err *),
		 void *arg, struct journal_check *check, struct err *e)
{
	struct strbuf text;
	int ret = -1;

	strbuf_init(&text, JOURNAL_FILE_MAX);
	if (fs_read(path, JOURNAL_FILE_MAX, &text, e))
		goto out;
	ret = journal_scan(strbuf_sv(&text), fn, arg, check, e);
out:
	strbuf_clear(&text);
	return ret;
}
