/* SPDX-License-Identifier: MIT */
/* Bytes of log streams to lines: every kind, every cut, and going on behind every place. */
#include "core/runtime/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/mem.h"

#define S0 INT64_C(1795863242)
#define STAMP "2026-11-28T10:54:02.000000001Z "
#define NS(n) (S0 * 1000000000 + (n))

/* Each line as "O<ns behind S0>p<priority>+ text", one under the other; long texts as their length. */
static void note(void *arg, const struct runtime_line *l)
{
	struct strbuf *out = arg;

	assert_null(memchr(l->text.p, '\n', l->text.n));
	assert_true(l->text.n <= RUNTIME_LINE_MAX);
	strbuf_addf(out, "%c", l->is_err ? 'E' : 'O');
	if (l->utc_ns != 0)
		strbuf_addf(out, "%lld", (long long)(l->utc_ns - NS(0)));
	if (l->priority >= 0)
		strbuf_addf(out, "p%d", l->priority);
	if (l->more)
		strbuf_addc(out, '+');
	if (l->text.n > 1000)
		strbuf_addf(out, " (%zu) %.*s\n", l->text.n, 8, l->text.p + l->text.n - 8);
	else
		strbuf_addf(out, " %.*s\n", (int)l->text.n, l->text.p);
}

static struct err e;

/* All lines of stream, fed in pieces of step bytes. */
static char *lines_of(enum runtime_kind kind, const struct runtime_args *args, struct sv stream,
		      size_t step, struct runtime_log_point *point, int64_t *lost)
{
	struct runtime_log *l = runtime_log_new(kind, args);
	struct strbuf out;
	int rc = 0;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	while (stream.n > 0 && rc == 0) {
		size_t n = step < stream.n ? step : stream.n;
		char *piece = mem_alloc(n); /* so that a look behind it is seen by asan */

		memcpy(piece, stream.p, n);
		rc = runtime_log_feed(l, sv_n(piece, n), note, &out, &e);
		mem_free(piece);
		stream = sv_n(stream.p + n, stream.n - n);
	}
	if (rc == 0)
		runtime_log_end(l, note, &out);
	else
		strbuf_addf(&out, "error: %s: %s", e.msg, e.detail);
	if (point != NULL)
		runtime_log_point(l, point);
	if (lost != NULL)
		*lost = runtime_log_lost(l);
	runtime_log_free(l);
	return strbuf_detach(&out);
}

static void frame(struct strbuf *out, int type, struct sv text)
{
	strbuf_addc(out, (char)type);
	strbuf_add(out, "\0\0\0", 3);
	for (int shift = 24; shift >= 0; shift -= 8)
		strbuf_addc(out, (char)(text.n >> shift & 255));
	strbuf_addsv(out, text);
}

static void framef(struct strbuf *out, int type, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void framef(struct strbuf *out, int type, const char *fmt, ...)
{
	struct strbuf text;
	va_list ap;

	strbuf_init(&text, STRBUF_NO_LIMIT);
	va_start(ap, fmt);
	strbuf_addv(&text, fmt, ap);
	va_end(ap);
	frame(out, type, strbuf_sv(&text));
	strbuf_clear(&text);
}

/* A frame of stamp, n times 'x', tail. */
static void long_frame(struct strbuf *out, int type, const char *stamp, size_t n, const char *tail)
{
	struct strbuf text;

	strbuf_init(&text, STRBUF_NO_LIMIT);
	strbuf_adds(&text, stamp);
	strbuf_pad(&text, 'x', n);
	strbuf_adds(&text, tail);
	frame(out, type, strbuf_sv(&text));
	strbuf_clear(&text);
}

static const size_t steps[] = { 1, 2, 3, 7, 8, 9, 31, 4096, 16384, 65536, SIZE_MAX };

static void expect_args(enum runtime_kind kind, const struct runtime_args *args,
			const struct strbuf *stream, const char *lines, int64_t lost)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int64_t told;
		char *got = lines_of(kind, args, strbuf_sv(stream), steps[i], NULL, &told);

		assert_string_equal(got, lines);
		assert_int_equal(told, lost);
		mem_free(got);
	}
}

