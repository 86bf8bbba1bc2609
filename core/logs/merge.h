/* SPDX-License-Identifier: MIT */
/*
 * Lines of several sources in the order of their times, into a store.
 *
 * While a source is catching up with its past, the others wait at its time (for at most LOG_MERGE_CATCH_UP_MS
 * without a line of it), so that history comes out merged however fast each side delivers. Live lines wait
 * LOG_MERGE_WINDOW_MS for earlier ones of others; what comes later than that is put in where it arrives and
 * marked late: history is not rewritten. Within a source order is never changed. Nothing is dropped: when
 * LOG_MERGE_MAX_BYTES wait, the oldest go out without waiting longer. A source that is alone waits for nobody.
 */
#ifndef LOGS_MERGE_H
#define LOGS_MERGE_H

#include "core/logs/store.h"

#define LOG_MERGE_WINDOW_MS 300
#define LOG_MERGE_CATCH_UP_MS 2000
#define LOG_MERGE_MAX_BYTES ((size_t)32 << 20)

struct log_merge;
/* grew (may be NULL) is called from any thread when lines went into the store. */
struct log_merge *log_merge_new(struct log_store *s, void (*grew)(void *arg), void *arg);
/* The same to a function instead of a store: it gets the lines in their order, from one thread at a time; texts
 * are borrowed for the call. */
struct log_merge *log_merge_new_to(void (*out)(void *arg, const struct log_line *line, size_t n),
				   void *arg);
/* What waits goes out first. Nobody adds any more. NULL is fine. */
void log_merge_free(struct log_merge *m);

/* How long others wait for a source that catches up and is silent; LOG_MERGE_CATCH_UP_MS unless told. With
 * WAIT_FOREVER (core/base/cancel.h) the order is kept whatever it costs: when LOG_MERGE_MAX_BYTES wait, who
 * adds waits too. Any thread, any time. */
void log_merge_patience(struct log_merge *m, int64_t ms);

/* source begins (again) to deliver its past / is live from here / has nothing to wait for. Any thread. Whoever
 * starts several sources says of all of them that they catch up before the first one starts. */
void log_merge_catching_up(struct log_merge *m, int source);
void log_merge_live(struct log_merge *m, int source);
void log_merge_ended(struct log_merge *m, int source);
/* line[].source is source; texts are copied. Any thread, one thread a source. */
void log_merge_add(struct log_merge *m, int source, const struct log_line *line, size_t n);
/* Everything that waits goes out in order now. */
void log_merge_flush(struct log_merge *m);
/* The same, and what was delivered before counts no more: the next lines are a past that is read anew. No source
 * is started. */
void log_merge_restart(struct log_merge *m);

#endif
