/* SPDX-License-Identifier: MIT */
/* Compression of whole texts that are in memory: zstd frames that know their content's size. */
#ifndef BASE_ZIP_H
#define BASE_ZIP_H

#include "core/base/str.h"

/* What compressing and decompressing many small texts would otherwise allocate each time. One thread at a time.
 * Every function takes NULL for it. */
struct zip;
struct zip *zip_new(void);
void zip_free(struct zip *z); /* NULL is fine */

/* Room that always suffices for n bytes. */
size_t zip_bound(size_t n);
/* Compresses in to out; how long it became, 0 when it does not fit into room bytes. level: 1 fast … 19 small, or ZIP_NEAR:
 * faster still, for what repeats itself soon. */
#define ZIP_NEAR 0
size_t zip_pack(struct zip *z, int level, struct sv in, char *out, size_t room);
/* How long the content of a frame is, as its header says; -1: it is no frame that says so. */
int64_t zip_size(struct sv frame);
/* Decompresses a frame of exactly n bytes of content. NULL, or what is wrong with it, as a constant. */
const char *zip_unpack(struct zip *z, struct sv frame, char *out, size_t n);

#endif
