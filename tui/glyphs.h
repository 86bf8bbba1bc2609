/* SPDX-License-Identifier: MIT */
/* Which characters every terminal gives the same number of columns. */
#ifndef TUI_GLYPHS_H
#define TUI_GLYPHS_H

#include <stdbool.h>
#include <stdint.h>

/* Whether terminals old and new agree with utf8_width(cp), so that sending it cannot shift the row behind it. */
bool glyph_is_agreed(uint32_t cp);

#endif
