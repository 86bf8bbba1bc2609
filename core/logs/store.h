/* SPDX-License-Identifier: MIT */
/*
 * Followed logs in memory: compressed chunks, in the order in which they are to be read. Never on disk.
 *
 * Lines come merged from core/logs/merge.h. The open chunk is plain text; behind it, when lines do not come in a
 * burst, full ones (LOG_CHUNK_BYTES) are compressed with their tables of lines, and only counts and a filter for
 * searches stay outside. Held bytes are bounded: the oldest chunks
 * leave first and are counted. Any thread; the store has its own lock, which is never held while anything is
 * compressed, searched or waited for.
 *
 * A line has an address, struct log_pos, that stays the same while other lines come, go, or are put in before
 * it (a gap that was fetched).
 */
#ifndef LOGS_STORE_H
#define LOGS_STORE_H

#include "core/logs/record.h"

#define LOG_CHUNK_BYTES ((size_t)512 << 10)
#define LOG_SOURCES_MAX 64
#define LOG_STORE_DEFAULT_BYTES ((size_t)256 << 20)

#define LOG_GAP_OLDER "older lines not fetched"

enum log_kind {
	LOG_LINE,
	LOG_GAP, /* lines are missing here: text says why, and begins with LOG_GAP_OLDER when they can be fetched */
	LOG_NOTE /* something about the stream: "restarted", "reconnected, 0 lost" */
};

struct log_line {
	int64_t utc_ns; /* corrected by the host's skew */
	uint16_t source;
	uint8_t level, shape; /* enum log_level, enum log_shape */
	uint8_t kind;         /* enum log_kind */
	bool continues;       /* folds under the line of this source before it */
	bool late;            /* came when later ones had been shown already */
	bool is_err;
	uint64_t template; /* 32 bits of it are kept */
	struct sv text; /* as it came; a newline in it becomes a blank, and 16 MiB are the most */
};

struct log_pos {
	uint64_t chunk; /* 0: none. Order of chunks is not order of these numbers */
	uint32_t line;
};

struct log_store;
struct log_store *log_store_new(size_t max_bytes);
void log_store_free(struct log_store *s); /* nobody uses it any more. NULL is fine */

/* --- Sources ------------------------------------------------------------------------------------ */

enum log_source_state {
	LOG_SOURCE_OFF,
	LOG_SOURCE_CONNECTING,
	LOG_SOURCE_LIVE,
	LOG_SOURCE_ENDED,
	LOG_SOURCE_DOWN
};

struct log_source {
	char environment[64], service[64], host[64];
	bool is_protected;
	enum log_source_state state;
	struct err err; /* LOG_SOURCE_DOWN: why */
	int64_t skew_ms;
	bool skew_known;
	int64_t lines, bytes; /* taken in */
	int64_t lost;         /* lines known to be lost; the promise is 0 */
	bool lost_some;       /* and some that nobody could count */
	int64_t gaps;         /* rows of kind LOG_GAP that are still there */
	int64_t gap_utc_ns;   /* of the last one that was put in */
	int64_t last_utc_ns;
	double per_second; /* by the times of its lines, over the last few seconds; -1 not known yet */
};
/* Registers a source; -1 when there are LOG_SOURCES_MAX. The strings of about are copied. */
int log_store_source(struct log_store *s, const struct log_source *about);
size_t log_store_sources(struct log_store *s, struct log_source *out,
			 size_t max); /* copies; how many */
/* State, err, skew and lost of source i; the counts are kept by log_store_add. */
void log_store_source_state(struct log_store *s, int source, enum log_source_state state,
			    const struct err *why);
void log_store_source_skew(struct log_store *s, int source, int64_t skew_ms);
void log_store_source_lost(struct log_store *s, int source,
			   int64_t lines); /* added; -1: some, uncounted */

/* --- Lines -------------------------------------------------------------------------------------- */

/* Appends lines in the order given. Returns the position of the first of them (chunk 0 when n is 0). A continuation line
 * without a level gets that of its source's record. Does not wait, but packs chunks itself when too many wait for it. */
struct log_pos log_store_add(struct log_store *s, const struct log_line *line, size_t n);
/* Puts lines where the gap at pos is, instead of it; n may be 0. False when pos is no gap any more. All other positions
 * stay valid, and the gap's own leads to the first of the lines. */
bool log_store_fill(struct log_store *s, struct log_pos gap, const struct log_line *line, size_t n);
/* The line at pos without its text; false when it is there no more. */
bool log_store_row(struct log_store *s, struct log_pos pos, struct log_line *out);
/* Drops all lines; sources stay. Positions of before are no more. */
void log_store_empty(struct log_store *s);

/* The same, and the sources with what they lost too: nobody adds for them any more. */
void log_store_forget(struct log_store *s);

struct log_counts {
	uint64_t version; /* changes with every change */
	int64_t lines,
		level[LOG_LEVELS]; /* of kind LOG_LINE; a continuation line counts in no level */
	int64_t text_bytes;        /* of the lines held, as text */
	int64_t held_bytes;        /* of memory for them */
	int64_t evicted;           /* lines that left for room */
	int64_t first_utc_ns, last_utc_ns;
	int64_t lost;
	bool lost_some;
	int64_t gaps;
};
void log_store_counts(struct log_store *s, struct log_counts *out);

/* Lines by level in n columns of equal width between two times, levels of none and below info together at
 * INFO. Whole seconds: a column is at least one. */
void log_store_histogram(struct log_store *s, int64_t from_utc_ms, int64_t to_utc_ms, size_t n,
			 uint32_t (*column)[LOG_LEVELS]);

#endif
