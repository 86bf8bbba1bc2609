/* SPDX-License-Identifier: MIT */
/*
 * bascule.ini as text in, project or list of mistakes out. A case of mistakes compares the whole
 * list, so that a mistake that hides another fails it.
 */
#include "config/config.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/fs.h"
#include "tests/support/tmp.h"

static const char *table_env(void *arg, const char *name)
{
	const char *const *pair = arg;

	for (; pair != NULL && *pair != NULL; pair += 2)
		if (strcmp(pair[0], name) == 0)
			return pair[1];
	return NULL;
}

static struct project *read_good(const char *text, const char *dir, const char *const *vars)
{
	struct config_errors errs;
	struct project *p = NULL;
	struct err e;

	if (config_parse(sv_of(text), "/x/bascule.ini", dir, table_env, (void *)vars, &p, &errs,
			 &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	assert_int_equal(errs.total, 0);
	config_errors_clear(&errs);
	return p;
}

/* Compares the mistakes, one "line text | hint" each. */
static void expect_mistakes_in(const char *dir, const char *text, const char *const *vars,
			       const char *expected)
{
	struct config_errors errs;
	struct project *p = NULL;
	struct strbuf out;
	struct err e;
	size_t i;

	assert_int_equal(config_parse(sv_of(text), "/x/bascule.ini", dir, table_env, (void *)vars,
				      &p, &errs, &e),
			 -1);
	assert_null(p);
	assert_int_equal(e.code, ERR_CONFIG);
	strbuf_init(&out, STRBUF_NO_LIMIT);
	for (i = 0; i < errs.n; i++)
		strbuf_addf(&out, "%d %s | %s\n", errs.list[i].line, errs.list[i].text,
			    errs.list[i].hint);
	assert_string_equal(strbuf_str(&out), expected);
	strbuf_clear(&out);
	config_errors_clear(&errs);
}

static void expect_mistakes(const char *text, const char *expected)
{
	expect_mistakes_in("/x", text, NULL, expected);
}

#define DEV "[environment dev]\ndatabase = sqlite:dev.db\n"
#define PROD "[environment prod]\ndatabase = sqlite:prod.db\n"

static void config__fills_defaults__when_little_is_said(void **state)
{
	struct project *p = read_good(DEV PROD, "/srv/shop", NULL);

	(void)state;
	assert_string_equal(p->name, "shop");
	assert_string_equal(p->migrations, "/srv/shop/migrations");
	assert_null(p->layout);
	assert_null(p->schema_version);
	assert_false(p->state_files);
	assert_int_equal(p->n_env, 2);
	assert_string_equal(p->env[0].name, "dev");
	assert_string_equal(p->env[0].dsn.path, "/srv/shop/dev.db");
	assert_false(p->env[0].is_protected);
	assert_int_equal(p->env[0].confirm, CONFIRM_NONE);
	assert_int_equal(p->env[0].backup, BACKUP_NEVER);
	assert_int_equal(p->env[0].on_failure, FAILURE_ROLLBACK);
	assert_int_equal(p->env[0].undo_migrations, UNDO_NEVER);
	assert_int_equal(p->env[0].pause_limit_ms, 30 * 60000);
	assert_int_equal(p->env[0].lock_timeout_ms, 5000);
	assert_int_equal(p->env[0].lock_stale_ms, 120000);
	assert_true(p->env[1].is_protected);
	assert_int_equal(p->env[1].confirm, CONFIRM_NAME);
	assert_int_equal(p->env[1].backup, BACKUP_BEFORE_MIGRATE);
	project_free(p);
}

static void config__takes_every_key__as_written(void **state)
{
	struct project *p = read_good(
		"[project]\nname = a-b\nmigrations = /m\nlayout = suffix\npipeline = one->two\n"
		"schema_version = 1.{n:03}.0\nstate_files = yes\n"
		"[environment two]\ndatabase = sqlite:/t\nrequires = one\nprotected = no\n"
		"confirm = yes\nbackup = always\non_failure = pause\nundo_migrations = always\n"
		"pause_limit = 90\nlock_timeout = 250ms\nlock_stale = 2s\n"
		"[environment one]\ndatabase = sqlite:///o\nprotected = true\nconfirm = name\n"
		"backup = never\n",
		"/x", NULL);

	(void)state;
	assert_string_equal(p->name, "a-b");
	assert_string_equal(p->migrations, "/m");
	assert_string_equal(p->layout, "suffix");
	assert_string_equal(p->schema_version, "1.{n:03}.0");
	assert_true(p->state_files);
	assert_string_equal(p->env[0].name, "one");
	assert_true(p->env[0].is_protected);
	assert_int_equal(p->env[0].confirm, CONFIRM_NAME);
	assert_int_equal(p->env[0].backup, BACKUP_NEVER);
	assert_string_equal(p->env[1].requires, "one");
	assert_false(p->env[1].is_protected);
	assert_int_equal(p->env[1].confirm, CONFIRM_YES);
	assert_int_equal(p->env[1].backup, BACKUP_ALWAYS);
	assert_int_equal(p->env[1].on_failure, FAILURE_PAUSE);
	assert_int_equal(p->env[1].undo_migrations, UNDO_ALWAYS);
	assert_int_equal(p->env[1].pause_limit_ms, 90000);
	assert_int_equal(p->env[1].lock_timeout_ms, 250);
	assert_int_equal(p->env[1].lock_stale_ms, 2000);
	assert_string_equal(p->env[1].dsn.path, "/t");
	assert_int_equal(p->env[1].line, 8);
	project_free(p);
}

static void config__lists_all_mistakes__when_there_are_ten(void **state)
{
	(void)state;
	expect_mistakes(
		"stray = 1\n"
		"[project]\n"
		"nam = shop\n"
		"pipeline = dev -> stagin -> prod\n"
		"[environment dev]\n"
		"databse = sqlite:dev.db\n"
		"protected = perhaps\n"
		"pause_limit = 30 parsecs\n"
		"[environment staging]\n"
		"database = sqlit:staging.db\n"
		"backup = befor-migrate\n"
		"backup = never\n"
		"freeze = Fri 16:00 - Mon 08:00\n"
		"[environment prod]\n"
		"database = sqlite:prod.db\n"
		"  indented = 1\n"
		"[servce web]\n"
		"[service web]\n"
		"image = x\n",
		"1 `stray` stands before any section | write [project] above it\n"
		"3 unknown key `nam` in [project] | did you mean `name`?\n"
		"4 `pipeline` names stagin, which has no section | did you mean `staging`?\n"
		"4 `pipeline` does not name staging (line 9) | add it where it belongs, such as NAME -> NAME\n"
		"6 unknown key `databse` in [environment dev] | did you mean `database`?\n"
		"7 `protected` is neither yes nor no: perhaps | write yes or no\n"
		"8 `pause_limit` is not a length of time: 30 parsecs | write a number with ms, s, m, h or d, such as 30m\n"
		"10 database engine sqlit is not known | did you mean sqlite: ?\n"
		"11 `backup` cannot be befor-migrate | did you mean `before-migrate`?\n"
		"12 `backup` is there twice in [environment staging]: lines 11 and 12 | remove one of them\n"
		"13 `freeze` is not acted on by this version | remove it: no freeze would be kept\n"
		"16 an indented line | begin it in the first column: values are not continued\n"
		"17 unknown section [servce web] | did you mean `service`?\n"
		"19 `image` is not acted on by this version | remove it: it starts no containers\n");
}

static void config__names_both_lines__when_a_section_is_there_twice(void **state)
{
	(void)state;
	expect_mistakes(
		DEV PROD "[environment dev]\ndatabase = sqlite:x\n",
		"5 [environment dev] is there twice: lines 1 and 5 | put its keys under one of the two\n");
}

static void config__refuses_values_out_of_range__with_the_range(void **state)
{
	(void)state;
	expect_mistakes(
		DEV "lock_stale = 10ms\npause_limit = 2d\non_failure = explode\n"
		    "undo_migrations = if-rehearsed\nlock_timeout =\n",
		"3 `lock_stale` is out of range: 10ms | from 1s to 1h\n"
		"4 `pause_limit` is out of range: 2d | from 1s to 24h\n"
		"5 `on_failure` cannot be explode | write rollback or pause\n"
		"6 `undo_migrations = if-rehearsed` is not acted on by this version | choose another: nothing is rehearsed\n"
		"7 `lock_timeout` has no value | such as lock_timeout = 5s\n");
}

static void config__refuses_confirm__that_weakens_protection(void **state)
{
	(void)state;
	expect_mistakes(
		DEV PROD "confirm = yes\n",
		"5 a protected environment is confirmed by its name, not by `confirm = yes` | write confirm = name, or protected = no\n");
}

static void config__refuses_requires__when_it_is_no_earlier_stage(void **state)
{
	(void)state;
	expect_mistakes(
		DEV "requires = prod\n" PROD "requires = prd\n",
		"3 dev requires prod, which is not an earlier stage | name a stage that stands before it in the pipeline\n"
		"6 `requires` names prd, which has no section | did you mean `prod`?\n");
}

static void config__refuses_pipelines__that_repeat_or_have_holes(void **state)
{
	(void)state;
	expect_mistakes("[project]\npipeline = dev -> dev -> -> prod\n" DEV PROD,
			"2 `pipeline` names dev twice | name it once\n"
			"2 `pipeline` has an empty stage | write NAME -> NAME\n");
}

static void config__refuses_names__that_are_paths_or_empty(void **state)
{
	(void)state;
	expect_mistakes(
		"[project]\nname = ../x\n[environment]\n[environment a/b]\n[project x]\n" DEV,
		"2 `name` cannot be ../x | letters, digits, . _ -, at most 40, beginning with one of the first\n"
		"3 [environment] is not a name | write [project] or [environment NAME]: letters, digits, . _ -, at most 40\n"
		"4 [environment a/b] is not a name | write [project] or [environment NAME]: letters, digits, . _ -, at most 40\n"
		"5 [project x] is not a name | write [project] or [environment NAME]: letters, digits, . _ -, at most 40\n");
}

static void config__refuses_a_schema_version__that_is_no_pattern(void **state)
{
	static const char *const bad[] = { "1.0", "1.{m}.0", "1.{n}.{n}", "v{n}", "{n:3}", "{n" };
	char text[200], expected[300];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "[project]\nschema_version = %s\n" DEV, bad[i]);
		snprintf(expected, sizeof(expected),
			 "2 `schema_version` cannot be %s | digits and "
			 "dots around {n} or {n:03}, such as 1.{n}.0\n",
			 bad[i]);
		expect_mistakes(text, expected);
	}
}

