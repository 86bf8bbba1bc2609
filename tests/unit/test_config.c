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

#include "config/secret.h"
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
		"5 [environment dev] has no database | add database = sqlite:PATH\n"
		"6 unknown key `databse` in [environment dev] | did you mean `database`?\n"
		"7 `protected` is neither yes nor no: perhaps | write yes or no\n"
		"8 `pause_limit` is not a length of time: 30 parsecs | write a number with ms, s, m, h or d, such as 30m\n"
		"10 database engine sqlit is not known | did you mean sqlite: ?\n"
		"11 `backup` cannot be befor-migrate | did you mean `before-migrate`?\n"
		"12 `backup` is there twice in [environment staging]: lines 11 and 12 | remove one of them\n"
		"13 `freeze` is not acted on by this version | remove it: no freeze would be kept\n"
		"16 an indented line | begin it in the first column: values are not continued\n"
		"17 unknown section [servce web] | write [project] or [environment NAME]\n"
		"18 `[service web]` is not acted on by this version | remove the section: it drives no services\n");
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

/* --- Servers and their secrets ------------------------------------------------------------------ */

#define SERVER "[environment one]\ndatabase = postgresql://app@db1/shop\n"

/* A configuration as a file of its own, read; NULL with e. */
static struct project *read_in(const char *dir, const char *text, mode_t mode,
			       const char *const *vars, struct err *e)
{
	char *path = tmp_path(dir, "bascule.ini");
	struct config_errors errs;
	struct project *p = NULL;

	tmp_write(dir, "bascule.ini", text);
	assert_int_equal(chmod(path, mode), 0);
	if (config_read(path, false, table_env, (void *)vars, &p, &errs, e) != 0)
		p = NULL;
	config_errors_clear(&errs);
	mem_free(path);
	return p;
}

static struct project *read_in_good(const char *dir, const char *text, const char *const *vars)
{
	struct err e;
	struct project *p = read_in(dir, text, 0600, vars, &e);

	if (p == NULL)
		fail_msg("%s: %s", e.msg, e.detail);
	return p;
}

static void server__has_its_own_defaults__and_takes_every_key(void **state)
{
	struct project *p = read_good(
		"[project]\nseeds = s\nmigrate_command = python3 -m 'a b'\nmigrate_in = local\n"
		"layout = alembic\n" SERVER
		"[environment two]\ndatabase = mariadb://app@db1/shop\nstatement_timeout = 15m\n"
		"connect_timeout = 3s\nhistory = golang-migrate\nbackup = never\n",
		"/x", NULL);

	(void)state;
	assert_string_equal(p->seeds, "/x/s");
	assert_string_equal(p->migrate_command, "python3 -m 'a b'");
	assert_string_equal(p->layout, "alembic");
	assert_string_equal(p->env[0].dsn.shown, "postgresql://app@db1/shop");
	assert_string_equal(p->env[0].history, "auto");
	assert_int_equal(p->env[0].statement_timeout_ms, 0);
	assert_int_equal(p->env[0].connect_timeout_ms, 10000);
	assert_null(p->env[0].password_from);
	assert_null(p->env[0].trouble);
	assert_string_equal(p->env[1].history, "golang-migrate");
	assert_int_equal(p->env[1].statement_timeout_ms, 15 * 60000);
	assert_int_equal(p->env[1].connect_timeout_ms, 3000);
	/* The last stage is protected; what cannot be done is not its default. */
	assert_true(p->env[1].is_protected);
	assert_int_equal(p->env[1].backup, BACKUP_NEVER);
	project_free(p);
	p = read_good(DEV, "/x", NULL);
	assert_string_equal(p->seeds, "/x/seeds");
	assert_null(p->migrate_command);
	project_free(p);
}

