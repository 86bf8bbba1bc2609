/* SPDX-License-Identifier: MIT */
/*
 * What one line says of itself.
 *
 * Every line that comes in goes through here, hundreds of thousands a second, so it is one careful look and no
 * regular expression: the time at the front, then words up to the one that is a level, then a hash over the
 * rest. Only the first LOOK bytes are searched for a level and the first HASHED bytes make the template.
 *
 * Levels. A word counts where programs put it: in brackets, behind "level=", alone behind the time, in capitals
 * among the first words, or before a colon. "an error occurred" is no level. HTTP access lines have the level of
 * their status. The runtime's priority (journald's) is believed except for 6, which is what journald gives to
 * everything a program prints.
 *
 * Continuation lines are told by the line alone, so that it does not matter who else logged in between. What
 * begins with a time or a level never is one. The last line of a Python traceback ("ValueError: …") is no
 * continuation but an error: folded by mistake it would be hidden, and it is what one looks for.
 *
 * The template leaves out whatever varies: words with a digit in them (numbers, ids, addresses, times), quoted
 * strings. Records of fields are represented by their message.
 */
#include "core/logs/record.h"

#include <string.h>

#include "core/logs/record_inside.h"

#define LOOK 200
#define LOOK_BARE 120 /* for words in capitals without brackets */
#define WORDS_BARE 8
#define HASHED 512

enum { ALPHA = 1, DIGIT = 2, UPPER = 4, JOIN = 8 }; /* JOIN: _ - between the letters of one word */
#define WORD (ALPHA | DIGIT | JOIN)

/* clang-format off */
#define R4(x) x, x, x, x
#define R8(x) R4(x), R4(x)
#define A 1
#define U 5
static const uint8_t class_of[256] = {
	['-'] = 8, ['_'] = 8,
	['0'] = R8(2), 2, 2,
	['A'] = R8(U), R8(U), R8(U), U, U,
	['a'] = R8(A), R8(A), R8(A), A, A,
	/* Letters of other scripts, in UTF-8 */
	[0x80] = R8(A), R8(A), R8(A), R8(A), R8(A), R8(A), R8(A), R8(A),
		 R8(A), R8(A), R8(A), R8(A), R8(A), R8(A), R8(A), R8(A),
};
#undef A
#undef U
/* clang-format on */

static uint8_t class_at(struct sv s, size_t i)
{
	return i < s.n ? class_of[(uint8_t)s.p[i]] : 0;
}

