/* SPDX-License-Identifier: MIT */
/*
 * Every login shell that is there, and processes that are to end.
 *
 * needs: time
 */
#include "core/host/wrap.h"

#include "core/base/child.h"
#include "core/base/digest.h"
#include "core/base/fs.h"
#include "tests/support/process.h"
#include "tests/support/tmp.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NONCE "0123456789abcdef0123456789abcdef"
#define MARK "\036" NONCE " "

static struct err e;

/* Feeds text in pieces of step bytes; the result is checked against want. */
static void check_take(bool marks_follow, struct sv text, size_t step, struct sv want,
		       struct wrap_stream *s)
{
	char *out = malloc(text.n + 2 * WRAP_MARK_MAX);
	size_t n = 0;

	wrap_stream_init(s, NONCE, marks_follow);
	for (size_t at = 0; at < text.n; at += step) {
		size_t piece = text.n - at < step ? text.n - at : step;

		n += wrap_stream_take(s, sv_n(text.p + at, piece), out + n);
	}
	n += wrap_stream_end(s, out + n);
	assert_int_equal(n, want.n);
	assert_memory_equal(out, want.p, want.n);
	free(out);
}

static void wrap_stream__takes_marks_out__wherever_they_are_cut(void **state)
{
	const struct sv text = SV("motd \036 0123\nlast words\n" MARK "begin 1764327086.250000000\n"
				  "one\0\036two\n" MARK "alive\n" MARK "alive\nthree" MARK
				  "end 137 KILL\nfour");
	const struct sv want = SV("one\0\036two\nthreefour");

	(void)state;
	for (size_t step = 1; step <= text.n; step++) {
		struct wrap_stream s;

		check_take(true, text, step, want, &s);
		assert_true(s.begun);
		assert_true(s.ended);
		assert_int_equal(s.status, 137);
		assert_string_equal(s.signal, "KILL");
		assert_int_equal(s.n_noise, 23);
		assert_memory_equal(s.noise, "motd \036 0123\nlast words\n", 23);
		assert_int_equal(s.clock_us, INT64_C(1764327086250000));
	}
}

static void wrap_stream__passes_stdout_on__behind_its_first_mark(void **state)
{
	const struct sv text = SV("noise" MARK "begin\nraw " MARK "end 0 \n\036");
	const struct sv want = SV("raw " MARK "end 0 \n\036");

	(void)state;
	for (size_t step = 1; step <= text.n; step++) {
		struct wrap_stream s;

		check_take(false, text, step, want, &s);
		assert_true(s.begun);
		assert_false(s.ended);
		assert_int_equal(s.clock_us, -1);
	}
}

static void wrap_stream__does_not_believe__what_only_looks_like_a_mark(void **state)
{
	/* Another nonce, a mark cut short, an end before the begin, a status that is none. */
	static const char other[] = "\036fedcba9876543210fedcba9876543210 end 0 \n";
	const struct sv before = SV(MARK "end 0 \n" MARK "alive\n");
	const struct sv after = SV(MARK "end 256 \n" MARK "ends 0\n" MARK "end \n" MARK
					"begin\n\036\036" MARK);
	struct wrap_stream s;
	struct strbuf text;

	(void)state;
	strbuf_init(&text, 10000);
	strbuf_addsv(&text, before);
	check_take(true, strbuf_sv(&text), 7, SV(""), &s);
	assert_false(s.begun || s.ended);
	strbuf_reset(&text);
	strbuf_adds(&text, MARK "begin\n");
	strbuf_adds(&text, other);
	strbuf_addsv(&text, after);
	strbuf_pad(&text, 'x', 2 * WRAP_MARK_MAX);
	for (size_t step = 1; step < 200; step++) {
		const size_t skip = strlen(MARK "begin\n");

		check_take(true, strbuf_sv(&text), step, sv_n(text.data + skip, text.len - skip),
			   &s);
		assert_true(s.begun);
		assert_false(s.ended);
	}
	strbuf_clear(&text);
}

