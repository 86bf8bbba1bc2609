/* SPDX-License-Identifier: MIT */
/*
 * The keys that ssh's known_hosts files tell of a host: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.
 *
 * Nothing here connects or asks. Lines that make no sense are passed over and counted, since a file that ssh
 * has grown for ten years has some.
 */
#ifndef HOST_KNOWN_HOSTS_H
#define HOST_KNOWN_HOSTS_H

#include "core/base/cancel.h"
#include "core/base/str.h"

#define KNOWN_HOSTS_FILE_MAX ((size_t)16 << 20)
#define KNOWN_HOSTS_TYPE_SIZE 64
#define KNOWN_HOSTS_SHA256_SIZE 52 /* "SHA256:" and 43 characters */

/* A key as a server shows it. */
struct known_key {
	char type[KNOWN_HOSTS_TYPE_SIZE]; /* "ssh-ed25519" */
	const void *blob;
	size_t n;
};

enum known_verdict {
	KNOWN_NOT,     /* no line of this host has a key of this type */
	KNOWN_SAME,    /* a line has this very key */
	KNOWN_CHANGED, /* lines have other keys of this type, and none has this one */
	KNOWN_REVOKED  /* a line says that this key must not be trusted */
};

struct known_answer {
	enum known_verdict verdict;
	/* The line that decided: KNOWN_CHANGED the first with another key. Borrowed from the known_hosts. */
	const char *file;
	size_t line;
	char sha256[KNOWN_HOSTS_SHA256_SIZE]; /* of the key in that line */
	bool other_type; /* KNOWN_NOT: but with a key of another type it is known */
	bool authority;  /* a line trusts a certificate authority for this host */
};

struct known_hosts; /* one thread at a time */

struct known_hosts *known_hosts_new(void);
void known_hosts_free(struct known_hosts *k); /* NULL is fine */
/* Adds the lines of a file. One that is not there has none; so has "none" and /dev/null. */
int known_hosts_read(struct known_hosts *k, const char *path, struct err *e) MUST_CHECK;
/* Adds lines; file is what known_answer says. */
void known_hosts_add(struct known_hosts *k, const char *file, struct sv text);
size_t known_hosts_bad_lines(const struct known_hosts *k);

/* host is a name, an address or an alias. A host at a port other than 22 stands there as [host]:port; the
 * same key under its bare name is good too. */
void known_hosts_check(const struct known_hosts *k, const char *host, int port,
		       const struct known_key *key, struct known_answer *out);
/* True when a key of this type is known for the host (and not revoked). */
bool known_hosts_has_type(const struct known_hosts *k, const char *host, int port,
			  const char *type);

/* Makes the line that says that host at port has this key, with its line end. hashed: nobody who reads the
 * file learns the name. */
void known_hosts_line(const char *host, int port, const struct known_key *key, bool hashed,
		      struct strbuf *out);
/* Appends that line to path, durably. The file is made (0600) when it is missing, and so are its folders
 * (0700). Others who append at the same time are waited for, KNOWN_HOSTS_LOCK_MS at most: ERR_TIMEOUT. */
#define KNOWN_HOSTS_LOCK_MS 3000
int known_hosts_append(const char *path, const char *host, int port, const struct known_key *key,
		       bool hashed, int64_t deadline_ms, struct cancel *c,
		       struct err *e) MUST_CHECK;

/* "SHA256:…" as ssh-keygen -l writes it. */
void known_hosts_sha256(const void *blob, size_t n, char out[KNOWN_HOSTS_SHA256_SIZE]);
/* The type that a key says it has. False when it is no key. */
bool known_hosts_type(const void *blob, size_t n, char out[KNOWN_HOSTS_TYPE_SIZE]);

#endif
