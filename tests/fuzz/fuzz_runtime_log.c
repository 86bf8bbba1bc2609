/* SPDX-License-Identifier: MIT */
/*
 * runtime_log_feed: a stream of any kind and any bytes. The first byte chooses the kind, the second how it is cut;
 * whatever the cuts, the lines, the point behind them, the losses and the error are the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/runtime/runtime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

struct outcome {
	uint64_t hash;
	size_t lines;
	bool failed;
	int64_t lost;
	struct runtime_log_point point;
};

static void mix(uint64_t *hash, const void *p, size_t n)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++)
		*hash = (*hash ^ b[i]) * UINT64_C(1099511628211);
}

static void on_line(void *arg, const struct runtime_line *l)
{
	struct outcome *o = arg;

	require(l->text.n <= RUNTIME_LINE_MAX && memchr(l->text.p, '\n', l->text.n) == NULL);
	require(l->priority >= -1 && l->priority <= 7);
	o->lines++;
	mix(&o->hash, l->text.p, l->text.n);
	mix(&o->hash, &l->utc_ns, sizeof(l->utc_ns));
	mix(&o->hash, &l->is_err, sizeof(l->is_err));
	mix(&o->hash, &l->more, sizeof(l->more));
	mix(&o->hash, &l->priority, sizeof(l->priority));
}

/* Reads bytes in pieces whose lengths come from cut; 0: in one. */
static void run(struct sv bytes, enum runtime_kind kind, const struct runtime_args *args,
		unsigned cut, struct outcome *o)
{
	struct runtime_log *l = runtime_log_new(kind, args);
	struct err e;

	memset(o, 0, sizeof(*o));
	while (bytes.n > 0 && !o->failed) {
		size_t n = cut == 0 ? bytes.n : 1 + cut % 13;
		char *piece;

		cut = cut == 0 ? 0 : cut * 1103515245u / 7 + 12345u;
		n = n < bytes.n ? n : bytes.n;
		piece = mem_alloc(n);
		memcpy(piece, bytes.p, n);
		o->failed = runtime_log_feed(l, sv_n(piece, n), on_line, o, &e) != 0;
		require(!o->failed || e.msg[0] != '\0');
		mem_free(piece);
		bytes = sv_n(bytes.p + n, bytes.n - n);
	}
	if (!o->failed)
		runtime_log_end(l, on_line, o);
	o->lost = runtime_log_lost(l);
	runtime_log_point(l, &o->point);
	runtime_log_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct runtime_log_point point = { .utc_ns = INT64_C(1795863242000000001),
					   .same = 2,
					   .high_ns = INT64_C(1795863243000000000) };
	struct runtime_args args = { .tail = -1 };
	struct outcome whole, cut;
	enum runtime_kind kind;
	struct sv bytes;

	if (size < 2)
		return 0;
	kind = data[0] % RUNTIMES;
	args.tty = data[0] & 16;
	args.point = data[0] & 32 ? &point : NULL;
	bytes = sv_n((const char *)data + 2, size - 2);
	run(bytes, kind, &args, 0, &whole);
	run(bytes, kind, &args, 1 + data[1], &cut);
	require(whole.failed == cut.failed && whole.lines == cut.lines && whole.hash == cut.hash &&
		whole.lost == cut.lost);
	require(memcmp(&whole.point, &cut.point, sizeof(cut.point)) == 0);
	return 0;
}
