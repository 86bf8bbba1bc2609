/* SPDX-License-Identifier: MIT */
/* The matrix: source × histories. Pure: plain data in, plain data out. */
#ifndef MIGRATE_MATRIX_H
#define MIGRATE_MATRIX_H

#include "core/migrate/history.h"
#include "core/migrate/source.h"

enum cell_state {
	CELL_NONE,    /* environment has no database */
	CELL_UNKNOWN, /* its history could not be read */
	CELL_APPLIED,
	CELL_PENDING,
	CELL_LATE,    /* pending although a later one is applied */
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
};

struct matrix_row {
	const char *ns, *id, *title, *sort_key;
	const struct migration *file; /* in the source; NULL when the file is missing */
	struct cell *cell;            /* one per environment */
	bool differs; /* not the same state and checksum everywhere it can be known */
};

/* applied is what is in force in the database, changed and missing ones included. The others count
 * the cells of their state, so what a migrate would run is pending + late + failed. */
struct matrix_count {
	int64_t applied, pending, failed, changed, missing, late;
	const char *head;           /* id of the newest applied by order, or NULL */
	const char *schema_version; /* label of head, or NULL */
	int64_t warned;             /* applied, but not all of it is in force */
	const struct applied *first_warned;
};

struct matrix {
	struct arena arena;
	size_t n_env;
	struct matrix_row *row; /* in numeric order, oldest first */
	size_t n_row;
	size_t n_differs;
	struct matrix_count *count; /* per environment */
};

/* One column. history NULL with known false: unreadable (unknown); has_db false: none. */
struct matrix_column {
	const struct history *history;
	bool has_db;
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
