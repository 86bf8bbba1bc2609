/* SPDX-License-Identifier: MIT */
#include "core/base/fs.h"

#include "core/base/mem.h"
#include "tests/support/tmp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char *dir;
static struct err e;

static int setup(void **state)
{
	(void)state;
	dir = tmp_make();
	err_clear(&e);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tmp_remove(dir);
	return 0;
}

/* How many names are in the folder: temporary files must not stay. */
static int names_in_dir(void)
{
	DIR *d = opendir(dir);
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

/* fs_read of dir/name into a buffer that already holds "<". */
static int read_behind(const char *name, size_t max, size_t buffer_max, char **text)
{
	char *path = tmp_path(dir, name);
	struct strbuf b;
	int r;

	strbuf_init(&b, buffer_max);
	strbuf_adds(&b, "<");
	r = fs_read(path, max, &b, &e);
	assert_true(strbuf_ok(&b));
	*text = strbuf_detach(&b);
	free(path);
	return r;
}

static void fs_read__appends_whole_file__up_to_the_limit(void **state)
{
	char *text;

	(void)state;
	tmp_write(dir, "f", "0123456789");
	assert_int_equal(read_behind("f", 10, STRBUF_NO_LIMIT, &text), 0);
	assert_string_equal(text, "<0123456789");
	mem_free(text);
	assert_int_equal(read_behind("f", 1000, STRBUF_NO_LIMIT, &text), 0);
	assert_string_equal(text, "<0123456789");
	mem_free(text);
	/* The buffer's own maximum counts too, and a file that just fits does fit. */
	assert_int_equal(read_behind("f", 1000, 11, &text), 0);
	assert_string_equal(text, "<0123456789");
	mem_free(text);
	assert_int_equal(read_behind("f", 1000, 10, &text), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(text, "<");
	mem_free(text);
}

static void fs_read__keeps_nothing__when_too_long(void **state)
{
	char *text;

	(void)state;
	tmp_write(dir, "f", "0123456789");
	assert_int_equal(read_behind("f", 9, STRBUF_NO_LIMIT, &text), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.detail, "it is larger than 9 bytes");
	assert_string_equal(text, "<");
	mem_free(text);
	assert_int_equal(read_behind("f", 0, STRBUF_NO_LIMIT, &text), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	mem_free(text);
}

static void fs_read__accepts__an_empty_file(void **state)
{
	char *text;

	(void)state;
	tmp_write(dir, "f", "");
	assert_int_equal(read_behind("f", 0, STRBUF_NO_LIMIT, &text), 0);
	assert_string_equal(text, "<");
	mem_free(text);
}

static void fs_read__reads_files_of_unknown_size__in_proc(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	assert_int_equal(fs_read("/proc/self/status", 1 << 20, &b, &e), 0);
	assert_true(sv_starts(strbuf_sv(&b), SV("Name:")));
	strbuf_reset(&b);
	assert_int_equal(fs_read("/proc/self/status", 16, &b, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(b.len, 0);
	strbuf_clear(&b);
}

static void fs_read__refuses__what_is_no_regular_file(void **state)
{
	char *fifo = tmp_path(dir, "fifo");
	struct strbuf b;

	(void)state;
	strbuf_init(&b, 100);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(fs_read(fifo, 100, &b, &e), -1); /* and does not wait for a writer */
	assert_int_equal(e.code, ERR_INPUT);
	assert_int_equal(fs_read(dir, 100, &b, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_string_equal(e.detail, "it is a folder");
	assert_int_equal(fs_read("/dev/zero", 100, &b, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_int_equal(fs_read("/nowhere/at/all", 100, &b, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_string_equal(e.msg, "cannot open /nowhere/at/all");
	assert_int_equal(fs_open(fifo, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	strbuf_clear(&b);
	free(fifo);
}

static void fs_read_at__names_the_path__in_errors(void **state)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	struct strbuf b;

	(void)state;
	strbuf_init(&b, 100);
	tmp_write(dir, "f", "text");
	assert_int_equal(fs_read_at(fd, "f", "a/b/f", 100, &b, &e), 0);
	assert_string_equal(b.data, "text");
	assert_int_equal(fs_read_at(fd, "g", "a/b/g", 100, &b, &e), -1);
	assert_string_equal(e.msg, "cannot open a/b/g");
	strbuf_clear(&b);
	close(fd);
}

static void fs_replace__writes_new_and_replaces_old__with_mode(void **state)
{
	char *path = tmp_path(dir, "f"), *text;
	mode_t old = umask(077);
	struct stat st;

	(void)state;
	assert_int_equal(fs_replace(path, "one", 3, 0644, &e), 0);
	assert_int_equal(fs_replace(path, "two\0x", 5, 0640, &e), 0);
	umask(old);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_size, 5);
	text = tmp_read(dir, "f");
	assert_string_equal(text, "two");
	assert_int_equal(names_in_dir(), 1);
	free(text);
	free(path);
}

static void fs_replace__leaves_nothing__when_rename_fails(void **state)
{
	char *path = tmp_path(dir, "folder");

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(fs_replace(path, "x", 1, 0600, &e), -1);
	assert_string_equal(e.sys, "EISDIR");
	assert_int_equal(names_in_dir(), 1);
	free(path);
}

static void fs_replace__keeps_old_and_leaves_nothing__when_writing_fails(void **state)
{
	struct rlimit old, small = { .rlim_cur = 4096 };
	char *path = tmp_path(dir, "f"), *text;
	static char large[10000];
	int r;

	(void)state;
	assert_int_equal(fs_replace(path, "old", 3, 0600, &e), 0);
	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	r = fs_replace(path, large, sizeof(large), 0600, &e);
	setrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(r, -1);
	assert_string_equal(e.sys, "EFBIG");
	text = tmp_read(dir, "f");
	assert_string_equal(text, "old");
	assert_int_equal(names_in_dir(), 1);
	free(text);
	free(path);
}

static void fs_replace__fails__when_the_folder_is_missing(void **state)
{
	(void)state;
	assert_int_equal(fs_replace("/nowhere/at/all", "x", 1, 0600, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_string_equal(e.msg, "cannot write /nowhere/at/all");
}

static void fs_mkdirs__makes_parents__and_accepts_what_is_there(void **state)
{
	char *path = tmp_path(dir, "a//b/c/"), *inner = tmp_path(dir, "a/b/c");
	struct stat st;

	(void)state;
	assert_int_equal(fs_mkdirs(path, 0700, &e), 0);
	assert_int_equal(fs_mkdirs(path, 0700, &e), 0);
	assert_true(fs_is_dir(inner));
	assert_int_equal(stat(inner, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(fs_mkdirs("/", 0700, &e), 0);
	free(inner);
	free(path);
}

static void fs_mkdirs__fails__when_a_file_is_in_the_way(void **state)
{
	char *path = tmp_path(dir, "f/g"), *file = tmp_path(dir, "f");

	(void)state;
	tmp_write(dir, "f", "x");
	assert_int_equal(fs_mkdirs(file, 0700, &e), -1);
	assert_string_equal(e.sys, "ENOTDIR");
	assert_int_equal(fs_mkdirs(path, 0700, &e), -1);
	assert_string_equal(e.sys, "ENOTDIR");
	assert_true(fs_exists(file));
	assert_false(fs_is_dir(file));
	assert_false(fs_exists(path));
	free(file);
	free(path);
}

static void fs_copy__copies_bytes__to_a_new_file_only(void **state)
{
	char *src = tmp_path(dir, "src"), *dst = tmp_path(dir, "dst"), *text;
	size_t n = 700001;
	char *bytes = mem_alloc(n);
	struct strbuf b;
	struct stat st;

	(void)state;
	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(i * 7 >> 3);
	tmp_write_bytes(dir, "src", bytes, n);
	assert_int_equal(fs_copy(src, dst, 0600, &e), 0);
	strbuf_init(&b, STRBUF_NO_LIMIT);
	assert_int_equal(fs_read(dst, n, &b, &e), 0);
	assert_int_equal(b.len, n);
	assert_memory_equal(b.data, bytes, n);
	assert_int_equal(stat(dst, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	strbuf_clear(&b);
	tmp_write(dir, "dst", "mine");
	assert_int_equal(fs_copy(src, dst, 0600, &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
	text = tmp_read(dir, "dst");
	assert_string_equal(text, "mine");
	free(text);
	assert_int_equal(fs_copy(dir, "/nowhere/x", 0600, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	mem_free(bytes);
	free(src);
	free(dst);
}

static void fs_write_all__names_target__when_it_fails(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fs_write_all(fds[1], "abc", 3, "pipe", &e), 0);
	close(fds[1]);
	close(fds[0]);
	assert_int_equal(fs_write_all(fds[1], "abc", 3, "pipe", &e), -1);
	assert_string_equal(e.msg, "cannot write pipe");
	assert_string_equal(e.sys, "EBADF");
	assert_int_equal(fs_sync_dir(dir, &e), 0);
	assert_int_equal(fs_sync_dir("/nowhere", &e), -1);
}

static void fs_is_network__says_no__for_local_and_missing(void **state)
{
	char name[16] = "old", *path = tmp_path(dir, "missing/too");

	(void)state;
	assert_false(fs_is_network("/proc", name));
	assert_string_equal(name, "");
	assert_false(fs_is_network(path, name));
	free(path);
}

static void assert_quoted(const char *word, const char *want)
{
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	path_quote(&b, word);
	assert_string_equal(strbuf_str(&b), want);
	strbuf_clear(&b);
}

static void path_quote__leaves_plain_words__and_quotes_others(void **state)
{
	(void)state;
	assert_quoted("a/b-c_1.sql", "a/b-c_1.sql");
	assert_quoted("", "''");
	assert_quoted("a b", "'a b'");
	assert_quoted("it's", "'it'\\''s'");
	assert_quoted("$(reboot)", "'$(reboot)'");
	assert_quoted("~/x", "'~/x'");
	assert_quoted("é", "'é'");
}

static void assert_path(char *got, const char *want)
{
	assert_non_null(got);
	assert_string_equal(got, want);
	mem_free(got);
}

static void path_join_dir_base__fit_together__in_all_forms(void **state)
{
	(void)state;
	assert_path(path_join("a", "b"), "a/b");
	assert_path(path_join("a/", "b"), "a/b");
	assert_path(path_join("/", "b"), "/b");
	assert_path(path_join("", "b"), "b");
	assert_path(path_join("a", "/b"), "/b");
	assert_path(path_dir("a/b"), "a");
	assert_path(path_dir("a//b"), "a");
	assert_path(path_dir("b"), ".");
	assert_path(path_dir("/b"), "/");
	assert_path(path_dir("//b"), "/");
	assert_path(path_dir(""), ".");
	assert_string_equal(path_base("a/b"), "b");
	assert_string_equal(path_base("b"), "b");
	assert_string_equal(path_base("a/"), "");
}

static void path_absolute__adds_cwd__and_keeps_links(void **state)
{
	char *cwd = getcwd(NULL, 0), *want;

	(void)state;
	want = path_join(cwd, "x/../y");
	assert_path(path_absolute("/a/../b", &e), "/a/../b");
	assert_path(path_absolute("x/../y", &e), want);
	assert_path(path_absolute(".//./x/../y", &e), want);
	mem_free(want);
	free(cwd);
}

static void path_real__resolves_folder__and_keeps_last_name(void **state)
{
	char *link = tmp_path(dir, "link"), *real = realpath(dir, NULL), *want;
	char *through = tmp_path(dir, "link/new.db"), *missing = tmp_path(dir, "no/new.db");
	char *last = tmp_path(dir, "link/sub/..");

	(void)state;
	tmp_write(dir, "target/sub/f", "x");
	assert_int_equal(symlink("target", link), 0);
	want = path_join(real, "target/new.db");
	assert_path(path_real(through, &e), want);
	mem_free(want);
	/* A link as the last name is kept. */
	want = path_join(real, "link");
	assert_path(path_real(link, &e), want);
	mem_free(want);
	want = path_join(real, "target");
	assert_path(path_real(last, &e), want);
	mem_free(want);
	assert_path(path_real("/", &e), "/");
	assert_null(path_real(missing, &e));
	assert_int_equal(e.code, ERR_NOT_FOUND);
	free(last);
	free(missing);
	free(through);
	free(real);
	free(link);
}

static void fs_process__knows_us__and_not_the_dead(void **state)
{
	int64_t ticks = 0, again = 0;
	char letter = 0;

	(void)state;
	assert_true(fs_process(getpid(), &ticks, &letter));
	assert_int_equal(letter, 'R');
	assert_true(ticks > 0);
	assert_true(fs_process(getpid(), &again, NULL));
	assert_true(again == ticks);
	assert_false(fs_process(0, &ticks, &letter));
	assert_false(fs_process(-1, &ticks, &letter));
	assert_false(fs_process(INT64_MAX, &ticks, &letter));
	assert_true(again == ticks);
}

static void fs_process__takes_a_zombie__for_dead(void **state)
{
	char *argv[] = { (char *)"/bin/true", NULL };
	siginfo_t info;
	pid_t pid;

	(void)state;
	assert_int_equal(posix_spawn(&pid, argv[0], NULL, NULL, argv, environ), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_false(fs_process(pid, NULL, NULL));
	waitpid(pid, NULL, 0);
}

static void fs_boot_id__is_stable__in_one_boot(void **state)
{
	char a[40], b[40];

	(void)state;
	fs_boot_id(a);
	fs_boot_id(b);
	assert_string_equal(a, b);
	assert_true(strlen(a) == 36 || strlen(a) == 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(fs_read__appends_whole_file__up_to_the_limit),
		CASE(fs_read__keeps_nothing__when_too_long),
		CASE(fs_read__accepts__an_empty_file),
		CASE(fs_read__reads_files_of_unknown_size__in_proc),
		CASE(fs_read__refuses__what_is_no_regular_file),
		CASE(fs_read_at__names_the_path__in_errors),
		CASE(fs_replace__writes_new_and_replaces_old__with_mode),
		CASE(fs_replace__leaves_nothing__when_rename_fails),
		CASE(fs_replace__keeps_old_and_leaves_nothing__when_writing_fails),
		CASE(fs_replace__fails__when_the_folder_is_missing),
		CASE(fs_mkdirs__makes_parents__and_accepts_what_is_there),
		CASE(fs_mkdirs__fails__when_a_file_is_in_the_way),
		CASE(fs_copy__copies_bytes__to_a_new_file_only),
		CASE(fs_write_all__names_target__when_it_fails),
		CASE(fs_is_network__says_no__for_local_and_missing),
		CASE(path_quote__leaves_plain_words__and_quotes_others),
		CASE(path_join_dir_base__fit_together__in_all_forms),
		CASE(path_absolute__adds_cwd__and_keeps_links),
		CASE(path_real__resolves_folder__and_keeps_last_name),
		CASE(fs_process__knows_us__and_not_the_dead),
		CASE(fs_process__takes_a_zombie__for_dead),
		CASE(fs_boot_id__is_stable__in_one_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
