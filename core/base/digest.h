/* SPDX-License-Identifier: MIT */
/* SHA-256 by OpenSSL's EVP, and what other tools sum their files with. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stddef.h>

#include "core/base/str.h"

#define DIGEST_BYTES 32
#define DIGEST_HEX_SIZE 65                  /* 64 hex digits and a NUL */
#define CHECKSUM_SIZE (3 + DIGEST_HEX_SIZE) /* "s1:" + hex + NUL */

struct digest; /* one hash being computed; one thread; can be reused */

struct digest *digest_new(void); /* aborts only when OpenSSL has no SHA-256 */
void digest_free(struct digest *d);
void digest_begin(struct digest *d);
void digest_add(struct digest *d, const void *p, size_t n);
void digest_end(struct digest *d, char hex[DIGEST_HEX_SIZE]);
/* One text at once. */
void digest_hex(const void *p, size_t n, char hex[DIGEST_HEX_SIZE]);
/* One text at once, by another algorithm: what other tools keep of their files. */
enum digest_kind { DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384, DIGEST_KINDS };
#define DIGEST_ANY_HEX_SIZE 97 /* of the longest, SHA-384 */
void digest_hex_by(enum digest_kind kind, const void *p, size_t n, char hex[DIGEST_ANY_HEX_SIZE]);
/* One text at once, as bytes. */
void digest_bytes(const void *p, size_t n, unsigned char out[DIGEST_BYTES]);
/* HMAC-SHA1, which is how names are hashed in ssh's known_hosts files. */
#define DIGEST_HMAC_SHA1_BYTES 20
void digest_hmac_sha1(const void *key, size_t n_key, const void *p, size_t n,
		      unsigned char out[DIGEST_HMAC_SHA1_BYTES]);
/* A file's bytes, streamed. */
int digest_file(const char *path, char hex[DIGEST_HEX_SIZE], struct err *e) MUST_CHECK;
/* n random bytes as 2n hex digits and a NUL, from getrandom(2). */
void digest_random_hex(size_t n, char *out);
void digest_random(void *out, size_t n);

#endif
