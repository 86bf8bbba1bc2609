/* SPDX-License-Identifier: MIT */
/* jansson with our errors: reading of required members, one-line writing, files with limits. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "core/base/str.h"

/* Parses text; what names it in errors. New reference, or NULL. Duplicate keys are refused,
 * nesting is limited by jansson (2048). */
json_t *json_parse(struct sv text, const char *what, struct err *e) MUST_CHECK;
json_t *json_read_file(const char *path, size_t max_bytes, struct err *e) MUST_CHECK;
/* Appends compact JSON with sorted-as-inserted keys, no newline. */
void json_write(struct strbuf *out, const json_t *j);
/* Indented by two, with a newline at the end: for people and --json documents. */
void json_write_pretty(struct strbuf *out, const json_t *j);

/* Members of an object. The text is borrowed from j. Missing or of another type: ERR_INPUT naming
 * the member. The _opt forms give the default for missing and null. */
int json_str(const json_t *j, const char *key, const char **out, struct err *e) MUST_CHECK;
int json_int(const json_t *j, const char *key, int64_t *out, struct err *e) MUST_CHECK;
int json_bool(const json_t *j, const char *key, bool *out, struct err *e) MUST_CHECK;
const char *json_str_opt(const json_t *j, const char *key, const char *dflt);
int64_t json_int_opt(const json_t *j, const char *key, int64_t dflt);
bool json_bool_opt(const json_t *j, const char *key, bool dflt);
/* Sets key to text; invalid UTF-8 in text is cleaned first (clean_text), NULL gives null. */
void json_put_str(json_t *j, const char *key, const char *text);
void json_put_int(json_t *j, const char *key, int64_t value);
void json_put_bool(json_t *j, const char *key, bool value);

#endif
