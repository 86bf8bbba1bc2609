/* SPDX-License-Identifier: MIT */
/*
 * Theme files. A role's value is a list of words: `fg=196 bg=default fg16=red bold mono=reverse,bold`.
 *
 * A colour is a number of the 256-colour palette, one of sixteen names, or `default`. Who gives only
 * the 256-colour form gets the nearest of the sixteen for poorer terminals, so a theme need not be
 * written twice. The palette itself is never redefined: that would outlive a crash of ours.
 */
#include "tui/theme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/ini.h"
#include "core/base/fs.h"
#include "core/base/mem.h"
#include "tui/themes_builtin.h"

#define THEME_FILE_MAX ((size_t)64 << 10)
#define THEME_LINE_MAX 1024
#define NO_COLOR_GIVEN INT16_MIN

static const char *const color_names[16] = {
	"black",        "red",           "green",       "yellow",         "blue",
	"magenta",      "cyan",          "white",       "bright-black",   "bright-red",
	"bright-green", "bright-yellow", "bright-blue", "bright-magenta", "bright-cyan",
	"bright-white",
};

static const struct {
	const char *name;
	enum theme_attr attr;
} attr_names[] = {
	{ "bold", ATTR_BOLD },           { "dim", ATTR_DIM },       { "reverse", ATTR_REVERSE },
	{ "underline", ATTR_UNDERLINE }, { "italic", ATTR_ITALIC },
};
#define N_ATTRS (sizeof(attr_names) / sizeof(attr_names[0]))

/* Red, green, blue of a palette entry as every terminal starts with them. */
static void palette_rgb(int color, int rgb[3])
{
	static const int level[6] = { 0, 95, 135, 175, 215, 255 };

	if (color < 16) {
		int on = color < 8 ? 205 : 255, off = color < 8 ? 0 : 85;

		for (int i = 0; i < 3; i++)
			rgb[i] = color >> i & 1 ? on : off;
	} else if (color < 232) {
		rgb[0] = level[(color - 16) / 36];
		rgb[1] = level[(color - 16) / 6 % 6];
		rgb[2] = level[(color - 16) % 6];
	} else {
		rgb[0] = rgb[1] = rgb[2] = 8 + (color - 232) * 10;
	}
}

static int16_t nearest_of_16(int16_t color)
{
	int want[3], have[3];
	long best = -1;
	int16_t found = color;

	if (color < 16)
		return color;
	palette_rgb(color, want);
	for (int16_t i = 0; i < 16; i++) {
		long distance = 0;

		palette_rgb(i, have);
		for (int k = 0; k < 3; k++)
			distance += (long)(want[k] - have[k]) * (want[k] - have[k]);
		if (best < 0 || distance < best) {
			best = distance;
			found = i;
		}
	}
	return found;
}

struct loader {
	struct theme *theme;
	struct ini_mistakes mistakes;
	int line_of[ROLES];
};

static bool color_of(struct sv word, int max, int16_t *out)
{
	int64_t number;

	if (sv_eq_str(word, "default")) {
		*out = -1;
		return true;
	}
	for (int16_t i = 0; i < 16; i++)
		if (sv_eq_str(word, color_names[i])) {
			*out = i;
			return true;
		}
	if (!sv_int(word, 0, max, &number))
		return false;
	*out = (int16_t)number;
	return true;
}

static bool attr_of(struct sv word, unsigned *out)
{
	for (size_t i = 0; i < N_ATTRS; i++)
		if (sv_eq_str(word, attr_names[i].name)) {
			*out |= attr_names[i].attr;
			return true;
		}
	return sv_eq_str(word, "none");
}

/* One word of a role: "fg=196", "bold", "mono=reverse,bold". */
static void load_word(struct loader *l, int line, struct theme_role *r, struct sv word)
{
	struct sv rest = word, key, piece;
	int16_t *color = NULL;
	int max = 255;

	sv_cut(&rest, '=', &key);
	if (key.n == word.n) {
		if (!attr_of(word, &r->attr))
			ini_mistake(&l->mistakes, line, "unknown word `%.*s`", (int)word.n, word.p);
		return;
	}
	if (sv_eq_str(key, "mono")) {
		while (sv_cut(&rest, ',', &piece))
			if (!attr_of(piece, &r->attr_mono))
				ini_mistake(&l->mistakes, line, "unknown attribute `%.*s`",
					    (int)piece.n, piece.p);
		return;
	}
	if (sv_eq_str(key, "fg"))
		color = &r->fg256;
	else if (sv_eq_str(key, "bg"))
		color = &r->bg256;
	else if (sv_eq_str(key, "fg16"))
		color = &r->fg16;
	else if (sv_eq_str(key, "bg16"))
		color = &r->bg16;
	if (color == &r->fg16 || color == &r->bg16)
		max = 15;
	if (!color)
		ini_mistake(&l->mistakes, line, "unknown word `%.*s`", (int)word.n, word.p);
	else if (!color_of(rest, max, color))
		ini_mistake(&l->mistakes, line,
			    "`%.*s` is not a colour (0 to %d, a name, or default)", (int)rest.n,
			    rest.p, max);
}