static char char_at(struct sv s, size_t i)
{
	return i < s.n ? s.p[i] : ' ';
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

const char *log_level_name(enum log_level l)
{
	static const char *const names[LOG_LEVELS] = { "",     "TRACE", "DEBUG", "INFO",
						       "WARN", "ERROR", "FATAL" };

	return l < LOG_LEVELS ? names[l] : "";
}

/* clang-format off */
static const struct {
	const char *word; /* eight bytes at most are compared, padded with NUL */
	uint8_t level;
	bool bare; /* counts in capitals without brackets or a colon */
} words[] = {
	{ "error", LOG_LEVEL_ERROR, true }, { "err", LOG_LEVEL_ERROR, true },
	{ "eror", LOG_LEVEL_ERROR, true }, { "erro", LOG_LEVEL_ERROR, true }, { "e", LOG_LEVEL_ERROR, false },
	{ "severe", LOG_LEVEL_ERROR, true },
	{ "emerg", LOG_LEVEL_FATAL, true }, { "emergenc", LOG_LEVEL_FATAL, true },
	{ "fatal", LOG_LEVEL_FATAL, true }, { "fata", LOG_LEVEL_FATAL, true }, { "ftl", LOG_LEVEL_FATAL, true },
	{ "f", LOG_LEVEL_FATAL, false }, { "crit", LOG_LEVEL_FATAL, true },
	{ "critical", LOG_LEVEL_FATAL, true }, { "panic", LOG_LEVEL_FATAL, true },
	{ "dpanic", LOG_LEVEL_FATAL, true }, { "alert", LOG_LEVEL_FATAL, true },
	{ "warn", LOG_LEVEL_WARN, true }, { "warning", LOG_LEVEL_WARN, true }, { "wrn", LOG_LEVEL_WARN, true },
	{ "w", LOG_LEVEL_WARN, false },
	{ "info", LOG_LEVEL_INFO, true }, { "informat", LOG_LEVEL_INFO, true }, { "inf", LOG_LEVEL_INFO, true },
	{ "i", LOG_LEVEL_INFO, false }, { "notice", LOG_LEVEL_INFO, true }, { "note", LOG_LEVEL_INFO, false },
	{ "log", LOG_LEVEL_INFO, false }, { "system", LOG_LEVEL_INFO, false },
	{ "debug", LOG_LEVEL_DEBUG, true }, { "dbg", LOG_LEVEL_DEBUG, true }, { "debu", LOG_LEVEL_DEBUG, true },
	{ "d", LOG_LEVEL_DEBUG, false }, { "fine", LOG_LEVEL_DEBUG, false },
	{ "trace", LOG_LEVEL_TRACE, true }, { "trc", LOG_LEVEL_TRACE, true }, { "verbose", LOG_LEVEL_TRACE, true },
	{ "finer", LOG_LEVEL_TRACE, false }, { "finest", LOG_LEVEL_TRACE, false },
	{ "t", LOG_LEVEL_TRACE, false },
};
/* clang-format on */

/* The words of a line are nearly all none: told by the first letter, then by eight bytes at once. */
static int level_of(struct sv w, bool *bare)
{
	uint64_t have = 0, want;
	char low[8] = { 0 };

	if (w.n == 0 || w.n > 13)
		return -1;
	for (size_t i = 0; i < w.n && i < 8; i++)
		low[i] = (char)(w.p[i] | 32);
	if (memchr("efscpdawintlvEFSCPDAWINTLV", low[0], 26) == NULL)
		return -1;
	memcpy(&have, low, 8);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		char text[8] = { 0 };

		if (words[i].word[0] != low[0])
			continue;
		for (size_t k = 0; k < 8 && words[i].word[k] != '\0'; k++)
			text[k] = words[i].word[k];
		memcpy(&want, text, 8);
		if (have != want)
			continue;
		if (w.n > 8 && !(low[0] == 'e' && w.n == 9) && !(low[0] == 'i' && w.n >= 11))
			return -1;
		*bare = words[i].bare;
		return words[i].level;
	}
	return -1;
}

int log_level_of(struct sv word)
{
	bool bare;

	for (size_t i = 0; i < word.n; i++)
		if ((class_of[(uint8_t)word.p[i]] & ALPHA) == 0)
			return -1;
	return level_of(word, &bare);
}

/* --- Levels in text ------------------------------------------------------------------------------ */

struct found {
	int level;  /* -1 none */
	size_t end; /* behind the word */
};

static bool opens(char c)
{
	return c == '[' || c == '<' || c == '(' || c == '|' || c == '{';
}

/* A closing bracket, with padding before it: "[WARN ]". */
static bool closes(struct sv line, size_t i)
{
	while (i < line.n && line.p[i] == ' ')
		i++;
	return i < line.n && memchr("]>)|}", line.p[i], 5) != NULL;
}

/* Whether the word from..end with the letters w counts as a level where it stands. */
static bool counts(struct sv line, size_t first, size_t from, size_t end, bool timed,
		   int words_seen, bool upper, bool bare)
{
	char before = from > 0 ? line.p[from - 1] : ' ', after = char_at(line, end);

	if (opens(before) && (closes(line, end) || after == ':'))
		return true;
	if (before == '\t' && after == '\t')
		return true;
	if (after == ':' &&
	    (from == first || (from > 1 && before == ' ' && line.p[from - 2] == ':') ||
	     (upper && words_seen < WORDS_BARE)))
		return end - from > 1;
	if (end - from < 3 || !(blank(after) || after == ',' || after == ']' || after == '|'))
		return false;
	if (timed && from == first && bare)
		return true;
	return upper && bare && words_seen < WORDS_BARE && end <= first + LOOK_BARE &&
	       (blank(before) || before == ']' || before == '[' || before == '|');
}

