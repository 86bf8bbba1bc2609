/* SPDX-License-Identifier: MIT */
#include "core/base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct strbuf *out, const void *p, size_t n, bool padded)
{
	const unsigned char *byte = p;

	for (size_t i = 0; i < n; i += 3) {
		size_t have = n - i < 3 ? n - i : 3;
		uint32_t bits = (uint32_t)byte[i] << 16;

		if (have > 1)
			bits |= (uint32_t)byte[i + 1] << 8;
		if (have > 2)
			bits |= byte[i + 2];
		for (size_t k = 0; k <= have; k++)
			strbuf_addc(out, alphabet[bits >> (18 - 6 * k) & 63]);
		if (padded)
			strbuf_pad(out, '=', 3 - have);
	}
}

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '/')
		return c == '+' ? 62 : 63;
	return -1;
}

bool base64_decode(struct strbuf *out, struct sv text)
{
	uint32_t bits = 0;
	size_t n = text.n, held = 0;

	while (n > 0 && text.n - n < 2 && text.p[n - 1] == '=')
		n--;
	if (n % 4 == 1 || (n != text.n && text.n % 4 != 0))
		return false;
	for (size_t i = 0; i < n; i++) {
		int digit = digit_of(text.p[i]);

		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit;
		held += 6;
		if (held >= 8) {
			held -= 8;
			strbuf_addc(out, (char)(bits >> held & 255));
		}
	}
	return true;
}
