/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"
#include "core/backup/backup.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "tui/text.h"

static json_t *backup_json(const struct backup *b)
{
	char at[CLOCK_TEXT_SIZE];
	json_t *j = json_object();

	json_put_str(j, "id", b->id);
	json_put_str(j, "environment", b->environment);
	json_put_str(j, "at", clock_iso(b->at_utc_ms, at));
	json_put_str(j, "trigger", b->trigger);
	json_put_int(j, "bytes", b->bytes);
	json_put_str(j, "sha256", b->sha256);
	json_put_bool(j, "verified", b->verified);
	/* Nothing in this version restores into scratch and counts. */
	json_put_bool(j, "proven", false);
	json_put_str(j, "schema_version", b->schema_version[0] != '\0' ? b->schema_version : NULL);
	json_put_str(j, "path", b->path);
	return j;
}

static void add_backup(struct strbuf *out, const struct backup *b)
{
	char at[CLOCK_TEXT_SIZE], size[CLOCK_TEXT_SIZE];

	add_cell(out, b->id, 28);
	add_cell(out, b->environment, 14);
	add_cell(out, clock_iso(b->at_utc_ms, at), 20);
	add_cell(out, b->trigger, 15);
	add_cell(out, text_bytes(b->bytes, size), 8);
	add_cell(out, b->verified ? "verified" : "NOT VERIFIED", 12);
	strbuf_adds(out, "at ");
	add_clean(out, b->schema_version[0] != '\0' ? b->schema_version : "no migration");
	strbuf_addc(out, '\n');
}

static int backups_print(const struct cli *c, const struct backup *list, size_t n, struct err *e)
{
	json_t *j, *array;
	struct strbuf out;
	size_t i;
	int rc;

	if (args_has(&c->args, OPT_JSON)) {
		j = json_object();
		array = json_array();
		for (i = 0; i < n; i++)
			json_array_append_new(array, backup_json(&list[i]));
		json_object_set_new(j, "backups", array);
		return print_json(j, e);
	}
	strbuf_init(&out, STRBUF_NO_LIMIT);
	if (n == 0)
		strbuf_adds(&out, "no backups\n");
	for (i = 0; i < n; i++)
		add_backup(&out, &list[i]);
	rc = print_out(strbuf_sv(&out), e);
	strbuf_clear(&out);
	return rc;
}

int cmd_backups(struct cli *c, struct err *e)
{
	const struct env *env = NULL;
	struct backup *list = NULL;
	size_t n = 0;
	int rc;

	if (cli_word(c, 0) != NULL && cli_env(c, cli_word(c, 0), &env, e) != 0)
		return -1;
	if (backup_list(c->ctx.backups_dir, env != NULL ? env->name : NULL, &list, &n, e) != 0)
		return -1;
	rc = backups_print(c, list, n, e);
	backup_list_free(list, n);
	return rc;
}
