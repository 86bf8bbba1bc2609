/* SPDX-License-Identifier: MIT */
/* ini_scan: any bytes; every report must hold what ini.h promises. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/ini.h"
#include "core/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(void *arg, const struct ini_item *item)
{
	int *line = arg;

	if (item->line < *line || item->section == NULL)
		abort();
	*line = item->line;
	if (item->event != INI_SECTION && item->value == NULL)
		abort();
	if (item->event == INI_PAIR &&
	    (item->key[0] == '\0' || strlen(item->key) > INI_NAME_MAX ||
	     !utf8_valid(sv_of(item->value)) || strchr(item->value, '\001') != NULL))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int line = 1;

	ini_scan(sv_n((const char *)data, size), 300, check, &line);
	return 0;
}