static void expect(enum runtime_kind kind, bool tty, const struct strbuf *stream, const char *lines)
{
	const struct runtime_args args = { .tail = -1, .tty = tty };

	expect_args(kind, &args, stream, lines, 0);
}

static void frames__become_lines__of_two_streams(void **state)
{
	struct strbuf s;

	(void)state;
	strbuf_init(&s, STRBUF_NO_LIMIT);
	framef(&s, 1, "2026-11-28T10:54:02.000000001Z one\n");
	framef(&s, 2, "2026-11-28T10:54:02.5Z two\r\n");
	framef(&s, 1, "2026-11-28T10:54:02Z \n");
	framef(&s, 1, "2026-11-28T11:54:02.000000009+01:00 zone\n");
	framef(&s, 1, "no stamp\n");
	framef(&s, 1, "2026-13-28T10:54:02Z bad stamp\n");
	framef(&s, 1, STAMP "two\nin one\n");
	frame(&s, 1, sv_n("", 0));
	framef(&s, 1, STAMP "2026-11-28T10:54:02.000000001Z again\n");
	framef(&s, 2, STAMP "no newline");
	expect(RUNTIME_DOCKER, false, &s,
	       "O1 one\nE500000000 two\nO0 \nO9 zone\nO no stamp\n"
	       "O 2026-13-28T10:54:02Z bad stamp\nO1 two\nO1 in one\n"
	       "O1 2026-11-28T10:54:02.000000001Z again\nE1 no newline\n");
	strbuf_clear(&s);
}

static void frames__are_joined__where_docker_cut_a_line(void **state)
{
	const char *other = "2026-11-28T10:54:02.000000005Z ";
	struct strbuf s;

	(void)state;
	strbuf_init(&s, STRBUF_NO_LIMIT);
	/* json-file: the last part has the newline; the other stream comes between. */
	long_frame(&s, 1, STAMP, 16384, "");
	framef(&s, 2, "%serr\n", other);
	long_frame(&s, 1, STAMP, 16384, "");
	long_frame(&s, 1, STAMP, 100, "END\n");
	/* local: it has none. */
	long_frame(&s, 1, other, 16384, "");
	long_frame(&s, 1, other, 100, "END");
	framef(&s, 1, "2026-11-28T10:54:02.000000006Z next\n");
	/* It ended just at the cut. */
	long_frame(&s, 1, "2026-11-28T10:54:02.000000007Z ", 16384, "");
	framef(&s, 1, "2026-11-28T10:54:02.000000008Z after\n");
	long_frame(&s, 1, "2026-11-28T10:54:02.000000009Z ", 16384, "");
	framef(&s, 1, "2026-11-28T10:54:02.000000009Z \n");
	/* A program that ended without a newline, and its next start. */
	framef(&s, 1, "2026-11-28T10:54:02.000000010Z bye");
	framef(&s, 1, "2026-11-28T10:54:02.000000011Z hello\n");
	expect(RUNTIME_DOCKER, false, &s,
	       "E5 err\nO1 (32871) xxxxxEND\nO5 (16487) xxxxxEND\nO6 next\n"
	       "O7 (16384) xxxxxxxx\nO8 after\nO9 (16384) xxxxxxxx\nO10 bye\nO11 hello\n");
	strbuf_clear(&s);
}

static void frames__are_joined__where_podman_left_the_newline_out(void **state)
{
	struct strbuf s;

	(void)state;
	strbuf_init(&s, STRBUF_NO_LIMIT);
	long_frame(&s, 1, "2026-11-28T10:54:02Z ", 8192, "");
	framef(&s, 2, "2026-11-28T10:54:02Z err\n");
	long_frame(&s, 1, "2026-11-28T10:54:03Z ", 8192, "");
	framef(&s, 1, "2026-11-28T10:54:03Z END\n");
	framef(&s, 1, "2026-11-28T10:54:03Z short\n");
	expect(RUNTIME_PODMAN, true, &s, "E0 err\nO0 (16387) xxxxxEND\nO1000000000 short\n");
	strbuf_clear(&s);
}