static void config__replaces_variables__and_keeps_the_escaped(void **state)
{
	static const char *const vars[] = { "DATA", "/var/lib", "EMPTY", "", NULL };
	struct project *p = read_good(
		"[environment a]\ndatabase = sqlite:${DATA}/a${EMPTY}$${x}$.db\n", "/x", vars);

	(void)state;
	assert_string_equal(p->env[0].dsn.path, "/var/lib/a${x}$.db");
	project_free(p);
}

static void config__refuses_variables__unset_unclosed_or_with_controls(void **state)
{
	static const char *const vars[] = { "NL", "a\nb", NULL };

	(void)state;
	expect_mistakes_in(
		"/x",
		"[environment a]\ndatabase = sqlite:${NO_SUCH}${9}\n"
		"requires = ${open\nbackup = ${NL}\n",
		vars,
		"2 ${NO_SUCH} is not set in the environment | export NO_SUCH=…\n"
		"2 ${9} does not name a variable | write ${NAME}, or $${ for the two characters themselves\n"
		"3 ${ without its closing brace | write ${NAME}, or $${ for the two characters themselves\n"
		"4 the value of ${NL} has a control character | \n");
}

static void config__refuses_two_environments__with_one_file(void **state)
{
	char *dir = tmp_make();
	char expected[2000], *a = tmp_path(dir, "a.db"), *b = tmp_path(dir, "b.db");
	char *link_dir = tmp_path(dir, "linked");

	(void)state;
	tmp_write(dir, "a.db", "");
	assert_int_equal(link(a, b), 0);
	assert_int_equal(symlink(dir, link_dir), 0);
	snprintf(
		expected, sizeof(expected),
		"4 one and two have the same database file: %s/b.db | give each environment a file of its own\n"
		"8 three and four have the same database file: %s/linked/new.db | give each environment a file of its own\n",
		dir, dir);
	expect_mistakes_in(dir,
			   "[environment one]\ndatabase = sqlite:a.db\n"
			   "[environment two]\ndatabase = sqlite:b.db\n"
			   "[environment three]\ndatabase = sqlite:new.db\n"
			   "[environment four]\ndatabase = sqlite:linked/new.db\n",
			   NULL, expected);
	mem_free(a);
	mem_free(b);
	mem_free(link_dir);
	tmp_remove(dir);
}

