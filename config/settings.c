/* SPDX-License-Identifier: MIT */
/*
 * An application's own settings to the database they name.
 *
 * Only what stands in env_files counts, never the environment of the process: a DB_HOST that is exported
 * for another stage must not send a migration there. In this order:
 *
 *	USE_SQLITE yes          the file DB_PATH
 *	DATABASE_URL            as SQLAlchemy and others have it: mysql+pymysql://…, sqlite:///path
 *	DB_HOST, DB_NAME …      a server; DB_ENGINE or DB_CONNECTION says of which engine, else mariadb
 *
 * All of them become a URL, so that dsn_parse is the only place that judges one. Paths start at the folder
 * of the dotenv file, as they do for the application.
 */
#include "config/reader.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "core/base/fs.h"
#include "core/base/secret.h"

static const char *either(const struct section *s, const char *name, const char *other)
{
	const char *v = reader_setting(s, name);

	return v != NULL ? v : reader_setting(s, other);
}

static bool says_yes(const char *v)
{
	static const char *const words[] = { "1", "true", "yes", "on" };

	for (size_t i = 0; v != NULL && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(v, words[i]) == 0)
			return true;
	return false;
}

/* "django.db.backends.mysql", "pgsql", "MariaDB" to an engine; NULL when it is none of ours. */
static const char *engine_of(const char *v)
{
	static const struct {
		const char *part, *engine;
	} parts[] = {
		{ "mysql", "mariadb" },       { "mariadb", "mariadb" },
		{ "postgres", "postgresql" }, { "pgsql", "postgresql" },
		{ "psycopg", "postgresql" },  { "sqlite", "sqlite" },
	};

	if (v == NULL)
		return "mariadb";
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strcasestr(v, parts[i].part) != NULL)
			return parts[i].engine;
	return NULL;
}

static void add_encoded(struct strbuf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (isalnum((unsigned char)*text) || strchr("-._~", *text) != NULL)
			strbuf_addc(out, *text);
		else
			strbuf_addf(out, "%%%02X", (unsigned)(unsigned char)*text);
	}
}

/* What SQLAlchemy means by it: the driver behind + is its own affair, and three slashes begin a relative
 * path. */
static void add_url(struct strbuf *out, const char *url)
{
	const char *colon = strchr(url, ':'), *plus = strchr(url, '+');

	if (colon == NULL) {
		strbuf_adds(out, url);
		return;
	}
	strbuf_add(out, url, (size_t)((plus != NULL && plus < colon ? plus : colon) - url));
	if (strcmp(strbuf_str(out), "sqlite") == 0 && strncmp(colon, ":///", 4) == 0)
		strbuf_addf(out, ":%s", colon + 4);
	else
		strbuf_adds(out, colon);
}

static void add_server(struct strbuf *out, const struct section *s, const char *engine)
{
	const char *host = reader_setting(s, "DB_HOST"), *port = reader_setting(s, "DB_PORT");
	const char *user = either(s, "DB_USER", "DB_USERNAME");
	const char *password = either(s, "DB_PASSWORD", "DB_PASS");
	bool six = host != NULL && host[0] != '/' && strchr(host, ':') != NULL;

	strbuf_addf(out, "%s://", engine);
	if (user != NULL)
		add_encoded(out, user);
	if (password != NULL) {
		strbuf_addc(out, ':');
		add_encoded(out, password);
	}
	strbuf_adds(out, user != NULL || password != NULL ? "@" : "");
	strbuf_adds(out, six ? "[" : "");
	add_encoded(out, host != NULL ? host : "");
	strbuf_adds(out, six ? "]" : "");
	if (port != NULL) {
		strbuf_addc(out, ':');
		add_encoded(out, port);
	}
	strbuf_addc(out, '/');
	add_encoded(out, either(s, "DB_NAME", "DB_DATABASE"));
}

static bool compose(struct reader *r, const struct section *s, int line, struct strbuf *url)
{
	const char *word = either(s, "DB_ENGINE", "DB_CONNECTION");
	const char *engine = says_yes(reader_setting(s, "USE_SQLITE")) ? "sqlite" : engine_of(word);
	const char *whole = reader_setting(s, "DATABASE_URL");
	const char *name = either(s, "DB_NAME", "DB_DATABASE");
	const char *path = reader_setting(s, "DB_PATH");

	if (engine == NULL) {
		reader_mistake(r, line, "add database = URL",
			       "the settings of %s name an engine that is not known: %s",
			       reader_shown(r, s), word);
		return false;
	}
	if (strcmp(engine, "sqlite") == 0 && (path != NULL || name != NULL))
		strbuf_addf(url, "sqlite:%s", path != NULL ? path : name);
	else if (whole != NULL)
		add_url(url, whole);
	else if (strcmp(engine, "sqlite") != 0 && name != NULL)
		add_server(url, s, engine);
	return true;
}

bool reader_settings(struct reader *r, const struct section *s, bool wanted, struct dsn *out)
{
	const struct option *o;
	struct strbuf url;
	struct err e;
	bool ok = false;
	int line;

	reader_value(s, "env_files", &o, &line);
	line = line > 0 ? line : s->line;
	strbuf_init(&url, CONFIG_LINE_MAX);
	strbuf_room(&url, CONFIG_LINE_MAX);
	if (!compose(r, s, line, &url))
		goto out;
	if (url.len == 0 && !wanted)
		goto out;
	if (url.len == 0)
		reader_mistake(r, line,
			       "add database = URL, or DATABASE_URL or DB_NAME to the settings",
			       "%s has no database, and its settings name none",
			       reader_shown(r, s));
	else if (!strbuf_ok(&url))
		reader_mistake(r, line, NULL, "the database in the settings of %s is too long",
			       reader_shown(r, s));
	else if (dsn_parse(&r->p->arena, strbuf_str(&url), s->var_dir, out, &e) != 0)
		reader_mistake(r, line, e.hint, "in the settings of %s: %s", reader_shown(r, s),
			       e.msg);
	else
		ok = true;
out:
	secret_clear_buf(&url);
	return ok;
}
