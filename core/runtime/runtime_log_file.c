/* SPDX-License-Identifier: MIT */
/*
 * What the script of runtime_process_scripts.c prints of a log file: lines of its own, and between them as many raw
 * bytes of the log as such a line announced. The log cannot forge a line of the script, because nobody looks for
 * one inside of announced bytes.
 *
 *	data INODE OFFSET LENGTH MARK	LENGTH bytes of the file follow
 *	pad N				the last N of them were none: the file was cut while it was read
 *	lost				something cannot be had any more
 *	end				all of it
 *	error WORD			missing, unreadable, irregular, dd
 *
 * The script has promised LENGTH before it read. When the file is shorter by then it fills up with zeroes and says
 * so behind them, so zeroes at the end of a piece wait for the next line of the script.
 */
#include "core/runtime/runtime_log.h"

#include <string.h>

enum { FILE_HEAD, FILE_DATA };

static const struct {
	const char *word;
	enum err_code code;
	const char *detail, *hint;
} troubles[] = {
	{ "missing", ERR_NOT_FOUND, "there is no such file",
	  "compare log_file of the service with what it writes" },
	{ "unreadable", ERR_REFUSED, "we may not read it",
	  "let the user of the ssh connection read log_file and its folder" },
	{ "irregular", ERR_UNSUPPORTED, "it is no regular file",
	  "let log_file name a file the service appends to" },
	{ "dd", ERR_UNSUPPORTED, "dd there does not say how many bytes it copied",
	  "install coreutils or busybox on that host" },
};

static int trouble(struct sv word, struct err *e)
{
	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++) {
		if (!sv_eq_str(word, troubles[i].word))
			continue;
		err_set(e, troubles[i].code, "cannot read the log file");
		err_detail(e, "%s", troubles[i].detail);
		return err_hint(e, "%s", troubles[i].hint);
	}
	err_set(e, ERR_INPUT, "cannot read the log file");
	return err_detail(e, "the script on the host says: %.*s", (int)(word.n > 80 ? 80 : word.n),
			  word.p);
}

/* Bytes of the log, without the zeroes that may be padding. */
static void text(struct runtime_log *l, struct sv b)
{
	struct log_open *o = &l->stream[0];

	while (b.n > 0) {
		const char *newline = memchr(b.p, '\n', b.n);
		size_t n = newline != NULL ? (size_t)(newline - b.p) : b.n;

		if (!o->open)
			runtime_log_begin(l, o, 0);
		runtime_log_add(l, o, sv_n(b.p, n), newline != NULL);
		if (newline != NULL)
			n++;
		l->at += n;
		if (!o->open)
			l->point.offset = l->at;
		b = sv_n(b.p + n, b.n - n);
	}
}

static void held_text(struct runtime_log *l)
{
	static const char zeroes[4096];

	while (l->held > 0) {
		size_t n = l->held < sizeof(zeroes) ? (size_t)l->held : sizeof(zeroes);

		text(l, sv_n(zeroes, n));
		l->held -= n;
	}
}

static void piece(struct runtime_log *l, struct sv b)
{
	size_t n = b.n;

	while (n > 0 && b.p[n - 1] == '\0')
		n--;
	if (n > 0) {
		held_text(l);
		text(l, sv_n(b.p, n));
	}
	l->held += b.n - n;
}

static bool next_int(struct sv *rest, int64_t *out)
{
	struct sv word;

	return sv_cut(rest, ' ', &word) && sv_int(word, 0, INT64_MAX, out);
}

/* Another file, or the same from its beginning: what was open has ended. */
static void moved(struct runtime_log *l, uint64_t inode, int64_t offset)
{
	if (l->any && l->inode == inode && l->at == offset)
		return;
	runtime_log_finish(l, &l->stream[0]);
	l->any = true;
	l->inode = inode;
	l->at = offset;
	l->point.inode = inode;
	l->point.offset = offset;
	l->point.cursor[0] = '\0';
}

static int head_line(struct runtime_log *l, struct err *e)
{
	struct sv line = sv_of(l->head), rest = line, word;
	int64_t inode, offset, length;

	if (!sv_cut(&rest, ' ', &word))
		return trouble(line, e);
	if (sv_eq_str(word, "pad")) {
		if (!next_int(&rest, &length) || (uint64_t)length > l->held)
			return trouble(line, e);
		l->held -= (uint64_t)length;
		held_text(l);
		return 0;
	}
	held_text(l);
	if (sv_eq_str(word, "data")) {
		if (!next_int(&rest, &inode) || !next_int(&rest, &offset) ||
		    !next_int(&rest, &length) || rest.n == 0 || rest.n >= sizeof(l->point.cursor))
			return trouble(line, e);
		moved(l, (uint64_t)inode, offset);
		if (!sv_eq_str(rest, "-"))
			str_copy_sv(l->point.cursor, sizeof(l->point.cursor), rest);
		l->left = (uint64_t)length;
		l->state = length > 0 ? FILE_DATA : FILE_HEAD;
		return 0;
	}
	if (sv_eq_str(word, "lost")) {
		runtime_log_finish(l, &l->stream[0]);
		runtime_log_lose(l, -1);
		return 0;
	}
	if (sv_eq_str(word, "end"))
		return 0;
	return trouble(sv_eq_str(word, "error") ? rest : line, e);
}

int runtime_log_feed_file(struct runtime_log *l, struct sv b, struct err *e)
{
	while (b.n > 0) {
		size_t n;
		int got;

		if (l->state == FILE_HEAD) {
			got = runtime_log_head(l, &b);
			if (got < 0)
				return trouble(sv_n(l->head, l->n_head), e);
			if (got > 0 && head_line(l, e) != 0)
				return -1;
			continue;
		}
		n = l->left < b.n ? (size_t)l->left : b.n;
		piece(l, sv_n(b.p, n));
		b = sv_n(b.p + n, b.n - n);
		l->left -= n;
		if (l->left == 0)
			l->state = FILE_HEAD;
	}
	return 0;
}

void runtime_log_end_file(struct runtime_log *l)
{
	held_text(l);
	runtime_log_finish(l, &l->stream[0]);
	if (l->any)
		l->point.offset = l->at;
}
