/* SPDX-License-Identifier: MIT */
/*
 * Inside core/runtime: a log stream on its way to lines. runtime_log.c has what the kinds share, each kind of
 * stream is one file with one feed function. Included by core/runtime only.
 */
#ifndef RUNTIME_RUNTIME_LOG_H
#define RUNTIME_RUNTIME_LOG_H

#include "core/runtime/runtime_inside.h"

#define LOG_HEAD_MAX 512                 /* a line of our script's, a stamp */
#define LOG_FRAME_MAX ((size_t)4 << 20)  /* one frame of an engine */
#define LOG_ENTRY_MAX ((size_t)32 << 20) /* one journal entry as JSON */
#define LOG_STREAMS 2

/* A line that is not complete yet, of one stream. */
struct log_open {
	struct strbuf text;
	int64_t utc_ns;
	int priority;
	bool is_err;
	bool open;    /* it has begun */
	bool decided; /* whether it is passed over */
	bool skip;
	bool early; /* … because it came before the line that the point names */
};

struct runtime_log {
	int (*feed)(struct runtime_log *l, struct sv bytes, struct err *e);
	void (*end)(struct runtime_log *l); /* what is left of the stream to text; NULL: nothing */
	enum runtime_kind kind;
	void (*line)(void *arg, const struct runtime_line *); /* during a feed */
	void *arg;
	struct log_open stream[LOG_STREAMS];
	struct runtime_log_point point; /* of a journal and of a file; high_ns of all */
	struct log_place {
		int64_t utc_ns;
		uint32_t n; /* whole lines since, with its own; 0: there is no such place */
	} now, before;      /* engines: where the log could be asked from */
	int64_t lost;

	/* Passing over what was seen. */
	bool skipping, anchored;
	bool near; /* a line came that is younger than the point's, and known */
	bool seeking, older,
		missed; /* runtime_log_seek; a line before the point came; it is not in it */
	struct runtime_log_point from;
	uint32_t same_left;
	int64_t slack_ns; /* the runtime may give lines that much older than it was asked for */

	/* Of the kind: where it is in the stream. */
	int state;
	char head[LOG_HEAD_MAX];
	size_t n_head;
	struct strbuf part; /* of a frame, of a line of JSON */
	/* Bytes to come of the frame, of the piece of a file, of the part of a line. */
	uint64_t left;
	uint64_t held;  /* log file: zeroes at the end of what came, which may be padding */
	uint64_t inode; /* log file: whose bytes come */
	int64_t at;     /* … and the offset of the next one */
	bool any;       /* something could be read */
};

int runtime_log_feed_frames(struct runtime_log *l, struct sv bytes, struct err *e) MUST_CHECK;
int runtime_log_feed_tty(struct runtime_log *l, struct sv bytes, struct err *e) MUST_CHECK;
void runtime_log_end_tty(struct runtime_log *l);
int runtime_log_feed_journal(struct runtime_log *l, struct sv bytes, struct err *e) MUST_CHECK;
int runtime_log_feed_file(struct runtime_log *l, struct sv bytes, struct err *e) MUST_CHECK;
void runtime_log_end_file(struct runtime_log *l);

/* A line of o begins. */
void runtime_log_begin(struct runtime_log *l, struct log_open *o, int64_t utc_ns);
/* Appends text, which has no newline in it, to the line of o that has begun. last ends the line. */
void runtime_log_add(struct runtime_log *l, struct log_open *o, struct sv text, bool last);
/* Ends the line of o, if one is open. */
void runtime_log_finish(struct runtime_log *l, struct log_open *o);
/* n lines will not come; negative: some. */
void runtime_log_lose(struct runtime_log *l, int64_t n);
/* Takes bytes up to and with a newline into l->head. 1: it is whole, without newline and NUL-terminated; 0: more is
 * wanted; -1: it is too long. *bytes is what is left. */
int runtime_log_head(struct runtime_log *l, struct sv *bytes);

#endif
