/* SPDX-License-Identifier: MIT */
#include "core/base/zip.h"

#include <zstd.h>

#include "core/base/mem.h"

struct zip {
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
};

struct zip *zip_new(void)
{
	return mem_calloc(1, sizeof(struct zip));
}

void zip_free(struct zip *z)
{
	if (z == NULL)
		return;
	ZSTD_freeCCtx(z->pack);
	ZSTD_freeDCtx(z->unpack);
	mem_free(z);
}

size_t zip_bound(size_t n)
{
	return ZSTD_compressBound(n);
}

/* The table in which level 1 looks for what was there before is larger than a processor's first cache. In a log
 * lines like this one were some lines ago: a quarter of that table finds nearer ones, which are also shorter to
 * write, in five sixths of the time. (Random sentences of thousands of words become an eighth larger.) */
#define NEAR_HASH_LOG 12

static size_t pack(ZSTD_CCtx *c, int level, struct sv in, char *out, size_t room)
{
	bool near = level == ZIP_NEAR;
	size_t n = ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, near ? 1 : level);

	if (!ZSTD_isError(n))
		n = ZSTD_CCtx_setParameter(c, ZSTD_c_hashLog, near ? NEAR_HASH_LOG : 0);
	if (!ZSTD_isError(n))
		n = ZSTD_compress2(c, out, room, in.p, in.n);
	return ZSTD_isError(n) ? 0 : n;
}

size_t zip_pack(struct zip *z, int level, struct sv in, char *out, size_t room)
{
	ZSTD_CCtx *c = z != NULL ? z->pack : NULL;
	size_t n;

	if (c == NULL && (c = ZSTD_createCCtx()) == NULL)
		mem_oom();
	n = pack(c, level, in, out, room);
	if (z != NULL)
		z->pack = c;
	else
		ZSTD_freeCCtx(c);
	return n;
}

int64_t zip_size(struct sv frame)
{
	unsigned long long n = ZSTD_getFrameContentSize(frame.p, frame.n);

	if (n == ZSTD_CONTENTSIZE_ERROR || n == ZSTD_CONTENTSIZE_UNKNOWN || n > INT64_MAX)
		return -1;
	return (int64_t)n;
}

const char *zip_unpack(struct zip *z, struct sv frame, char *out, size_t n)
{
	size_t got;

	if (z == NULL) {
		got = ZSTD_decompress(out, n, frame.p, frame.n);
	} else {
		if (z->unpack == NULL && (z->unpack = ZSTD_createDCtx()) == NULL)
			mem_oom();
		got = ZSTD_decompressDCtx(z->unpack, out, n, frame.p, frame.n);
	}
	if (ZSTD_isError(got))
		return ZSTD_getErrorName(got);
	return got == n ? NULL : "shorter than its header says";
}
