/* SPDX-License-Identifier: MIT */
/*
 * The contract of hosts (host_cases.c), for the transport that needs no server: this machine.
 *
 * needs: time
 */
#include "tests/contract/host_cases.h"

int main(int argc, char **argv)
{
	host_cases_helper(argc, argv);
	return host_cases_run(HOST_LOCAL, NULL, 0);
}
