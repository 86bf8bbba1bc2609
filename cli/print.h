/* SPDX-License-Identifier: MIT */
/* What the command line writes: results to stdout, everything else to stderr, foreign bytes cleaned. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include <jansson.h>

#include "config/config.h"
#include "core/base/err.h"
#include "core/base/str.h"

/* The exit statuses of bascule(1). */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_REFUSED = 3,
	EXIT_CANCELLED = 4,
	EXIT_ROLLED_BACK = 5,
	EXIT_LOCKED = 6,
	EXIT_DIFFERS = 7,
	EXIT_WAITING = 8,
};
int exit_of(enum err_code code);

/* An error to stderr in its three parts:
 *   bascule: cannot lock ledger of staging
 *     held by alice
 *     try: … */
void print_err(const struct err *e);
/* The mistakes of a configuration, all of them, to stderr. */
void print_config_errors(const struct err *e, const struct config_errors *errs);
/* One line to stderr. */
void print_note(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* All of text to stdout, across short writes. ERR_SYSTEM when it cannot be written. */
int print_out(struct sv text, struct err *e) MUST_CHECK;
/* Writes j (which is freed) as an indented document. */
int print_json(json_t *j, struct err *e) MUST_CHECK;
/* Writes j (which is freed) on one line. */
int print_json_line(json_t *j, struct err *e) MUST_CHECK;

/* Appends text cleaned to one line; NULL is nothing. */
void add_clean(struct strbuf *out, const char *text);
/* As add_clean, then blanks up to cols columns and one more. Longer text is not cut. */
void add_cell(struct strbuf *out, const char *text, size_t cols);
/* Appends a JSON string with its quotes; NULL gives null. Faster than a tree for long lists. */
void add_json_str(struct strbuf *out, const char *text);

#endif