/* level=… and its like, with the value behind end. */
static struct found named_level(struct sv line, struct sv word, size_t end)
{
	struct found none = { -1, 0 };
	size_t from = end + 1, i;

	if (char_at(line, end) != '=' || record_meaning(word) != RECORD_LEVEL)
		return none;
	if (char_at(line, from) == '"')
		from++;
	for (i = from; class_at(line, i) & ALPHA; i++)
		;
	return (struct found){ log_level_of(sv_n(line.p + from, i - from)), i };
}

static struct found find_level(struct sv line, size_t first, bool timed)
{
	struct found f = { -1, 0 };
	size_t limit = line.n < first + LOOK ? line.n : first + LOOK, i = first;
	int seen = 0;

	while (i < limit) {
		size_t from = i;
		uint8_t all = 0xFF, c;
		bool bare;

		if (((c = class_of[(uint8_t)line.p[i]]) & WORD) == 0) {
			/* Behind the first words only brackets count. */
			if (seen >= WORDS_BARE) {
				const char *b = memchr(line.p + i, '[', limit - i);

				if (b == NULL)
					break;
				i = (size_t)(b - line.p);
			}
			i++;
			continue;
		}
		for (; ((c = class_at(line, i)) & WORD) != 0; i++)
			all &= c;
		seen++;
		/* Only letters, not part of a path or a dotted name. */
		if ((all & ALPHA) == 0 || i - from > 13 || char_at(line, i) == '.' ||
		    char_at(line, i) == '/' ||
		    (from > first && (line.p[from - 1] == '.' || line.p[from - 1] == '/')))
			continue;
		f = named_level(line, sv_n(line.p + from, i - from), i);
		if (f.level >= 0)
			return f;
		f.level = level_of(sv_n(line.p + from, i - from), &bare);
		f.end = i;
		if (f.level >= 0 &&
		    counts(line, first, from, i, timed, seen, (all & UPPER) != 0, bare))
			return f;
	}
	f.level = -1;
	return f;
}

/* E1121 14:05:50.123456 … as glog and klog write; where the time ends, 0 when it is none of these. */
static size_t glog(struct sv line, enum log_level *level)
{
	int64_t ns;
	size_t used;
	const char *which;

	if (line.n < 14 || line.p[5] != ' ' || (which = memchr("DIWEF", line.p[0], 5)) == NULL)
		return 0;
	for (size_t i = 1; i < 5; i++)
		if ((class_of[(uint8_t)line.p[i]] & DIGIT) == 0)
			return 0;
	used = record_time(sv_n(line.p + 6, line.n - 6), &ns);
	if (used == 0)
		return 0;
	switch (*which) {
	case 'D':
		*level = LOG_LEVEL_DEBUG;
		break;
	case 'I':
		*level = LOG_LEVEL_INFO;
		break;
	case 'W':
		*level = LOG_LEVEL_WARN;
		break;
	case 'E':
		*level = LOG_LEVEL_ERROR;
		break;
	default:
		*level = LOG_LEVEL_FATAL;
	}
	return 6 + used;
}

