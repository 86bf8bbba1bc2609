/* SPDX-License-Identifier: MIT */
#include "cli/print.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/secret.h"
#include "core/base/utf8.h"

int exit_of(enum err_code code)
{
	switch (code) {
	case ERR_OK:
		return EXIT_DONE;
	case ERR_USAGE:
	case ERR_CONFIG:
		return EXIT_USAGE;
	case ERR_GATE:
		return EXIT_REFUSED;
	case ERR_CANCELLED:
		return EXIT_CANCELLED;
	case ERR_ROLLED_BACK:
		return EXIT_ROLLED_BACK;
	case ERR_LOCKED:
		return EXIT_LOCKED;
	case ERR_DIFFERS:
		return EXIT_DIFFERS;
	case ERR_WAITING:
		return EXIT_WAITING;
	default:
		return EXIT_FAILED;
	}
}

void add_clean(struct strbuf *out, const char *text)
{
	if (text != NULL)
		clean_text(out, sv_of(text), false);
}

void add_cell(struct strbuf *out, const char *text, size_t cols)
{
	size_t start = out->len, used;

	add_clean(out, text);
	used = out->len == start ? 0 : utf8_cols(sv_n(out->data + start, out->len - start));
	strbuf_pad(out, ' ', used < cols ? cols - used + 1 : 1);
}

void add_json_str(struct strbuf *out, const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	json_t *j;

	if (text == NULL) {
		strbuf_adds(out, "null");
		return;
	}
	while (*c >= ' ' && *c < 0x7f && *c != '"' && *c != '\\')
		c++;
	if (*c == '\0') {
		strbuf_addc(out, '"');
		strbuf_add(out, text, (size_t)((const char *)c - text));
		strbuf_addc(out, '"');
		return;
	}
	j = json_object();
	json_put_str(j, "x", text);
	json_write(out, json_object_get(j, "x"));
	json_decref(j);
}

/* Nothing can be done about a stderr that cannot be written. */
static void to_stderr(const struct strbuf *text)
{
	struct err ignored;

	if (fs_write_all(STDERR_FILENO, text->data, text->len, "stderr", &ignored) != 0)
		return;
}

/* A detail of several lines keeps them, each indented. */
static void add_part(struct strbuf *out, const char *before, const char *text)
{
	struct sv rest = sv_of(text), line;

	while (sv_cut(&rest, '\n', &line)) {
		strbuf_adds(out, before);
		clean_text(out, line, false);
		strbuf_addc(out, '\n');
		before = "    ";
	}
}

/* "try: COMMAND"; a question stands alone. */
static void add_hint(struct strbuf *out, const char *indent, const char *hint)
{
	strbuf_adds(out, hint[0] != '\0' ? indent : "");
	add_part(out, strncmp(hint, "did you mean", 12) == 0 ? "" : "try: ", hint);
}

void print_err(const struct err *whole)
{
	struct err without = *whole, *e = &without;
	struct strbuf out;

	secret_redact_err(e);
	strbuf_init(&out, STRBUF_NO_LIMIT);
	add_part(&out, "bascule: ", e->msg);
	add_part(&out, "  ", e->detail);
	add_hint(&out, "  ", e->hint);
	to_stderr(&out);
	strbuf_clear(&out);
}

void print_config_errors(const struct err *e, const struct config_errors *errs)
{
	struct strbuf out;
	size_t i;

	if (errs->n == 0) {
		print_err(e);
		return;
	}
	strbuf_init(&out, STRBUF_NO_LIMIT);
	add_part(&out, "bascule: ", e->msg);
	for (i = 0; i < errs->n; i++) {
		strbuf_addf(&out, "  line %d: ", errs->list[i].line);
		add_clean(&out, errs->list[i].text);
		strbuf_addc(&out, '\n');
		add_hint(&out, "    ", errs->list[i].hint);
	}
	if (errs->total > errs->n)
		strbuf_addf(&out, "  and %zu more\n", errs->total - errs->n);
	to_stderr(&out);
	strbuf_clear(&out);
}

void print_note(const char *fmt, ...)
{
	struct strbuf text, out;
	va_list ap;

	strbuf_init(&text, STRBUF_NO_LIMIT);
	strbuf_init(&out, STRBUF_NO_LIMIT);
	va_start(ap, fmt);
	strbuf_addv(&text, fmt, ap);
	va_end(ap);
	secret_redact(&text);
	add_part(&out, "bascule: ", strbuf_str(&text));
	to_stderr(&out);
	strbuf_clear(&text);
	strbuf_clear(&out);
}

int print_out(struct sv text, struct err *e)
{
	return fs_write_all(STDOUT_FILENO, text.p, text.n, "stdout", e);
}

static int print_tree(json_t *j, void (*write_fn)(struct strbuf *, const json_t *), const char *end,
		      struct err *e)
{
	struct strbuf out;
	int rc;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	write_fn(&out, j);
	strbuf_adds(&out, end);
	json_decref(j);
	rc = print_out(strbuf_sv(&out), e);
	strbuf_clear(&out);
	return rc;
}

int print_json(json_t *j, struct err *e)
{
	return print_tree(j, json_write_pretty, "", e);
}

int print_json_line(json_t *j, struct err *e)
{
	return print_tree(j, json_write, "\n", e);
}