static void wrap_stream__reads_the_time__as_far_as_it_is_said(void **state)
{
	static const struct {
		const char *text;
		int64_t us;
	} cases[] = {
		{ "begin 5.25", 5250000 },
		{ "begin 5.123456789", 5123456 },
		{ "begin 5.N", 5500000 },
		{ "begin 5.%N", 5500000 },
		{ "begin 5", 5500000 },
		{ "begin 5.000000", 5000000 },
		{ "begin", -1 },
		{ "begin ", -1 },
		{ "begin x", -1 },
		{ "begin -5", -1 },
		{ "begin 99999999999999999999", -1 },
		{ "begin 9223372036853", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wrap_stream s;
		struct strbuf text;

		strbuf_init(&text, 200);
		strbuf_addf(&text, MARK "%s\n", cases[i].text);
		check_take(true, strbuf_sv(&text), 1000, SV(""), &s);
		assert_true(s.begun);
		assert_int_equal(s.clock_us, cases[i].us);
		strbuf_clear(&text);
	}
}

/* --- The text ---------------------------------------------------------------------------------- */

/* The text, run as a login shell runs it. What it takes is mostly the grace of two seconds before what does not go is
 * killed, so cases that come to that start all of theirs before they wait for the first. */
struct ran {
	char *dir;
	struct child_fds fds;
	int in;                 /* -1: closed */
	struct strbuf out, err; /* without marks */
	struct wrap_stream marks[2];
	int status; /* as of waitpid */
	pid_t pid;
};

static void ran_clear(struct ran *r)
{
	strbuf_clear(&r->out);
	strbuf_clear(&r->err);
}

static void unmark(struct wrap_stream *s, const char *dir, const char *name, struct strbuf *out)
{
	char *path = tmp_path(dir, name);
	struct strbuf text;

	strbuf_init(&text, STRBUF_NO_LIMIT);
	strbuf_init(out, STRBUF_NO_LIMIT);
	assert_int_equal(fs_read(path, STRBUF_NO_LIMIT, &text, &e), 0);
	strbuf_grew(out, wrap_stream_take(s, strbuf_sv(&text),
					  strbuf_room(out, text.len + WRAP_MARK_MAX)));
	strbuf_grew(out, wrap_stream_end(s, strbuf_room(out, WRAP_MARK_MAX)));
	strbuf_clear(&text);
	free(path);
}

static int open_in(const char *dir, const char *name)
{
	char *path = tmp_path(dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	free(path);
	return fd;
}

/* argv: the shell, and what it takes before the text. cut: input bytes after which stdin ends; -1: it stays open
 * until the command has ended. */
static void start_text(const char *const *shell, const struct host_command *cmd, ssize_t cut,
		       struct ran *r)
{
	char *argv[8] = { NULL };
	struct strbuf text, input;
	int in[2], gone[2], at = 0;

	r->dir = tmp_make();
	r->fds = (struct child_fds){ .keep_fd = -1 };
	strbuf_init(&text, WRAP_TEXT_MAX);
	strbuf_init(&input, STRBUF_NO_LIMIT);
	assert_int_equal(wrap_text(cmd, NONCE, false, &text, &e), 0);
	wrap_input(cmd, NONCE, &input);
	for (; shell[at]; at++)
		argv[at] = (char *)(uintptr_t)shell[at];
	argv[at] = text.data;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_true(fcntl(in[1], F_SETPIPE_SZ, 1 << 20) > 0);
	r->fds.in = in[0];
	r->fds.out = open_in(r->dir, "out");
	r->fds.err = open_in(r->dir, "err");
	if (cut == 0 && cmd->duplex) {
		/* The end of its input alone does not end a duplex command; that nobody reads it does. */
		close(r->fds.err);
		assert_int_equal(pipe2(gone, O_CLOEXEC), 0);
		close(gone[0]);
		r->fds.err = gone[1];
	}
	if (child_spawn(argv, &r->fds, &r->pid, &e))
		fail_msg("%s: %s", e.msg, e.detail);
	close(in[0]);
	r->in = in[1];
	assert_int_equal(
		fs_write_all(in[1], input.data, cut >= 0 ? (size_t)cut : input.len, "in", &e), 0);
	if (cut >= 0) {
		close(in[1]);
		r->in = -1;
	}
	strbuf_clear(&text);
	strbuf_clear(&input);
}

/* Until it has ended. */
static void reap_text(struct ran *r)
{
	assert_int_equal(waitpid(r->pid, &r->status, 0), r->pid);
	if (r->in >= 0)
		close(r->in); /* as sshd does */
	close(r->fds.out);
	close(r->fds.err);
}

/* … with all of its group. */
static void finish_text(struct ran *r)
{
	assert_true(process_group_wait(r->pid, 0));
	wrap_stream_init(&r->marks[0], NONCE, false);
	wrap_stream_init(&r->marks[1], NONCE, true);
	unmark(&r->marks[0], r->dir, "out", &r->out);
	unmark(&r->marks[1], r->dir, "err", &r->err);
	tmp_remove(r->dir);
}

static void run_text(const char *const *shell, const struct host_command *cmd, ssize_t cut,
		     struct ran *r)
{
	start_text(shell, cmd, cut, r);
	reap_text(r);
	finish_text(r);
}

static void assert_ran(const struct ran *r, int status)
{
	assert_true(WIFEXITED(r->status));
	assert_int_equal(WEXITSTATUS(r->status), status);
	assert_true(r->marks[0].begun);
	assert_true(r->marks[1].ended);
	assert_int_equal(r->marks[1].status, status);
}

static bool has_program(const char *name)
{
	char *argv[] = { (char *)"which", (char *)(uintptr_t)name, NULL };
	struct tmp_child child;
	bool found;

	tmp_run(&child, NULL, argv);
	found = child.status == 0;
	tmp_child_clear(&child);
	return found;
}

/* All that a login shell could read in its own way. */
#define WORST "'\\''\\\\!!\\!$HOME`id`$(id)\"%s%%\\0101\n\t;&|<>(){}[]*?~#^=\303\274\001\177 -n"

static void wrap_text__says_the_same__to_every_login_shell(void **state)
{
	static const char *const shells[] = { "sh",   "bash", "dash", "zsh", "ksh",
					      "mksh", "fish", "tcsh", "csh" };
	const char *const words[] = { WORST, "", "-x", "end", NULL };
	const struct host_command cmd = {
		.script = "printf '<%s>' \"$@\"\n# it's a comment!\necho 'two\\n' >&2\nexit 7",
		.argv = words,
	};
	int n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		const char *const shell[] = { shells[i], "-c", NULL };
		struct ran r;

		if (!has_program(shells[i]))
			continue;
		n++;
		run_text(shell, &cmd, -1, &r);
		assert_string_equal(strbuf_str(&r.out), "<" WORST "><><-x><end>");
		assert_ran(&r, 7);
		assert_true(strstr(strbuf_str(&r.err), "two"));
		ran_clear(&r);
	}
	assert_true(n >= 2);
	print_message("# %d login shells\n", n);
}

static const char *const sh[] = { "sh", "-c", NULL };

static void wrap_text__runs_words__that_no_shell_reads(void **state)
{
	/* A program, not a function or word of the shell around it. */
	const char *const words[] = { "echo", WORST, NULL };
	const char *const function[] = { "b_watch", NULL };
	const char *const builtin[] = { "exit", "0", NULL };
	struct host_command cmd = { .argv = words };
	struct ran r;

	(void)state;
	run_text(sh, &cmd, -1, &r);
	assert_ran(&r, 0);
	assert_string_equal(strbuf_str(&r.out), WORST "\n");
	assert_string_equal(strbuf_str(&r.err), "");
	ran_clear(&r);
	cmd.argv = function;
	run_text(sh, &cmd, -1, &r);
	assert_ran(&r, 127);
	ran_clear(&r);
	cmd.argv = builtin;
	run_text(sh, &cmd, -1, &r);
	assert_ran(&r, 127);
	ran_clear(&r);
}

static void wrap_text__tells_the_signal__that_ended_it(void **state)
{
	const struct host_command cmd = { .script = "kill -9 $$" };
	struct ran r;

	(void)state;
	run_text(sh, &cmd, -1, &r);
	assert_ran(&r, 137);
	assert_string_equal(r.marks[1].signal, "KILL");
	ran_clear(&r);
}

/* Bytes of every value, with the nonce among them. */
static void fill(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 7 + (i >> 8));
	if (n > 2000)
		memcpy(p + 1000, "\n" NONCE "\n", sizeof(NONCE) + 1);
}