/* HOST - USER [21/Nov/2026:14:05:50 +0000] "GET / HTTP/1.1" 500 …: true, with the level of the status. */
static bool access_line(struct sv line, struct log_record *out)
{
	const char *open = memchr(line.p, '[', line.n < 128 ? line.n : 128), *quote,
		   *end = line.p + line.n;
	int64_t ns;
	size_t used;

	if (open == NULL || end - open < 30 || open[3] != '/')
		return false;
	used = record_time(sv_n(open + 1, (size_t)(end - open - 1)), &ns);
	open += 1 + used;
	if (used == 0 || end - open < 4 || memcmp(open, "] \"", 3) != 0)
		return false;
	quote = open + 3;
	do {
		quote = memchr(quote, '"', (size_t)(end - quote));
		if (quote == NULL)
			return false;
	} while (quote++ [-1] == '\\');
	if (end - quote < 4 || quote[0] != ' ' || (end - quote > 4 && quote[4] != ' ') ||
	    (class_of[(uint8_t)quote[2]] & DIGIT) == 0 ||
	    (class_of[(uint8_t)quote[3]] & DIGIT) == 0)
		return false;
	out->utc_ns = ns;
	if (quote[1] == '5')
		out->level = LOG_LEVEL_ERROR;
	else if (quote[1] == '4')
		out->level = LOG_LEVEL_WARN;
	return true;
}

/* --- Continuation -------------------------------------------------------------------------------- */

static bool begins(struct sv line, const char *with)
{
	size_t n = strlen(with);

	return line.n >= n && memcmp(line.p, with, n) == 0;
}

/* The line begins neither with a time nor with a level (the caller looked). */
static bool goes_on(struct sv line)
{
	static const char *const starts[] = {
		"Caused by:", "Suppressed:", "Traceback (most recent call last)",
		"During handling of the above exception", "The above exception was the direct cause"
	};

	if (line.n == 0 || blank(line.p[0]))
		return true;
	switch (line.p[0]) {
	case '}':
	case ']':
	case ')':
		for (size_t i = 1; i < line.n; i++)
			if (memchr("}]),; \r", line.p[i], 7) == NULL)
				return false;
		return true;
	case '.':
		return begins(line, "...");
	case 'a':
		return begins(line, "at ") && memchr(line.p, '(', line.n) != NULL;
	case 'C':
	case 'S':
	case 'T':
	case 'D':
		for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
			if (begins(line, starts[i]))
				return true;
		return false;
	default:
		return false;
	}
}

/* "ValueError: …", "java.lang.IllegalStateException: …" at the front: the last line of a trace, or the first. */
static bool names_exception(struct sv line)
{
	size_t i = 0;

	while (i < 120 && ((class_at(line, i) & WORD) != 0 || char_at(line, i) == '.'))
		i++;
	if (i >= line.n || line.p[i] != ':' || i < 6)
		return false;
	return memcmp(line.p + i - 5, "Error", 5) == 0 ||
	       (i > 9 && memcmp(line.p + i - 9, "Exception", 9) == 0);
}

/* --- Template ------------------------------------------------------------------------------------ */

#define PRIME 0x9E3779B97F4A7C15ULL

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * PRIME;
	return h ^ (h >> 29);
}

/* i is on a quote: behind the closing one of a string that ends soon, or 0. */
static size_t quoted_end(struct sv s, size_t i)
{
	size_t most = s.p[i] == '"' ? 256 : 64, k = i + 1;

	/* An apostrophe within a word opens nothing. */
	if (s.p[i] == '\'' && i > 0 && (class_of[(uint8_t)s.p[i - 1]] & WORD) != 0)
		return 0;
	while (k < s.n && k - i < most) {
		const char *q = memchr(s.p + k, s.p[i], s.n - k < most ? s.n - k : most);

		if (q == NULL)
			return 0;
		k = (size_t)(q - s.p) + 1;
		if (q[-1] != '\\')
			return k;
	}
	return 0;
}

static uint64_t template_of(struct sv s, uint64_t h)
{
	size_t i = 0;

	if (s.n > HASHED)
		s.n = HASHED;
	while (i < s.n) {
		uint8_t c = class_of[(uint8_t)s.p[i]], all = c;
		uint64_t w = (uint8_t)s.p[i];
		size_t end;

		if ((c & WORD) == 0) {
			if ((s.p[i] == '"' || s.p[i] == '\'') && (end = quoted_end(s, i)) != 0) {
				h = mix(h, '"');
				i = end;
				continue;
			}
			/* How many blanks are between words depends on how wide the numbers are. */
			if (!blank(s.p[i]))
				h = mix(h, w);
			i++;
			continue;
		}
		for (i++; i < s.n && ((c = class_of[(uint8_t)s.p[i]]) & WORD) != 0; i++) {
			w = (w << 5 | w >> 59) + (uint8_t)s.p[i];
			all |= c;
		}
		h = mix(h, all & DIGIT ? '0' : w);
	}
	return h;
}