static void frames__that_are_none__are_an_error(void **state)
{
	struct strbuf s;

	(void)state;
	strbuf_init(&s, STRBUF_NO_LIMIT);
	strbuf_adds(&s, STAMP "of a terminal\r\n");
	expect(RUNTIME_DOCKER, false, &s,
	       "error: cannot read a log stream of docker: a frame begins with 32 30 32 36 2d 31 31 "
	       "2d");
	strbuf_reset(&s);
	strbuf_add(&s, "\1\0\0\0\377\0\0\0", 8);
	expect(RUNTIME_PODMAN, false, &s,
	       "error: cannot read a log stream of podman: a frame begins with 01 00 00 00 ff 00 00 "
	       "00");
	strbuf_clear(&s);
}

static void frames__of_the_engine_itself__are_a_line_and_a_loss(void **state)
{
	const struct runtime_args args = { .tail = -1 };
	struct strbuf s;

	(void)state;
	strbuf_init(&s, STRBUF_NO_LIMIT);
	framef(&s, 1, STAMP "one\n");
	framef(&s, 3, "Error grabbing logs: invalid character 'l' after object key\n");
	expect_args(RUNTIME_DOCKER, &args, &s,
		    "O1 one\nEp3 Error grabbing logs: invalid character 'l' after object key\n",
		    -1);
	strbuf_clear(&s);
}

static void terminals__have_no_frames__and_stamps_inside_of_long_lines(void **state)
{
	struct strbuf s;

	(void)state;
	strbuf_init(&s, STRBUF_NO_LIMIT);
	strbuf_adds(&s, STAMP "one\r\n" STAMP "\r\n" STAMP "like " STAMP "this\r\n");
	for (int i = 0; i < 2; i++) {
		strbuf_adds(&s, STAMP);
		strbuf_pad(&s, 'x', 16384);
	}
	strbuf_adds(&s, STAMP "END\r\n");
	/* It only begins like the stamp. */
	strbuf_adds(&s, STAMP);
	strbuf_pad(&s, 'x', 16384);
	strbuf_adds(&s, "2026-11-28T\n");
	/* What is no stamp at all. */
	strbuf_adds(&s, "plain text\nword\n" STAMP "half");
	expect(RUNTIME_DOCKER, true, &s,
	       "O1 one\nO1 \nO1 like " STAMP "this\nO1 (32771) xxxxxEND\n"
	       "O1 (16395) 6-11-28T\nO plain text\nO word\nO1 half\n");
	strbuf_reset(&s);
	strbuf_adds(&s, "abc");
	expect(RUNTIME_DOCKER, true, &s, "O abc\n");
	strbuf_reset(&s);
	strbuf_adds(&s, STAMP);
	strbuf_pad(&s, 'x', 16384);
	strbuf_adds(&s, "2026-");
	expect(RUNTIME_DOCKER, true, &s, "O1 (16389) xxx2026-\n");
	strbuf_clear(&s);
}

static void lines__longer_than_the_limit__come_in_parts(void **state)
{
	struct strbuf s;
	char *got;

	(void)state;
	strbuf_init(&s, STRBUF_NO_LIMIT);
	for (int i = 0; i < 130; i++)
		long_frame(&s, 2, STAMP, 16384, "");
	framef(&s, 2, STAMP "END\n");
	expect(RUNTIME_DOCKER, false, &s,
	       "E1+ (1048576) xxxxxxxx\nE1+ (1048576) xxxxxxxx\nE1 (32771) xxxxxEND\n");
	strbuf_reset(&s);
	strbuf_adds(&s, "data 7 0 31457280 -\n");
	strbuf_pad(&s, 'y', (size_t)30 << 20);
	got = lines_of(RUNTIME_PROCESS, &(struct runtime_args){ .tail = -1 }, strbuf_sv(&s), 65536,
		       NULL, NULL);
	assert_non_null(strstr(got, "O (1048576) yyyyyyyy\n"));
	mem_free(got);
	strbuf_clear(&s);
}

/* --- Journal ------------------------------------------------------------------------------------ */

#define ENTRY(cursor, us, rest) \
	"{\"__CURSOR\":\"" cursor "\",\"__REALTIME_TIMESTAMP\":\"1795863242" us \
	"\",\"__MONOTONIC_TIMESTAMP\":\"1\",\"_BOOT_ID\":\"b\"" rest "}\n"

