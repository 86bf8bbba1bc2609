/* SPDX-License-Identifier: MIT */
/* The journal's chain: written, read again, torn, damaged, forked by a takeover. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/release/journal.h"
#include "tests/support/tmp.h"

struct box {
	char *dir, *path;
};

static int setup(void **state)
{
	struct box *b = mem_calloc(1, sizeof(*b));

	b->dir = tmp_make();
	b->path = tmp_path(b->dir, "journal.ndjson");
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct box *b = *state;

	mem_free(b->path);
	tmp_remove(b->dir);
	mem_free(b);
	return 0;
}

static struct journal *open_ok(const char *path, bool create, int64_t epoch)
{
	struct journal *j = NULL;
	struct err e;

	if (journal_open(path, create, epoch, &j, &e))
		fail_msg("%s: %s", e.msg, e.detail);
	return j;
}

static void add_ok(struct journal *j, const char *kind, int step)
{
	struct err e;

	assert_int_equal(journal_add(j, kind, step, NULL, false, NULL, &e), 0);
}

/* Makes a journal of n lines of epoch. */
static void write_lines(const char *path, int n, int64_t epoch)
{
	struct journal *j = open_ok(path, !fs_exists(path), epoch);

	for (int i = 0; i < n; i++)
		add_ok(j, i == 0 ? "created" : "progress", 0);
	journal_close(j);
}

static struct journal_check check_of(const char *path)
{
	struct journal_check c;
	struct err e;

	if (journal_read(path, NULL, NULL, &c, &e))
		fail_msg("%s: %s", e.msg, e.detail);
	return c;
}

static void adopt(struct journal *j, int64_t epoch, int64_t parent_epoch, int64_t parent_seq,
		  const char *parent_hash)
{
	json_t *f = json_object();
	struct err e;

	json_put_int(f, "parent_epoch", parent_epoch);
	json_put_int(f, "parent_seq", parent_seq);
	json_put_str(f, "parent_hash", parent_hash);
	journal_set_epoch(j, epoch);
	assert_int_equal(journal_add(j, "adopt", 0, f, true, NULL, &e), 0);
	json_decref(f);
}

static void journal__chains__when_lines_are_added(void **state)
{
	struct box *b = *state;
	struct journal *j = open_ok(b->path, true, 3);
	json_t *f = json_pack("{s:s,s:i}", "text", "a \"quoted\" \x01 text", "ms", 5);
	struct strbuf line;
	struct err e;
	struct journal_check c;
	char *text;

	strbuf_init(&line, JOURNAL_LINE_MAX);
	add_ok(j, "created", 0);
	assert_int_equal(journal_add(j, "result", 7, f, true, &line, &e), 0);
	assert_int_equal(journal_seq(j), 2);
	c = check_of(b->path);
	assert_false(c.broken);
	assert_false(c.torn);
	assert_int_equal(c.lines, 2);
	assert_int_equal(c.seq, 2);
	assert_int_equal(c.epoch, 3);
	assert_string_equal(c.head, journal_head(j));
	text = tmp_read(b->dir, "journal.ndjson");
	/* The line that was handed out is the line in the file. */
	assert_non_null(strstr(text, strbuf_str(&line)));
	assert_non_null(strstr(strbuf_str(&line), "\"kind\":\"result\",\"step\":7,\"text\":"));
	free(text);
	strbuf_clear(&line);
	json_decref(f);
	journal_close(j);
}

static void journal__continues__when_opened_again(void **state)
{
	struct box *b = *state;
	struct journal_check c;

	write_lines(b->path, 3, 1);
	write_lines(b->path, 2, 1);
	c = check_of(b->path);
	assert_false(c.broken);
	assert_int_equal(c.seq, 5);
}

