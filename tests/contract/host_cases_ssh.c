/* SPDX-License-Identifier: MIT */
/* What only hosts have that are logged in to: servers that differ, connections that break. */
#include "tests/contract/host_cases.h"

static void placeholder(void **state)
{
	(void)state;
}

const struct CMUnitTest host_cases_ssh[] = {
	cmocka_unit_test(placeholder),
};
const size_t host_cases_ssh_n = sizeof(host_cases_ssh) / sizeof(host_cases_ssh[0]);
