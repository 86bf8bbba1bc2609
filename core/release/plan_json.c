/* SPDX-License-Identifier: MIT */
/*
 * A plan as JSON, twice: the document of `plan … --json` that scripts read, and the frozen form that
 * a run keeps and its runner executes.
 *
 * The frozen form has a member for every field of every struct. Tables say which, so that writing
 * and reading cannot drift apart: a field is in both or in none. Enumerations are written as the
 * words the rest of the program uses, never as numbers, so that an old run can be read when a word
 * was added. plan_thaw() believes nothing: a missing member, a wrong type or an unknown word is
 * ERR_INPUT; a newer format is ERR_UNSUPPORTED. Only what format 1 did not have from its beginning may
 * be missing (…_NEW): a run frozen by an older version is about a file, and goes on.
 *
 * No secret is in either form: a password, and what came out of dotenv files, is handed to the runner
 * by a pipe (run_spawn.c).
 */
#include "core/release/plan.h"

#include "core/base/json.h"

#include <stddef.h>
#include <string.h>

#define PLAN_FORMAT 1

enum field_type {
	F_TEXT,
	F_TEXT_OR_NULL,
	F_BOOL,
	F_INT,
	F_INT64,
	F_SIZE,
	F_WORD,
	F_TEXT_NEW,  /* as F_TEXT_OR_NULL, may be missing */
	F_INT64_NEW, /* as F_INT64, may be missing: 0 */
	F_BOOL_NEW,  /* as F_BOOL, may be missing: false */
};

struct field {
	const char *key;
	enum field_type type;
	size_t offset;
	const char *(*word)(int value); /* F_WORD: the name of each value, "" past the last */
};

static const char *operation_word(int v)
{
	return operation_name((enum operation)v);
}

static const char *kind_word(int v)
{
	return step_kind_name((enum step_kind)v);
}

static const char *event_word(int v)
{
	return v >= 0 && v < EVENT_KINDS ? event_kind_name((enum event_kind)v) : "";
}

static const char *confirm_word(int v)
{
	return env_confirm_name((enum env_confirm)v);
}

static const char *backup_word(int v)
{
	return env_backup_name((enum env_backup)v);
}

static const char *failure_word(int v)
{
	return env_failure_name((enum env_failure)v);
}

static const char *transport_word(int v)
{
	return env_transport_name((enum host_transport)v);
}

static const char *undo_word(int v)
{
	return env_undo_name((enum env_undo)v);
}

#define AT(type, member) offsetof(struct type, member), NULL
#define WORD(type, member, fn) F_WORD, offsetof(struct type, member), fn

static const struct field plan_fields[] = {
	{ "operation", WORD(plan, op, operation_word) },
	{ "project", F_TEXT, AT(plan, project) },
	{ "environment", F_TEXT, AT(plan, environment) },
	{ "protected", F_BOOL, AT(plan, is_protected) },
	{ "confirm", WORD(plan, confirm, confirm_word) },
	{ "target", F_TEXT, AT(plan, target) },
	{ "from_head", F_TEXT, AT(plan, from_head) },
	{ "to_head", F_TEXT, AT(plan, to_head) },
	{ "changes", F_SIZE, AT(plan, n_change) },
	{ "config_digest", F_TEXT, AT(plan, config_digest) },
	{ "base_dir", F_TEXT, AT(plan, base_dir) },
	{ "schema_version", F_TEXT_OR_NULL, AT(plan, schema_version) },
	{ "source_dir", F_TEXT, AT(plan, source_dir) },
	{ "seeds_dir", F_TEXT_NEW, AT(plan, seeds_dir) },
	{ "migrate_command", F_TEXT_NEW, AT(plan, migrate_command) },
	{ "tool", F_TEXT_NEW, AT(plan, tool) },
	{ "state_files", F_BOOL, AT(plan, state_files) },
	{ "down_from_file", F_BOOL, AT(plan, down_from_file) },
	{ "command", F_TEXT, AT(plan, command) },
	{ "base_count", F_SIZE, AT(plan, base_count) },
	{ "base_seq", F_INT64, AT(plan, base_seq) },
	{ NULL, F_TEXT, 0, NULL },
};

