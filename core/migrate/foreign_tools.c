/* SPDX-License-Identifier: MIT */
/*
 * One row and one function per tool.
 *
 * A tool is recognised by its table and the columns of it together, because three of them call their table
 * schema_migrations: golang-migrate's has a dirty flag, Rails puts ar_internal_metadata beside, and
 * what has only a version is dbmate's. Ecto's has inserted_at and is none of these.
 *
 * The statements are plain enough to be the same text for every engine: no casts, because the drivers give
 * numbers as numbers or as text and times as text, and the functions below take each. Two tools
 * are the exception: sqlx keeps bytes, and Liquibase's name may be in capitals within quotes.
 *
 * A row function says what a row means to the tool that wrote it, and refuses what it does not
 * understand; it never guesses. Adding a tool is one function and one row of the table at the end.
 */
#include "core/migrate/foreign_tools.h"

#include <string.h>

/* --- Values ------------------------------------------------------------------------------------ */

bool foreign_int(const struct db_value *v, int64_t *out)
{
	if (v->type == DB_INT) {
		*out = v->i;
		return true;
	}
	if (v->type == DB_REAL && v->r > -9e15 && v->r < 9e15 && v->r == (double)(int64_t)v->r) {
		*out = (int64_t)v->r;
		return true;
	}
	return v->type == DB_TEXT && sv_int(sv_trim(v->s), INT64_MIN, INT64_MAX, out);
}

/* A truth value of any engine: 1, t, true, or the single byte of MariaDB's BIT(1). */
static bool value_bool(const struct db_value *v, bool *out)
{
	int64_t i;

	if (foreign_int(v, &i)) {
		*out = i != 0;
		return true;
	}
	if ((v->type != DB_TEXT && v->type != DB_BLOB) || v->s.n == 0)
		return false;
	if (v->s.n == 1 && (v->s.p[0] == '\0' || v->s.p[0] == '\1')) {
		*out = v->s.p[0] == '\1';
		return true;
	}
	*out = sv_eq(v->s, SV("t")) || sv_eq(v->s, SV("true")) || sv_eq(v->s, SV("TRUE"));
	return *out || sv_eq(v->s, SV("f")) || sv_eq(v->s, SV("false")) || sv_eq(v->s, SV("FALSE"));
}