/* --- Records of fields --------------------------------------------------------------------------- */

/* bunyan's and pino's 10..60; syslog's 0..7 where the name says that it is that. */
static int level_of_number(struct sv v, bool syslog)
{
	static const uint8_t of_syslog[8] = { LOG_LEVEL_FATAL, LOG_LEVEL_FATAL, LOG_LEVEL_FATAL,
					      LOG_LEVEL_ERROR, LOG_LEVEL_WARN,  LOG_LEVEL_INFO,
					      LOG_LEVEL_INFO,  LOG_LEVEL_DEBUG };
	int64_t n;

	if (v.n > 3 || !sv_int(v, 0, 100, &n))
		return -1;
	if (syslog)
		return n < 8 ? of_syslog[n] : -1;
	if (n < 10)
		return -1;
	n /= 10;
	return n > 6 ? LOG_LEVEL_FATAL : (int)n;
}

static int level_of_pair(const struct record_pair *p, bool syslog)
{
	int level = level_of_number(p->value, syslog);

	return level >= 0 ? level : log_level_of(p->value);
}

/* What the pairs of a line add up to. */
struct sum {
	int level;
	int64_t utc_ns;
	struct sv message;
	bool message_is_event;
	struct sv gelf_level; /* a level of one digit, which counts when it turns out to be GELF */
	uint64_t names;
	size_t n;
};

static void sum_pair(struct sum *s, const struct record_pair *p)
{
	enum record_meaning m = record_meaning(p->name);
	int64_t ns;

	if (m != RECORD_MESSAGE)
		s->names = mix(s->names,
			       p->name.n + (p->name.n > 0 ? (uint64_t)p->name.p[0] << 8 : 0));
	s->n++;
	switch (m) {
	case RECORD_LEVEL:
	case RECORD_SYSLOG_LEVEL:
		if (s->level < 0)
			s->level = level_of_pair(p, m == RECORD_SYSLOG_LEVEL);
		if (p->value.n == 1)
			s->gelf_level = p->value;
		break;
	case RECORD_TIME:
		if (s->utc_ns == 0 &&
		    (record_time(p->value, &ns) > 0 || (ns = record_epoch(p->value)) > 0))
			s->utc_ns = ns;
		break;
	case RECORD_MESSAGE:
		if (s->message.p == NULL || s->message_is_event) {
			s->message = p->value;
			s->message_is_event = sv_eq(p->name, SV("event"));
		}
		if (sv_eq(p->name, SV("short_message")) && s->gelf_level.n > 0 && s->level < 0)
			s->level = level_of_number(s->gelf_level, true);
		break;
	case RECORD_OTHER:
		break;
	}
}

static void sum_up(const struct sum *s, struct log_record *out)
{
	if (s->level >= 0)
		out->level = (enum log_level)s->level;
	out->utc_ns = s->utc_ns;
	out->template = s->message.p != NULL ? template_of(s->message, 1) : mix(s->names, 2);
}

static bool read_json(struct sv line, struct log_record *out)
{
	struct sum s = { .level = -1 };
	struct record_pair pair;
	size_t at = 0;

	while (record_json_pair(line, &at, &pair))
		sum_pair(&s, &pair);
	if (s.n == 0)
		return false;
	out->shape = LOG_JSON;
	sum_up(&s, out);
	return true;
}

