/* SPDX-License-Identifier: MIT */
/*
 * What `journalctl --output=json` prints: one JSON object a line.
 *
 * A field is a text; or an array of numbers, its bytes, when they are no UTF-8; or an array of those, when the entry
 * has the field more than once; or null, when it is too long (the request asks with --all, so that is rare). A
 * message with newlines in it is several lines of one time. The point is the cursor. journalctl is asked for the entry
 * of it and what follows (--after-cursor goes on without a word at the next entry there is, where that one was removed
 * with its file): when it does not come first, what stood behind it may be gone too, and some lines are lost.
 *
 * journald's rate limit leaves "Suppressed N messages from UNIT" behind, an entry with a message id of its own: N
 * lines were lost, and the entry is given as a line too.
 */
#include "core/runtime/runtime_log.h"

#include <jansson.h>
#include <string.h>

#define DROPPED_ID "a596d6fe7bfa4994828e72309e95d61e" /* SD_MESSAGE_JOURNAL_DROPPED */
#define PRIORITY_MAX 7

/* Appends a field's bytes. */
static void field_bytes(struct strbuf *out, const json_t *field, int depth)
{
	const json_t *piece;
	size_t i;

	if (json_is_string(field)) {
		strbuf_add(out, json_string_value(field), json_string_length(field));
		return;
	}
	json_array_foreach(field, i, piece)
	{
		if (json_is_integer(piece)) {
			strbuf_addc(out, (char)json_integer_value(piece));
		} else if (depth == 0) {
			if (i > 0)
				strbuf_addc(out, '\n');
			field_bytes(out, piece, depth + 1);
		}
	}
}

/* A field that holds a number as text; -1. */
static int64_t field_int(const json_t *entry, const char *key)
{
	const char *text = json_string_value(json_object_get(entry, key));
	int64_t value;

	return text != NULL && sv_int(sv_of(text), 0, INT64_MAX, &value) ? value : -1;
}

static int64_t suppressed(const json_t *entry)
{
	const char *id = json_string_value(json_object_get(entry, "MESSAGE_ID"));
	const char *text = json_string_value(json_object_get(entry, "MESSAGE"));
	int64_t n = field_int(entry, "N_DROPPED");
	struct sv rest = sv_of(text), word;

	if (id == NULL || strcmp(id, DROPPED_ID) != 0)
		return 0;
	if (n >= 0)
		return n;
	/* systemd before 248 says it in the text only. */
	if (sv_cut(&rest, ' ', &word) && sv_eq_str(word, "Suppressed") &&
	    sv_cut(&rest, ' ', &word) && sv_int(word, 0, INT64_MAX, &n))
		return n;
	return -1;
}

static void give_entry(struct runtime_log *l, const json_t *entry)
{
	struct log_open *o = &l->stream[0];
	const json_t *message = json_object_get(entry, "MESSAGE");
	const char *cursor = json_string_value(json_object_get(entry, "__CURSOR"));
	int64_t us = field_int(entry, "__REALTIME_TIMESTAMP");
	int64_t priority = field_int(entry, "PRIORITY");
	struct strbuf text;
	struct sv rest, piece;

	strbuf_init(&text, LOG_ENTRY_MAX);
	if (message == NULL || json_is_null(message))
		strbuf_adds(&text, "(a message that the journal does not give)");
	else
		field_bytes(&text, message, 0);
	o->priority = priority >= 0 && priority <= PRIORITY_MAX ? (int)priority : -1;
	runtime_log_lose(l, suppressed(entry));
	rest = strbuf_sv(&text);
	do {
		piece = sv_n("", 0);
		if (rest.n > 0 && !sv_cut(&rest, '\n', &piece))
			piece = rest;
		runtime_log_begin(l, o, us > 0 && us < INT64_MAX / 1000 ? us * 1000 : 0);
		runtime_log_add(l, o, piece, true);
	} while (rest.n > 0);
	if (cursor != NULL && strlen(cursor) < sizeof(l->point.cursor))
		str_copy(l->point.cursor, sizeof(l->point.cursor), cursor);
	strbuf_clear(&text);
}

/* Of the first entry: whether it is the one of the point, which was given. */
static bool is_from(struct runtime_log *l, const json_t *entry)
{
	const char *cursor = json_string_value(json_object_get(entry, "__CURSOR"));

	if (l->from.cursor[0] == '\0')
		return false;
	if (cursor != NULL && strcmp(cursor, l->from.cursor) == 0)
		return true;
	runtime_log_lose(l, -1);
	return false;
}

/* One line of the output. An entry that cannot be read is one line lost; a stream that begins so is none. */
static int entry_line(struct runtime_log *l, struct sv line, struct err *e)
{
	json_error_t error;
	json_t *entry;
	bool first = !l->any;

	if (sv_trim(line).n == 0)
		return 0;
	entry = json_loadb(line.p, line.n, JSON_ALLOW_NUL, &error);
	if (json_is_object(entry)) {
		l->any = true;
		if (!first || !is_from(l, entry))
			give_entry(l, entry);
		json_decref(entry);
		return 0;
	}
	json_decref(entry);
	if (l->any) {
		runtime_log_lose(l, 1);
		return 0;
	}
	err_set(e, ERR_INPUT, "cannot read the output of journalctl");
	return err_detail(e, "%s: %.*s", entry == NULL ? error.text : "no object",
			  (int)(line.n > 80 ? 80 : line.n), line.p);
}

int runtime_log_feed_journal(struct runtime_log *l, struct sv b, struct err *e)
{
	while (b.n > 0) {
		const char *newline = memchr(b.p, '\n', b.n);
		size_t n = newline != NULL ? (size_t)(newline - b.p) : b.n;
		struct sv line = sv_n(b.p, n);
		int rc = 0;

		if (newline == NULL || l->part.len > 0 || l->part.overflow) {
			strbuf_add(&l->part, b.p, n);
			line = strbuf_sv(&l->part);
		}
		if (newline == NULL)
			return 0;
		if (l->part.overflow)
			runtime_log_lose(l, 1);
		else
			rc = entry_line(l, line, e);
		strbuf_reset(&l->part);
		if (rc != 0)
			return -1;
		b = sv_n(newline + 1, b.n - n - 1);
	}
	return 0;
}
