/* SPDX-License-Identifier: MIT */
/* Files and folders: whole reads, durable writes, paths, what a file system is. */
#ifndef BASE_FS_H
#define BASE_FS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/str.h"

/* Reads a whole regular file of at most max bytes, appending to out. A folder, a device or a FIFO
 * is refused (ERR_INPUT), a longer file is ERR_LIMIT and nothing of it is kept. */
int fs_read(const char *path, size_t max, struct strbuf *out, struct err *e) MUST_CHECK;
/* Same for name inside the open folder dirfd; path is only for the error text. */
int fs_read_at(int dirfd, const char *name, const char *path, size_t max, struct strbuf *out,
	       struct err *e) MUST_CHECK;
/* Opens a regular file for reading (O_CLOEXEC): the descriptor, or -1. Anything else is refused
 * (ERR_INPUT) without waiting, also a FIFO that nobody writes to. */
int fs_open(const char *path, struct err *e) MUST_CHECK;
/* Writes all n bytes to fd, across short writes and EINTR. what is for the error text. */
int fs_write_all(int fd, const void *p, size_t n, const char *what, struct err *e) MUST_CHECK;
/* Durable replacement: a temporary file beside path, write, fsync, rename, fsync of the folder.
 * On failure the temporary file is gone, and path is as it was, unless only the last
 * fsync failed. */
int fs_replace(const char *path, const void *p, size_t n, mode_t mode, struct err *e) MUST_CHECK;
/* fsync of a folder, so that a name in it survives power loss. */
int fs_sync_dir(const char *path, struct err *e) MUST_CHECK;
/* mkdir -p; new folders get mode. */
int fs_mkdirs(const char *path, mode_t mode, struct err *e) MUST_CHECK;
bool fs_exists(const char *path);
bool fs_is_dir(const char *path);
/* Copies the bytes of a regular file; dst must not exist; fsynced. */
int fs_copy(const char *src, const char *dst, mode_t mode, struct err *e) MUST_CHECK;
/* True when path (or, if missing, its folder) is on NFS, CIFS/SMB, 9p, AFS, Ceph, FUSE sshfs…;
 * name gets the kind for the error text ("nfs"). From statfs(2) f_type and /proc/self/mountinfo. */
bool fs_is_network(const char *path, char name[16]);

/* Paths. Results are malloced; caller frees. */
char *path_join(const char *dir, const char *name);              /* name absolute: a copy of name */
char *path_dir(const char *path);                                /* "." when there is none */
const char *path_base(const char *path);                         /* borrowed from path */
char *path_absolute(const char *path, struct err *e) MUST_CHECK; /* cwd + path; links are kept */
/* Resolves links of the folder, keeps the last name (which may not exist). NULL on error. */
char *path_real(const char *path, struct err *e) MUST_CHECK;
/* A word as a POSIX shell would need it typed: itself, or in single quotes. For hints. */
void path_quote(struct strbuf *out, const char *word);

/* Identity of a machine's boot, from /proc/sys/kernel/random/boot_id; "" when unreadable. */
void fs_boot_id(char out[40]);
/* Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat): with the pid it
 * names one process for ever. False when it does not exist or is a zombie. state gets its letter
 * ('T' stopped). Both may be NULL. */
bool fs_process(int64_t pid, int64_t *start_ticks, char *state);

#endif
