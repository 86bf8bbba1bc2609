/* SPDX-License-Identifier: MIT */
#include "tui/clipboard.h"

struct sv clipboard_part(struct sv text)
{
	if (text.n <= CLIPBOARD_MAX)
		return text;
	text.n = CLIPBOARD_MAX;
	while (text.n > 0 && ((unsigned char)text.p[text.n] & 0xc0) == 0x80)
		text.n--;
	return text;
}

static void add_base64(struct strbuf *out, struct sv text)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)text.p;

	for (size_t i = 0; i < text.n; i += 3) {
		size_t n = text.n - i < 3 ? text.n - i : 3;
		uint32_t v = (uint32_t)p[i] << 16;

		if (n > 1)
			v |= (uint32_t)p[i + 1] << 8;
		if (n > 2)
			v |= p[i + 2];
		strbuf_addc(out, digit[v >> 18]);
		strbuf_addc(out, digit[v >> 12 & 63]);
		strbuf_addc(out, n > 1 ? digit[v >> 6 & 63] : '=');
		strbuf_addc(out, n > 2 ? digit[v & 63] : '=');
	}
}

void clipboard_sequence(struct sv text, struct strbuf *out)
{
	strbuf_adds(out, "\033]52;c;");
	add_base64(out, clipboard_part(text));
	strbuf_adds(out, "\a");
}
