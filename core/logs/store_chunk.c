/* SPDX-License-Identifier: MIT */
/*
 * Lines of a chunk, plain and packed.
 *
 * Plain they are a text with newlines, which is what is searched, and tables beside it. Packed they are four zstd
 * frames, so that each reader unpacks what it needs: the text, the table (lengths, sources, bits), the templates
 * for folding, the times for showing. A search for text needs the first two, and neither where the filter beside
 * them says that the text is not there.
 *
 * Tables are turned around before they are packed, all first bytes, then all second ones, since bytes of one
 * kind compress well. Templates are numbered within the chunk; times are differences in the largest unit that
 * all of them are multiples of, since many programs and runtimes give milliseconds. With that a line of an
 * ordinary log costs about five bytes beside its text, most of it random digits of nanoseconds.
 *
 * Room for a plain chunk is asked for once and used again: fresh memory for each would cost as much as copying
 * the lines into it.
 */
#include "core/logs/store_chunk.h"

#include <assert.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/logs/literal.h"

uint16_t line_bits(const struct log_line *l)
{
	return (uint16_t)((l->level & 7u) | (l->shape & 3u) << 3 | (l->kind & 3u) << 5 |
			  (l->continues ? LINE_CONTINUES : 0) | (l->late ? LINE_LATE : 0) |
			  (l->is_err ? LINE_IS_ERR : 0));
}

/* --- Plain --------------------------------------------------------------------------------------- */

static void rooms_free(struct plain *p)
{
	mem_free(p->text);
	mem_free(p->at);
	mem_free(p->source);
	mem_free(p->bits);
	mem_free(p->template);
	mem_free(p->utc_ns);
}

static void rooms_make(struct plain *p, size_t text_room, size_t lines_room)
{
	p->text_room = text_room;
	p->lines_room = lines_room;
	p->text = mem_alloc(text_room);
	p->at = mem_alloc((lines_room + 1) * sizeof(*p->at));
	p->source = mem_alloc(lines_room);
	p->bits = mem_alloc(lines_room * sizeof(*p->bits));
	p->template = mem_alloc(lines_room * sizeof(*p->template));
	p->utc_ns = mem_alloc(lines_room * sizeof(*p->utc_ns));
	p->has = 0;
}

struct plain *plain_new(size_t text_room, size_t lines_room)
{
	struct plain *p = mem_calloc(1, sizeof(*p));

	atomic_init(&p->refs, 1);
	rooms_make(p, text_room, lines_room);
	return p;
}

void plain_fit(struct plain *p, size_t text_room, size_t lines_room)
{
	if (p->text_room >= text_room && p->lines_room >= lines_room)
		return;
	rooms_free(p);
	rooms_make(p, text_room > p->text_room ? text_room : p->text_room,
		   lines_room > p->lines_room ? lines_room : p->lines_room);
}

struct plain *plain_hold(struct plain *p)
{
	atomic_fetch_add(&p->refs, 1);
	return p;
}

bool plain_drop(struct plain *p)
{
	return atomic_fetch_sub(&p->refs, 1) == 1;
}

void plain_free(struct plain *p)
{
	if (p == NULL)
		return;
	rooms_free(p);
	mem_free(p);
}

bool plain_has_room(const struct plain *p, uint32_t i, size_t text_bytes)
{
	size_t used = i > 0 ? p->at[i] : 0;

	return i < p->lines_room && text_bytes + 1 <= p->text_room - used;
}

void plain_put(struct plain *p, uint32_t i, const struct log_line *l)
{
	uint32_t from = i > 0 ? p->at[i] : 0;
	char *to = p->text + from, *nl = to, *end = to + l->text.n;

	if (l->text.n > 0) {
		memcpy(to, l->text.p, l->text.n);
		while ((nl = memchr(nl, '\n', (size_t)(end - nl))) != NULL)
			*nl++ = ' ';
	}
	*end = '\n';
	/* at[i] was written with the line before, and may be read meanwhile. */
	if (i == 0)
		p->at[0] = 0;
	p->at[i + 1] = from + (uint32_t)l->text.n + 1;
	p->source[i] = (uint8_t)l->source;
	p->bits[i] = line_bits(l);
	p->template[i] = (uint32_t)l->template;
	p->utc_ns[i] = l->utc_ns;
	p->has = PLAIN_ALL;
}

void plain_line(const struct plain *p, uint32_t i, struct log_line *out)
{
	uint16_t b = p->bits[i];

	*out = (struct log_line){
		.utc_ns = p->utc_ns[i],
		.source = p->source[i],
		.level = (uint8_t)LINE_LEVEL(b),
		.shape = (uint8_t)LINE_SHAPE(b),
		.kind = (uint8_t)LINE_KIND(b),
		.continues = (b & LINE_CONTINUES) != 0,
		.late = (b & LINE_LATE) != 0,
		.is_err = (b & LINE_IS_ERR) != 0,
		.template = p->template[i],
		.text = plain_text(p, i),
	};
}

