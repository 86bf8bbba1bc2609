/* SPDX-License-Identifier: MIT */
#include "tests/support/shop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/mem.h"

static char *template_dir; /* of the group; the copies are made from it */

static void point_state(const char *dir)
{
	char *state = tmp_path(dir, ".state");

	setenv("XDG_STATE_HOME", state, 1);
	free(state);
}

/* `bascule` in PATH, whatever the built file is called and wherever it is. */
static void put_in_path(void)
{
	const char *program = getenv("BASCULE"), *old = getenv("PATH");
	char *path;
	size_t n;

	if (program == NULL || strrchr(program, '/') == NULL)
		fail_msg("BASCULE is not the path of the program");
	n = (size_t)(strrchr(program, '/') - program);
	path = mem_alloc(n + strlen(old) + 2);
	snprintf(path, n + strlen(old) + 2, "%.*s:%s", (int)n, program, old);
	setenv("PATH", path, 1);
	mem_free(path);
}

int shop_group_setup(void **state)
{
	struct tmp_child child;
	char *argv[] = { (char *)"bascule", (char *)"demo", (char *)"shop", (char *)"--plain",
			 NULL };

	(void)state;
	put_in_path();
	template_dir = tmp_make();
	tmp_run(&child, template_dir, argv);
	if (child.status != 0)
		print_error("%s", child.err);
	tmp_child_clear(&child);
	return 0;
}

int shop_group_teardown(void **state)
{
	(void)state;
	tmp_remove(template_dir);
	return 0;
}

void shop_open_empty(struct shop *s)
{
	*s = (struct shop){ 0 };
	s->root = tmp_make();
	s->dir = tmp_path(s->root, "shop");
	tmp_write(s->dir, ".keep", "");
	point_state(s->dir);
}

void shop_open(struct shop *s)
{
	char *from = tmp_path(template_dir, "shop");
	char *argv[] = { (char *)"cp", (char *)"-a", from, NULL, NULL };
	struct tmp_child child;

	*s = (struct shop){ 0 };
	s->root = tmp_make();
	s->dir = tmp_path(s->root, "shop");
	argv[3] = s->dir;
	tmp_run(&child, NULL, argv);
	assert_int_equal(child.status, 0);
	tmp_child_clear(&child);
	free(from);
	point_state(s->dir);
}

void shop_close(struct shop *s)
{
	if (s->child.out != NULL)
		tmp_child_clear(&s->child);
	free(s->dir);
	tmp_remove(s->root);
}

int shop_run(struct shop *s, const char *line)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)line, NULL };

	if (s->child.out != NULL)
		tmp_child_clear(&s->child);
	tmp_run(&s->child, s->dir, argv);
	return s->child.status;
}

void shop_expect(struct shop *s, int status, const char *line)
{
	if (shop_run(s, line) != status)
		fail_msg("`%s` ended with %d, not %d\n%s%s", line, s->child.status, status,
			 s->child.out, s->child.err);
}

void shop_out_has(struct shop *s, const char *text)
{
	if (strstr(s->child.out, text) == NULL)
		fail_msg("stdout lacks `%s`:\n%s", text, s->child.out);
}

void shop_err_has(struct shop *s, const char *text)
{
	if (strstr(s->child.err, text) == NULL)
		fail_msg("stderr lacks `%s`:\n%s", text, s->child.err);
}

char *shop_hint(struct shop *s)
{
	const char *at = strstr(s->child.err, "  try: "), *end;

	if (at == NULL)
		return NULL;
	at += strlen("  try: ");
	end = strchr(at, '\n');
	return end != NULL ? strndup(at, (size_t)(end - at)) : strdup(at);
}

json_t *shop_json(struct shop *s)
{
	json_error_t error;
	json_t *j = json_loads(s->child.out, JSON_REJECT_DUPLICATES, &error);

	if (j == NULL)
		fail_msg("not JSON: %s\n%s", error.text, s->child.out);
	return j;
}

json_t *shop_at(json_t *j, const char *path)
{
	char *copy = strdup(path), *part = copy, *dot;
	json_t *at = j;

	while (at != NULL && part != NULL) {
		dot = strchr(part, '.');
		if (dot != NULL)
			*dot = '\0';
		at = json_is_array(at) ? json_array_get(at, (size_t)strtol(part, NULL, 10))
				       : json_object_get(at, part);
		part = dot != NULL ? dot + 1 : NULL;
	}
	free(copy);
	if (at == NULL)
		fail_msg("no member %s", path);
	return at;
}

char *shop_sum(struct shop *s, const char *file)
{
	char line[300];

	snprintf(line, sizeof(line), "sha256sum < %s", file);
	shop_expect(s, 0, line);
	return strdup(s->child.out);
}