static void server__refuses__what_cannot_be_kept(void **state)
{
	(void)state;
	expect_mistakes(
		"[project]\nmigrate_in = host\nmigrate_command = a 'b\n" SERVER
		"backup = before-migrate\nhistory = dbmat\nconnect_timeout = 0\nhost = app1\n"
		"[environment two]\ndatabase = mysql://app@db1/shop\nbackup = always\n",
		"2 `migrate_in = host` is not acted on by this version | choose another: it works on this machine only\n"
		"3 `migrate_command`: a quote in a command is not closed | write the words of the command\n"
		"6 bascule does not back up postgresql yet: `backup = before-migrate` cannot be kept | write backup = never, and take a copy by other means first\n"
		"7 `history` cannot be dbmat | did you mean `dbmate`?\n"
		"8 `connect_timeout` is out of range: 0 | from 1s to 10m\n"
		"9 `host` is not acted on by this version | remove it: it works on this machine only\n"
		"12 bascule does not back up mariadb yet: `backup = always` cannot be kept | write backup = never, and take a copy by other means first\n");
}

static void config__refuses_two_environments__with_one_database_of_a_server(void **state)
{
	(void)state;
	expect_mistakes(
		SERVER "[environment two]\ndatabase = postgres://other@DB1:5432/shop\n"
		       "[environment three]\ndatabase = postgresql://app@db1/shop2\n" DEV,
		"4 one and two have the same database: postgresql://other@DB1:5432/shop | give each environment a database of its own\n");
}

static void password__is_had__from_each_place(void **state)
{
	static const char *const vars[] = { "PW", "from-env", "URLPW", "from-url-env", NULL };
	char *dir = tmp_make();
	struct project *p;

	(void)state;
	tmp_write(dir, "pw", "from-file\r\nsecond line\n");
	p = read_in_good(dir,
			 "[environment a]\ndatabase = mariadb://h/a\npassword = env:PW\n"
			 "[environment b]\ndatabase = mariadb://h/b\npassword = file:pw\n"
			 "[environment c]\ndatabase = mariadb://h/c\npassword = a literal\n"
			 "[environment d]\ndatabase = mariadb://u:in-url@h/d\n"
			 "[environment e]\ndatabase = mariadb://u:${URLPW}@h/e\n"
			 "[environment f]\ndatabase = mariadb://u@h/f\npassword = cmd:echo x\n"
			 "[environment g]\ndatabase = mariadb://u@h/g\npassword = ask\n",
			 vars);
	assert_string_equal(p->env[0].dsn.password, "from-env");
	assert_string_equal(p->env[0].password_from, "env:PW");
	assert_string_equal(p->env[1].dsn.password, "from-file");
	assert_string_equal(p->env[1].password_from, "file:pw");
	assert_string_equal(p->env[2].dsn.password, "a literal");
	assert_string_equal(p->env[2].password_from, "the configuration");
	assert_string_equal(p->env[3].dsn.password, "in-url");
	assert_string_equal(p->env[3].password_from, "database");
	assert_string_equal(p->env[4].dsn.password, "from-url-env");
	assert_null(p->env[5].dsn.password);
	assert_string_equal(p->env[5].password_from, "cmd:echo x");
	assert_null(p->env[6].dsn.password);
	for (size_t i = 0; i < p->n_env; i++)
		assert_null(p->env[i].trouble);
	project_free(p);
	tmp_remove(dir);
}

static void password__that_cannot_be_had__troubles_its_environment_alone(void **state)
{
	static const char *const vars[] = { "EMPTY", "", NULL };
	char *dir = tmp_make();
	struct project *p;

	(void)state;
	tmp_write(dir, "empty", "\nx");
	p = read_in_good(dir,
			 "[environment a]\ndatabase = mariadb://h/a\npassword = env:NO_SUCH\n"
			 "[environment b]\ndatabase = mariadb://h/b\npassword = env:EMPTY\n"
			 "[environment c]\ndatabase = mariadb://h/c\npassword = file:nowhere\n"
			 "[environment d]\ndatabase = mariadb://h/d\npassword = file:empty\n"
			 "[environment e]\ndatabase = sqlite:e\n",
			 vars);
	assert_string_equal(p->env[0].trouble->msg, "cannot open a");
	assert_non_null(strstr(p->env[0].trouble->detail, "NO_SUCH is not set"));
	assert_string_equal(p->env[0].trouble->hint, "export NO_SUCH=\xe2\x80\xa6");
	assert_non_null(strstr(p->env[1].trouble->detail, "EMPTY is empty"));
	assert_non_null(strstr(p->env[2].trouble->detail, "nowhere"));
	assert_non_null(strstr(p->env[3].trouble->detail, "its password is empty"));
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(p->env[i].trouble->code, ERR_CONFIG);
		assert_null(p->env[i].dsn.password);
	}
	assert_null(p->env[4].trouble);
	project_free(p);
	tmp_remove(dir);
}