size_t plain_bytes(const struct plain *p, uint32_t n)
{
	size_t line = sizeof(*p->at) + 1 + sizeof(*p->bits) + sizeof(*p->template) +
		      sizeof(*p->utc_ns);

	return sizeof(*p) + n * line + (n > 0 ? p->at[n] : 0);
}

/* --- Packing ------------------------------------------------------------------------------------- */

/* Byte number byte of n values of size bytes, one after the other. */
static uint8_t *plane(uint8_t *out, uint32_t v, uint32_t i, uint32_t n, unsigned bytes)
{
	for (unsigned b = 0; b < bytes; b++)
		out[(size_t)b * n + i] = (uint8_t)(v >> (8 * b));
	return out;
}

/* [width of lengths] lengths, sources, bits. */
static size_t table_write(const struct plain *p, uint32_t n, uint8_t *out)
{
	uint32_t longest = 0;
	uint8_t *lengths = out + 1, *sources, *bits;
	unsigned width;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t len = p->at[i + 1] - p->at[i];

		longest = len > longest ? len : longest;
	}
	width = longest < 1u << 8 ? 1 : longest < 1u << 16 ? 2 : longest < 1u << 24 ? 3 : 4;
	out[0] = (uint8_t)width;
	sources = lengths + (size_t)width * n;
	bits = sources + n;
	for (uint32_t i = 0; i < n; i++)
		plane(lengths, p->at[i + 1] - p->at[i], i, n, width);
	memcpy(sources, p->source, n);
	for (uint32_t i = 0; i < n; i++)
		plane(bits, p->bits[i], i, n, 2);
	return 1 + (size_t)(width + 3) * n;
}

static void table_read(const uint8_t *in, uint32_t n, struct plain *p)
{
	unsigned width = in[0];
	const uint8_t *lengths = in + 1, *bits = lengths + (size_t)(width + 1) * n;
	uint32_t at = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t len = 0;

		for (unsigned b = 0; b < width; b++)
			len |= (uint32_t)lengths[(size_t)b * n + i] << (8 * b);
		p->at[i] = at;
		at += len;
	}
	p->at[n] = at;
	memcpy(p->source, lengths + (size_t)width * n, n);
	for (uint32_t i = 0; i < n; i++)
		p->bits[i] = (uint16_t)(bits[i] | bits[n + i] << 8);
}

/* Number of distinct templates, those, and which one each line has. */
static size_t templates_write(const struct plain *p, uint32_t n, uint8_t *out)
{
	enum { SLOTS = 2 * CHUNK_LINES_MAX };
	uint32_t *slot = mem_calloc(SLOTS, sizeof(*slot)),
		 *number = mem_alloc((n + 1) * sizeof(*number));
	uint32_t found = 0;
	uint8_t *to = out + 4;
	unsigned width;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t t = p->template[i], h = (t * 2654435761u) >> 17;

		static_assert(SLOTS == 1 << 15, "the hash has as many bits");
		while (slot[h] != 0 && p->template[slot[h] - 1] != t)
			h = (h + 1) % SLOTS;
		if (slot[h] == 0) {
			slot[h] = i + 1;
			number[i] = found++;
			memcpy(to, &t, 4);
			to += 4;
		} else {
			number[i] = number[slot[h] - 1];
		}
	}
	memcpy(out, &found, 4);
	width = found <= 1u << 8 ? 1 : 2;
	for (uint32_t i = 0; i < n; i++)
		plane(to, number[i], i, n, width);
	mem_free(slot);
	mem_free(number);
	return (size_t)(to - out) + (size_t)width * n;
}

static void templates_read(const uint8_t *in, uint32_t n, struct plain *p)
{
	const uint8_t *known = in + 4, *low;
	uint32_t found;

	memcpy(&found, in, 4);
	low = known + (size_t)4 * found;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = low[i];

		if (found > 1u << 8)
			k |= (uint32_t)low[n + i] << 8;
		memcpy(&p->template[i], known + (size_t)4 * k, 4);
	}
}