static void wrap_input__arrives_whole__with_what_ever_is_in_it(void **state)
{
	static const size_t sizes[] = { 1, 2, 4096, 100000, 500000 };
	struct host_command cmd = { .script = "sha256sum" };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *bytes = malloc(sizes[i]), hex[DIGEST_HEX_SIZE];
		struct ran r;

		fill(bytes, sizes[i]);
		digest_hex(bytes, sizes[i], hex);
		cmd.input = sv_n(bytes, sizes[i]);
		run_text(sh, &cmd, -1, &r);
		assert_ran(&r, 0);
		assert_int_equal(strncmp(strbuf_str(&r.out), hex, strlen(hex)), 0);
		ran_clear(&r);
		free(bytes);
	}
}

static void wrap_input__never_arrives__when_it_is_cut(void **state)
{
	static char bytes[100000];
	const ssize_t cuts[] = { 0, 1, 99999, 100000, 100000 + 8192, 100000 + 8192 + 31 };
	enum { N_CUTS = sizeof(cuts) / sizeof(cuts[0]) };
	struct host_command cmd = { .script = "cat; echo whole",
				    .input = { bytes, sizeof(bytes) } };
	struct ran r[N_CUTS];

	(void)state;
	fill(bytes, sizeof(bytes));
	for (size_t i = 0; i < N_CUTS; i++)
		start_text(sh, &cmd, cuts[i], &r[i]);
	for (size_t i = 0; i < N_CUTS; i++) {
		reap_text(&r[i]);
		finish_text(&r[i]);
		assert_false(r[i].marks[1].ended);
		assert_int_equal(r[i].out.len, 0);
		ran_clear(&r[i]);
	}
}