static void journal__gives_messages__in_every_form(void **state)
{
	const struct runtime_args args = { .tail = -1 };
	struct runtime_log_point point;
	struct strbuf s;
	int64_t lost;

	(void)state;
	strbuf_init(&s, STRBUF_NO_LIMIT);
	strbuf_adds(&s, ENTRY("c1", "000001", ",\"MESSAGE\":\"one\",\"PRIORITY\":\"6\""));
	strbuf_adds(&s,
		    ENTRY("c2", "000002", ",\"MESSAGE\":[27,91,49,109,255],\"PRIORITY\":\"9\""));
	strbuf_adds(&s, ENTRY("c3", "000003", ",\"MESSAGE\":[\"a\",[98,99]]"));
	strbuf_adds(&s, ENTRY("c4", "000004", ",\"MESSAGE\":null,\"PRIORITY\":\"3\""));
	strbuf_adds(&s, ENTRY("c5", "000005", ",\"MESSAGE\":\"x\\ny\\u0000z\\r\""));
	strbuf_adds(&s, ENTRY("c6", "000006", ",\"MESSAGE\":\"\""));
	strbuf_adds(&s, ENTRY("c7", "000007", ""));
	strbuf_adds(&s, "\n");
	expect_args(RUNTIME_SYSTEMD, &args, &s,
		    "O1000p6 one\nO2000 \x1b[1m\xff\nO3000 a\nO3000 bc\n"
		    "O4000p3 (a message that the journal does not give)\nO5000 x\nO5000 y\n"
		    "O6000 \nO7000 (a message that the journal does not give)\n",
		    0);
	strbuf_adds(&s, ENTRY("c8", "000008",
			      ",\"MESSAGE\":\"Suppressed 38 messages from shop.service\","
			      "\"MESSAGE_ID\":\"a596d6fe7bfa4994828e72309e95d61e\""));
	strbuf_adds(&s, "{\"half\":\n");
	strbuf_adds(&s, ENTRY("c9", "000009",
			      ",\"MESSAGE\":\"Suppressed many\",\"N_DROPPED\":\"4\","
			      "\"MESSAGE_ID\":\"a596d6fe7bfa4994828e72309e95d61e\""));
	mem_free(lines_of(RUNTIME_SYSTEMD, &args, strbuf_sv(&s), 100, &point, &lost));
	assert_int_equal(lost, 43);
	assert_string_equal(point.cursor, "c9");
	assert_int_equal(point.high_ns, NS(9000));
	strbuf_clear(&s);
}

/* It is asked for the entry of the point: when that does not come first, it was removed, and others may be. */
static void journal__goes_on__behind_its_cursor(void **state)
{
	const struct runtime_log_point point = { .cursor = "c1" };
	const struct runtime_args args = { .tail = -1, .point = &point };
	struct runtime_log_point at;
	struct strbuf s;

	(void)state;
	strbuf_init(&s, STRBUF_NO_LIMIT);
	expect_args(RUNTIME_SYSTEMD, &args, &s, "", 0);
	strbuf_adds(&s, ENTRY("c1", "000001", ",\"MESSAGE\":\"one\""));
	expect_args(RUNTIME_SYSTEMD, &args, &s, "", 0);
	mem_free(lines_of(RUNTIME_SYSTEMD, &args, strbuf_sv(&s), 100, &at, NULL));
	assert_string_equal(at.cursor, "c1");
	strbuf_adds(&s, ENTRY("c2", "000002", ",\"MESSAGE\":\"two\""));
	expect_args(RUNTIME_SYSTEMD, &args, &s, "O2000 two\n", 0);
	strbuf_reset(&s);
	strbuf_adds(&s, ENTRY("c8", "000008", ",\"MESSAGE\":\"eight\""));
	strbuf_adds(&s, ENTRY("c9", "000009", ",\"MESSAGE\":\"nine\""));
	expect_args(RUNTIME_SYSTEMD, &args, &s, "O8000 eight\nO9000 nine\n", -1);
	strbuf_clear(&s);
}

