/* SPDX-License-Identifier: MIT */
#include "tests/support/process.h"

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/fs.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MS 60000
#define TEXT_MAX ((size_t)1 << 20)

static bool read_proc(const char *pid, const char *name, struct strbuf *out)
{
	char path[300];
	struct err ignored;

	strbuf_reset(out);
	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	return fs_read(path, TEXT_MAX, out, &ignored) == 0;
}

/* State and group of a line of /proc/PID/stat. */
static bool is_alive(struct sv line, int64_t *group)
{
	const char *end = line.n > 0 ? memrchr(line.p, ')', line.n) : NULL;
	struct sv field, state;

	if (!end || line.n < (size_t)(end - line.p) + 2)
		return false;
	line = sv_n(end + 2, line.n - (size_t)(end - line.p) - 2);
	return sv_cut(&line, ' ', &state) && sv_cut(&line, ' ', &field) &&
	       sv_cut(&line, ' ', &field) && sv_int(field, 0, INT32_MAX, group) &&
	       !sv_eq(state, SV("Z")) && !sv_eq(state, SV("X"));
}

static bool has_word(struct sv args, const char *word)
{
	struct sv arg;

	while (sv_cut(&args, '\0', &arg))
		if (sv_eq_str(arg, word))
			return true;
	return false;
}

/* word NULL: those of the group. */
static size_t count(pid_t group, const char *word)
{
	DIR *dir = opendir("/proc");
	struct strbuf text;
	struct dirent *entry;
	size_t n = 0;

	strbuf_init(&text, TEXT_MAX);
	while (dir && (entry = readdir(dir))) {
		int64_t its = 0;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    !read_proc(entry->d_name, "stat", &text) || !is_alive(strbuf_sv(&text), &its))
			continue;
		if (!word)
			n += its == group;
		else if (read_proc(entry->d_name, "cmdline", &text))
			n += has_word(strbuf_sv(&text), word);
	}
	if (dir)
		closedir(dir);
	strbuf_clear(&text);
	return n;
}

size_t process_group_count(pid_t group)
{
	return count(group, NULL);
}

size_t process_word_count(const char *word)
{
	return count(0, word);
}

static bool wait_for(pid_t group, const char *word, size_t least, size_t most)
{
	int64_t end = clock_mono_ms() + LIMIT_MS;
	struct err ignored;
	size_t n;

	while ((n = count(group, word)) < least || n > most) {
		if (clock_mono_ms() > end ||
		    wait_fds(NULL, 0, clock_mono_ms() + 10, NULL, &ignored) < 0)
			return false;
	}
	return true;
}

bool process_word_wait(const char *word, size_t n)
{
	return wait_for(0, word, n, n);
}

bool process_group_wait(pid_t group, size_t n)
{
	return wait_for(group, NULL, n, n);
}

bool process_word_seen(const char *word)
{
	return wait_for(0, word, 1, SIZE_MAX);
}
