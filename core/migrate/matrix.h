/* SPDX-License-Identifier: MIT */
/* The matrix: source × histories. Pure: plain data in, plain data out. */
#ifndef MIGRATE_MATRIX_H
#define MIGRATE_MATRIX_H

#include "core/migrate/history.h"
#include "core/migrate/source.h"

enum cell_state {
	CELL_NONE, /* nothing to say: no database, no file for its engine, or replaced by another */
	CELL_UNKNOWN, /* its history could not be read */
	CELL_APPLIED,
	CELL_PENDING,
	CELL_LATE,    /* pending although a later one (of its namespace, of its kind) is applied */
	CELL_CHANGED, /* applied, but the file is different now */
	CELL_MISSING, /* applied, but there is no file any more */
	CELL_FAILED,  /* the last attempt failed */
	CELL_PARTIAL, /* stopped inside (engines without transactional DDL) */
	CELL_STATES
};

/* "applied" …: stable, for JSON and screens. */
const char *cell_state_name(enum cell_state s);

struct cell {
	enum cell_state state;
	const struct applied *applied; /* in the history; NULL when there is no event for it */
	/* The variant for the environment's engine; NULL when there is no such file. */
	const struct migration *file;
};

struct matrix_row {
	const char *ns, *id, *title, *sort_key;
	const struct migration *file; /* the first variant's; NULL when no variant has one */
	struct cell *cell;            /* one per environment */
	bool differs; /* not the same state and checksum everywhere it can be known */
};

/* applied is what is in force in the database, changed and missing ones included. The others count
 * the cells of their state, so what a migrate would run is pending + late + failed; a partial one
 * is gone on with by resume. */
struct matrix_count {
	int64_t applied, pending, failed, changed, missing, late, partial;
	const char *head;           /* id of the newest applied by order, or NULL */
	const char *schema_version; /* label of head, or NULL */
	/* Where the order is a graph: what is applied and has no applied child (of its namespace).
	 * Elsewhere head alone. */
	const char *const *heads;
	size_t n_heads;
	int64_t warned; /* applied, but not all of it is in force */
	const struct applied *first_warned;
};

struct matrix {
	struct arena arena;
	size_t n_env;
	struct matrix_row *row; /* in the order they run, oldest first */
	size_t n_row;
	uint32_t *place; /* of (namespace, id) in row plus one, open addressing */
	size_t n_place;
	size_t n_differs;
	struct matrix_count *count; /* per environment */
};

/* One column. history NULL with known false: unreadable (unknown); has_db false: none. */
struct matrix_column {
	const struct history *history;
	bool has_db;
	const char *engine; /* picks the variant of the source; NULL: the first */
};

/* schema_version: the pattern `1.{n}.0` / `1.{n:03}.0` or NULL. The result points into source and
 * histories, which must live as long. Never fails. */
struct matrix *matrix_build(const struct source *source, const struct matrix_column *col,
			    size_t n_env, const char *schema_version);
void matrix_free(struct matrix *m);
const struct matrix_row *matrix_find(const struct matrix *m, const char *ns, const char *id);
/* The version label of a migration: its `-- version:` header, else the pattern with its number,
 * else its id. Lives in a. */
const char *matrix_label(struct arena *a, const struct migration *m, const char *id,
			 const char *pattern);

#endif