static void journal__that_is_none__is_an_error(void **state)
{
	struct strbuf s;

	(void)state;
	strbuf_init(&s, STRBUF_NO_LIMIT);
	strbuf_adds(&s, "-- Journal begins at Sat 2026-11-28\n");
	expect(RUNTIME_SYSTEMD, false, &s,
	       "error: cannot read the output of journalctl: '[' or '{' expected near '-': -- Journal "
	       "begins at Sat 2026-11-28");
	strbuf_clear(&s);
}

/* --- Log file ----------------------------------------------------------------------------------- */

static void files__are_lines__between_those_of_the_script(void **state)
{
	const struct runtime_args args = { .tail = -1 };
	struct runtime_log_point point;
	struct strbuf s;
	int64_t lost;

	(void)state;
	strbuf_init(&s, STRBUF_NO_LIMIT);
	strbuf_adds(&s, "data 7 100 0 -\ndata 7 100 12 4242\none\ntwo\r\nhaldata 7 112 7 4242\nf\n"
			"end\nx");
	/* The file was cut while it was read. */
	strbuf_adds(&s, "data 7 119 8 4242\nyz");
	strbuf_add(&s, "\0\0\0\0\0\0", 6);
	strbuf_adds(&s, "pad 4\n");
	expect_args(RUNTIME_PROCESS, &args, &s, "O one\nO two\nO half\nO end\nO xyz\n", 0);
	strbuf_adds(&s, "lost\ndata 9 0 0 -\ndata 9 0 4 -\nnew\ndata 9 4 3 99\nend");
	mem_free(lines_of(RUNTIME_PROCESS, &args, strbuf_sv(&s), 5, &point, &lost));
	assert_int_equal(lost, -1);
	assert_int_equal(point.inode, 9);
	assert_int_equal(point.offset, 7);
	assert_string_equal(point.cursor, "99");
	strbuf_clear(&s);
}

static void files__cut_in_a_line__go_on_before_it(void **state)
{
	const struct runtime_args args = { .tail = -1 };
	struct runtime_log *l = runtime_log_new(RUNTIME_PROCESS, &args);
	struct runtime_log_point point;
	struct strbuf out;

	(void)state;
	strbuf_init(&out, STRBUF_NO_LIMIT);
	assert_int_equal(runtime_log_feed(l, SV("data 7 50 10 5\none\nha"), note, &out, &e), 0);
	runtime_log_point(l, &point);
	assert_string_equal(strbuf_str(&out), "O one\n");
	assert_int_equal(point.offset, 54);
	runtime_log_free(l);
	strbuf_clear(&out);
}

static void files__cannot_forge__lines_of_the_script(void **state)
{
	struct strbuf s;

	(void)state;
	strbuf_init(&s, STRBUF_NO_LIMIT);
	strbuf_adds(&s, "data 7 0 27 -\nerror missing\ndata 8 0 5 -\ndata 7 27 3 -\nok\n");
	expect(RUNTIME_PROCESS, false, &s, "O error missing\nO data 8 0 5 -\nO ok\n");
	strbuf_clear(&s);
}

