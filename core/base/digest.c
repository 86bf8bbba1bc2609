/* SPDX-License-Identifier: MIT */
#include "core/base/digest.h"

#include "core/base/fs.h"
#include "core/base/mem.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define FILE_STEP ((size_t)64 << 10)

struct digest {
	EVP_MD *md; /* fetched once: looking it up costs as much as hashing a small file */
	EVP_MD_CTX *ctx;
};

static void hex_of(const unsigned char *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * n] = '\0';
}

static void library_init(void)
{
	/* Without this the library reads its configuration file first, and may load engines that
	 * it names: milliseconds of every start, and somebody else's code in our process. The tables
	 * of old names are nothing that we ask for, but libssh2 finds its algorithms in them, and what is
	 * ruled out here once cannot be had later: so they are left alone. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS,
			    NULL);
}

struct digest *digest_new(void)
{
	struct digest *d = mem_alloc(sizeof(*d));

	library_init();
	d->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	d->ctx = EVP_MD_CTX_new();
	if (!d->md || !d->ctx)
		abort();
	digest_begin(d);
	return d;
}

void digest_free(struct digest *d)
{
	if (!d)
		return;
	EVP_MD_CTX_free(d->ctx);
	EVP_MD_free(d->md);
	mem_free(d);
}

/* The three calls below fail only when the library is broken or out of memory. A digest that is
 * silently wrong would be worse than no program. */

void digest_begin(struct digest *d)
{
	if (!EVP_DigestInit_ex2(d->ctx, d->md, NULL))
		abort();
}

void digest_add(struct digest *d, const void *p, size_t n)
{
	if (!EVP_DigestUpdate(d->ctx, p, n))
		abort();
}

void digest_end(struct digest *d, char hex[DIGEST_HEX_SIZE])
{
	unsigned char bytes[DIGEST_BYTES];

	if (!EVP_DigestFinal_ex(d->ctx, bytes, NULL))
		abort();
	hex_of(bytes, sizeof(bytes), hex);
}

void digest_hex(const void *p, size_t n, char hex[DIGEST_HEX_SIZE])
{
	struct digest *d = digest_new();

	digest_add(d, p, n);
	digest_end(d, hex);
	digest_free(d);
}

void digest_hex_by(enum digest_kind kind, const void *p, size_t n, char hex[DIGEST_ANY_HEX_SIZE])
{
	static const char *const names[DIGEST_KINDS] = { "SHA1", "SHA256", "SHA384" };
	unsigned char bytes[EVP_MAX_MD_SIZE];
	size_t got = 0;

	library_init();
	if (!EVP_Q_digest(NULL, names[kind], NULL, p, n, bytes, &got) ||
	    2 * got >= DIGEST_ANY_HEX_SIZE)
		abort();
	hex_of(bytes, got, hex);
}

void digest_bytes(const void *p, size_t n, unsigned char out[DIGEST_BYTES])
{
	size_t got = 0;

	library_init();
	if (!EVP_Q_digest(NULL, "SHA256", NULL, p, n, out, &got) || got != DIGEST_BYTES)
		abort();
}

void digest_hmac_sha1(const void *key, size_t n_key, const void *p, size_t n,
		      unsigned char out[DIGEST_HMAC_SHA1_BYTES])
{
	size_t got = 0;

	library_init();
	if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA1", NULL, key, n_key, p, n, out,
		       DIGEST_HMAC_SHA1_BYTES, &got) ||
	    got != DIGEST_HMAC_SHA1_BYTES)
		abort();
}

int digest_file(const char *path, char hex[DIGEST_HEX_SIZE], struct err *e)
{
	struct digest *d = NULL;
	char *block = NULL;
	int fd, r = -1;

	fd = fs_open(path, e);
	if (fd < 0)
		return -1;
	d = digest_new();
	block = mem_alloc(FILE_STEP);
	for (;;) {
		ssize_t got = read(fd, block, FILE_STEP);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			err_sys(e, errno, "cannot read %s", path);
			goto out;
		}
		if (got == 0)
			break;
		digest_add(d, block, (size_t)got);
	}
	digest_end(d, hex);
	r = 0;
out:
	mem_free(block);
	digest_free(d);
	close(fd);
	return r;
}

void digest_random(void *out, size_t n)
{
	char *at = out;

	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);

		/* Fails for a signal early in the boot, or in a kernel without the call. */
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			abort();
		at += got;
		n -= (size_t)got;
	}
}

void digest_random_hex(size_t n, char *out)
{
	unsigned char bytes[32];

	for (size_t at = 0; at < n;) {
		size_t want = n - at < sizeof(bytes) ? n - at : sizeof(bytes);

		digest_random(bytes, want);
		hex_of(bytes, want, out + 2 * at);
		at += want;
	}
	out[2 * n] = '\0';
}