static void journal__refuses_to_create__when_there_is_one(void **state)
{
	struct box *b = *state;
	struct journal *j;
	struct err e;

	write_lines(b->path, 1, 1);
	assert_int_equal(journal_open(b->path, true, 1, &j, &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
}

static void journal__goes_on_from_last_whole_line__when_tail_is_torn(void **state)
{
	struct box *b = *state;
	char *text;
	size_t whole;

	write_lines(b->path, 3, 1);
	text = tmp_read(b->dir, "journal.ndjson");
	whole = strlen(text);
	/* Every length the torn line can have, also the whole line without its newline. */
	for (size_t cut = 1; cut < 150 && text[whole - cut - 1] != '\n'; cut++) {
		struct journal_check c;

		tmp_write_bytes(b->dir, "journal.ndjson", text, whole - cut);
		c = check_of(b->path);
		assert_true(c.torn);
		assert_false(c.broken);
		assert_int_equal(c.seq, 2);
		write_lines(b->path, 1, 1);
		c = check_of(b->path);
		assert_false(c.torn);
		assert_false(c.broken);
		assert_int_equal(c.torn_lines, 1);
		assert_int_equal(c.seq, 3);
	}
	free(text);
}

static void journal__is_broken__when_any_byte_of_a_middle_line_changes(void **state)
{
	struct box *b = *state;
	char *text;
	size_t first, second;

	write_lines(b->path, 4, 1);
	text = tmp_read(b->dir, "journal.ndjson");
	first = strcspn(text, "\n") + 1;
	second = first + strcspn(text + first, "\n");
	for (size_t i = first; i < second; i++) {
		struct journal_check c;
		struct journal *j;
		struct err e;

		text[i] ^= 1;
		tmp_write(b->dir, "journal.ndjson", text);
		c = check_of(b->path);
		assert_true(c.broken);
		assert_non_null(c.broken_why);
		assert_int_equal(journal_open(b->path, false, 1, &j, &e), -1);
		assert_int_equal(e.code, ERR_CORRUPT);
		text[i] ^= 1;
	}
	free(text);
}

static void journal__is_broken__when_a_line_is_taken_out(void **state)
{
	struct box *b = *state;
	char *text;
	struct journal_check c;

	write_lines(b->path, 4, 1);
	text = tmp_read(b->dir, "journal.ndjson");
	tmp_write(b->dir, "journal.ndjson", text + strcspn(text, "\n") + 1);
	c = check_of(b->path);
	assert_true(c.broken);
	assert_int_equal(c.broken_line, 1);
	free(text);
}

static void journal__keeps_old_lines_as_evidence__when_taken_over(void **state)
{
	struct box *b = *state;
	struct journal *old, *new;
	struct journal_check c;
	char head[65];

	write_lines(b->path, 2, 1);
	old = open_ok(b->path, false, 1);
	new = open_ok(b->path, false, 1);
	str_copy(head, sizeof(head), journal_head(new));
	add_ok(old, "result", 1); /* between the reading and the adopt */
	adopt(new, 2, 1, 2, head);
	add_ok(old, "ended", 0); /* behind it */
	add_ok(new, "started", 0);
	c = check_of(b->path);
	assert_false(c.broken);
	assert_int_equal(c.evidence, 2);
	assert_int_equal(c.seq, 4);
	assert_int_equal(c.epoch, 2);
	assert_string_equal(c.head, journal_head(new));
	journal_close(old);
	journal_close(new);
	/* A third runner goes on from the second one, not from the evidence. */
	write_lines(b->path, 1, 2);
	c = check_of(b->path);
	assert_false(c.broken);
	assert_int_equal(c.seq, 5);
}

static void journal__is_broken__when_evidence_does_not_hang_on_its_epoch(void **state)
{
	struct box *b = *state;
	struct journal *j;
	struct strbuf text;
	struct err e;

	write_lines(b->path, 2, 1);
	j = open_ok(b->path, false, 1);
	adopt(j, 2, 1, 2, journal_head(j));
	journal_close(j);
	strbuf_init(&text, STRBUF_NO_LIMIT);
	assert_int_equal(fs_read(b->path, 1 << 20, &text, &e), 0);
	strbuf_addf(&text,
		    "{\"seq\":3,\"epoch\":1,\"at\":\"2026-11-21T12:00:00.000Z\",\"prev\":"
		    "\"%064d\",\"kind\":\"ended\",\"state\":\"done\"}\n",
		    0);
	tmp_write(b->dir, "journal.ndjson", strbuf_str(&text));
	strbuf_clear(&text);
	assert_true(check_of(b->path).broken);
}

static void journal__stays_sound__when_a_write_was_cut_short(void **state)
{
	struct box *b = *state;
	struct journal *j = open_ok(b->path, true, 1);
	struct rlimit limit, small;
	struct journal_check c;
	struct err e;
	char *text;

	add_ok(j, "created", 0);
	text = tmp_read(b->dir, "journal.ndjson");
	/* The file may grow by ten bytes only: the next line is cut in its middle. */
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	small = (struct rlimit){ .rlim_cur = strlen(text) + 10, .rlim_max = limit.rlim_max };
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(journal_add(j, "intent", 1, NULL, true, NULL, &e), -1);
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_int_equal(e.code, ERR_SYSTEM);
	assert_string_equal(e.sys, "EFBIG");
	assert_int_equal(journal_seq(j), 1);
	assert_true(check_of(b->path).torn);
	add_ok(j, "intent", 1);
	c = check_of(b->path);
	assert_false(c.broken);
	assert_int_equal(c.seq, 2);
	free(text);
	journal_close(j);
}

static void journal__refuses__when_a_line_is_too_long(void **state)
{
	struct box *b = *state;
	struct journal *j = open_ok(b->path, true, 1);
	char *big = mem_calloc(1, JOURNAL_LINE_MAX + 1);
	json_t *f = json_object();
	struct err e;

	memset(big, 'x', JOURNAL_LINE_MAX);
	json_put_str(f, "text", big);
	assert_int_equal(journal_add(j, "progress", 0, f, false, NULL, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(check_of(b->path).lines, 0);
	add_ok(j, "created", 0);
	assert_int_equal(check_of(b->path).lines, 1);
	json_decref(f);
	mem_free(big);
	journal_close(j);
}

static void journal__is_damaged__when_it_is_rubbish(void **state)
{
	static const char *const texts[] = {
		"\n",
		"null\n",
		"[]\n",
		"{}\n",
		"{\"seq\":1}\n",
		"\xff\xfe\n",
		"{\"seq\":-1,\"epoch\":1,\"at\":\"x\",\"prev\":\"\",\"kind\":\"a\"}\n",
		"{\"seq\":1,\"seq\":1}\n",
	};
	struct box *b = *state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct journal_check c;

		tmp_write(b->dir, "journal.ndjson", texts[i]);
		c = check_of(b->path);
		assert_int_equal(c.lines, 0);
		assert_int_equal(c.seq, 0);
	}
}

static int count_line(void *arg, const struct journal_line *l, struct err *e)
{
	(void)l;
	(void)e;
	++*(int *)arg;
	return 0;
}

/* What journal_scan_on says of the file behind c. */
static int scan_on(const struct box *b, struct journal_check *c, int *lines)
{
	struct strbuf text;
	struct err e;
	int ret;

	strbuf_init(&text, JOURNAL_FILE_MAX);
	assert_int_equal(fs_read(b->path, JOURNAL_FILE_MAX, &text, &e), 0);
	*lines = 0;
	ret = journal_scan_on(strbuf_sv(&text), count_line, lines, c, &e);
	strbuf_clear(&text);
	return ret;
}

static void assert_same(const struct journal_check *a, const struct journal_check *b)
{
	assert_int_equal(a->lines, b->lines);
	assert_int_equal(a->bytes, b->bytes);
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->epoch, b->epoch);
	assert_int_equal(a->torn, b->torn);
	assert_string_equal(a->head, b->head);
}

static void journal__is_read_on__from_where_it_was_read_to(void **state)
{
	struct box *b = *state;
	struct journal_check c, whole;
	struct strbuf text;
	struct err e;
	int lines;

	write_lines(b->path, 3, 1);
	c = check_of(b->path);
	assert_int_equal(scan_on(b, &c, &lines), 0);
	assert_int_equal(lines, 0);
	write_lines(b->path, 2, 1);
	assert_int_equal(scan_on(b, &c, &lines), 0);
	assert_int_equal(lines, 2);
	whole = check_of(b->path);
	assert_same(&c, &whole);
	/* Half of a line is not one yet. */
	strbuf_init(&text, STRBUF_NO_LIMIT);
	assert_int_equal(fs_read(b->path, JOURNAL_FILE_MAX, &text, &e), 0);
	strbuf_adds(&text, "{\"seq\":6");
	assert_int_equal(fs_replace(b->path, text.data, text.len, 0600, &e), 0);
	strbuf_clear(&text);
	assert_int_equal(scan_on(b, &c, &lines), 0);
	assert_int_equal(lines, 0);
	assert_true(c.torn);
	whole = check_of(b->path);
	assert_same(&c, &whole);
	/* Its end as torn is for the whole reading to judge. */
	write_lines(b->path, 1, 1);
	assert_int_equal(scan_on(b, &c, &lines), 1);
}

static void journal__is_read_anew__when_it_was_taken_over_or_is_shorter(void **state)
{
	struct box *b = *state;
	struct journal *j;
	struct journal_check c;
	int lines;

	write_lines(b->path, 3, 1);
	c = check_of(b->path);
	j = open_ok(b->path, false, 1);
	adopt(j, 2, 1, 3, journal_head(j));
	journal_close(j);
	assert_int_equal(scan_on(b, &c, &lines), 1);
	assert_int_equal(lines, 0);
	c = check_of(b->path);
	tmp_write(b->dir, "journal.ndjson", "");
	assert_int_equal(scan_on(b, &c, &lines), 1);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(journal__chains__when_lines_are_added),
		CASE(journal__continues__when_opened_again),
		CASE(journal__refuses_to_create__when_there_is_one),
		CASE(journal__goes_on_from_last_whole_line__when_tail_is_torn),
		CASE(journal__is_broken__when_any_byte_of_a_middle_line_changes),
		CASE(journal__is_broken__when_a_line_is_taken_out),
		CASE(journal__keeps_old_lines_as_evidence__when_taken_over),
		CASE(journal__is_broken__when_evidence_does_not_hang_on_its_epoch),
		CASE(journal__stays_sound__when_a_write_was_cut_short),
		CASE(journal__refuses__when_a_line_is_too_long),
		CASE(journal__is_damaged__when_it_is_rubbish),
		CASE(journal__is_read_on__from_where_it_was_read_to),
		CASE(journal__is_read_anew__when_it_was_taken_over_or_is_shorter),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
