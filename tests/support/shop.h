/* SPDX-License-Identifier: MIT */
/* The real program on a demo workspace: for tests of the command line. Failures fail the test. */
#ifndef SUPPORT_SHOP_H
#define SUPPORT_SHOP_H

#include <jansson.h>

#include "tests/support/tmp.h"

struct shop {
	char *dir;              /* the workspace */
	char *root;             /* what is removed at the end */
	struct tmp_child child; /* of the last command */
};

/* Makes one demo for the whole group (setup of cmocka_run_group_tests), and removes it. */
int shop_group_setup(void **state);
int shop_group_teardown(void **state);
/* A copy of it for one test; $XDG_STATE_HOME points into it, `bascule` is in PATH. */
void shop_open(struct shop *s);
/* An empty folder instead of a demo. */
void shop_open_empty(struct shop *s);
void shop_close(struct shop *s);

/* Runs a line of shell in the workspace and returns its exit status; output is in s->child. */
int shop_run(struct shop *s, const char *line);
/* The same, failing the test with the output when the status is another one. */
void shop_expect(struct shop *s, int status, const char *line);
/* What the last command printed must hold text. */
void shop_out_has(struct shop *s, const char *text);
void shop_err_has(struct shop *s, const char *text);
/* The command behind "try: " of the last command's stderr; caller frees. NULL when there is none. */
char *shop_hint(struct shop *s);
/* stdout of the last command as one JSON document; caller json_decref's. */
json_t *shop_json(struct shop *s);
/* A member by path, "environments.0.name"; fails when it is not there. Borrowed. */
json_t *shop_at(json_t *j, const char *path);
/* SHA-256 of a file of the workspace, as sha256sum prints it; caller frees. */
char *shop_sum(struct shop *s, const char *file);

#endif
