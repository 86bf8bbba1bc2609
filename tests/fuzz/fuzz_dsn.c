/* SPDX-License-Identifier: MIT */
/* dsn_parse: any text gives a database or an error in parts. The password stands only in its own
 * field: what is shown and what is copied are the same with another password in its place. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/db/dsn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int good)
{
	if (!good)
		abort();
}

static void check_good(struct arena *a, const struct dsn *d)
{
	struct dsn copy, again;
	struct err e;

	must(d->engine != NULL && d->shown != NULL && dsn_same(d, d));
	must(d->password_in_url == (d->password != NULL));
	must(dsn_is_file(d) ? d->path[0] == '/' && d->password == NULL : d->database != NULL);
	dsn_copy(a, d, &copy);
	must(copy.password == NULL && dsn_same(d, &copy) && strcmp(copy.shown, d->shown) == 0);
	must(copy.n_option == d->n_option);
	/* A file's shown form is a URL of the same file. */
	if (dsn_is_file(d))
		must(dsn_parse(a, d->shown, "/", &again, &e) == 0 && dsn_same(d, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct dsn d;
	struct err e;
	char *url;

	arena_init(&a);
	url = arena_strndup(&a, (const char *)data, size);
	err_clear(&e);
	if (dsn_parse(&a, url, "/base", &d, &e) == 0)
		check_good(&a, &d);
	else
		must(e.code == ERR_CONFIG && e.msg[0] != '\0');
	arena_clear(&a);
	return 0;
}
