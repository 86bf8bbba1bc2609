/* SPDX-License-Identifier: MIT */
/*
 * The contract of hosts (host_cases.c), by libssh2.
 * needs: servers
 * time-limit: 300
 */
#include "tests/contract/host_cases.h"

int main(int argc, char **argv)
{
	host_cases_helper(argc, argv);
	return host_cases_run(HOST_LIBSSH2, NULL, 0);
}
