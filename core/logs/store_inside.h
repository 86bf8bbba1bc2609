/* SPDX-License-Identifier: MIT */
/*
 * What core/logs/store*.c share, and what a query sees of a store.
 *
 * The store is a list of parts. A part is a range of lines of one chunk; usually all of them, but a gap that was
 * filled leaves two parts of its chunk with new chunks between them. A line keeps the number it has in its chunk,
 * so that struct log_pos stays valid, and nothing is compressed anew.
 */
#ifndef LOGS_STORE_INSIDE_H
#define LOGS_STORE_INSIDE_H

#include <pthread.h>

#include "core/logs/rate.h"
#include "core/logs/store_chunk.h"
#include "core/logs/store_times.h"

/* The lines of one chunk. refs counts the parts and whoever reads; the rest is under the store's lock, except
 * what plain and packed point to. */
struct chunk {
	atomic_int refs;
	uint64_t id;
	uint32_t lines; /* that may be read */
	uint32_t parts; /* of it that are in the list */
	size_t bytes;   /* counted in chunk_bytes */
	bool open, queued;
	struct plain *plain; /* until it is packed */
	struct packed *packed;
	struct chunk *next_waiting;
};

struct part_stats {
	int64_t lines, text_bytes, gaps;
	int64_t level[LOG_LEVELS];
	int64_t first_utc_ns, last_utc_ns; /* the least and the greatest; 0 none has one */
};

/* Lines from..to of a chunk; to is not yet known (LINES_OPEN) while lines are added to it. */
#define LINES_OPEN UINT32_MAX
struct part {
	atomic_int refs;
	struct chunk *chunk;
	uint64_t id;             /* of the chunk */
	uint32_t from, to;       /* to: under the store's lock */
	bool gone;               /* left the list; under the store's lock */
	struct part_stats stats; /* under the store's lock */
};

/* Woken when something changed: written to once after it was armed. */
struct store_watch {
	atomic_bool armed;
	int fd; /* eventfd */
	struct store_watch *next;
};

struct source {
	struct log_source about;
	struct log_rate rate;
};

struct log_store {
	/* Held while lines are put in; taken before lock. Guards what only who adds needs. */
	pthread_mutex_t add_lock;
	uint64_t next_id;
	uint8_t level_of_source
		[LOG_SOURCES_MAX]; /* of its last record: its continuation lines have it too */
	struct part *open;         /* the last part, while it is added to; or NULL */

	/* Held by who takes lines out, until they are counted out too. After add_lock, before lock. */
	pthread_mutex_t out_lock;

	pthread_mutex_t lock; /* never held for more than a look or a few numbers */
	pthread_cond_t work;
	struct part **part; /* [first..n) */
	size_t first, n, cap;
	uint64_t left_front; /* how many parts were ever taken from the front */
	uint64_t shuffled;   /* counts changes other than at the ends */
	uint64_t version;
	struct source source[LOG_SOURCES_MAX];
	size_t n_source;
	struct part_stats sum;
	int64_t evicted, lost;
	bool lost_some;
	int64_t chunk_bytes; /* of all chunks, plain or packed */
	size_t max_bytes;
	struct chunk *waiting, **waiting_end; /* full, to be packed */
	size_t waiting_bytes;                 /* of room for text in them */
	size_t lag_bytes;                     /* so many may wait for a quiet moment */
	int64_t queued_ms;                    /* when one came last */
	struct plain *spare[4];
	struct zip *zips[4];
	struct store_watch *watch;
	bool ending;

	struct times times;
	pthread_t packer;
};

/* --- For queries ---------------------------------------------------------------------------------- */

void store_watch_add(struct log_store *s, struct store_watch *w);
void store_watch_remove(struct log_store *s, struct store_watch *w);

struct part *part_hold(struct part *p);
void part_drop(struct part *p);
struct chunk *chunk_hold(struct chunk *c);
void chunk_drop(struct chunk *c);

/* How much of the list somebody knows. All zero: nothing. */
struct store_view {
	uint64_t version, left_front, shuffled;
	size_t n; /* parts */
};
/* What changed since *v: *dropped parts have left at the front (or everything is told anew), and add gets the last
 * part that was known again, since it may have grown, and each new one behind it; to is the end of its range as it
 * is now. add is called under the store's lock. Then *v is up to date. False: nothing changed. */
bool store_changes(struct log_store *s, struct store_view *v, bool *anew, size_t *dropped,
		   void (*add)(void *arg, struct part *p, uint32_t to), void *arg);
/* The tables want of a chunk: its own ones while it is plain (*held, to be given back), else they are unpacked into
 * own. The caller holds the chunk. */
const struct plain *chunk_read(struct log_store *s, struct chunk *c, unsigned want, struct zip *z,
			       struct plain *own, struct plain **held);
void store_plain_back(struct log_store *s, struct plain *p); /* NULL is fine */
/* What it is packed to, borrowed from the chunk; NULL while it is plain. */
const struct packed *chunk_packed(struct log_store *s, struct chunk *c);

/* --- Within the store ------------------------------------------------------------------------------ */

/* What lines put in add up to, before it is told to others. */
struct tally {
	struct part_stats stats;
	uint64_t touched; /* sources with … */
	int64_t lines[LOG_SOURCES_MAX], bytes[LOG_SOURCES_MAX], gaps[LOG_SOURCES_MAX],
		gap_utc_ns[LOG_SOURCES_MAX], last_utc_ns[LOG_SOURCES_MAX];
	int64_t second;
	int32_t in_second[LOG_LEVELS];
	/* Lines by source in one second, for its rate; not of lines that were fetched for a gap. */
	bool rated;
	uint64_t came_of;
	int64_t came_second, came[LOG_SOURCES_MAX];
};
void stats_line(struct part_stats *st, const struct log_line *l);
void stats_add(struct part_stats *st, const struct part_stats *more, int sign);
/* Puts l behind the n lines of p when it fits. */
bool store_put(struct log_store *s, struct part *p, uint32_t *n, const struct log_line *l,
	       uint8_t level_of_source[LOG_SOURCES_MAX], struct tally *t);
/* The tally to the sources and sums; lock is held. The seconds were given before by tally_seconds, without it. */
void tally_seconds(struct log_store *s, struct tally *t);
void tally_give(struct log_store *s, struct tally *t);

/* A part of a new chunk with room for a line of so many bytes; not in the list. */
struct part *part_begin(struct log_store *s, size_t text_bytes);
/* Of a chunk whose lines are complete: into the queue of those to be packed. lock is held. */
void store_queue(struct log_store *s, struct chunk *c);
void chunk_set_bytes(struct log_store *s, struct chunk *c, size_t bytes); /* lock is held */
/* Nothing is added to the open chunk any more. add_lock is held. */
void store_seal(struct log_store *s);
/* Packs one of the chunks that wait; false when there is none. */
bool store_pack_one(struct log_store *s);
/* While too many chunks wait to be packed whoever adds helps: memory is bounded, and nobody waits. No lock is held. */
void store_help(struct log_store *s);
/* Takes the oldest parts out until the rest fits. */
void store_evict(struct log_store *s);
void store_wake(struct log_store *s); /* lock is held */

#endif