static void password__in_the_file__needs_one_that_nobody_else_can_read(void **state)
{
	char *dir = tmp_make();
	struct project *p;
	struct err e;

	(void)state;
	assert_null(read_in(dir, SERVER "password = CANARY\n", 0640, NULL, &e));
	assert_non_null(strstr(e.detail, "line 3: a password stands in `password`, in a file that "
					 "others may read (0640)"));
	assert_non_null(strstr(e.hint, "password = env:ONE_DB_PASSWORD, or chmod 600 "));
	assert_null(strstr(e.detail, "CANARY"));
	assert_null(read_in(dir, "[environment 1-b]\ndatabase = postgres://u:CANARY@h/d\n", 0604,
			    NULL, &e));
	assert_non_null(strstr(e.detail, "line 2: a password stands in `database`"));
	assert_non_null(strstr(e.hint, "env:_1_B_DB_PASSWORD"));
	assert_null(strstr(e.detail, "CANARY"));
	p = read_in(dir, SERVER "password = CANARY\n", 0400, NULL, &e);
	assert_non_null(p);
	project_free(p);
	expect_mistakes(
		SERVER "password = CANARY\n",
		"3 a password stands in `password`, in a file that is not yours | write password = env:ONE_DB_PASSWORD\n");
	tmp_remove(dir);
}

static void password__is_refused__where_it_makes_no_sense(void **state)
{
	(void)state;
	expect_mistakes(
		DEV "password = env:X\n" SERVER "password = env:9x\n"
		    "[environment two]\ndatabase = mariadb://h/two\npassword = cmd:\n"
		    "[environment three]\ndatabase = mariadb://u:CANARY@h/three\npassword = ask\n",
		"3 SQLite has no passwords | remove it\n"
		"6 `password = env:9x` does not name a variable | write env:NAME\n"
		"9 `password`: a command has no words | write cmd:WORDS, such as cmd:pass show staging/db\n"
		"12 the password of three is in `database` too (line 11) | write it in one place\n");
}

static int answer(void *arg, const struct env *env, struct strbuf *out, struct err *e)
{
	int *asked = arg;

	(*asked)++;
	if (strcmp(env->name, "refused") == 0)
		return err_set(e, ERR_CONFIG, "there is no terminal");
	strbuf_addf(out, "typed for %s", env->name);
	return 0;
}

static void resolve__runs_commands_and_asks__once(void **state)
{
	char *dir = tmp_make();
	struct project *p = read_in_good(
		dir,
		"[environment cmd]\ndatabase = mariadb://h/a\n"
		"password = cmd:sh -c 'echo run >>\"$0\"; echo first; echo second' counter\n"
		"[environment fails]\ndatabase = mariadb://h/b\npassword = cmd:sh -c 'echo CANARY; exit 3'\n"
		"[environment silent]\ndatabase = mariadb://h/c\npassword = cmd:true\n"
		"[environment nowhere]\ndatabase = mariadb://h/d\npassword = cmd:/no/such/program\n"
		"[environment asked]\ndatabase = mariadb://h/e\npassword = ask\n"
		"[environment refused]\ndatabase = mariadb://h/f\npassword = ask\n"
		"[environment plain]\ndatabase = mariadb://h/g\n",
		NULL);
	char *cwd = getcwd(NULL, 0), *counted;
	const struct env_secrets *all;
	int asked = 0;

	(void)state;
	assert_int_equal(chdir(dir), 0);
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < p->n_env; i++)
			config_resolve(p, &p->env[i], answer, &asked, NULL);
	assert_int_equal(chdir(cwd), 0);
	counted = tmp_read(dir, "counter");
	assert_string_equal(counted, "run\n");
	assert_string_equal(p->env[0].dsn.password, "first");
	assert_non_null(strstr(p->env[1].trouble->detail, "ended with 3"));
	assert_null(strstr(p->env[1].trouble->detail, "CANARY"));
	assert_non_null(strstr(p->env[2].trouble->detail, "empty"));
	assert_non_null(strstr(p->env[3].trouble->detail, "cannot start /no/such/program"));
	assert_string_equal(p->env[4].dsn.password, "typed for asked");
	assert_non_null(strstr(p->env[5].trouble->detail, "there is no terminal"));
	assert_int_equal(asked, 2);
	all = config_secrets(p);
	assert_int_equal(all->n, 2);
	assert_string_equal(all->list[1].environment, "asked");
	assert_string_equal(all->list[1].shown, "mariadb://h/e");
	assert_string_equal(all->list[1].password, "typed for asked");
	free(counted);
	free(cwd);
	secret_forget();
	project_free(p);
	tmp_remove(dir);
}

