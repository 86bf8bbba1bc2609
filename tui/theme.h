/* SPDX-License-Identifier: MIT */
/* Themes: roles to colours and attributes, from INI files; 256, 16 or no colours. */
#ifndef TUI_THEME_H
#define TUI_THEME_H

#include "core/base/str.h"
#include "tui/canvas.h"

enum theme_attr {
	ATTR_BOLD = 1,
	ATTR_DIM = 2,
	ATTR_REVERSE = 4,
	ATTR_UNDERLINE = 8,
	ATTR_ITALIC = 16
};

struct theme_role {
	int16_t fg256, bg256; /* -1 default */
	int16_t fg16, bg16;
	unsigned attr;      /* with colours */
	unsigned attr_mono; /* without */
};

struct theme {
	char name[32];
	struct theme_role role[ROLES];
};

/* A theme file: `[theme] name =`, `[roles] fail = fg=196 bg=default fg16=red bold mono=reverse,bold`. All mistakes at
 * once in e->detail with lines. Roles not named keep the terminal's default. */
int theme_parse(struct sv text, const char *path, struct theme *out, struct err *e) MUST_CHECK;
/* By name (searched in dirs[0..n), then built in) or by path when it holds a slash. */
int theme_load(const char *name, const char *const *dirs, size_t n, struct theme *out,
	       struct err *e) MUST_CHECK;
/* Name of built-in theme number i, in alphabetical order; NULL past the last. */
const char *theme_name(size_t i);

#endif
