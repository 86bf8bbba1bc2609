/* SPDX-License-Identifier: MIT */
#include "core/base/err.h"

#include "core/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Texts are formatted beside the error first, because arguments often are parts of it:
 * err_detail(e, "%s, twice", e->detail) must work. Longer than the longest part, so that str_copy
 * sees that there was more and puts the ellipsis. */
#define TEXT_SIZE 1024

static void part_format(char *part, size_t size, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

static void part_format(char *part, size_t size, const char *fmt, va_list ap)
{
	char text[TEXT_SIZE];
	int n = vsnprintf(text, sizeof(text), fmt, ap);

	str_copy(part, size, n < 0 ? fmt : text);
}

void err_clear(struct err *e)
{
	e->code = ERR_OK;
	e->sys[0] = e->msg[0] = e->detail[0] = e->hint[0] = '\0';
}

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	part_format(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	e->code = code;
	e->sys[0] = e->detail[0] = e->hint[0] = '\0';
	return -1;
}

int err_sys(struct err *e, int errnum, const char *fmt, ...)
{
	/* The untranslated text: errors are compared by tests and searched for on the web. */
	const char *text = strerrordesc_np(errnum);
	va_list ap;

	va_start(ap, fmt);
	part_format(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	e->code = errnum == ENOENT ? ERR_NOT_FOUND : errnum == EEXIST ? ERR_EXISTS : ERR_SYSTEM;
	str_copy(e->sys, sizeof(e->sys), err_errno_name(errnum));
	e->hint[0] = '\0';
	if (text)
		str_copy(e->detail, sizeof(e->detail), text);
	else
		err_detail(e, "error number %d", errnum);
	return -1;
}

int err_detail(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	part_format(e->detail, sizeof(e->detail), fmt, ap);
	va_end(ap);
	return -1;
}

int err_hint(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	part_format(e->hint, sizeof(e->hint), fmt, ap);
	va_end(ap);
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char detail[sizeof(e->msg) + 2 + sizeof(e->detail)];
	va_list ap;

	snprintf(detail, sizeof(detail), "%s%s%s", e->msg, e->msg[0] && e->detail[0] ? ": " : "",
		 e->detail);
	va_start(ap, fmt);
	part_format(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	str_copy(e->detail, sizeof(e->detail), detail);
	return -1;
}

const char *err_code_name(enum err_code code)
{
	static const char *const names[] = {
		[ERR_OK] = "ok",
		[ERR_SYSTEM] = "system",
		[ERR_USAGE] = "usage",
		[ERR_CONFIG] = "config",
		[ERR_INPUT] = "input",
		[ERR_LIMIT] = "limit",
		[ERR_NOT_FOUND] = "not_found",
		[ERR_EXISTS] = "exists",
		[ERR_GATE] = "gate",
		[ERR_LOCKED] = "locked",
		[ERR_FENCED] = "fenced",
		[ERR_BUSY] = "busy",
		[ERR_TIMEOUT] = "timeout",
		[ERR_LOST] = "connection-lost",
		[ERR_ASKS] = "asks",
		[ERR_REFUSED] = "refused",
		[ERR_CANCELLED] = "cancelled",
		[ERR_DB] = "db",
		[ERR_CORRUPT] = "corrupt",
		[ERR_UNSUPPORTED] = "unsupported",
		[ERR_ROLLED_BACK] = "rolled_back",
		[ERR_WAITING] = "waiting",
		[ERR_DIFFERS] = "differs",
	};

	if ((size_t)code >= sizeof(names) / sizeof(names[0]))
		return "unknown";
	return names[code];
}

const char *err_errno_name(int errnum)
{
	const char *name = strerrorname_np(errnum);

	return name ? name : "unknown";
}