/* --- Dotenv files ------------------------------------------------------------------------------- */

static void env_files__give_variables__and_win_over_the_environment(void **state)
{
	static const char *const vars[] = { "HOST", "wrong", "ONLY", "here", NULL };
	char *dir = tmp_make();
	struct project *p;

	(void)state;
	tmp_write(dir, "all.env", "HOST=all\nNAME=n\n");
	tmp_write(dir, "a.env", "HOST=first\n");
	tmp_write(dir, "a2.env", "HOST=h1\nPW=p1\n");
	p = read_in_good(dir,
			 "[project]\nenv_files = all.env\nname = ${NAME}\n"
			 "[environment a]\ndatabase = mariadb://${HOST}/${ONLY}\n"
			 "env_files = a.env, a2.env\npassword = env:PW\n"
			 "[environment b]\ndatabase = mariadb://${HOST}/b\n",
			 vars);
	assert_string_equal(p->name, "n");
	assert_string_equal(p->env[0].dsn.shown, "mariadb://h1/here");
	assert_string_equal(p->env[0].dsn.password, "p1");
	assert_int_equal(p->env[0].n_var, 5);
	assert_string_equal(p->env[0].var[4].name, "PW");
	assert_string_equal(p->env[1].dsn.shown, "mariadb://all/b");
	assert_int_equal(p->env[1].n_var, 2);
	project_free(p);
	tmp_remove(dir);
}

static void env_files__say_where_the_database_is__without_one(void **state)
{
	static const char *const vars[] = { "DB_HOST", "never", "DB_PASSWORD", "never", NULL };
	static const char *const cases[][3] = {
		{ "DB_NAME=n\n", "mariadb:///n", "" },
		{ "DB_HOST=h\nDB_PORT=1\nDB_NAME=n\nDB_USER=u\nDB_PASSWORD='p@:/ w'\n",
		  "mariadb://u@h:1/n", "p@:/ w" },
		{ "DB_HOST=::1\nDB_NAME=n\nDB_ENGINE=django.db.backends.postgresql\n",
		  "postgresql://[::1]/n", "" },
		{ "DB_CONNECTION=pgsql\nDB_DATABASE=n\nDB_USERNAME=u\nDB_HOST=h\n",
		  "postgresql://u@h/n", "" },
		{ "DATABASE_URL=mysql+pymysql://u:p@h/n?charset=utf8mb4\n", "mariadb://u@h/n",
		  "p" },
		{ "DATABASE_URL=postgresql+psycopg2://u@h/n\nDB_NAME=x\n", "postgresql://u@h/n",
		  "" },
		{ "DATABASE_URL=sqlite:///d.db\n", "sqlite:DIR/sub/d.db", "" },
		{ "DATABASE_URL=sqlite:////d.db\n", "sqlite:/d.db", "" },
		{ "USE_SQLITE=True\nDB_PATH=x/d.db\nDATABASE_URL=mysql://h/n\nDB_HOST=h\n",
		  "sqlite:DIR/sub/x/d.db", "" },
		{ "USE_SQLITE=0\nDB_PATH=x/d.db\nDB_NAME=n\n", "mariadb:///n", "" },
		{ "DB_ENGINE=django.db.backends.sqlite3\nDB_NAME=/d.db\n", "sqlite:/d.db", "" },
	};
	char *dir = tmp_make(), want[600];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *rest = strstr(cases[i][1], "DIR");
		struct project *p;

		tmp_write(dir, "sub/env", cases[i][0]);
		p = read_in_good(dir, "[environment a]\nenv_files = sub/env\n", vars);
		snprintf(want, sizeof(want), "%s%s%s", rest ? "sqlite:" : cases[i][1],
			 rest ? dir : "", rest ? rest + 3 : "");
		assert_string_equal(p->env[0].dsn.shown, want);
		assert_string_equal(p->env[0].dsn.password ? p->env[0].dsn.password : "",
				    cases[i][2]);
		if (p->env[0].dsn.password != NULL)
			assert_string_equal(p->env[0].password_from, "env_files");
		project_free(p);
	}
	tmp_remove(dir);
}

