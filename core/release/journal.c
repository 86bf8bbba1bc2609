/* SPDX-License-Identifier: MIT */
/*
 * Writing a journal.
 *
 * A line is one write(2) to a descriptor opened with O_APPEND, so that two runners of one run (the
 * old one was stopped, the new one took over) cannot tear each other's lines. The writer knows the
 * hash and number of its own last line and never reads the file again after opening it: what another
 * runner appends in between is not its business, the reader sorts it out by epoch.
 *
 * Nothing is ever cut off the file while its chain holds. When the last write did not reach its
 * newline (power, a full disk), the next line is preceded by " torn" and a newline: what stood
 * there is then no JSON, whatever it was, and the chain goes on from the last whole line.
 */
#include "core/release/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/secret.h"

struct journal {
	int fd;
	char *path;
	int64_t seq, epoch;
	char head[DIGEST_HEX_SIZE]; /* of our own last line */
	bool torn;                  /* the file does not end in a newline, or may not */
	struct digest *digest;
	struct strbuf line; /* the line being written; memory is kept */
};

static const char torn_mark[] = " torn\n";

/* Where the chain of an existing file stands. */
static int journal_find_end(struct journal *j, struct err *e)
{
	struct journal_check check;

	if (journal_read(j->path, NULL, NULL, &check, e))
		return -1;
	if (check.broken) {
		err_set(e, ERR_CORRUPT, "the journal is damaged: %s", j->path);
		return err_detail(e, "line %lld: %s", (long long)check.broken_line,
				  check.broken_why);
	}
	j->seq = check.seq;
	j->torn = check.torn;
	str_copy(j->head, sizeof(j->head), check.head);
	return 0;
}

int journal_open(const char *path, bool create, int64_t epoch, struct journal **out, struct err *e)
{
	int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT | O_EXCL : 0);
	struct journal *j = mem_calloc(1, sizeof(*j));

	j->path = mem_strdup(path);
	j->epoch = epoch;
	j->digest = digest_new();
	strbuf_init(&j->line, JOURNAL_LINE_MAX);
	memset(j->head, '0', DIGEST_HEX_SIZE - 1);
	j->fd = open(path, flags, 0600);
	if (j->fd < 0) {
		err_sys(e, errno, "cannot open journal %s", path);
		goto fail;
	}
	if (!create && journal_find_end(j, e))
		goto fail;
	*out = j;
	return 0;
fail:
	journal_close(j);
	return -1;
}

int journal_cut_damage(const char *path, struct err *e)
{
	struct journal_check check;
	struct strbuf text, aside;
	struct sv rest, line;
	size_t kept = 0;
	int ret = -1;

	strbuf_init(&text, JOURNAL_FILE_MAX);
	strbuf_init(&aside, STRBUF_NO_LIMIT);
	strbuf_addf(&aside, "%s.damaged", path);
	if (journal_read(path, NULL, NULL, &check, e))
		goto out;
	if (check.broken) {
		unlink(strbuf_str(&aside)); /* of a try that did not get to the replacing below */
		if (fs_read(path, JOURNAL_FILE_MAX, &text, e) ||
		    fs_copy(path, strbuf_str(&aside), 0600, e))
			goto out;
		rest = strbuf_sv(&text);
		for (int64_t n = 1; n < check.broken_line && sv_cut(&rest, '\n', &line); n++)
			kept += line.n + 1;
		if (fs_replace(path, text.data, kept, 0600, e))
			goto out;
	}
	ret = 0;
out:
	strbuf_clear(&text);
	strbuf_clear(&aside);
	return ret;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	if (j->fd >= 0)
		close(j->fd);
	strbuf_clear(&j->line);
	digest_free(j->digest);
	mem_free(j->path);
	mem_free(j);
}

void journal_set_epoch(struct journal *j, int64_t epoch)
{
	j->epoch = epoch;
}

int64_t journal_seq(const struct journal *j)
{
	return j->seq;
}

const char *journal_head(const struct journal *j)
{
	return j->head;
}

/* Words of the journal itself, and names that others find their way by. */
static bool is_own_key(const char *key)
{
	static const char *const keys[] = {
		"boot", "code", "do",   "environment", "from",  "mode",  "name", "operation",
		"plan", "prev", "kind", "parent_hash", "state", "until", "verb", "who",
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(key, keys[i]))
			return true;
	return false;
}

static void redact_text(json_t *v)
{
	struct strbuf text;

	strbuf_init(&text, STRBUF_NO_LIMIT);
	strbuf_adds(&text, json_string_value(v));
	if (secret_redact(&text))
		json_string_set(v, strbuf_str(&text));
	secret_clear_buf(&text);
}

/* Takes secrets out of every text in v: what engines, tools and people say may have one. */
static void journal_redact(json_t *v)
{
	const char *key;
	json_t *one;
	size_t i;

	if (json_is_string(v))
		redact_text(v);
	json_array_foreach(v, i, one) journal_redact(one);
	json_object_foreach(v, key, one) if (!is_own_key(key)) journal_redact(one);
}

/* The line without its newline into j->line; returns the offset it starts at. */
static size_t journal_compose(struct journal *j, const char *kind, int step, const json_t *fields)
{
	char at[CLOCK_TEXT_SIZE];
	size_t start, inner;

	strbuf_reset(&j->line);
	if (j->torn)
		strbuf_adds(&j->line, torn_mark);
	start = j->line.len;
	strbuf_addf(&j->line,
		    "{\"seq\":%lld,\"epoch\":%lld,\"at\":\"%s\",\"prev\":\"%s\",\"kind\":\"%s\"",
		    (long long)j->seq + 1, (long long)j->epoch, clock_iso_ms(clock_utc_ms(), at),
		    j->head, kind);
	if (step > 0)
		strbuf_addf(&j->line, ",\"step\":%d", step);
	inner = j->line.len;
	if (fields && json_object_size(fields) > 0) {
		json_write(&j->line, fields);
		/* The brace that opens the fields becomes the comma that joins them. */
		if (strbuf_ok(&j->line))
			j->line.data[inner] = ',';
	} else {
		strbuf_addc(&j->line, '}');
	}
	return start;
}

int journal_add(struct journal *j, const char *kind, int step, json_t *fields, bool sync,
		struct strbuf *line, struct err *e)
{
	char head[DIGEST_HEX_SIZE];
	size_t start, n;

	journal_redact(fields);
	start = journal_compose(j, kind, step, fields);
	n = j->line.len - start;
	strbuf_addc(&j->line, '\n');
	if (!strbuf_ok(&j->line))
		return err_set(e, ERR_LIMIT, "a journal line would be longer than %zu bytes",
			       JOURNAL_LINE_MAX);
	digest_begin(j->digest);
	digest_add(j->digest, j->line.data + start, n);
	digest_end(j->digest, head);
	if (fs_write_all(j->fd, j->line.data, j->line.len, j->path, e)) {
		j->torn = true; /* a part of it may be there */
		return err_wrap(e, "cannot write the journal");
	}
	/* The line is in the file from here on, whether or not it is on the disk yet. */
	j->torn = false;
	j->seq++;
	str_copy(j->head, sizeof(j->head), head);
	if (sync && fdatasync(j->fd))
		return err_sys(e, errno, "cannot write journal %s to disk", j->path);
	if (line)
		strbuf_add(line, j->line.data + start, n);
	return 0;
}