static void wrap_text__works__with_what_busybox_has(void **state)
{
	/* Its head reads ahead, its sh and kill are of its own. */
	static const char *const box[] = { "busybox", "sh", "-c", NULL };
	static char bytes[300000];
	struct host_command cmd = { .script = "sha256sum; kill -TERM $$",
				    .input = { bytes, sizeof(bytes) } };
	char hex[DIGEST_HEX_SIZE];
	struct ran r;

	(void)state;
	if (!has_program("busybox"))
		skip();
	fill(bytes, sizeof(bytes));
	digest_hex(bytes, sizeof(bytes), hex);
	run_text(box, &cmd, -1, &r);
	assert_ran(&r, 143);
	assert_string_equal(r.marks[1].signal, "TERM");
	assert_int_equal(strncmp(strbuf_str(&r.out), hex, strlen(hex)), 0);
	ran_clear(&r);
}

static void wrap_text__ends_the_group__when_stdin_ends(void **state)
{
	static const char *const scripts[] = {
		"sleep 1000",
		"sleep 1000 & sleep 1000 & wait",
		/* TERM does not move it: KILL has to. */
		"trap '' TERM; sleep 1000; sleep 1000; sleep 1000",
		"trap '' TERM; while :; do sleep 1000; done >/dev/null 2>&1 </dev/null & wait",
	};
	enum { N = 2 * sizeof(scripts) / sizeof(scripts[0]) };
	struct ran r[N];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		const struct host_command cmd = { .script = scripts[i / 2], .duplex = i % 2 };

		start_text(sh, &cmd, 0, &r[i]);
	}
	for (size_t i = 0; i < N; i++) {
		reap_text(&r[i]);
		finish_text(&r[i]);
		assert_false(r[i].marks[1].ended);
		ran_clear(&r[i]);
	}
}

