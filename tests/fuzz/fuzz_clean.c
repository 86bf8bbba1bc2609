/* SPDX-License-Identifier: MIT */
/* clean_text and canvas_put: any bytes become text that cannot control a terminal, as wide as it says, and put
 * into a field they change no cell beside it. The first byte chooses field and character set. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"
#include "tui/canvas.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_clean(struct sv text, bool ascii)
{
	struct strbuf out;
	struct sv rest;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	clean_text(&out, text, ascii);
	if (!ascii && utf8_cols(text) != utf8_cols(strbuf_sv(&out)))
		abort();
	for (rest = strbuf_sv(&out); rest.n > 0;) {
		uint32_t cp;
		size_t n = utf8_decode(rest, &cp);

		if (n == 0 || utf8_width(cp) < 0 || (ascii && cp >= 0x80))
			abort();
		rest = sv_n(rest.p + n, rest.n - n);
	}
	strbuf_clear(&out);
}

static void check_field(struct sv text, int col, int cols, bool ascii)
{
	struct canvas c;

	canvas_init(&c, 3, 24, ascii);
	for (int row = 0; row < 3; row++)
		canvas_fill(&c, row, 0, 24, ROLE_OK, '.');
	canvas_put(&c, 1, col, cols, ROLE_FAIL, text);
	for (int row = 0; row < 3; row++)
		for (int k = 0; k < 24; k++) {
			const struct canvas_cell *cell = canvas_at(&c, row, k);
			bool inside = row == 1 && k >= col && k < col + cols;

			if (memchr(cell->text, 0, CELL_TEXT) == NULL)
				abort();
			if (!inside && (strcmp(cell->text, ".") != 0 || cell->role != ROLE_OK))
				abort();
		}
	canvas_clear(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text;

	if (size == 0)
		return 0;
	text = sv_n((const char *)data + 1, size - 1);
	check_clean(text, data[0] & 1);
	check_field(text, data[0] % 20, 1 + data[0] / 20, data[0] & 1);
	return 0;
}