static void env_files__are_mistakes__when_they_name_no_database(void **state)
{
	static const char *const cases[][2] = {
		{ "A=1\n", "has no database, and its settings name none" },
		{ "USE_SQLITE=1\n", "has no database, and its settings name none" },
		{ "DB_HOST=h\n", "has no database, and its settings name none" },
		{ "DB_ENGINE=oracle\nDB_NAME=n\n", "name an engine that is not known: oracle" },
		{ "DATABASE_URL=CANARY\n", "database has no engine" },
		{ "DB_NAME=n\nDB_PORT=x\nDB_PASSWORD=CANARY\n", "the port is no number" },
	};
	char *dir = tmp_make();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e;

		tmp_write(dir, "env", cases[i][0]);
		assert_null(read_in(dir, "[environment a]\nenv_files = env\n", 0600, NULL, &e));
		assert_non_null(strstr(e.detail, "line 2: "));
		assert_non_null(strstr(e.detail, cases[i][1]));
		assert_null(strstr(e.detail, "CANARY"));
	}
	tmp_remove(dir);
}

static void env_files__that_cannot_be_read__trouble_their_environment_alone(void **state)
{
	char *dir = tmp_make();
	struct project *p;
	struct err e;

	(void)state;
	tmp_write(dir, "bad", "A=1\nCANARY CANARY\n");
	p = read_in_good(dir,
			 "[environment a]\nenv_files = none\n"
			 "[environment b]\nenv_files = none\ndatabase = mariadb://${HOST}/b\n"
			 "[environment c]\nenv_files = bad\ndatabase = mariadb://h/c\n" DEV,
			 NULL);
	for (size_t i = 0; i < 3; i++) {
		assert_true(p->env[i].has_db);
		assert_int_equal(p->env[i].trouble->code, ERR_CONFIG);
		assert_non_null(strstr(p->env[i].trouble->msg, "cannot read the settings in "));
		assert_null(strstr(p->env[i].trouble->detail, "CANARY"));
	}
	assert_non_null(strstr(p->env[2].trouble->detail, "line 2"));
	assert_null(p->env[3].trouble);
	project_free(p);
	assert_null(read_in(dir, SERVER "env_files = ,\n", 0600, NULL, &e));
	assert_non_null(strstr(e.detail, "line 3: `env_files` has an empty path"));
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
		cmocka_unit_test(server__has_its_own_defaults__and_takes_every_key),
		cmocka_unit_test(server__refuses__what_cannot_be_kept),
		cmocka_unit_test(config__refuses_two_environments__with_one_database_of_a_server),
		cmocka_unit_test(password__is_had__from_each_place),
		cmocka_unit_test(password__that_cannot_be_had__troubles_its_environment_alone),
		cmocka_unit_test(password__in_the_file__needs_one_that_nobody_else_can_read),
		cmocka_unit_test(password__is_refused__where_it_makes_no_sense),
		cmocka_unit_test(resolve__runs_commands_and_asks__once),
		cmocka_unit_test(env_files__give_variables__and_win_over_the_environment),
		cmocka_unit_test(env_files__say_where_the_database_is__without_one),
		cmocka_unit_test(env_files__are_mistakes__when_they_name_no_database),
		cmocka_unit_test(env_files__that_cannot_be_read__trouble_their_environment_alone),
		cmocka_unit_test(examples__are_accepted__each_of_them),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
