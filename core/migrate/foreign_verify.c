/* SPDX-License-Identifier: MIT */
/*
 * Checksums as other tools compute them.
 *
 * Ours is taken of a normalised script; theirs of the bytes of the file, so the file is read again
 * as it is. Flyway sums the lines without their ends (a file that only changed from LF to CRLF is the same
 * to it), sqlx, Prisma and Sqitch the bytes, graphile-migrate the text behind the header together
 * with the checksum before it. Liquibase's sum is of its own model of a change: shown, not computed.
 *
 * The result is told to the matrix in its own language: equal means the history's checksum is the file's
 * of today, anything else is a changed file.
 */
#include "core/migrate/foreign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/migrate/foreign_tools.h"

/* CRC-32 of ISO 3309, as zlib and Java have it. Entry i is i after four steps of the reflected
 * polynomial, so a byte is two steps of this table. */
static const uint32_t crc_nibble[16] = {
	0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
	0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
	0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

uint32_t foreign_crc32(uint32_t crc, const void *p, size_t n)
{
	const unsigned char *b = p;

	crc = ~crc;
	for (size_t i = 0; i < n; i++) {
		crc ^= b[i];
		crc = (crc >> 4) ^ crc_nibble[crc & 15];
		crc = (crc >> 4) ^ crc_nibble[crc & 15];
	}
	return ~crc;
}

static struct sv without_bom(struct sv s)
{
	return sv_starts(s, SV("\xEF\xBB\xBF")) ? sv_n(s.p + 3, s.n - 3) : s;
}

int32_t foreign_flyway_crc(struct sv text)
{
	uint32_t crc = 0;
	size_t from = 0;

	text = without_bom(text);
	for (size_t i = 0; i <= text.n; i++) {
		if (i < text.n && text.p[i] != '\n' && text.p[i] != '\r')
			continue;
		crc = foreign_crc32(crc, text.p + from, i - from);
		from = i + 1; /* CRLF makes an empty line, which adds nothing */
	}
	return (int32_t)crc;
}

/* The text behind the `--! …` lines and the empty line that ends them. */
static struct sv graphile_body(struct sv text)
{
	struct sv rest = text, line;

	if (!sv_starts(text, SV("--! ")))
		return text;
	while (sv_starts(rest, SV("--!")) && sv_cut(&rest, '\n', &line))
		text = rest;
	return text;
}

void foreign_graphile_hash(struct sv text, const char *previous, char out[48])
{
	char hex[DIGEST_ANY_HEX_SIZE];
	struct sv body = sv_trim(graphile_body(text));
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	if (previous != NULL && *previous != '\0')
		strbuf_addf(&b, "%s\n", previous);
	strbuf_addsv(&b, body);
	body = sv_trim(strbuf_sv(&b));
	b.len = body.n; /* only its end can be blank */
	strbuf_addc(&b, '\n');
	digest_hex_by(DIGEST_SHA1, b.data, b.len, hex);
	snprintf(out, 48, "sha1:%.40s", hex);
	strbuf_clear(&b);
}

/* --- Comparing --------------------------------------------------------------------------------- */

struct rule {
	const char *prefix;
	enum digest_kind kind;
};

static const struct rule rules[] = {
	{ "sha1:", DIGEST_SHA1 },
	{ "sha256:", DIGEST_SHA256 },
	{ "sha384:", DIGEST_SHA384 },
};

/* The record behind graphile's entry, for the checksum before it. */
static const char *previous_of(const struct foreign *f, const struct applied *a)
{
	/* seq is the place of its record, from 1 */
	return a->seq > 0 && (size_t)a->seq <= f->n ? f->rec[a->seq - 1].previous : NULL;
}

/* 1 equal, 0 different, -1 when the rule is not known. */
static int compare(const struct history *h, const struct applied *a, struct sv text)
{
	char hex[DIGEST_ANY_HEX_SIZE], sum[48];
	const char *r = a->recorded;
	int64_t crc;

	if (strncmp(r, "crc32:", 6) == 0)
		return sv_int(sv_of(r + 6), INT32_MIN, INT32_MAX, &crc)
			       ? crc == foreign_flyway_crc(text)
			       : 0;
	if (strcmp(h->tool, "graphile-migrate") == 0) {
		foreign_graphile_hash(text, previous_of(h->foreign, a), sum);
		return strcmp(sum, r) == 0;
	}
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (strncmp(r, rules[i].prefix, strlen(rules[i].prefix)) != 0)
			continue;
		digest_hex_by(rules[i].kind, text.p, text.n, hex);
		return strcmp(hex, r + strlen(rules[i].prefix)) == 0;
	}
	return -1;
}

static void verify_one(struct history *h, struct applied *a, const struct migration *m,
		       struct strbuf *text)
{
	struct err e;
	int same;

	strbuf_reset(text);
	if (m->up_path == NULL || fs_read(m->up_path, SOURCE_FILE_MAX, text, &e) != 0)
		return; /* a problem of the source, which says so */
	same = compare(h, a, sv_n(strbuf_str(text), text->len));
	if (same < 0)
		return;
	a->checksum = same && m->checksum[0] != '\0' ? arena_strdup(&h->arena, m->checksum)
		      : same                         ? NULL
						     : a->recorded;
}

static int file_cmp(const struct applied *a, const struct migration *m)
{
	int d = strcmp(a->sort_key, m->sort_key);

	if (d == 0)
		d = strcmp(a->ns, m->ns);
	return d != 0 ? d : strcmp(a->id, m->id);
}

int foreign_verify(const struct source *s, struct history *h, struct cancel *c, struct err *e)
{
	struct strbuf text;
	size_t at = 0;
	int rc = -1;

	if (h->foreign == NULL || s == NULL)
		return 0;
	strbuf_init(&text, SOURCE_FILE_MAX + 1);
	/* Both lists have the same order. */
	for (size_t i = 0; i < h->n; i++) {
		struct applied *a = &h->list[i];

		while (at < s->n && file_cmp(a, &s->list[at]) > 0)
			at++;
		if (at == s->n)
			break;
		if (a->recorded == NULL || file_cmp(a, &s->list[at]) != 0)
			continue;
		if (c != NULL && cancel_fired(c)) {
			err_set(e, ERR_CANCELLED, "stopped while reading %s", s->dir);
			goto out;
		}
		verify_one(h, a, &s->list[at], &text);
	}
	rc = 0;
out:
	strbuf_clear(&text);
	return rc;
}

int history_join(struct history *h, const struct source *s, struct cancel *c, struct err *e)
{
	history_resolve(h, s);
	return foreign_verify(s, h, c, e);
}
