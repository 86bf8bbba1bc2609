/* SPDX-License-Identifier: MIT */
/*
 * Inside core/logs: a follower. follow.c decides what is asked for and when, follow_stream.c carries one stream of
 * a log into the merge, follow_fetch.c gets what is missing at a gap, follow_ask.c asks the runtime.
 */
#ifndef LOGS_FOLLOW_OWN_H
#define LOGS_FOLLOW_OWN_H

#include <pthread.h>

#include "core/host/http.h"
#include "core/logs/follow.h"

#define FOLLOW_NS_PER_MS 1000000
#define FOLLOW_ASK_MS 20000     /* a runtime has so long to answer a question */
#define FOLLOW_ERROR_MAX 16384  /* of the words with which a stream is refused */
#define FOLLOW_GAPS_MAX 64      /* that can be fetched, the newest */
#define FOLLOW_FETCH_LINES 2000 /* at once */

/* "Older lines were not fetched": what is needed to fetch them. Stamps are as the runtime gave them. */
struct follow_gap {
	int64_t row_ns;   /* the time of its row in the store, which names it */
	int64_t first_ns; /* of the first line behind it; before one has come: when it was asked */
	uint32_t first_same; /* lines with that stamp that were taken in a row */
	uint64_t first_hash; /* of that line's text */
	bool has_first;
	int64_t behind; /* how many lines had been taken when it came */
	char id[72];    /* of the container */
	bool tty;
};

/* Lines on their way to the merge, or kept until it is known what stands before them. */
struct follow_batch {
	struct log_line *line;
	size_t cap;
	int64_t *raw_ns; /* their times before the correction */
	size_t raw_cap;
	size_t n;
	struct strbuf text; /* of all; line[].text.p is set by follow_batch_seal */
};

struct follower {
	struct follow_spec spec;
	const struct runtime_ops *ops;
	bool is_container; /* an engine is asked by HTTP; the log ends with the container */
	pthread_t thread;
	struct cancel stop;
	atomic_bool ended;
	atomic_llong taken; /* lines of this container's or unit's log, given to the merge */

	/* Of its thread. */
	struct http_client *http;
	struct runtime_log_point point; /* behind the last line taken */
	bool read_once; /* the past was read: the point is where to go on, or nothing came */
	bool fresh;     /* a replacement: all of its log is new */
	bool complete;  /* it does not run, and its log was read to the end */
	struct runtime_unit unit; /* as it was seen last; id "": none yet */
	bool missing;             /* a stream broke, and what came behind that was not read yet */
	bool gone;                /* it was told that there is none (any more) */
	int64_t cut_ms;           /* when what worked broke (CLOCK_MONOTONIC); 0: it works */
	int64_t lost_since_cut;   /* lines; -1 some */
	int64_t last_utc_ns;      /* time of the last line or row */
	int64_t skew_ms;          /* as the store was told */
	int64_t pause_ms;         /* the next wait, growing */
	int tries;                /* without follow: how often it broke */
	bool down;
	bool woken; /* the last wait ended because the host was back */
	struct follow_batch batch;
	bool hold;     /* the batch is kept until it is known whether older lines were left out */
	bool older;    /* they were */
	bool row_made; /* and it was said */
	bool gap_open; /* the row that was made waits for the first lines behind it */
	int64_t gap_row_ns;
	int64_t got; /* lines that the runtime gave, of the past that is read */

	struct host_watch watch;
	int back_fd; /* eventfd: the host is back */

	pthread_mutex_t lock;        /* guards what follows */
	enum log_source_state state; /* of the source, but for its host's silence */
	struct err state_err;
	bool silent;
	struct follow_gap gap[FOLLOW_GAPS_MAX];
	size_t n_gap;
	struct log_pos wanted[FOLLOW_GAPS_MAX]; /* rows to fetch */
	size_t n_wanted;
	pthread_t fetch_thread;
	bool fetch_thread_made, fetch_runs;
};

/* Starts a thread of f; an errno, 0 when it runs. */
int follow_thread(pthread_t *out, void *(*fn)(void *), struct follower *f);

/* --- follow_ask.c --------------------------------------------------------------------------- */

/* The unit of the service as it is now, or that of id. A unit that is not there is UNIT_ABSENT. */
int follow_inspect(struct follower *f, struct http_client *http, const char *id,
		   struct runtime_unit *out, struct err *e) MUST_CHECK;
/* The connection did not come about: e gets the runtime's own reason, where it has one. */
void follow_why(struct follower *f, struct http_client *http, struct err *e);
/* Whether the engine or the host went away or was silent. */
bool follow_is_lost(const struct err *e);

/* --- follow_stream.c ------------------------------------------------------------------------ */

enum follow_end {
	FOLLOW_WHOLE,  /* all of it came */
	FOLLOW_CUT,    /* it broke off */
	FOLLOW_MISSED, /* the point that was sought is not in it */
	FOLLOW_REFUSED /* it did not come, or cannot be read */
};

/* Where the lines of a stream go. */
struct follow_sink {
	/* raw_ns is the time before it was corrected. */
	void (*line)(void *arg, const struct log_line *line, int64_t raw_ns);
	/* Behind a piece of the stream. point is NULL while the one that is sought has not come. */
	void (*piece)(void *arg, const struct runtime_log_point *point);
	void (*lost)(void *arg, int64_t lines); /* before the next line; -1: some */
	void (*began)(void *arg);               /* the runtime accepted; may be NULL */
	void *arg;
};

struct follow_request {
	struct runtime_args args; /* what the runtime is asked for */
	/* Not NULL: the stream begins somewhere before this point, by the runtime's stamps, and what is not
	 * behind it is passed over. */
	const struct runtime_log_point *seek;
	struct follow_sink sink;
	struct http_client *http;
	bool past; /* lines without a time are as old as the one before them */
	bool ends; /* with the stream's end the log ends too: what stands there without a newline is a line */
};

/* Carries one stream to its end. FOLLOW_REFUSED and FOLLOW_CUT fill e. */
enum follow_end follow_stream(struct follower *f, const struct follow_request *r, struct err *e);
/* The clock of its host minus ours, as it was measured; 0 unknown. */
int64_t follow_skew_ms(struct follower *f, bool *known);

/* --- follow_fetch.c ------------------------------------------------------------------------- */

/* A row of that time is about to go into the store; what comes behind it is told to follow_gap_line. */
void follow_gap_add(struct follower *f, const struct follow_gap *g);
void follow_gap_line(struct follower *f, int64_t raw_ns, struct sv text);
/* Ends the fetching thread. */
void follow_fetch_stop(struct follower *f);

/* --- Batches, in follow_stream.c -------------------------------------------------------------- */

void follow_batch_add(struct follow_batch *b, const struct log_line *line, int64_t raw_ns);
/* Points the lines at their texts. */
void follow_batch_seal(struct follow_batch *b);
void follow_batch_reset(struct follow_batch *b);
void follow_batch_clear(struct follow_batch *b);

#endif