static void config__says_so__when_there_is_no_environment(void **state)
{
	(void)state;
	expect_mistakes(
		"",
		"1 there is no environment | add [environment development] with database = sqlite:PATH\n");
	expect_mistakes(
		"[project]\nname = x\n",
		"1 there is no environment | add [environment development] with database = sqlite:PATH\n");
}

static void config__counts_on__when_mistakes_pass_the_limit(void **state)
{
	struct config_errors errs;
	struct project *p = NULL;
	struct strbuf text;
	struct err e;
	int i;

	(void)state;
	strbuf_init(&text, STRBUF_NO_LIMIT);
	for (i = 0; i < 300; i++)
		strbuf_adds(&text, "what\n");
	strbuf_adds(&text, DEV);
	assert_int_equal(config_parse(strbuf_sv(&text), "f", "/x", table_env, NULL, &p, &errs, &e),
			 -1);
	assert_int_equal(errs.n, CONFIG_ERRORS_MAX);
	assert_int_equal(errs.total, 300);
	assert_string_equal(e.msg, "300 mistakes in f");
	config_errors_clear(&errs);
	strbuf_clear(&text);
}

static int read_file(const char *path, bool above, struct err *e)
{
	struct config_errors errs;
	struct project *p = NULL;
	int rc = config_read(path, above, table_env, NULL, &p, &errs, e);

	project_free(p);
	config_errors_clear(&errs);
	return rc;
}

