/* SPDX-License-Identifier: MIT */
/* The themes of the source tree, compiled in, so that a bare binary draws as an installed one.
 * The array is generated from themes/ by tools/embed-themes; folders of themes are read first. */
#ifndef TUI_THEMES_BUILTIN_H
#define TUI_THEMES_BUILTIN_H

#include <stddef.h>

/* One theme: its name without ".theme" and the whole text of its file. Both live as long as the
 * program. */
struct theme_file {
	const char *name;
	const char *text;
};

/* Sorted by name; themes_builtin_n entries. */
extern const struct theme_file themes_builtin[];
extern const size_t themes_builtin_n;

#endif