static void wrap_text__kills_what_is_left__when_it_has_ended(void **state)
{
	const struct host_command cmd = { .script = "trap '' TERM HUP; sleep 1000 & echo done" };
	const struct host_command duplex = { .script = "trap '' TERM; sleep 1000 & echo done",
					     .duplex = true };
	struct ran r, many[20];

	(void)state;
	run_text(sh, &cmd, -1, &r); /* it asserts that the group ends */
	assert_ran(&r, 0);
	assert_string_equal(strbuf_str(&r.out), "done\n");
	ran_clear(&r);
	/* Again and again: it may end before what kills the rest has begun. */
	for (int i = 0; i < 20; i++) {
		start_text(sh, &duplex, -1, &many[i]);
		reap_text(&many[i]);
	}
	for (int i = 0; i < 20; i++) {
		finish_text(&many[i]);
		assert_ran(&many[i], 0);
		ran_clear(&many[i]);
	}
}

static void wrap_text__makes_a_group__where_the_server_makes_none(void **state)
{
	/* Started by a shell that stays its parent and leads the group. */
	const char *const shell[] = { "sh", "-c", "sh -c \"$0\"; r=$?; exit $r", NULL };
	const struct host_command cmd = {
		.script = "read -r a b c d g rest </proc/self/stat; "
			  "[ \"$g\" != $$ ]; echo $PPID; ps -o pgid= $PPID"
	};
	int64_t pid = 0, group = 0;
	struct sv text, line;
	struct ran r;

	(void)state;
	run_text(shell, &cmd, -1, &r);
	assert_ran(&r, 0);
	text = strbuf_sv(&r.out);
	assert_true(sv_cut(&text, '\n', &line) && sv_int(sv_trim(line), 1, INT32_MAX, &pid));
	assert_true(sv_cut(&text, '\n', &line) && sv_int(sv_trim(line), 1, INT32_MAX, &group));
	assert_int_equal(pid, group);
	assert_int_not_equal(group, r.pid);
	ran_clear(&r);
}

static void wrap_text__refuses__what_no_packet_takes(void **state)
{
	struct strbuf word, out;
	const char *words[] = { "echo", NULL, NULL };
	struct host_command cmd = { .argv = words };

	(void)state;
	strbuf_init(&word, STRBUF_NO_LIMIT);
	strbuf_init(&out, STRBUF_NO_LIMIT);
	strbuf_pad(&word, 'x', WRAP_TEXT_MAX);
	words[1] = word.data;
	assert_int_equal(wrap_text(&cmd, NONCE, false, &out, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(out.len, 0);
	strbuf_clear(&word);
	strbuf_clear(&out);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(wrap_stream__takes_marks_out__wherever_they_are_cut),
		cmocka_unit_test(wrap_stream__passes_stdout_on__behind_its_first_mark),
		cmocka_unit_test(wrap_stream__does_not_believe__what_only_looks_like_a_mark),
		cmocka_unit_test(wrap_stream__reads_the_time__as_far_as_it_is_said),
		cmocka_unit_test(wrap_text__says_the_same__to_every_login_shell),
		cmocka_unit_test(wrap_text__runs_words__that_no_shell_reads),
		cmocka_unit_test(wrap_text__tells_the_signal__that_ended_it),
		cmocka_unit_test(wrap_input__arrives_whole__with_what_ever_is_in_it),
		cmocka_unit_test(wrap_input__never_arrives__when_it_is_cut),
		cmocka_unit_test(wrap_text__works__with_what_busybox_has),
		cmocka_unit_test(wrap_text__ends_the_group__when_stdin_ends),
		cmocka_unit_test(wrap_text__kills_what_is_left__when_it_has_ended),
		cmocka_unit_test(wrap_text__makes_a_group__where_the_server_makes_none),
		cmocka_unit_test(wrap_text__refuses__what_no_packet_takes),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
