/* SPDX-License-Identifier: MIT */
/*
 * Characters that shift a row.
 *
 * A program and its terminal each have a table of widths. Where they differ, everything behind the
 * character stands in another column than the program thinks: a name could push its neighbour's
 * value out of its field. No sequence prevents that (a terminal may even join the character to the
 * cell before), so what is not agreed is not sent; screen.c shows a question mark in its columns.
 *
 * Found by comparing three tables of different age over all code points (ours of Unicode 14, the C
 * library's, and libvterm's, which is from before emoji were wide), and by what terminals that join
 * several code points into one picture do: flags, skin tones, conjoining Hangul. Blocks in which
 * most marks differ are left out whole. The property test in tests/console/test_foreign.c watches
 * this table.
 */
#include "tui/glyphs.h"

#include <stddef.h>

struct range {
	uint32_t first, last;
};

/* Below U+10000 all are agreed but these. */
static const struct range differ[] = {
	{ 0x0487, 0x0487 }, { 0x0600, 0x0605 }, { 0x0616, 0x061a }, { 0x065f, 0x065f },
	{ 0x06dd, 0x06de }, { 0x070f, 0x070f }, { 0x07b2, 0x0900 }, { 0x093a, 0x093b },
	{ 0x0955, 0x0957 }, { 0x09fb, 0x0a01 }, { 0x0a43, 0x0a46 }, { 0x0a49, 0x0a4a },
	{ 0x0a4e, 0x0a58 }, { 0x0a75, 0x0a80 }, { 0x0ac6, 0x0ac6 }, { 0x0af0, 0x0b00 },
	{ 0x0b44, 0x0b46 }, { 0x0b4e, 0x0b55 }, { 0x0b62, 0x0b65 }, { 0x0c00, 0x0c00 },
	{ 0x0c04, 0x0c04 }, { 0x0c3a, 0x0c3d }, { 0x0c49, 0x0c49 }, { 0x0c4e, 0x0c54 },
	{ 0x0c62, 0x0c65 }, { 0x0c81, 0x0c81 }, { 0x0d00, 0x0d01 }, { 0x0d3b, 0x0d3c },
	{ 0x0d44, 0x0d45 }, { 0x0d62, 0x0d65 }, { 0x0d81, 0x0d81 }, { 0x0dd5, 0x0dd5 },
	{ 0x0eba, 0x0eba }, { 0x0ece, 0x0ecf }, { 0x0f8d, 0x0f8f }, { 0x0f98, 0x0f98 },
	{ 0x1033, 0x1035 }, { 0x103a, 0x103f }, { 0x105a, 0x109f }, { 0x1160, 0x11ff },
	{ 0x135d, 0x135f }, { 0x1715, 0x171f }, { 0x1734, 0x1734 }, { 0x1885, 0x1886 },
	{ 0x18aa, 0x1cff }, { 0x1dc0, 0x1dff }, { 0x20eb, 0x20ff }, { 0x2c00, 0x2dff },
	{ 0x302a, 0x302d }, { 0x3040, 0x3040 }, { 0x3097, 0x309a }, { 0x3244, 0x324f },
	{ 0x4dc0, 0x4dff }, { 0xa4c7, 0xabff }, { 0xd7a4, 0xf8ff }, { 0xfada, 0xfaff },
	{ 0xfe24, 0xfe2f }, { 0xfe6c, 0xfe6f }, { 0xff00, 0xff00 },
};

/* From U+10000 on none is agreed but these: mathematical letters, old pictures, ideographs. */
static const struct range agree[] = {
	{ 0x1d400, 0x1d7ff }, { 0x1f300, 0x1f3fa }, { 0x1f400, 0x1f53d },
	{ 0x1f5fb, 0x1f64f }, { 0x1f680, 0x1f6c5 }, { 0x20000, 0x2a6d6 },
};

static bool is_in(const struct range *list, size_t n, uint32_t cp)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (list[middle].last < cp)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && list[low].first <= cp;
}

bool glyph_is_agreed(uint32_t cp)
{
	if (cp < 0x10000)
		return !is_in(differ, sizeof(differ) / sizeof(differ[0]), cp);
	return is_in(agree, sizeof(agree) / sizeof(agree[0]), cp);
}