static void files__that_cannot_be_read__are_errors(void **state)
{
	static const struct {
		const char *stream;
		const char *words;
	} row[] = {
		{ "error missing\n", "error: cannot read the log file: there is no such file" },
		{ "error unreadable\n", "error: cannot read the log file: we may not read it" },
		{ "error irregular\n", "error: cannot read the log file: it is no regular file" },
		{ "bash: no\n",
		  "error: cannot read the log file: the script on the host says: bash: no" },
		{ "pad 1\n",
		  "error: cannot read the log file: the script on the host says: pad 1" },
		{ "data 7 0 -3 -\n",
		  "error: cannot read the log file: the script on the host says: data 7 0 -3 -" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct strbuf s;

		strbuf_init(&s, STRBUF_NO_LIMIT);
		strbuf_adds(&s, row[i].stream);
		expect(RUNTIME_PROCESS, false, &s, row[i].words);
		strbuf_clear(&s);
	}
}

/* --- Going on behind a point -------------------------------------------------------------------- */

/* What an engine has in its log: frames with a stamp each, in the order of the file. */
struct entry {
	int type;
	int64_t ns;  /* behind S0 */
	size_t line; /* its number as text; parts of a long line have the same */
	bool first, last;
};

#define ENTRIES_MAX 4000

struct engine {
	struct entry entry[ENTRIES_MAX];
	size_t n, lines;
	bool seconds; /* Podman's stamps */
	bool newer; /* Docker's since 24: from the first line that is young enough on, everything */
};

static unsigned random_state;

static unsigned pick(unsigned n)
{
	random_state = random_state * 1103515245u + 12345u;
	return (random_state >> 8) % n;
}

static void put(struct engine *g, int type, int64_t ns, size_t line, bool first, bool last)
{
	assert_true(g->n < ENTRIES_MAX);
	g->entry[g->n++] = (struct entry){ type, ns, line, first, last };
}

/* Two streams that race by microseconds, long lines with others between their parts. */
static void engine_fill(struct engine *g, size_t lines, bool back)
{
	int64_t now = INT64_C(10000001000);
	bool open = false;
	int64_t open_ns = 0;
	size_t open_line = 0;

	g->n = 0;
	g->lines = lines;
	for (size_t i = 0; i < lines; i++) {
		now += pick(20) == 0 ? (int64_t)pick(900) * 1000000 : pick(2000);
		if (back && i == lines / 2)
			now -= 3000000000;
		if (open && pick(3) == 0) {
			put(g, 1, open_ns, open_line, false, true);
			open = false;
		}
		if (!open && pick(12) == 0) {
			open = true;
			open_ns = now;
			open_line = i;
			put(g, 1, now, i, true, false);
		} else if (pick(4) == 0 && i + 1 < lines && !open) {
			/* The younger of two came first to the file. */
			put(g, 2, now + 700, i, true, true);
			put(g, 1, now, ++i, true, true);
		} else {
			put(g, open ? 2 : 1, now, i, true, true);
		}
	}
	if (open)
		put(g, 1, open_ns, open_line, false, true);
}

/* What it sends when asked for everything since a stamp. */
static void engine_send(const struct engine *g, int64_t since_ns, size_t from, struct strbuf *out)
{
	bool all = false;

	for (size_t i = from; i < g->n; i++) {
		const struct entry *x = &g->entry[i];
		char stamp[64];

		if (x->ns < since_ns && !all)
			continue;
		all = g->newer;
		if (g->seconds)
			snprintf(stamp, sizeof(stamp), "2026-11-28T10:54:%02dZ",
				 (int)(2 + x->ns / 1000000000));
		else
			snprintf(stamp, sizeof(stamp), "2026-11-28T10:54:%02d.%09dZ",
				 (int)(2 + x->ns / 1000000000), (int)(x->ns % 1000000000));
		if (x->first && !x->last) {
			struct strbuf text;

			strbuf_init(&text, STRBUF_NO_LIMIT);
			strbuf_addf(&text, "%s %zu ", stamp, x->line);
			strbuf_pad(&text, '.', 16384);
			frame(out, x->type, strbuf_sv(&text));
			strbuf_clear(&text);
		} else {
			framef(out, x->type, "%s %zu \n", stamp, x->line);
		}
	}
}

/* How often each line was given. */
static void tally(void *arg, const struct runtime_line *l)
{
	unsigned char *seen = arg;
	size_t line = strtoul(l->text.p, NULL, 10);

	if (!l->more)
		seen[line]++;
}

static int64_t since_of(const struct runtime_args *args, enum runtime_kind kind)
{
	const struct runtime_service s = { .name = "web", .kind = kind, .container = "web" };
	struct runtime_request req;
	struct arena a;
	const char *at;
	long long seconds = 0, ns = 0;

	arena_init(&a);
	assert_int_equal(runtime_ops_of(kind)->request(RUNTIME_LOGS, &s, args, &a, &req, &e), 0);
	at = strstr(req.path, "&since=");
	if (at != NULL)
		assert_int_equal(sscanf(at, "&since=%lld.%lld", &seconds, &ns), 2);
	arena_clear(&a);
	return at != NULL ? (seconds - S0) * 1000000000 + ns : INT64_MIN;
}

/* Reads all of g with as many cuts, each at a random byte; every line has to come, and once. */
static void read_with_cuts(const struct engine *g, enum runtime_kind kind, int cuts, int most)
{
	unsigned char *seen = mem_calloc(g->lines, 1);
	struct runtime_log_point point = { 0 };
	struct strbuf s;

	strbuf_init(&s, STRBUF_NO_LIMIT);
	for (int i = 0; i <= cuts; i++) {
		struct runtime_args args = { .id = "c", .tail = -1, .point = &point };
		struct runtime_log *l = runtime_log_new(kind, &args);
		struct sv b;

		strbuf_reset(&s);
		engine_send(g, since_of(&args, kind), 0, &s);
		b = strbuf_sv(&s);
		if (i < cuts)
			b.n = b.n == 0 ? 0 : pick((unsigned)b.n);
		while (b.n > 0) {
			size_t n = 1 + pick(9000);

			n = n < b.n ? n : b.n;
			assert_int_equal(runtime_log_feed(l, sv_n(b.p, n), tally, seen, &e), 0);
			b = sv_n(b.p + n, b.n - n);
		}
		runtime_log_point(l, &point);
		runtime_log_free(l);
	}
	for (size_t i = 0; i < g->lines; i++)
		if (seen[i] < 1 || seen[i] > most)
			fail_msg("seed %u: line %zu came %d times", random_state, i, seen[i]);
	strbuf_clear(&s);
	mem_free(seen);
}

static void points__give_every_line_once__wherever_the_stream_was_cut(void **state)
{
	static struct engine g;

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		random_state = i;
		g.seconds = false;
		g.newer = i % 2 == 0;
		engine_fill(&g, 120, false);
		read_with_cuts(&g, RUNTIME_DOCKER, 1 + (int)pick(6), 1);
		g.newer = false;
		g.seconds = i % 2 == 0;
		read_with_cuts(&g, RUNTIME_PODMAN, 1 + (int)pick(6), 1);
	}
}