static const struct field step_fields[] = {
	{ "n", F_INT, AT(step, n) },
	{ "kind", WORD(step, kind, kind_word) },
	{ "what", F_TEXT, AT(step, what) },
	{ "undo", F_TEXT, AT(step, undo) },
	{ "no_return", F_BOOL, AT(step, no_return) },
	{ "expect_ms", F_INT64, AT(step, expect_ms) },
	{ "ns", F_TEXT_OR_NULL, AT(step, ns) },
	{ "id", F_TEXT_OR_NULL, AT(step, id) },
	{ "title", F_TEXT_OR_NULL, AT(step, title) },
	{ "sort_key", F_TEXT_OR_NULL, AT(step, sort_key) },
	{ "version", F_TEXT_OR_NULL, AT(step, version) },
	{ "checksum", F_TEXT_OR_NULL, AT(step, checksum) },
	{ "down_checksum", F_TEXT_OR_NULL, AT(step, down_checksum) },
	{ "gate_checksum", F_TEXT_NEW, AT(step, gate_checksum) },
	{ "file", F_TEXT_OR_NULL, AT(step, file) },
	{ "generation", F_INT64, AT(step, generation) },
	{ "no_transaction", F_BOOL, AT(step, no_transaction) },
	{ "has_down", F_BOOL, AT(step, has_down) },
	{ "event", WORD(step, event, event_word) },
	{ "reason", F_TEXT_OR_NULL, AT(step, reason) },
	{ "run", F_TEXT_NEW, AT(step, command) },
	{ "run_undo", F_TEXT_NEW, AT(step, undo_command) },
	{ "backup", F_TEXT_OR_NULL, AT(step, backup) },
	{ "path", F_TEXT_OR_NULL, AT(step, path) },
	{ "statement", F_INT64_NEW, AT(step, statement) },
	{ "statements", F_INT64_NEW, AT(step, statements) },
	{ "statement_down", F_BOOL_NEW, AT(step, statement_down) },
	{ "statement_done", F_BOOL_NEW, AT(step, statement_done) },
	{ NULL, F_TEXT, 0, NULL },
};

static const struct field gate_fields[] = {
	{ "name", F_TEXT, AT(gate, name) },
	{ "open", F_BOOL, AT(gate, open) },
	{ "overridden", F_BOOL, AT(gate, overridden) },
	{ "can_override", F_BOOL, AT(gate, can_override) },
	{ "rule", F_TEXT, AT(gate, rule) },
	{ "measured", F_TEXT, AT(gate, measured) },
	{ "satisfy", F_TEXT, AT(gate, satisfy) },
	{ NULL, F_TEXT, 0, NULL },
};

static const struct field override_fields[] = {
	{ "gate", F_TEXT, AT(plan_override, gate) },
	{ "reason", F_TEXT, AT(plan_override, reason) },
	{ NULL, F_TEXT, 0, NULL },
};

/* The dsn is taken apart already; a shown one holds no secret. The password is not here on purpose. */
static const struct field option_fields[] = {
	{ "name", F_TEXT, AT(dsn_option, name) },
	{ "value", F_TEXT, AT(dsn_option, value) },
	{ NULL, F_TEXT, 0, NULL },
};

static const struct field env_fields[] = {
	{ "name", F_TEXT, AT(env, name) },
	{ "has_db", F_BOOL, AT(env, has_db) },
	{ "engine", F_TEXT_OR_NULL, AT(env, dsn.engine) },
	{ "path", F_TEXT_OR_NULL, AT(env, dsn.path) },
	{ "shown", F_TEXT_OR_NULL, AT(env, dsn.shown) },
	{ "host", F_TEXT_NEW, AT(env, dsn.host) },
	{ "port", F_TEXT_NEW, AT(env, dsn.port) },
	{ "user", F_TEXT_NEW, AT(env, dsn.user) },
	{ "database", F_TEXT_NEW, AT(env, dsn.database) },
	{ "socket", F_TEXT_NEW, AT(env, dsn.socket) },
	{ "password_from", F_TEXT_NEW, AT(env, password_from) },
	{ "history", F_TEXT_NEW, AT(env, history) },
	{ "requires", F_TEXT_OR_NULL, AT(env, requires) },
	{ "protected", F_BOOL, AT(env, is_protected) },
	{ "confirm", WORD(env, confirm, confirm_word) },
	{ "backup", WORD(env, backup, backup_word) },
	{ "on_failure", WORD(env, on_failure, failure_word) },
	{ "undo_migrations", WORD(env, undo_migrations, undo_word) },
	{ "pause_limit_ms", F_INT64, AT(env, pause_limit_ms) },
	{ "lock_timeout_ms", F_INT64, AT(env, lock_timeout_ms) },
	{ "statement_timeout_ms", F_INT64_NEW, AT(env, statement_timeout_ms) },
	{ "connect_timeout_ms", F_INT64_NEW, AT(env, connect_timeout_ms) },
	{ "lock_stale_ms", F_INT64, AT(env, lock_stale_ms) },
	{ "line", F_INT, AT(env, line) },
	{ NULL, F_TEXT, 0, NULL },
};