static void load_role(struct loader *l, const struct ini_item *item)
{
	struct theme_role r = { -1, -1, NO_COLOR_GIVEN, NO_COLOR_GIVEN, 0, 0 };
	struct sv rest = sv_of(item->value), word;
	int role = role_of(item->key);

	if (role < 0) {
		const char *names[ROLES], *near;

		for (int i = 0; i < ROLES; i++)
			names[i] = role_name((enum role)i);
		near = str_nearest(item->key, names, ROLES);
		ini_mistake(&l->mistakes, item->line, "unknown role `%s`%s%s%s", item->key,
			    near ? ", did you mean `" : "", near ? near : "", near ? "`?" : "");
		return;
	}
	if (l->line_of[role] > 0)
		ini_mistake(&l->mistakes, item->line, "`%s` stands in line %d already", item->key,
			    l->line_of[role]);
	l->line_of[role] = item->line;
	while (sv_cut(&rest, ' ', &word))
		if (word.n > 0)
			load_word(l, item->line, &r, word);
	if (r.fg16 == NO_COLOR_GIVEN)
		r.fg16 = nearest_of_16(r.fg256);
	if (r.bg16 == NO_COLOR_GIVEN)
		r.bg16 = nearest_of_16(r.bg256);
	l->theme->role[role] = r;
}

static void load_item(void *arg, const struct ini_item *item)
{
	struct loader *l = arg;
	bool roles = strcmp(item->section, "roles") == 0;
	bool head = strcmp(item->section, "theme") == 0;

	if (item->event == INI_MISTAKE)
		ini_mistake(&l->mistakes, item->line, "%s", item->value);
	else if (!roles && !head)
		ini_mistake(&l->mistakes, item->line, "%s [%s]: only [theme] and [roles] are known",
			    item->event == INI_SECTION ? "unknown section" : "a key in",
			    item->section);
	else if (item->event == INI_PAIR && roles)
		load_role(l, item);
	else if (item->event == INI_PAIR && strcmp(item->key, "name") == 0)
		str_copy(l->theme->name, sizeof(l->theme->name), item->value);
	else if (item->event == INI_PAIR)
		ini_mistake(&l->mistakes, item->line,
			    "unknown key `%s` in [theme], did you mean `name`?", item->key);
}

int theme_parse(struct sv text, const char *path, struct theme *out, struct err *e)
{
	struct theme fresh = { 0 };
	struct loader l = { .theme = &fresh };
	char file[sizeof(e->msg)];
	int ret;

	for (int i = 0; i < ROLES; i++)
		fresh.role[i] = (struct theme_role){ -1, -1, -1, -1, 0, 0 };
	ini_mistakes_begin(&l.mistakes);
	ini_scan(text, THEME_LINE_MAX, load_item, &l);
	snprintf(file, sizeof(file), "theme %s", path);
	ret = ini_mistakes_end(&l.mistakes, file, e);
	if (ret == 0)
		*out = fresh;
	return ret;
}

static int load_file(const char *path, struct theme *out, struct err *e)
{
	struct strbuf text;
	int rc = -1;

	strbuf_init(&text, THEME_FILE_MAX);
	if (fs_read(path, THEME_FILE_MAX, &text, e) == 0)
		rc = theme_parse(strbuf_sv(&text), path, out, e);
	strbuf_clear(&text);
	return rc;
}

static int unknown_theme(const char *name, struct err *e)
{
	const char *list[32], *near;
	struct strbuf names;
	size_t n;

	strbuf_init(&names, sizeof(e->hint));
	for (n = 0; n < sizeof(list) / sizeof(list[0]) && theme_name(n); n++) {
		list[n] = theme_name(n);
		strbuf_addf(&names, "%s%s", n > 0 ? ", " : "", list[n]);
	}
	near = str_nearest(name, list, n);
	err_set(e, ERR_NOT_FOUND, "there is no theme `%s`", name);
	if (near)
		err_detail(e, "did you mean `%s`?", near);
	err_hint(e, "themes: %s; or the path of a .theme file", strbuf_str(&names));
	strbuf_clear(&names);
	return -1;
}

int theme_load(const char *name, const char *const *dirs, size_t n, struct theme *out,
	       struct err *e)
{
	char file[64];

	if (strchr(name, '/'))
		return load_file(name, out, e);
	snprintf(file, sizeof(file), "%.40s.theme", name);
	for (size_t i = 0; i < n; i++) {
		char *path;
		bool found;
		int rc = 0;

		if (!dirs[i])
			continue;
		path = path_join(dirs[i], file);
		found = fs_exists(path);
		if (found)
			rc = load_file(path, out, e);
		mem_free(path);
		if (found)
			return rc;
	}
	for (size_t i = 0; i < themes_builtin_n; i++)
		if (strcmp(themes_builtin[i].name, name) == 0)
			return theme_parse(sv_of(themes_builtin[i].text), name, out, e);
	return unknown_theme(name, e);
}

const char *theme_name(size_t i)
{
	return i < themes_builtin_n ? themes_builtin[i].name : NULL;
}