static void points__survive__a_clock_that_was_set_back(void **state)
{
	static struct engine g;

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		random_state = i;
		g.seconds = false;
		g.newer = true;
		engine_fill(&g, 120, true);
		/* With bad luck a line comes again; none is lost. */
		read_with_cuts(&g, RUNTIME_DOCKER, 1 + (int)pick(6), 9);
	}
}

static void points__whose_line_is_gone__pass_over_what_is_known(void **state)
{
	static struct engine g;
	struct runtime_log_point point;
	struct runtime_args args = { .id = "c", .tail = -1 };
	struct strbuf s;
	int64_t lost;
	char *got;

	(void)state;
	strbuf_init(&s, STRBUF_NO_LIMIT);
	g.n = 0;
	g.lines = 6;
	g.seconds = false;
	g.newer = false;
	for (size_t i = 0; i < 6; i++)
		put(&g, 1, (int64_t)i * 50000000, i, true, true);
	engine_send(&g, 0, 0, &s);
	/* All but the last two frames were read. */
	got = lines_of(RUNTIME_DOCKER, &args, sv_n(s.data, s.len / 6 * 4), SIZE_MAX, &point, NULL);
	mem_free(got);
	assert_string_equal(point.id, "c");
	assert_int_equal(point.high_ns, NS(150000000));
	/* The first four are gone when it goes on. */
	strbuf_reset(&s);
	engine_send(&g, 0, 3, &s);
	args.point = &point;
	got = lines_of(RUNTIME_DOCKER, &args, strbuf_sv(&s), SIZE_MAX, NULL, &lost);
	assert_string_equal(got, "O200000000 4 \nO250000000 5 \n");
	assert_int_equal(lost, 0); /* the last that was given is there */
	mem_free(got);
	/* All that was given is gone, and with it perhaps what was not. */
	strbuf_reset(&s);
	engine_send(&g, 0, 5, &s);
	expect_args(RUNTIME_DOCKER, &args, &s, "O250000000 5 \n", -1);
	strbuf_reset(&s);
	engine_send(&g, 0, 3, &s);
	/* Another container has the name: all of it is new. */
	args.id = "d";
	got = lines_of(RUNTIME_DOCKER, &args, strbuf_sv(&s), SIZE_MAX, &point, NULL);
	assert_string_equal(got, "O150000000 3 \nO200000000 4 \nO250000000 5 \n");
	assert_string_equal(point.id, "d");
	mem_free(got);
	strbuf_clear(&s);
}