/* The host that the database is reached through; its key is in the user's own files, and what somebody
 * answered goes through the pipe. */
static const struct field via_fields[] = {
	{ "name", F_TEXT, AT(host_spec, name) },
	{ "transport", WORD(host_spec, transport, transport_word) },
	{ "connect_timeout_ms", F_INT64, AT(host_spec, connect_timeout_ms) },
	{ "alive_ms", F_INT64, AT(host_spec, alive_ms) },
	{ NULL, F_TEXT, 0, NULL },
};

/* --- Writing -------------------------------------------------------------------------------------- */

/* Fields are read and written by memcpy: their types differ, their places do not alias. */
static int read_int(const char *at)
{
	int v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static void put_field(json_t *j, const struct field *f, const char *at)
{
	const char *text;
	int64_t wide;
	size_t size;
	bool flag;

	switch (f->type) {
	case F_TEXT:
	case F_TEXT_OR_NULL:
	case F_TEXT_NEW:
		memcpy(&text, at, sizeof(text));
		json_put_str(j, f->key, text);
		break;
	case F_BOOL:
	case F_BOOL_NEW:
		memcpy(&flag, at, sizeof(flag));
		json_put_bool(j, f->key, flag);
		break;
	case F_INT:
		json_put_int(j, f->key, read_int(at));
		break;
	case F_INT64:
	case F_INT64_NEW:
		memcpy(&wide, at, sizeof(wide));
		json_put_int(j, f->key, wide);
		break;
	case F_SIZE:
		memcpy(&size, at, sizeof(size));
		json_put_int(j, f->key, (int64_t)size);
		break;
	case F_WORD:
		json_put_str(j, f->key, f->word(read_int(at)));
		break;
	}
}

/* What may be missing is not written where it says nothing: a plan of a thousand steps is read three times
 * before the first of them runs. */
static bool says_nothing(const struct field *f, const char *at)
{
	const char *text;
	int64_t wide;
	bool flag;

	switch (f->type) {
	case F_TEXT_NEW:
		memcpy(&text, at, sizeof(text));
		return text == NULL;
	case F_INT64_NEW:
		memcpy(&wide, at, sizeof(wide));
		return wide == 0;
	case F_BOOL_NEW:
		memcpy(&flag, at, sizeof(flag));
		return !flag;
	default:
		return false;
	}
}

static void put_fields(json_t *j, const struct field *f, const void *record)
{
	for (; f->key; f++)
		if (!says_nothing(f, (const char *)record + f->offset))
			put_field(j, f, (const char *)record + f->offset);
}

static json_t *put_list(const struct field *f, const void *list, size_t n, size_t size)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *j = json_object();

		put_fields(j, f, (const char *)list + i * size);
		json_array_append_new(array, j);
	}
	return array;
}

static json_t *put_notes(const struct plan *p)
{
	json_t *array = json_array(), *box = json_object();

	for (size_t i = 0; i < p->n_note; i++) {
		/* by way of an object: json_put_str cleans what is not UTF-8 */
		json_put_str(box, "note", p->note[i]);
		json_array_append(array, json_object_get(box, "note"));
	}
	json_decref(box);
	return array;
}

