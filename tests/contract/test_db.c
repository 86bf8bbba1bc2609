/* SPDX-License-Identifier: MIT */
/* The contract of database drivers (db_cases.c), for engines that need no server. */
#include "tests/contract/driver.h"

int main(void)
{
	size_t n;
	const struct CMUnitTest *cases = db_cases(&n);

	return driver_run(cases, n, DRIVER_FILES);
}
