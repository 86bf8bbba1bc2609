/* SPDX-License-Identifier: MIT */
/* What a line of a log says of itself: time, level, whether it goes on with the one before. Pure. */
#ifndef LOGS_RECORD_H
#define LOGS_RECORD_H

#include "core/base/str.h"

enum log_level {
	LOG_LEVEL_NONE,
	LOG_LEVEL_TRACE,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARN,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_FATAL,
	LOG_LEVELS
};
const char *log_level_name(enum log_level l); /* "ERROR"; "" for none */
/* "warn", "WARNING", "err", "E"…; -1. */
int log_level_of(struct sv word);

enum log_shape { LOG_TEXT, LOG_JSON, LOG_LOGFMT };

struct log_record {
	enum log_level level;
	enum log_shape shape;
	bool continues; /* belongs to the record before it: indented, "at …", "Caused by", a JSON body … */
	int64_t utc_ns; /* a time in the text; 0 none. Without a zone it is UTC */
	size_t body;    /* where the message begins behind time and level; for shapes of fields 0 */
	uint64_t template; /* hash of the message with numbers, ids, quoted words taken out: equal for repeats */
};
/* priority: syslog's, -1 none. Any bytes. */
void log_record_read(struct sv line, int priority, struct log_record *out);

/* The fields of a JSON or logfmt record, in order, as text; nested JSON is compact JSON. Up to max; returns how
 * many. Strings are appended to buf, out[].name and .value point into it when it is not changed any more. */
struct log_field {
	struct sv name, value;
};
size_t log_fields_read(struct sv line, enum log_shape shape, struct strbuf *buf,
		       struct log_field *out, size_t max);
/* The message of a record of fields ("msg", "message", "event", …), else empty. Appended. */
void log_message(struct sv line, enum log_shape shape, struct strbuf *out);

#endif
