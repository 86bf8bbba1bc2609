/* SPDX-License-Identifier: MIT */
#include "core/base/json.h"

#include "core/base/fs.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"

#include <assert.h>
#include <string.h>

json_t *json_parse(struct sv text, const char *what, struct err *e)
{
	json_error_t error;
	json_t *j = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &error);

	if (j)
		return j;
	err_set(e, ERR_INPUT, "cannot read %s", what);
	err_detail(e, "line %d, column %d: %s", error.line, error.column, error.text);
	return NULL;
}

json_t *json_read_file(const char *path, size_t max_bytes, struct err *e)
{
	struct strbuf text;
	json_t *j = NULL;

	strbuf_init(&text, max_bytes);
	if (fs_read(path, max_bytes, &text, e) == 0)
		j = json_parse(strbuf_sv(&text), path, e);
	strbuf_clear(&text);
	return j;
}

static int add_piece(const char *piece, size_t n, void *out)
{
	strbuf_add(out, piece, n);
	return 0;
}

static void dump(struct strbuf *out, const json_t *j, size_t flags)
{
	/* Encoding fails for values with no JSON form only (a cycle, an infinite number), which
	 * the callers never build, and when memory ends. */
	if (json_dump_callback(j, add_piece, out, flags | JSON_ENCODE_ANY) < 0)
		mem_oom();
}

void json_write(struct strbuf *out, const json_t *j)
{
	dump(out, j, JSON_COMPACT);
}

void json_write_pretty(struct strbuf *out, const json_t *j)
{
	dump(out, j, JSON_INDENT(2));
	strbuf_addc(out, '\n');
}

/* The member key of j, or an error that names it. type is for the text: "a text". */
static json_t *member(const json_t *j, const char *key, bool (*is)(const json_t *),
		      const char *type, struct err *e)
{
	json_t *value = json_object_get(j, key);

	if (!value) {
		err_set(e, ERR_INPUT, "member \"%s\" is missing", key);
		return NULL;
	}
	if (!is(value)) {
		err_set(e, ERR_INPUT, "member \"%s\" is not %s", key, type);
		return NULL;
	}
	return value;
}

static bool is_string(const json_t *j)
{
	return json_is_string(j);
}

static bool is_integer(const json_t *j)
{
	return json_is_integer(j);
}

static bool is_boolean(const json_t *j)
{
	return json_is_boolean(j);
}

int json_str(const json_t *j, const char *key, const char **out, struct err *e)
{
	json_t *value = member(j, key, is_string, "a text", e);

	if (!value)
		return -1;
	*out = json_string_value(value);
	return 0;
}

int json_int(const json_t *j, const char *key, int64_t *out, struct err *e)
{
	json_t *value = member(j, key, is_integer, "a whole number", e);

	if (!value)
		return -1;
	*out = json_integer_value(value);
	return 0;
}

int json_bool(const json_t *j, const char *key, bool *out, struct err *e)
{
	json_t *value = member(j, key, is_boolean, "true or false", e);

	if (!value)
		return -1;
	*out = json_is_true(value);
	return 0;
}

const char *json_str_opt(const json_t *j, const char *key, const char *dflt)
{
	json_t *value = json_object_get(j, key);

	return json_is_string(value) ? json_string_value(value) : dflt;
}

int64_t json_int_opt(const json_t *j, const char *key, int64_t dflt)
{
	json_t *value = json_object_get(j, key);

	return json_is_integer(value) ? (int64_t)json_integer_value(value) : dflt;
}

bool json_bool_opt(const json_t *j, const char *key, bool dflt)
{
	json_t *value = json_object_get(j, key);

	return json_is_boolean(value) ? json_is_true(value) : dflt;
}

static void put(json_t *j, const char *key, json_t *value)
{
	assert(json_is_object(j));
	if (!value || json_object_set_new(j, key, value) < 0)
		mem_oom();
}

void json_put_str(json_t *j, const char *key, const char *text)
{
	struct strbuf clean;

	if (!text) {
		put(j, key, json_null());
		return;
	}
	if (utf8_valid(sv_of(text))) {
		put(j, key, json_string(text));
		return;
	}
	strbuf_init(&clean, STRBUF_NO_LIMIT);
	clean_text(&clean, sv_of(text), false);
	put(j, key, json_string(strbuf_str(&clean)));
	strbuf_clear(&clean);
}

void json_put_int(json_t *j, const char *key, int64_t value)
{
	put(j, key, json_integer(value));
}

void json_put_bool(json_t *j, const char *key, bool value)
{
	put(j, key, json_boolean(value));
}