static json_t *put_env(const struct env *env)
{
	json_t *j = json_object();

	put_fields(j, env_fields, env);
	json_object_set_new(j, "options",
			    put_list(option_fields, env->dsn.option, env->dsn.n_option,
				     sizeof(*env->dsn.option)));
	if (env->database_via) {
		json_t *via = json_object();

		put_fields(via, via_fields, env->database_via);
		json_object_set_new(j, "database_via", via);
	}
	return j;
}

json_t *plan_freeze(const struct plan *p)
{
	json_t *j = json_object();

	json_put_int(j, "format", PLAN_FORMAT);
	put_fields(j, plan_fields, p);
	json_object_set_new(j, "gates",
			    put_list(gate_fields, p->gate, p->n_gate, sizeof(*p->gate)));
	json_object_set_new(j, "steps",
			    put_list(step_fields, p->step, p->n_step, sizeof(*p->step)));
	json_object_set_new(j, "notes", put_notes(p));
	json_object_set_new(j, "overrides",
			    put_list(override_fields, p->override, p->n_override,
				     sizeof(*p->override)));
	json_object_set_new(j, "target_environment", put_env(&p->env));
	json_object_set_new(j, "gate_environment",
			    p->gate_env.name ? put_env(&p->gate_env) : json_null());
	return j;
}

/* --- Reading -------------------------------------------------------------------------------------- */

static int take_text(struct arena *a, const json_t *j, const struct field *f, char *at,
		     struct err *e)
{
	const json_t *v = json_object_get(j, f->key);
	const char *text = NULL;

	if ((f->type == F_TEXT_OR_NULL && json_is_null(v)) ||
	    (f->type == F_TEXT_NEW && (!v || json_is_null(v)))) {
		memcpy(at, &text, sizeof(text));
		return 0;
	}
	if (json_str(j, f->key, &text, e) < 0)
		return -1;
	text = arena_strdup(a, text);
	memcpy(at, &text, sizeof(text));
	return 0;
}

static int take_word(const json_t *j, const struct field *f, char *at, struct err *e)
{
	const char *text;

	if (json_str(j, f->key, &text, e) < 0)
		return -1;
	for (int i = 0; f->word(i)[0]; i++) {
		if (strcmp(f->word(i), text) != 0)
			continue;
		memcpy(at, &i, sizeof(i));
		return 0;
	}
	err_set(e, ERR_INPUT, "cannot read a plan: %s is not a known %s", text, f->key);
	return -1;
}

static int take_number(const json_t *j, const struct field *f, char *at, struct err *e)
{
	int64_t v;
	size_t size;
	int small;

	if (f->type == F_INT64_NEW && !json_object_get(j, f->key))
		v = 0;
	else if (json_int(j, f->key, &v, e) < 0)
		return -1;
	if ((f->type == F_SIZE && v < 0) || (f->type == F_INT && (v < 0 || v > INT32_MAX)))
		return err_set(e, ERR_INPUT, "cannot read a plan: %s is %lld", f->key,
			       (long long)v);
	size = (size_t)v;
	small = (int)v;
	if (f->type == F_INT64 || f->type == F_INT64_NEW)
		memcpy(at, &v, sizeof(v));
	else if (f->type == F_SIZE)
		memcpy(at, &size, sizeof(size));
	else
		memcpy(at, &small, sizeof(small));
	return 0;
}