const char *foreign_text(struct history *h, const struct db_value *v, size_t max)
{
	struct sv s;
	char *out;

	if (v->type == DB_INT)
		return arena_printf(&h->arena, "%lld", (long long)v->i);
	if (v->type == DB_REAL)
		return arena_printf(&h->arena, "%.17g", v->r);
	if ((v->type != DB_TEXT && v->type != DB_BLOB) || v->s.n == 0)
		return NULL;
	s = v->s;
	if (s.n > max) {
		s.n = max;
		while (s.n > 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
			s.n--; /* not through a letter */
	}
	out = arena_strndup(&h->arena, s.p, s.n);
	return out[0] != '\0' ? out : NULL;
}

/* n digits at *s as a number; *s moves behind them. */
static bool cut_digits(struct sv *s, size_t n, int *out)
{
	int v = 0;

	if (s->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		v = v * 10 + (s->p[i] - '0');
	}
	*s = sv_n(s->p + n, s->n - n);
	*out = v;
	return true;
}

static bool cut_char(struct sv *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = sv_n(s->p + 1, s->n - 1);
	return true;
}

/* Days from 1970-01-01 in the Gregorian calendar, counted in years that begin in March. */
static int64_t days_of(int y, int m, int d)
{
	int64_t year = y - (m <= 2), era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400;
	int64_t day = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + day - 719468;
}

static int cut_fraction(struct sv *s)
{
	int ms = 0, digits = 0;

	while (s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9') {
		if (digits++ < 3)
			ms = ms * 10 + (s->p[0] - '0');
		*s = sv_n(s->p + 1, s->n - 1);
	}
	for (; digits < 3; digits++)
		ms *= 10;
	return ms;
}

/* "Z", " UTC", "+02", "+05:30", "-0330" or nothing. */
static bool cut_zone(struct sv s, int64_t *ms, bool *no_zone)
{
	bool west;
	int hours, minutes = 0;

	s = sv_trim(s);
	*no_zone = s.n == 0;
	*ms = 0;
	if (s.n == 0 || sv_eq(s, SV("Z")) || sv_eq(s, SV("UTC")))
		return true;
	west = s.p[0] == '-';
	if ((!cut_char(&s, '+') && !cut_char(&s, '-')) || !cut_digits(&s, 2, &hours))
		return false;
	cut_char(&s, ':');
	if (s.n > 0 && !cut_digits(&s, 2, &minutes))
		return false;
	*ms = (int64_t)(hours * 60 + minutes) * 60000 * (west ? -1 : 1);
	return true;
}

static bool time_of_text(struct sv s, int64_t *utc_ms, bool *no_zone)
{
	int y, mo, d, h = 0, mi = 0, sec = 0, ms = 0;
	int64_t zone;

	s = sv_trim(s);
	if (!cut_digits(&s, 4, &y) || !cut_char(&s, '-') || !cut_digits(&s, 2, &mo) ||
	    !cut_char(&s, '-') || !cut_digits(&s, 2, &d))
		return false;
	if (cut_char(&s, 'T') || cut_char(&s, ' ')) {
		if (!cut_digits(&s, 2, &h) || !cut_char(&s, ':') || !cut_digits(&s, 2, &mi))
			return false;
		if (cut_char(&s, ':') && !cut_digits(&s, 2, &sec))
			return false;
		if (cut_char(&s, '.'))
			ms = cut_fraction(&s);
	}
	if (mo < 1 || mo > 12 || d < 1 || d > 31 || h > 24 || mi > 59 || sec > 60 ||
	    !cut_zone(s, &zone, no_zone))
		return false;
	*utc_ms = ((days_of(y, mo, d) * 24 + h) * 60 + mi) * 60000 + sec * 1000 + ms - zone;
	return true;
}

bool foreign_time(const struct db_value *v, int64_t *utc_ms, bool *no_zone)
{
	int64_t n;

	if (foreign_int(v, &n)) {
		/* Knex and Prisma on SQLite count milliseconds, goose's older ones seconds. */
		if (n < 0 || n > 99999999999999)
			return false;
		*utc_ms = n > 99999999999 ? n : n * 1000;
		*no_zone = false;
		return true;
	}
	return v->type == DB_TEXT && time_of_text(v->s, utc_ms, no_zone);
}

/* --- What the row functions share -------------------------------------------------------------- */

static enum foreign_take odd(struct foreign_row *r, const char *why)
{
	r->odd = why;
	return FOREIGN_ODD;
}

/* The key in column i. False, with why, when there is none that can be used. */
static bool take_key(struct foreign_row *r, size_t i, struct foreign_record *out)
{
	const struct db_value *v = &r->col[i];

	if ((v->type == DB_TEXT || v->type == DB_BLOB) && v->s.n > FOREIGN_KEY_MAX)
		return odd(r, "its name is too long") != FOREIGN_ODD;
	out->key = foreign_text(r->h, v, FOREIGN_KEY_MAX);
	if (out->key == NULL)
		r->odd = "it has no name";
	return out->key != NULL;
}

/* A time that cannot be read is left out: the row counts all the same. */
static void take_time(struct foreign_row *r, size_t i, struct foreign_record *out)
{
	if (!foreign_time(&r->col[i], &out->at_utc_ms, &out->no_zone)) {
		out->at_utc_ms = 0;
		out->no_zone = false;
	}
}

static const char *take_text(struct foreign_row *r, size_t i)
{
	return foreign_text(r->h, &r->col[i], FOREIGN_TEXT_MAX);
}

static const char *take_sum(struct foreign_row *r, size_t i, const char *kind)
{
	const char *text = foreign_text(r->h, &r->col[i], 256);

	return text != NULL ? arena_printf(&r->h->arena, "%s%s", kind, text) : NULL;
}

static void take_took(struct foreign_row *r, size_t i, int64_t divisor, struct foreign_record *out)
{
	if (foreign_int(&r->col[i], &out->took_ms) && out->took_ms > 0)
		out->took_ms /= divisor;
	else
		out->took_ms = 0; /* sqlx writes -1 before it begins */
}

/* Is the key a number without a sign? */
static bool key_is_number(const char *key)
{
	return *key != '\0' && key[strspn(key, "0123456789")] == '\0';
}

/* --- The tools --------------------------------------------------------------------------------- */

/* dbmate, Rails: a row is a version that ran. */
static enum foreign_take version_row(struct foreign_row *r, struct foreign_record *out)
{
	return take_key(r, 0, out) ? FOREIGN_KEEP : FOREIGN_ODD;
}

/* version, dirty: one row. */
static enum foreign_take golang_row(struct foreign_row *r, struct foreign_record *out)
{
	bool dirty;

	if (!take_key(r, 0, out))
		return FOREIGN_ODD;
	if (strcmp(out->key, "-1") == 0)
		return FOREIGN_SKIP; /* nothing ran, or all was taken back */
	if (!key_is_number(out->key))
		return odd(r, "its version is no number");
	if (!value_bool(&r->col[1], &dirty))
		return odd(r, "dirty is neither true nor false");
	out->state = dirty ? FOREIGN_FAILED : FOREIGN_UP_TO;
	if (dirty)
		out->error = "golang-migrate stopped inside it and marked the version dirty";
	return FOREIGN_KEEP;
}

/* version_id, is_applied, tstamp */
static enum foreign_take goose_row(struct foreign_row *r, struct foreign_record *out)
{
	bool applied;

	if (!take_key(r, 0, out))
		return FOREIGN_ODD;
	if (!key_is_number(out->key))
		return odd(r, "its version_id is no number");
	if (strcmp(out->key, "0") == 0)
		return FOREIGN_SKIP; /* the row goose begins with */
	if (!value_bool(&r->col[1], &applied))
		return odd(r, "is_applied is neither true nor false");
	out->state = applied ? FOREIGN_APPLIED : FOREIGN_UNDONE;
	take_time(r, 2, out);
	return FOREIGN_KEEP;
}

/* What a type of Flyway's means. */
static bool flyway_state(const char *type, enum foreign_state *state)
{
	if (strcmp(type, "BASELINE") == 0 || strcmp(type, "SQL_BASELINE") == 0)
		*state = FOREIGN_BASELINE;
	else if (strcmp(type, "DELETE") == 0 || strncmp(type, "UNDO", 4) == 0)
		*state = FOREIGN_UNDONE;
	else if (strcmp(type, "SQL") == 0 || strcmp(type, "JDBC") == 0 ||
		 strcmp(type, "SCRIPT") == 0 || strcmp(type, "CUSTOM") == 0 ||
		 strcmp(type, "SPRING_JDBC") == 0)
		*state = FOREIGN_APPLIED;
	else
		return false;
	return true;
}

/* version, description, type, script, checksum, installed_by, installed_on, execution_time, success */
static enum foreign_take flyway_row(struct foreign_row *r, struct foreign_record *out)
{
	const char *type = take_text(r, 2);
	bool success;

	out->title = take_text(r, 1);
	if (type != NULL && strcmp(type, "SCHEMA") == 0)
		return FOREIGN_SKIP;
	if (type == NULL || !flyway_state(type, &out->state))
		return odd(r, "its type is not one of Flyway's");
	out->repeatable = r->col[0].type == DB_NULL;
	if (!take_key(r, out->repeatable ? 1 : 0, out))
		return FOREIGN_ODD;
	if (!value_bool(&r->col[8], &success))
		return odd(r, "success is neither true nor false");
	out->file = take_text(r, 3);
	if (out->state == FOREIGN_APPLIED)
		out->checksum = take_sum(r, 4, "crc32:");
	out->who = take_text(r, 5);
	take_time(r, 6, out);
	take_took(r, 7, 1, out);
	if (!success) {
		out->state = FOREIGN_FAILED;
		out->error = "Flyway recorded a failure; `flyway repair` removes the row";
	}
	return FOREIGN_KEEP;
}

/* id, author, filename, dateexecuted, exectype, md5sum, description */
static enum foreign_take liquibase_row(struct foreign_row *r, struct foreign_record *out)
{
	const char *type = take_text(r, 4);

	if (!take_key(r, 0, out))
		return FOREIGN_ODD;
	if (type == NULL)
		return odd(r, "it has no exectype");
	if (strcmp(type, "SKIPPED") == 0)
		return FOREIGN_SKIP;
	if (strcmp(type, "FAILED") == 0) {
		out->state = FOREIGN_FAILED;
		out->error = "Liquibase recorded a failure";
	} else if (strcmp(type, "EXECUTED") != 0 && strcmp(type, "RERAN") != 0 &&
		   strcmp(type, "MARK_RAN") != 0) {
		return odd(r, "its exectype is not one of Liquibase's");
	}
	out->group = take_text(r, 1);
	out->who = out->group;
	out->file = take_text(r, 2);
	take_time(r, 3, out);
	out->checksum = take_sum(r, 5, "md5:");
	out->title = take_text(r, 6);
	return FOREIGN_KEEP;
}

/* version_num */
static enum foreign_take alembic_row(struct foreign_row *r, struct foreign_record *out)
{
	out->state = FOREIGN_HEAD;
	return take_key(r, 0, out) ? FOREIGN_KEEP : FOREIGN_ODD;
}

/* app, name, applied */
static enum foreign_take django_row(struct foreign_row *r, struct foreign_record *out)
{
	out->group = take_text(r, 0);
	if (!take_key(r, 1, out))
		return FOREIGN_ODD;
	if (out->group == NULL)
		return odd(r, "it has no app");
	take_time(r, 2, out);
	return FOREIGN_KEEP;
}

/* version, run_on */
static enum foreign_take diesel_row(struct foreign_row *r, struct foreign_record *out)
{
	if (!take_key(r, 0, out))
		return FOREIGN_ODD;
	take_time(r, 1, out);
	return FOREIGN_KEEP;
}

/* version, description, installed_on, success, checksum in hex, execution_time in ns */
static enum foreign_take sqlx_row(struct foreign_row *r, struct foreign_record *out)
{
	bool success;

	if (!take_key(r, 0, out))
		return FOREIGN_ODD;
	if (!key_is_number(out->key))
		return odd(r, "its version is no number");
	if (!value_bool(&r->col[3], &success))
		return odd(r, "success is neither true nor false");
	out->title = take_text(r, 1);
	take_time(r, 2, out);
	out->checksum = take_sum(r, 4, "sha384:");
	for (char *p = (char *)(uintptr_t)out->checksum; p != NULL && *p != '\0'; p++)
		*p = (char)(*p >= 'A' && *p <= 'F' ? *p + ('a' - 'A') : *p);
	take_took(r, 5, 1000000, out);
	if (!success) {
		out->state = FOREIGN_FAILED;
		out->error = "sqlx stopped inside it";
	}
	return FOREIGN_KEEP;
}

/* migration_name, checksum, finished_at, rolled_back_at, started_at, logs */
static enum foreign_take prisma_row(struct foreign_row *r, struct foreign_record *out)
{
	int64_t begun, ended;
	bool no_zone;

	if (!take_key(r, 0, out))
		return FOREIGN_ODD;
	out->checksum = take_sum(r, 1, "sha256:");
	take_time(r, 4, out);
	if (r->col[3].type != DB_NULL) {
		out->state = FOREIGN_UNDONE;
	} else if (r->col[2].type == DB_NULL) {
		out->state = FOREIGN_FAILED;
		out->error = take_text(r, 5);
		if (out->error == NULL)
			out->error = "Prisma did not finish it";
	} else if (foreign_time(&r->col[4], &begun, &no_zone) &&
		   foreign_time(&r->col[2], &ended, &no_zone) && ended > begun) {
		out->took_ms = ended - begun;
	}
	return FOREIGN_KEEP;
}

/* name, batch, migration_time */
static enum foreign_take knex_row(struct foreign_row *r, struct foreign_record *out)
{
	if (!take_key(r, 0, out))
		return FOREIGN_ODD;
	take_time(r, 2, out);
	return FOREIGN_KEEP;
}

/* change, project, note, script_hash, committed_at, committer_name, failed, tag */
static enum foreign_take sqitch_row(struct foreign_row *r, struct foreign_record *out)
{
	bool failed;

	if (!take_key(r, 0, out))
		return FOREIGN_ODD;
	if (!value_bool(&r->col[6], &failed))
		return odd(r, "its event is not one of Sqitch's");
	out->group = take_text(r, 1);
	out->title = take_text(r, 2);
	out->checksum = failed ? NULL : take_sum(r, 3, "sha1:");
	take_time(r, 4, out);
	out->who = take_text(r, 5);
	out->file = take_text(r, 7);
	if (failed) {
		out->state = FOREIGN_FAILED;
		out->error = "Sqitch recorded a failure of deploy or revert";
	}
	return FOREIGN_KEEP;
}

/* filename, hash, previous_hash, date */
static enum foreign_take graphile_row(struct foreign_row *r, struct foreign_record *out)
{
	if (!take_key(r, 0, out))
		return FOREIGN_ODD;
	out->checksum = take_text(r, 1); /* says sha1: itself */
	out->previous = take_text(r, 2);
	take_time(r, 3, out);
	return FOREIGN_KEEP;
}

/* --- The table --------------------------------------------------------------------------------- */

#define FLYWAY_COLUMNS \
	" version description type script checksum installed_by installed_on " \
	"execution_time success "
#define FLYWAY_SQL(table) \
	"SELECT version, description, type, script, checksum, installed_by, installed_on," \
	" execution_time, success FROM " table " ORDER BY installed_rank"
#define LIQUIBASE_COLUMNS " id author filename dateexecuted orderexecuted exectype md5sum "
/* clang-format off */
#define SQLX_SQL(sum)                                                              \
	"SELECT version, description, installed_on, success, " sum ", execution_time" \
	" FROM _sqlx_migrations ORDER BY version"

/* The order decides when a database holds the tables of several. */
const struct foreign_tool foreign_tools[] = {
	{ .name = "flyway", .table = "flyway_schema_history",
	  .columns = " installed_rank" FLYWAY_COLUMNS,
	  .sql = FLYWAY_SQL("flyway_schema_history"),
	  .row = flyway_row, .key = FOREIGN_KEY_VERSION },
	{ .name = "flyway", .table = "schema_version", /* before version 5 */
	  .columns = " installed_rank" FLYWAY_COLUMNS,
	  .sql = FLYWAY_SQL("schema_version"),
	  .row = flyway_row, .key = FOREIGN_KEY_VERSION },
	{ .name = "liquibase", .table = "databasechangelog",
	  .columns = LIQUIBASE_COLUMNS,
	  .sql = "SELECT ID, AUTHOR, FILENAME, DATEEXECUTED, EXECTYPE, MD5SUM, DESCRIPTION"
		 " FROM databasechangelog ORDER BY ORDEREXECUTED, DATEEXECUTED",
	  .row = liquibase_row, .key = FOREIGN_KEY_FILE },
	{ .name = "liquibase", .table = "DATABASECHANGELOG",
	  .columns = LIQUIBASE_COLUMNS,
	  .sql = "SELECT ID, AUTHOR, FILENAME, DATEEXECUTED, EXECTYPE, MD5SUM, DESCRIPTION"
		 " FROM DATABASECHANGELOG ORDER BY ORDEREXECUTED, DATEEXECUTED",
	  .hex = "SELECT \"ID\", \"AUTHOR\", \"FILENAME\", \"DATEEXECUTED\", \"EXECTYPE\","
		 " \"MD5SUM\", \"DESCRIPTION\" FROM \"DATABASECHANGELOG\""
		 " ORDER BY \"ORDEREXECUTED\", \"DATEEXECUTED\"",
	  .row = liquibase_row, .key = FOREIGN_KEY_FILE },
	{ .name = "alembic", .table = "alembic_version",
	  .columns = " version_num ",
	  .sql = "SELECT version_num FROM alembic_version ORDER BY version_num",
	  .row = alembic_row, .key = FOREIGN_KEY_TEXT },
	{ .name = "django", .table = "django_migrations",
	  .columns = " id app name applied ",
	  .sql = "SELECT app, name, applied FROM django_migrations ORDER BY id",
	  .row = django_row, .key = FOREIGN_KEY_APP, .only_known = true },
	{ .name = "sqlx", .table = "_sqlx_migrations",
	  .columns = " version description installed_on success checksum execution_time ",
	  .sql = SQLX_SQL("hex(checksum)"), .hex = SQLX_SQL("encode(checksum, 'hex')"),
	  .row = sqlx_row, .key = FOREIGN_KEY_NUMBER },
	{ .name = "diesel", .table = "__diesel_schema_migrations",
	  .columns = " version run_on ",
	  .sql = "SELECT version, run_on FROM __diesel_schema_migrations ORDER BY version",
	  .row = diesel_row, .key = FOREIGN_KEY_NODASH },
	{ .name = "prisma", .table = "_prisma_migrations",
	  .columns = " checksum finished_at migration_name logs rolled_back_at started_at ",
	  .sql = "SELECT migration_name, checksum, finished_at, rolled_back_at, started_at, logs"
		 " FROM _prisma_migrations ORDER BY started_at, migration_name",
	  .row = prisma_row, .key = FOREIGN_KEY_STEM },
	{ .name = "knex", .table = "knex_migrations",
	  .columns = " id name batch migration_time ",
	  .sql = "SELECT name, batch, migration_time FROM knex_migrations ORDER BY id",
	  .row = knex_row, .key = FOREIGN_KEY_STEM },
	{ .name = "goose", .table = "goose_db_version",
	  .columns = " id version_id is_applied tstamp ",
	  .sql = "SELECT version_id, is_applied, tstamp FROM goose_db_version ORDER BY id",
	  .row = goose_row, .key = FOREIGN_KEY_NUMBER },
	{ .name = "sqitch", .schema = "sqitch", .table = "changes",
	  .columns = " change_id script_hash change project note committed_at committer_name ",
	  .sql = "SELECT c.change, c.project, c.note, c.script_hash, c.committed_at AS at,"
		 " c.committer_name, 0 AS failed, t.tag"
		 " FROM sqitch.changes c LEFT JOIN"
		 " (SELECT change_id, MIN(tag) AS tag FROM sqitch.tags GROUP BY change_id) t"
		 " ON t.change_id = c.change_id"
		 " UNION ALL SELECT e.change, e.project, e.note, NULL, e.committed_at,"
		 " e.committer_name, 1, NULL FROM sqitch.events e WHERE e.event = 'fail'"
		 " AND NOT EXISTS (SELECT 1 FROM sqitch.events l WHERE l.change = e.change"
		 " AND l.project = e.project AND l.committed_at > e.committed_at)"
		 " ORDER BY at",
	  .row = sqitch_row, .key = FOREIGN_KEY_TEXT },
	{ .name = "graphile-migrate", .schema = "graphile_migrate", .table = "migrations",
	  .columns = " hash previous_hash filename date ",
	  .sql = "SELECT filename, hash, previous_hash, date"
		 " FROM graphile_migrate.migrations ORDER BY filename",
	  .row = graphile_row, .key = FOREIGN_KEY_STEM },
	{ .name = "golang-migrate", .table = "schema_migrations",
	  .columns = " version dirty ", .without = " inserted_at ",
	  .sql = "SELECT version, dirty FROM schema_migrations",
	  .row = golang_row, .key = FOREIGN_KEY_NUMBER },
	{ .name = "rails", .table = "schema_migrations",
	  .columns = " version ", .without = " dirty inserted_at ",
	  .beside = "ar_internal_metadata",
	  .sql = "SELECT version FROM schema_migrations ORDER BY version",
	  .row = version_row, .key = FOREIGN_KEY_NUMBER },
	{ .name = "dbmate", .table = "schema_migrations",
	  .columns = " version ", .without = " dirty inserted_at ",
	  .apart = "ar_internal_metadata",
	  .sql = "SELECT version FROM schema_migrations ORDER BY version",
	  .row = version_row, .key = FOREIGN_KEY_TEXT },
};
/* clang-format on */

const size_t foreign_n_tools = sizeof(foreign_tools) / sizeof(foreign_tools[0]);

const char *foreign_tool_name(size_t i)
{
	/* One tool may have several rows, one behind the other. */
	for (size_t k = 0; k < foreign_n_tools; k++) {
		if (k > 0 && strcmp(foreign_tools[k].name, foreign_tools[k - 1].name) == 0)
			continue;
		if (i-- == 0)
			return foreign_tools[k].name;
	}
	return NULL;
}
