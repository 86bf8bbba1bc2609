/* SPDX-License-Identifier: MIT */
/* Folders, files and children for tests. Everything here fails the test (cmocka's fail) instead of
 * returning an error: a test has nothing better to do with one. */
#ifndef SUPPORT_TMP_H
#define SUPPORT_TMP_H

#include <stddef.h>

/* Makes an empty private folder under $TMPDIR (0700). Caller ends it with tmp_remove(). */
char *tmp_make(void);

/* Removes the folder with all it holds, also what was made unreadable, and frees dir. */
void tmp_remove(char *dir);

/* dir/name; caller frees. */
char *tmp_path(const char *dir, const char *name);

/* Writes text to dir/name, making folders in between, replacing what was there. */
void tmp_write(const char *dir, const char *name, const char *text);

/* As tmp_write for n bytes, which may hold NUL. */
void tmp_write_bytes(const char *dir, const char *name, const void *bytes, size_t n);

/* The whole text of dir/name; caller frees. */
char *tmp_read(const char *dir, const char *name);

/* What a child left behind. */
struct tmp_child {
	int status; /* exit status; 128 + signal when killed */
	char *out;  /* stdout and stderr, each NUL-terminated, never NULL */
	char *err;
};

/* Runs argv (argv[0] searched in PATH) in the folder dir, or here when it is NULL, to its end.
 * Caller ends it with tmp_child_clear(). */
void tmp_run(struct tmp_child *child, const char *dir, char *const argv[]);

void tmp_child_clear(struct tmp_child *child);

#endif