/* The first time, the unit, how wide a difference is, the differences. */
static size_t times_write(const struct plain *p, uint32_t n, uint8_t *out)
{
	static const int64_t units[] = { 1000000000, 1000000, 1000, 1 };
	uint64_t most = 0;
	int64_t last = 0;
	unsigned unit = 0, width = 0;

	for (uint32_t i = 0; i < n && units[unit] > 1; i++)
		while (p->utc_ns[i] % units[unit] != 0)
			unit++;
	for (int pass = 0; pass < 2; pass++) {
		last = 0;
		for (uint32_t i = 0; i < n; i++) {
			int64_t t = p->utc_ns[i] / units[unit];
			int64_t d = (int64_t)((uint64_t)t - (uint64_t)last);
			uint64_t z = (uint64_t)d << 1 ^ (d < 0 ? UINT64_MAX : 0);

			last = t;
			if (i == 0)
				memcpy(out, &t, 8);
			else if (pass == 0)
				most |= z;
			for (unsigned b = 0; pass == 1 && b < width; b++)
				out[10 + (size_t)b * n + i] = i == 0 ? 0 : (uint8_t)(z >> (8 * b));
		}
		for (width = 0; width < 8 && most >> (8 * width) != 0; width++)
			;
	}
	out[8] = (uint8_t)unit;
	out[9] = (uint8_t)width;
	return 10 + (size_t)width * n;
}

static void times_read(const uint8_t *in, uint32_t n, struct plain *p)
{
	static const int64_t units[] = { 1000000000, 1000000, 1000, 1 };
	int64_t t, unit = units[in[8]];
	unsigned width = in[9];

	memcpy(&t, in, 8);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t z = 0;

		for (unsigned b = 0; b < width; b++)
			z |= (uint64_t)in[10 + (size_t)b * n + i] << (8 * b);
		t = (int64_t)((uint64_t)t + (z >> 1 ^ (z & 1 ? UINT64_MAX : 0)));
		p->utc_ns[i] = t * unit;
	}
}

/* The most bytes that the tables of n lines take before they are packed. */
static size_t raw_bound(uint32_t n)
{
	return 16 + (size_t)n * 10;
}

struct packed *packed_new(const struct plain *p, uint32_t n, struct zip *z)
{
	size_t text = n > 0 ? p->at[n] : 0, raw = raw_bound(n);
	size_t room = zip_bound(text) + 3 * zip_bound(raw), used = 0;
	size_t bits = grams_bits(text), head = sizeof(struct packed) + bits / 8;
	char *out = mem_alloc(room);
	uint8_t *table = mem_alloc(raw);
	struct packed *k;

	k = mem_calloc(1, head);
	k->lines = n;
	k->text_bytes = (uint32_t)text;
	k->gram_bits = bits;
	grams_fill(k->gram, bits, sv_n(p->text, text));
	for (int f = 0; f < 4; f++) {
		struct sv in = sv_n((const char *)table, 0);

		if (f == 0)
			in = sv_n(p->text, text);
		else if (f == 1)
			in.n = table_write(p, n, table);
		else if (f == 2)
			in.n = templates_write(p, n, table);
		else
			in.n = times_write(p, n, table);
		assert(f == 0 || in.n <= raw);
		k->frame[f].raw = (uint32_t)in.n;
		k->frame[f].packed = (uint32_t)zip_pack(z, ZIP_NEAR, in, out + used, room - used);
		assert(k->frame[f].packed > 0);
		used += k->frame[f].packed;
	}
	k = mem_realloc(k, 1, head + used);
	k->bytes = head + used;
	k->data = memcpy((char *)k + head, out, used);
	mem_free(out);
	mem_free(table);
	return k;
}

/* We packed it ourselves and it never left the memory: what does not unpack is a mistake of ours. */
static void unpack(const struct packed *k, int f, struct zip *z, char *out)
{
	size_t at = 0;
	const char *why;

	for (int i = 0; i < f; i++)
		at += k->frame[i].packed;
	why = zip_unpack(z, sv_n(k->data + at, k->frame[f].packed), out, k->frame[f].raw);
	assert(why == NULL);
	(void)why;
}

void packed_read(const struct packed *k, unsigned want, struct zip *z, struct plain *into)
{
	static const unsigned bit[4] = { PLAIN_TEXT, PLAIN_TABLE, PLAIN_TEMPLATES, PLAIN_TIMES };
	char *raw = NULL;

	plain_fit(into, k->text_bytes, k->lines);
	want &= ~into->has;
	for (int f = 0; f < 4; f++) {
		if ((want & bit[f]) == 0)
			continue;
		if (f == 0) {
			unpack(k, f, z, into->text);
			continue;
		}
		if (raw == NULL)
			raw = mem_alloc(raw_bound(k->lines));
		unpack(k, f, z, raw);
		if (f == 1)
			table_read((const uint8_t *)raw, k->lines, into);
		else if (f == 2)
			templates_read((const uint8_t *)raw, k->lines, into);
		else
			times_read((const uint8_t *)raw, k->lines, into);
	}
	mem_free(raw);
	into->has |= want;
}