/* The first word is name=value, and so is another among the next: enough to tell it from "a=b is wrong". */
static bool looks_like_logfmt(struct sv line)
{
	struct record_pair p;
	size_t at = 0, i = 0;

	while (i < 40 && ((class_at(line, i) & WORD) != 0 || char_at(line, i) == '.' ||
			  char_at(line, i) == '@'))
		i++;
	if (i == 0 || i >= line.n || line.p[i] != '=')
		return false;
	for (int k = 0; k < 3; k++) {
		if (!record_logfmt_pair(line, &at, &p))
			return false;
		if (k > 0 && p.value.p != NULL)
			return true;
	}
	return false;
}

static void read_logfmt(struct sv line, struct log_record *out)
{
	struct sum s = { .level = -1 };
	struct record_pair pair;
	size_t at = 0;

	while (record_logfmt_pair(line, &at, &pair))
		sum_pair(&s, &pair);
	out->shape = LOG_LOGFMT;
	sum_up(&s, out);
}

/* --- All together -------------------------------------------------------------------------------- */

/* Behind what parts a time or a level from what follows. */
static size_t skip_parting(struct sv line, size_t i)
{
	while (i < line.n && (blank(line.p[i]) || memchr("]):-|>,", line.p[i], 7) != NULL))
		i++;
	return i;
}

static void read_text(struct sv line, struct log_record *out)
{
	size_t lead = 0, first, used;
	struct found f;

	while (lead < line.n && blank(line.p[lead]))
		lead++;
	used = glog(line, &out->level);
	if (used > 0) {
		out->body = skip_parting(line, used);
		out->template = template_of(sv_n(line.p + out->body, line.n - out->body), 0);
		return;
	}
	/* E, [2026-11-21T14:05:50.123456 #1234] ERROR -- : as Ruby writes. */
	first = lead + (char_at(line, lead + 1) == ',' && char_at(line, lead + 3) == '[' ? 3 : 0);
	first += opens(char_at(line, first));
	used = record_time(sv_n(line.p + first, first < line.n ? line.n - first : 0), &out->utc_ns);
	if (used == 0 && access_line(line, out)) {
		out->template = template_of(line, 0);
		return;
	}
	first = used > 0 ? skip_parting(line, first + used) : lead;
	f = find_level(line, first, used > 0);
	if (f.level >= 0)
		out->level = (enum log_level)f.level;
	out->body = f.level >= 0 ? skip_parting(line, f.end) : first;
	if (used == 0 && f.level < 0) {
		out->continues = goes_on(line);
		out->body = 0;
		if (!out->continues && names_exception(line))
			out->level = LOG_LEVEL_ERROR;
	} else if (used == 0 && lead > 0 && f.end > lead + 13) {
		/* Indented, and the level stands deep inside: a line of a trace that mentions one. */
		out->continues = true;
		out->level = LOG_LEVEL_NONE;
		out->body = 0;
	}
	if (out->body > line.n)
		out->body = line.n;
	out->template = template_of(sv_n(line.p + out->body, line.n - out->body), 0);
}

static enum log_level of_priority(int priority, enum log_level text)
{
	static const uint8_t levels[8] = { LOG_LEVEL_FATAL, LOG_LEVEL_FATAL, LOG_LEVEL_FATAL,
					   LOG_LEVEL_ERROR, LOG_LEVEL_WARN,  LOG_LEVEL_INFO,
					   LOG_LEVEL_INFO,  LOG_LEVEL_DEBUG };

	if (priority < 0 || priority > 7)
		return text;
	if (priority == 6 && text != LOG_LEVEL_NONE)
		return text;
	return (enum log_level)levels[priority];
}

void log_record_read(struct sv line, int priority, struct log_record *out)
{
	memset(out, 0, sizeof(*out));
	if (line.p == NULL)
		line = SV("");
	if (line.n > 1 && line.p[0] == '{' && read_json(line, out))
		;
	else if (looks_like_logfmt(line))
		read_logfmt(line, out);
	else
		read_text(line, out);
	if (!out->continues)
		out->level = of_priority(priority, out->level);
}
