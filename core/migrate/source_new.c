/* SPDX-License-Identifier: MIT */
/*
 * Makes the files of the next migration.
 *
 * The new id continues the style of the last one: a number with the same width, or a time stamp
 * when the last one is one (14 digits, with or without dashes), because two people who make
 * migrations on two branches rely on stamps not to collide.
 */
#include "core/migrate/source_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/utf8.h"

#define NUMBER_WIDTH 3
#define STAMP_DIGITS 14
#define TITLE_MAX 180 /* bytes: leaves room for number and suffix in a file name */

static void add_stamp(struct strbuf *out, bool dashes)
{
	time_t now = (time_t)(clock_utc_ms() / 1000);
	struct tm tm;
	char text[32];

	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), dashes ? "%Y-%m-%d-%H%M%S" : "%Y%m%d%H%M%S", &tm);
	strbuf_adds(out, text);
}

/* The id after the last one of the list. */
static int next_id(const struct source *s, struct strbuf *out, struct err *e)
{
	const char *last = "";
	size_t width, digits = 0;
	int64_t n = 0;

	/* Flyway's repeatables stand behind all and have no number. */
	for (size_t i = s != NULL ? s->n : 0; i > 0 && last[0] == '\0'; i--)
		if (s->list[i - 1].id[0] >= '0' && s->list[i - 1].id[0] <= '9')
			last = s->list[i - 1].id;
	width = strspn(last, "0123456789");

	for (const char *p = last; *p != '\0'; p++)
		digits += *p >= '0' && *p <= '9';
	if (digits == STAMP_DIGITS && strchr(last, '.') == NULL && strchr(last, '_') == NULL) {
		add_stamp(out, strchr(last, '-') != NULL);
		return 0;
	}
	if (width > 0 && !sv_int(sv_n(last, width), 0, INT64_MAX - 1, &n))
		return err_set(e, ERR_LIMIT, "cannot count on from migration number %s", last);
	if (width < NUMBER_WIDTH)
		width = NUMBER_WIDTH;
	strbuf_addf(out, "%0*lld", (int)width, (long long)(n + 1));
	return 0;
}

/* "Add users" to "add_users": what a shell and every file system take as one word. */
static int title_word(const char *title, struct strbuf *out, struct err *e)
{
	struct sv t = sv_trim(sv_of(title));

	if (t.n == 0 || t.n > TITLE_MAX || !utf8_valid(t)) {
		err_set(e, ERR_USAGE, "cannot make a migration named '%.*s'",
			(int)(t.n > 80 ? 80 : t.n), t.p);
		err_detail(e, "a name has 1 to %d bytes of valid UTF-8", TITLE_MAX);
		return err_hint(e, "bascule new 'add users table'");
	}
	for (size_t i = 0; i < t.n; i++) {
		char c = t.p[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c + ('a' - 'A'));
		strbuf_addc(out,
			    (unsigned char)c <= ' ' || strchr("/\\'\"`$*?<>|&;\x7f", c) ? '_' : c);
	}
	return 0;
}

static int write_new(const char *path, const char *text, struct err *e)
{
	char *dir = path_dir(path);
	int fd = -1, rc = -1;

	if (fs_mkdirs(dir, 0755, e) != 0)
		goto out;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0) {
		err_sys(e, errno, "cannot make %s", path);
		goto out;
	}
	rc = fs_write_all(fd, text, strlen(text), path, e);
	if (close(fd) != 0 && rc == 0)
		rc = err_sys(e, errno, "cannot write %s", path);
	if (rc != 0)
		unlink(path);
out:
	mem_free(dir);
	return rc;
}

static char *new_path(const char *dir, const char *sub, const char *prefix, const char *stem,
		      const char *suffix)
{
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	strbuf_adds(&b, dir);
	strbuf_addc(&b, '/');
	if (sub != NULL)
		strbuf_addf(&b, "%s/", sub);
	if (prefix != NULL)
		strbuf_adds(&b, prefix);
	strbuf_adds(&b, stem);
	strbuf_adds(&b, suffix);
	return strbuf_detach(&b);
}

/* Writes both files; a failed second one takes the first one with it. */
static int write_pair(const struct source_layout *layout, const char *up, const char *down,
		      const char *title, struct err *e)
{
	struct strbuf text;
	int rc = -1;

	strbuf_init(&text, STRBUF_NO_LIMIT);
	strbuf_addf(&text, "%s-- %s\n\n", layout->split != NULL ? layout->up_marker : "", title);
	if (layout->split != NULL)
		strbuf_addf(&text, "\n%s-- undo: %s\n\n", layout->down_marker, title);
	if (write_new(up, strbuf_str(&text), e) != 0)
		goto out;
	strbuf_reset(&text);
	strbuf_addf(&text, "-- undo: %s\n\n", title);
	if (layout->split == NULL && write_new(down, strbuf_str(&text), e) != 0) {
		unlink(up);
		goto out;
	}
	rc = 0;
out:
	strbuf_clear(&text);
	return rc;
}

/* The scan that tells layout and last number; NULL in *s for an empty or missing folder. */
static int look(const struct source_spec *spec, struct source **s, struct err *e)
{
	if (source_scan(spec, NULL, s, e) == 0)
		return 0;
	if (e->code != ERR_NOT_FOUND)
		return -1;
	err_clear(e);
	*s = NULL;
	return 0;
}

int source_new(const struct source_spec *spec, const char *title, char **up, char **down,
	       struct err *e)
{
	const struct source_layout *layout;
	struct source *s = NULL;
	struct strbuf stem;
	char *up_path = NULL, *down_path = NULL;
	const char *dir = spec->dir;
	int rc = -1;

	strbuf_init(&stem, SOURCE_NAME_MAX);
	if (look(spec, &s, e) != 0)
		goto out;
	layout = source_layout_find(s != NULL              ? s->layout
				    : spec->layout != NULL ? spec->layout
							   : source_updown.name);
	if (layout == NULL) {
		err_set(e, ERR_CONFIG, "unknown layout '%s'", spec->layout);
		goto out;
	}
	if (layout->new_hint != NULL) {
		err_set(e, ERR_USAGE, "cannot make a migration of layout %s", layout->name);
		err_detail(e, "its own tool makes its files");
		err_hint(e, "%s", layout->new_hint);
		goto out;
	}
	dir = s != NULL ? s->dir : spec->dir; /* the engine's folder, when there is one */
	if (next_id(s, &stem, e) != 0)
		goto out;
	strbuf_adds(&stem, layout->joint != NULL ? layout->joint : "_");
	if (title_word(title, &stem, e) != 0)
		goto out;
	up_path = new_path(dir, layout->up_dir, layout->up_prefix, strbuf_str(&stem),
			   layout->up_suffix);
	down_path = layout->split != NULL ? mem_strdup(up_path)
					  : new_path(dir, layout->down_dir, layout->down_prefix,
						     strbuf_str(&stem), layout->down_suffix);
	if (write_pair(layout, up_path, down_path, strbuf_str(&stem), e) != 0)
		goto out;
	*up = up_path;
	*down = down_path;
	up_path = down_path = NULL;
	rc = 0;
out:
	mem_free(up_path);
	mem_free(down_path);
	strbuf_clear(&stem);
	source_free(s);
	return rc;
}
