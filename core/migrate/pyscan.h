/* SPDX-License-Identifier: MIT */
/*
 * What a Python file assigns, read as text: never by running Python.
 *
 * Understood: assignments of a module (or of the body of a class) whose value is written out:
 * strings, None, True, False, numbers, dotted names, calls, and lists, tuples and sets of these.
 * Anything else is PY_OTHER, which is not the same as "not there": who needs the value must say
 * that it cannot be read.
 */
#ifndef MIGRATE_PYSCAN_H
#define MIGRATE_PYSCAN_H

#include "core/base/mem.h"

enum py_kind {
	PY_OTHER,
	PY_NONE,
	PY_TRUE,
	PY_FALSE,
	PY_STRING,
	PY_NAME, /* settings.AUTH_USER_MODEL */
	PY_LIST, /* list, tuple or set */
	PY_CALL, /* text is what is called, item its positional arguments */
};

struct py_value {
	enum py_kind kind;
	struct sv text; /* of a string (decoded), a name or a call */
	struct py_value *item;
	size_t n;
};

struct py_assign {
	struct sv name; /* borrowed from the text */
	struct py_value value;
	int line;
};

struct py_module {
	struct sv doc; /* the module's docstring; empty when it has none */
	bool has_class;
	struct py_assign *list;
	size_t n;
};

/* class_name NULL: the module's assignments; else those of the body of that class, "*" of any.
 * What is made lives in a; names are parts of text. ERR_INPUT with the line. */
int py_scan(struct arena *a, struct sv text, const char *class_name, struct py_module *out,
	    struct err *e) MUST_CHECK;
/* The last assignment of a name, or NULL. */
const struct py_value *py_get(const struct py_module *m, const char *name);

#endif
