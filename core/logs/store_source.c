/* SPDX-License-Identifier: MIT */
/* The sources of a store. Each call takes the lock for a copy. */
#include <string.h>

#include "core/base/clock.h"
#include "core/logs/store_inside.h"

int log_store_source(struct log_store *s, const struct log_source *about)
{
	int i = -1;

	pthread_mutex_lock(&s->lock);
	if (s->n_source < LOG_SOURCES_MAX) {
		i = (int)s->n_source++;
		memset(&s->source[i], 0, sizeof(s->source[i]));
		s->source[i].about = *about;
		store_wake(s);
	}
	pthread_mutex_unlock(&s->lock);
	return i;
}

void log_store_forget(struct log_store *s)
{
	log_store_empty(s);
	pthread_mutex_lock(&s->lock);
	s->n_source = 0;
	/* They were of lines that nobody looks at any more. */
	s->lost = s->evicted = 0;
	s->lost_some = false;
	store_wake(s);
	pthread_mutex_unlock(&s->lock);
}

size_t log_store_sources(struct log_store *s, struct log_source *out, size_t max)
{
	int64_t utc_ms = clock_utc_ms(), mono_ms = clock_mono_ms();
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = s->n_source < max ? s->n_source : max;
	for (size_t i = 0; i < n; i++) {
		out[i] = s->source[i].about;
		out[i].per_second = log_rate_now(&s->source[i].rate, utc_ms, mono_ms);
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* The source, with lock taken; NULL when there is none of that number. */
static struct log_source *begin(struct log_store *s, int source)
{
	pthread_mutex_lock(&s->lock);
	return source >= 0 && (size_t)source < s->n_source ? &s->source[source].about : NULL;
}

static void end(struct log_store *s)
{
	store_wake(s);
	pthread_mutex_unlock(&s->lock);
}

void log_store_source_state(struct log_store *s, int source, enum log_source_state state,
			    const struct err *why)
{
	struct log_source *src = begin(s, source);

	if (src != NULL) {
		src->state = state;
		if (state == LOG_SOURCE_LIVE)
			log_rate_begin(&s->source[source].rate, clock_mono_ms());
		if (why != NULL)
			src->err = *why;
		else
			err_clear(&src->err);
	}
	end(s);
}

void log_store_source_skew(struct log_store *s, int source, int64_t skew_ms)
{
	struct log_source *src = begin(s, source);

	if (src != NULL) {
		src->skew_ms = skew_ms;
		src->skew_known = true;
	}
	end(s);
}

void log_store_source_lost(struct log_store *s, int source, int64_t lines)
{
	struct log_source *src = begin(s, source);

	if (lines < 0) {
		s->lost_some = true;
		if (src != NULL)
			src->lost_some = true;
	} else {
		s->lost += lines;
		if (src != NULL)
			src->lost += lines;
	}
	end(s);
}
