/* SPDX-License-Identifier: MIT */
/*
 * Processes as /proc shows them. To read all of it takes milliseconds of the processor, for hundreds of processes on a
 * busy machine, and tests wait in several programs at once: so it is read whole only to find processes, and while one
 * that was found is there, nobody but that one is asked.
 */
#include "tests/support/process.h"

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_MS 60000
#define ONE_MS 2  /* between two looks at one process */
#define ALL_MS 20 /* … at all */
#define TEXT_MAX 65536

/* What is looked for: members of a group, or processes with a word of their own on their command line. */
struct sought {
	pid_t group; /* 0: by word */
	const char *word;
};

/* The begin of a file of a process; empty when it is gone. */
static struct sv read_proc(int pid, const char *name, char text[TEXT_MAX])
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return sv_n(text, 0);
	n = read(fd, text, TEXT_MAX);
	close(fd);
	return sv_n(text, n > 0 ? (size_t)n : 0);
}

/* A line of /proc/PID/stat: is it in the group, and not only waiting to be reaped? */
static bool is_member(struct sv line, pid_t group)
{
	const char *end = line.n > 0 ? memrchr(line.p, ')', line.n) : NULL;
	struct sv field, state;
	int64_t its;

	if (!end || line.n < (size_t)(end - line.p) + 2)
		return false;
	line = sv_n(end + 2, line.n - (size_t)(end - line.p) - 2);
	return sv_cut(&line, ' ', &state) && sv_cut(&line, ' ', &field) &&
	       sv_cut(&line, ' ', &field) && sv_int(field, 0, INT32_MAX, &its) && its == group &&
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

/* One that waits to be reaped has no command line any more. */
static bool is_one(const struct sought *s, int pid)
{
	char text[TEXT_MAX];

	if (s->group)
		return is_member(read_proc(pid, "stat", text), s->group);
	return has_word(read_proc(pid, "cmdline", text), s->word);
}

/* How many there are, and one of them. */
static size_t count(const struct sought *s, int *one)
{
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	/* Nobody is in it, not even who waits to be reaped. */
	if (s->group && kill(-s->group, 0) != 0 && errno == ESRCH)
		return 0;
	dir = opendir("/proc");
	while (dir && (entry = readdir(dir))) {
		int64_t pid;

		if (!sv_int(sv_of(entry->d_name), 1, INT32_MAX, &pid) || !is_one(s, (int)pid))
			continue;
		*one = (int)pid;
		n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

size_t process_word_count(const char *word)
{
	const struct sought s = { .word = word };
	int one;

	return count(&s, &one);
}

static bool pause_until(int64_t end_ms, int64_t ms)
{
	struct err ignored;

	return clock_mono_ms() < end_ms &&
	       wait_fds(NULL, 0, clock_mono_ms() + ms, NULL, &ignored) >= 0;
}

static bool wait_for(const struct sought *s, size_t least, size_t most)
{
	int64_t end_ms = clock_mono_ms() + LIMIT_MS;
	int one = 0;
	size_t n;

	while ((n = count(s, &one)) < least || n > most) {
		if (n < least && !pause_until(end_ms, ALL_MS))
			return false;
		while (n > most && is_one(s, one))
			if (!pause_until(end_ms, ONE_MS))
				return false;
		/* The next may be as near its end. */
		if (n > most && !pause_until(end_ms, ONE_MS))
			return false;
	}
	return true;
}

bool process_word_wait(const char *word, size_t n)
{
	const struct sought s = { .word = word };

	return wait_for(&s, n, n);
}

bool process_word_seen(const char *word)
{
	const struct sought s = { .word = word };

	return wait_for(&s, 1, SIZE_MAX);
}

bool process_group_wait(pid_t group, size_t n)
{
	const struct sought s = { .group = group };

	return wait_for(&s, n, n);
}
