/* SPDX-License-Identifier: MIT */
/*
 * What bascule.ini says of servers, passwords and dotenv files. As in test_config.c a case of mistakes
 * compares the whole list. CANARY stands for a secret: no error may show it.
 */
#include "config/config.h"

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
		"backup = before-migrate\nhistory = dbmat\nconnect_timeout = 0\n"
		"[environment two]\ndatabase = mysql://app@db1/shop\nbackup = always\n",
		"2 `migrate_in = host` is not acted on by this version | choose another: the framework's own tool runs on this machine only\n"
		"3 `migrate_command`: a quote in a command is not closed | write the words of the command\n"
		"6 bascule does not back up postgresql yet: `backup = before-migrate` cannot be kept | write backup = never, and take a copy by other means first\n"
		"7 `history` cannot be dbmat | did you mean `dbmate`?\n"
		"8 `connect_timeout` is out of range: 0 | from 1s to 10m\n"
		"11 bascule does not back up mariadb yet: `backup = always` cannot be kept | write backup = never, and take a copy by other means first\n");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
