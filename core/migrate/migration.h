/* SPDX-License-Identifier: MIT */
/*
 * A migration: one versioned change on disk. Plain data; no I/O here but version arithmetic.
 *
 * Identity is (namespace, id). The id is the text the layout writes before the title: the digits
 * of "009_add_users" are "009", of "2017-09-23-182408_x" "2017-09-23-182408". Order is another
 * thing: the sort key compares digits as numbers, part by part; dots and underscores separate
 * parts, dashes do not ("2017-09-23-182408" and "20170923182408" are equal and thus a duplicate).
 */
#ifndef MIGRATE_MIGRATION_H
#define MIGRATE_MIGRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/digest.h"
#include "core/base/mem.h"
#include "core/base/str.h"

enum down_kind {
	DOWN_NONE,  /* no down file or section */
	DOWN_EMPTY, /* there is one, but it holds no statement: shown as "empty", not reversible */
	DOWN_SQL,
};

struct migration {
	const char *ns;
	const char *id;
	const char *title;     /* underscores shown as blanks: "add users table" */
	const char *sort_key;  /* strcmp() order is the numeric order */
	const char *version;   /* `-- version: 1.8.0` header, or NULL */
	const char *up_path;   /* absolute, or relative to the source's folder as found */
	const char *down_path; /* NULL when DOWN_NONE; equal to up_path for one-file layouts */
	char checksum[CHECKSUM_SIZE];      /* s1: of the normalised up script; "" when unreadable */
	char down_checksum[CHECKSUM_SIZE]; /* "" when DOWN_NONE */
	enum down_kind down;
	bool no_transaction; /* header `-- transaction: no` */
	/* The file is code of another tool (Alembic, Django, Rails): it is listed, and run by that tool. */
	bool framework;
	int64_t up_bytes;
	/* Where the order is a graph: "NS/ID" of those right before it, and of those it stands for. */
	const char *const *depends;
	size_t n_depends;
	const char *const *replaces;
	size_t n_replaces;
};

/* The id, title and sort key of a file or folder name without its suffix. False when the name does
 * not start with a version. Strings live in a. */
bool migration_name(struct arena *a, struct sv stem, const char **id, const char **title,
		    const char **sort_key);
/* How many bytes of a stem are its id; 0 when it does not start with a version. */
size_t migration_id_length(struct sv stem);
/* The sort key of an id. "" when it holds no digit. */
const char *migration_sort_key(struct arena *a, struct sv id);
/* Order of two version texts by their numeric parts: <0, 0, >0. "1.8.0" < "1.009.0". */
int version_cmp(const char *a, const char *b);
/* Removes a BOM and turns CRLF into LF, in place; returns the new length. */
size_t migration_normalise(char *text, size_t n);
/* "s1:" + SHA-256 of a normalised text. */
void migration_checksum(struct digest *d, struct sv text, char out[CHECKSUM_SIZE]);

/* The directives of a script: its leading comment lines only. Pure. */
struct migration_directives {
	bool no_transaction; /* `-- transaction: no`, or dbmate's `-- migrate:up transaction:false` */
	struct sv version;   /* `-- version: 1.8.0`; empty when absent; borrowed from the text */
};

/* ERR_INPUT with the line for a directive that is malformed or that this version does not act on:
 * a directive that is read past would be a promise not kept. */
int migration_directives(struct sv text, struct migration_directives *out,
			 struct err *e) MUST_CHECK;

#endif