static void config__refuses_files__missing_folder_or_too_big(void **state)
{
	char *dir = tmp_make(), *path = tmp_path(dir, "bascule.ini");
	char *big = mem_alloc(CONFIG_FILE_MAX + 2);
	struct err e;

	(void)state;
	assert_int_equal(read_file(path, false, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_non_null(strstr(e.msg, path));
	assert_int_equal(read_file(dir, false, &e), -1);
	memset(big, ';', CONFIG_FILE_MAX + 2);
	tmp_write_bytes(dir, "bascule.ini", big, CONFIG_FILE_MAX + 2);
	assert_int_equal(read_file(path, false, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	mem_free(big);
	mem_free(path);
	tmp_remove(dir);
}

static void config__refuses_a_found_file__of_another_user(void **state)
{
	char *dir, *path;
	struct err e;

	(void)state;
	if (geteuid() != 0)
		skip(); /* only root can give a file away */
	dir = tmp_make();
	path = tmp_path(dir, "bascule.ini");
	tmp_write(dir, "bascule.ini", DEV);
	assert_int_equal(chown(path, 12345, 12345), 0);
	assert_int_equal(read_file(path, true, &e), -1);
	assert_int_equal(e.code, ERR_CONFIG);
	assert_non_null(strstr(e.detail, "12345"));
	assert_non_null(strstr(e.hint, "bascule -c"));
	assert_int_equal(read_file(path, false, &e), 0);
	mem_free(path);
	tmp_remove(dir);
}

static void find__takes_explicit_then_variable_then_nearest_then_home(void **state)
{
	char *dir = tmp_make(), *cwd = getcwd(NULL, 0), *path = NULL;
	char *sub = tmp_path(dir, "a/b"), *home = tmp_path(dir, "home"), *real;
	const char *vars[] = { "BASCULE_CONFIG", "/named/by/variable.ini", "XDG_CONFIG_HOME", home,
			       NULL };
	struct err e;
	bool above;

	(void)state;
	tmp_write(dir, "a/b/keep", "");
	tmp_write(dir, "home/bascule/bascule.ini", DEV);
	assert_int_equal(chdir(sub), 0);
	real = getcwd(NULL, 0);
	assert_int_equal(config_find("x.ini", table_env, vars, &path, &above, &e), 0);
	assert_string_equal(path_base(path), "x.ini");
	assert_int_equal(path[0], '/');
	mem_free(path);
	assert_int_equal(config_find(NULL, table_env, vars, &path, &above, &e), 0);
	assert_string_equal(path, "/named/by/variable.ini");
	mem_free(path);
	assert_int_equal(config_find(NULL, table_env, vars + 2, &path, &above, &e), 0);
	assert_non_null(strstr(path, "/home/bascule/bascule.ini"));
	assert_false(above);
	mem_free(path);
	tmp_write(dir, "a/bascule.ini", DEV);
	assert_int_equal(config_find(NULL, table_env, vars + 2, &path, &above, &e), 0);
	assert_non_null(strstr(path, "/a/bascule.ini"));
	assert_true(above);
	mem_free(path);
	tmp_write(dir, "a/b/bascule.ini", DEV);
	assert_int_equal(config_find(NULL, table_env, vars + 2, &path, &above, &e), 0);
	assert_int_equal(strncmp(path, real, strlen(real)), 0);
	assert_false(above);
	mem_free(path);
	assert_int_equal(chdir(cwd), 0);
	free(real);
	free(cwd);
	mem_free(sub);
	mem_free(home);
	tmp_remove(dir);
}

static void find__says_what_to_do__when_there_is_none(void **state)
{
	char *dir = tmp_make(), *cwd = getcwd(NULL, 0), *path = NULL;
	struct err e;
	bool above;

	(void)state;
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(config_find(NULL, table_env, NULL, &path, &above, &e), -1);
	assert_int_equal(e.code, ERR_CONFIG);
	assert_string_equal(e.hint, "bascule demo");
	assert_int_equal(chdir(cwd), 0);
	free(cwd);
	tmp_remove(dir);
}

/* --- Examples ----------------------------------------------------------------------------------- */

static void examples__are_accepted__each_of_them(void **state)
{
	static const char *const vars[] = { "SHOP_HOME",
					    "/srv/shop",
					    "SHOP_DATA",
					    "/var/shop",
					    "STAGING_DB_PASSWORD",
					    "x",
					    "PRODUCTION_DB_PASSWORD",
					    "x",
					    NULL };
	struct config_errors errs;
	struct project *p = NULL;
	struct err e;
	glob_t found;
	size_t i;

	(void)state;
	assert_int_equal(glob("config/examples/*.ini", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 7);
	for (i = 0; i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i];

		if (config_read(path, false, table_env, (void *)vars, &p, &errs, &e) != 0)
			fail_msg("%s: %s: %s", path, e.msg, e.detail);
		for (size_t k = 0; k < p->n_env; k++)
			if (p->env[k].trouble != NULL && strcmp(p->env[k].name, "acceptance") != 0)
				fail_msg("%s: %s: %s", path, p->env[k].name,
					 p->env[k].trouble->detail);
		config_errors_clear(&errs);
		project_free(p);
	}
	globfree(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config__fills_defaults__when_little_is_said),
		cmocka_unit_test(config__takes_every_key__as_written),
		cmocka_unit_test(config__lists_all_mistakes__when_there_are_ten),
		cmocka_unit_test(config__names_both_lines__when_a_section_is_there_twice),
		cmocka_unit_test(config__refuses_values_out_of_range__with_the_range),
		cmocka_unit_test(config__refuses_confirm__that_weakens_protection),
		cmocka_unit_test(config__refuses_requires__when_it_is_no_earlier_stage),
		cmocka_unit_test(config__refuses_pipelines__that_repeat_or_have_holes),
		cmocka_unit_test(config__refuses_names__that_are_paths_or_empty),
		cmocka_unit_test(config__refuses_a_schema_version__that_is_no_pattern),
		cmocka_unit_test(config__replaces_variables__and_keeps_the_escaped),
		cmocka_unit_test(config__refuses_variables__unset_unclosed_or_with_controls),
		cmocka_unit_test(config__refuses_two_environments__with_one_file),
		cmocka_unit_test(config__says_so__when_there_is_no_environment),
		cmocka_unit_test(config__counts_on__when_mistakes_pass_the_limit),
		cmocka_unit_test(config__refuses_files__missing_folder_or_too_big),
		cmocka_unit_test(config__refuses_a_found_file__of_another_user),
		cmocka_unit_test(find__takes_explicit_then_variable_then_nearest_then_home),
		cmocka_unit_test(find__says_what_to_do__when_there_is_none),
		cmocka_unit_test(examples__are_accepted__each_of_them),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
