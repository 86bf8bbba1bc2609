/* SPDX-License-Identifier: MIT */
#include "tui/clipboard.h"

#include "core/base/base64.h"

struct sv clipboard_part(struct sv text)
{
	if (text.n <= CLIPBOARD_MAX)
		return text;
	text.n = CLIPBOARD_MAX;
	while (text.n > 0 && ((unsigned char)text.p[text.n] & 0xc0) == 0x80)
		text.n--;
	return text;
}

void clipboard_sequence(struct sv text, struct strbuf *out)
{
	struct sv part = clipboard_part(text);

	strbuf_adds(out, "\033]52;c;");
	base64_encode(out, part.p, part.n, true);
	strbuf_adds(out, "\a");
}