/* Reads some of g, then its last entries behind that; what those miss is asked for by the stamp. Whether they did. */
static bool read_and_seek(const struct engine *g, size_t read, size_t last)
{
	struct runtime_args args = { .id = "c", .tail = -1 };
	struct runtime_log *l = runtime_log_new(RUNTIME_DOCKER, &args);
	unsigned char *seen = mem_calloc(g->lines, 1);
	struct engine *part = mem_alloc(sizeof(*part));
	struct runtime_log_point point;
	struct strbuf s;
	bool missed;

	*part = *g;
	part->n = read;
	strbuf_init(&s, STRBUF_NO_LIMIT);
	engine_send(part, INT64_MIN, 0, &s);
	assert_int_equal(runtime_log_feed(l, strbuf_sv(&s), tally, seen, &e), 0);
	runtime_log_point(l, &point);
	runtime_log_free(l);

	l = runtime_log_new(RUNTIME_DOCKER, &args);
	runtime_log_seek(l, &point);
	strbuf_reset(&s);
	engine_send(g, INT64_MIN, g->n - last, &s);
	assert_int_equal(runtime_log_feed(l, strbuf_sv(&s), tally, seen, &e), 0);
	missed = runtime_log_missed(l) || runtime_log_seeks(l);
	runtime_log_free(l);
	if (missed) {
		args.point = &point;
		l = runtime_log_new(RUNTIME_DOCKER, &args);
		strbuf_reset(&s);
		engine_send(g, since_of(&args, RUNTIME_DOCKER), 0, &s);
		assert_int_equal(runtime_log_feed(l, strbuf_sv(&s), tally, seen, &e), 0);
		runtime_log_free(l);
	}
	for (size_t i = 0; i < g->lines; i++)
		if (seen[i] != 1)
			fail_msg("seed %u: line %zu came %d times", random_state, i, seen[i]);
	strbuf_clear(&s);
	mem_free(part);
	mem_free(seen);
	return missed;
}

static void points__are_found__among_the_last_lines(void **state)
{
	static struct engine g;
	size_t found = 0, missed = 0;

	(void)state;
	g.seconds = g.newer = false;
	for (unsigned i = 0; i < 200; i++) {
		size_t read;

		random_state = i;
		engine_fill(&g, 120, false);
		/* Behind a line that is whole: before it there is no point. */
		read = 4 + pick((unsigned)g.n - 4);
		/* Nearly all of them, or as many as it happens. */
		if (read_and_seek(&g, read, i % 2 == 0 ? g.n - pick(4) : 1 + pick((unsigned)g.n)))
			missed++;
		else
			found++;
	}
	assert_true(found > 20);
	assert_true(missed > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames__become_lines__of_two_streams),
		cmocka_unit_test(frames__are_joined__where_docker_cut_a_line),
		cmocka_unit_test(frames__are_joined__where_podman_left_the_newline_out),
		cmocka_unit_test(frames__that_are_none__are_an_error),
		cmocka_unit_test(frames__of_the_engine_itself__are_a_line_and_a_loss),
		cmocka_unit_test(terminals__have_no_frames__and_stamps_inside_of_long_lines),
		cmocka_unit_test(lines__longer_than_the_limit__come_in_parts),
		cmocka_unit_test(journal__gives_messages__in_every_form),
		cmocka_unit_test(journal__goes_on__behind_its_cursor),
		cmocka_unit_test(journal__that_is_none__is_an_error),
		cmocka_unit_test(files__are_lines__between_those_of_the_script),
		cmocka_unit_test(files__cut_in_a_line__go_on_before_it),
		cmocka_unit_test(files__cannot_forge__lines_of_the_script),
		cmocka_unit_test(files__that_cannot_be_read__are_errors),
		cmocka_unit_test(points__give_every_line_once__wherever_the_stream_was_cut),
		cmocka_unit_test(points__survive__a_clock_that_was_set_back),
		cmocka_unit_test(points__whose_line_is_gone__pass_over_what_is_known),
		cmocka_unit_test(points__are_found__among_the_last_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