static int take_fields(struct arena *a, const json_t *j, const struct field *f, void *record,
		       struct err *e)
{
	for (; f->key; f++) {
		char *at = (char *)record + f->offset;
		bool flag;
		int rc;

		switch (f->type) {
		case F_TEXT:
		case F_TEXT_OR_NULL:
		case F_TEXT_NEW:
			rc = take_text(a, j, f, at, e);
			break;
		case F_BOOL:
		case F_BOOL_NEW:
			flag = false;
			rc = f->type == F_BOOL_NEW && !json_object_get(j, f->key)
				     ? 0
				     : json_bool(j, f->key, &flag, e);
			if (rc == 0)
				memcpy(at, &flag, sizeof(flag));
			break;
		case F_WORD:
			rc = take_word(j, f, at, e);
			break;
		default:
			rc = take_number(j, f, at, e);
			break;
		}
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* The array member key as a list of records of size bytes in the arena. */
static int take_list(struct arena *a, const json_t *j, const char *key, const struct field *f,
		     size_t size, void *list_ptr, size_t *n, struct err *e)
{
	const json_t *array = json_object_get(j, key);
	char *list;

	if (!json_is_array(array))
		return err_set(e, ERR_INPUT, "cannot read a plan: %s is missing or no list", key);
	*n = json_array_size(array);
	list = arena_alloc(a, (*n + 1) * size);
	*(void **)list_ptr = list;
	for (size_t i = 0; i < *n; i++) {
		if (take_fields(a, json_array_get(array, i), f, list + i * size, e) < 0)
			return err_wrap(e, "cannot read %s %zu of a plan", key, i + 1);
	}
	return 0;
}

static int take_notes(struct plan *p, const json_t *j, struct err *e)
{
	const json_t *array = json_object_get(j, "notes");

	if (!json_is_array(array))
		return err_set(e, ERR_INPUT, "cannot read a plan: notes is missing or no list");
	p->n_note = json_array_size(array);
	p->note = arena_alloc(&p->arena, (p->n_note + 1) * sizeof(*p->note));
	for (size_t i = 0; i < p->n_note; i++) {
		const char *text = json_string_value(json_array_get(array, i));

		if (!text)
			return err_set(e, ERR_INPUT, "cannot read a plan: note %zu is no text",
				       i + 1);
		p->note[i] = arena_strdup(&p->arena, text);
	}
	return 0;
}

/* Steps are numbered as they stand, and those that name a migration name all of it: the runner
 * relies on both. */
static int check_steps(const struct plan *p, struct err *e)
{
	for (size_t i = 0; i < p->n_step; i++) {
		const struct step *s = &p->step[i];
		bool migration = s->kind == STEP_UP || s->kind == STEP_DOWN ||
				 s->kind == STEP_RECORD || s->kind == STEP_SEED;

		if (s->n != (int)(i + 1))
			return err_set(e, ERR_INPUT, "cannot read a plan: step %zu is numbered %d",
				       i + 1, s->n);
		if (migration != (s->id != NULL) || (s->id && (!s->ns || !s->sort_key)))
			return err_set(e, ERR_INPUT,
				       "cannot read a plan: step %d names no migration", s->n);
		if (s->command && (!p->tool || !migration))
			return err_set(e, ERR_INPUT,
				       "cannot read a plan: step %d has a command, and no tool",
				       s->n);
		if ((s->kind == STEP_UP || s->kind == STEP_SEED) && !s->checksum)
			return err_set(e, ERR_INPUT, "cannot read a plan: step %d has no checksum",
				       s->n);
		if (s->kind == STEP_RESTORE && (!s->backup || !s->path))
			return err_set(e, ERR_INPUT, "cannot read a plan: step %d names no backup",
				       s->n);
	}
	return 0;
}

/* Its name becomes a word of ssh's command line. */
static int take_via(struct arena *a, const json_t *j, struct env *env, struct err *e)
{
	struct host_spec *via;

	if (!j)
		return 0;
	via = arena_alloc(a, sizeof(*via));
	*via = (struct host_spec){ 0 };
	if (take_fields(a, j, via_fields, via, e) < 0)
		return err_wrap(e, "cannot read database_via of a plan");
	if (via->name[0] == '\0' || via->name[0] == '-' || strlen(via->name) >= HOST_NAME_SIZE)
		return err_set(e, ERR_INPUT, "cannot read a plan: %s is no host", via->name);
	env->database_via = via;
	return 0;
}

static int take_env(struct arena *a, const json_t *j, struct env *env, struct err *e)
{
	struct dsn_option *option = NULL;

	if (take_fields(a, j, env_fields, env, e) < 0 ||
	    take_via(a, json_object_get(j, "database_via"), env, e) < 0)
		return -1;
	if (!json_object_get(j, "options"))
		return 0;
	if (take_list(a, j, "options", option_fields, sizeof(*option), &option, &env->dsn.n_option,
		      e) < 0)
		return -1;
	env->dsn.option = option;
	return 0;
}

static int thaw(struct plan *p, const json_t *j, struct err *e)
{
	const json_t *gate_env = json_object_get(j, "gate_environment");

	if (take_fields(&p->arena, j, plan_fields, p, e) < 0 ||
	    take_list(&p->arena, j, "gates", gate_fields, sizeof(*p->gate), &p->gate, &p->n_gate,
		      e) < 0 ||
	    take_list(&p->arena, j, "steps", step_fields, sizeof(*p->step), &p->step, &p->n_step,
		      e) < 0 ||
	    take_list(&p->arena, j, "overrides", override_fields, sizeof(*p->override),
		      &p->override, &p->n_override, e) < 0 ||
	    take_notes(p, j, e) < 0)
		return -1;
	if (take_env(&p->arena, json_object_get(j, "target_environment"), &p->env, e) < 0)
		return err_wrap(e, "cannot read the target of a plan");
	if (!json_is_null(gate_env) && take_env(&p->arena, gate_env, &p->gate_env, e) < 0)
		return err_wrap(e, "cannot read the gate environment of a plan");
	return check_steps(p, e);
}

int plan_thaw(const json_t *j, struct plan **out, struct err *e)
{
	struct plan *p;
	int64_t format;

	if (json_int(j, "format", &format, e) < 0)
		return -1;
	if (format != PLAN_FORMAT) {
		err_set(e, ERR_UNSUPPORTED, "cannot read a plan of format %lld", (long long)format);
		return err_detail(e, "this program knows format %d", PLAN_FORMAT);
	}
	p = mem_calloc(1, sizeof(*p));
	arena_init(&p->arena);
	if (thaw(p, j, e) < 0) {
		plan_free(p);
		return -1;
	}
	*out = p;
	return 0;
}

/* --- The document for scripts --------------------------------------------------------------------- */

static const char *override_reason(const struct plan *p, const struct gate *g)
{
	for (size_t i = 0; g->overridden && i < p->n_override; i++) {
		if (strcmp(p->override[i].gate, g->name) == 0)
			return p->override[i].reason;
	}
	return NULL;
}

static json_t *gate_document(const struct plan *p, const struct gate *g)
{
	json_t *j = json_object();

	put_fields(j, gate_fields, g);
	json_put_str(j, "override_reason", override_reason(p, g));
	return j;
}

/* Migration steps run the script in `file`, or the operator's command of a framework. */
static json_t *step_document(const struct step *s)
{
	json_t *j = json_object(), *commands = json_array();

	json_put_int(j, "n", s->n);
	json_put_str(j, "name", step_kind_name(s->kind));
	json_put_str(j, "what", s->what);
	json_put_str(j, "undo", s->undo);
	json_put_bool(j, "point_of_no_return", s->no_return);
	if (s->expect_ms >= 0)
		json_put_int(j, "expect_ms", s->expect_ms);
	else
		json_object_set_new(j, "expect_ms", json_null());
	json_put_str(j, "id", s->id);
	json_put_str(j, "title", s->title);
	json_put_str(j, "version", s->version);
	json_put_str(j, "file", s->file);
	json_put_str(j, "checksum", s->kind == STEP_DOWN ? s->down_checksum : s->checksum);
	if (s->command && s->command[0])
		json_array_append_new(commands, json_string(s->command));
	json_object_set_new(j, "commands", commands);
	return j;
}

json_t *plan_json(const struct plan *p)
{
	json_t *j = json_object(), *gates = json_array(), *steps = json_array();

	json_put_str(j, "operation", operation_name(p->op));
	json_put_str(j, "environment", p->environment);
	json_put_bool(j, "protected", p->is_protected);
	json_object_set_new(j, "release", json_null());
	json_put_str(j, "target", p->target);
	json_put_str(j, "from", p->from_head[0] ? p->from_head : NULL);
	json_put_str(j, "to", p->to_head[0] ? p->to_head : NULL);
	json_put_bool(j, "open", !plan_closed_gate(p));
	json_put_int(j, "changes", (int64_t)p->n_change);
	for (size_t i = 0; i < p->n_gate; i++)
		json_array_append_new(gates, gate_document(p, &p->gate[i]));
	for (size_t i = 0; i < p->n_step; i++)
		json_array_append_new(steps, step_document(&p->step[i]));
	json_object_set_new(j, "gates", gates);
	json_object_set_new(j, "steps", steps);
	json_object_set_new(j, "notes", put_notes(p));
	json_put_str(j, "command", p->command);
	return j;
}
