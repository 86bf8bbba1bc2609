/* SPDX-License-Identifier: MIT */
#include "core/ledger/pack.h"

#include "core/base/zip.h"

/* Below this a frame's header eats what compression gains, and most scripts of a 1,000-file
 * migration set are this short: not even trying is a measurable part of a small transaction. */
#define PACK_MIN 160
#define PACK_LEVEL 3

int pack(struct strbuf *out, struct sv text, struct err *e)
{
	size_t before = out->len;

	if (text.n >= PACK_MIN) {
		char *room = strbuf_room(out, 1 + text.n);
		/* With less room than the text's length it fails when the frame would not be shorter. */
		size_t got = room == NULL ? 0
					  : zip_pack(NULL, PACK_LEVEL, text, room + 1, text.n - 1);

		if (got > 0) {
			room[0] = 'z';
			strbuf_grew(out, 1 + got);
			return 0;
		}
	}
	strbuf_addc(out, 'r');
	strbuf_addsv(out, text);
	if (strbuf_ok(out) && out->len == before + 1 + text.n)
		return 0;
	return err_set(e, ERR_LIMIT, "script of %zu bytes is too long to be stored", text.n);
}

static int corrupt(struct err *e, const char *why)
{
	err_set(e, ERR_CORRUPT, "stored script is damaged");
	return err_detail(e, "%s", why);
}

static int too_long(struct err *e, uint64_t n, size_t max)
{
	err_set(e, ERR_LIMIT, "stored script is too long");
	return err_detail(e, "%llu bytes, at most %zu", (unsigned long long)n, max);
}

int unpack(struct strbuf *out, struct sv packed, size_t max, struct err *e)
{
	const char *why;
	struct sv body;
	int64_t n;
	char *room;

	if (packed.n == 0)
		return corrupt(e, "it is empty");
	body = sv_n(packed.p + 1, packed.n - 1);
	if (packed.p[0] == 'r') {
		if (body.n > max)
			return too_long(e, body.n, max);
		strbuf_addsv(out, body);
		return strbuf_ok(out) ? 0 : too_long(e, body.n, out->max);
	}
	if (packed.p[0] != 'z')
		return corrupt(e, "unknown packing");
	n = zip_size(body);
	if (n < 0)
		return corrupt(e, "not a zstd frame with its size");
	if ((uint64_t)n > max)
		return too_long(e, (uint64_t)n, max);
	room = strbuf_room(out, n > 0 ? (size_t)n : 1);
	if (room == NULL)
		return too_long(e, (uint64_t)n, out->max);
	why = zip_unpack(NULL, body, room, (size_t)n);
	if (why != NULL)
		return corrupt(e, why);
	strbuf_grew(out, (size_t)n);
	return 0;
}
