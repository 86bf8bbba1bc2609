/* SPDX-License-Identifier: MIT */
/* The contract of hosts: one set of cases for every transport. */
#ifndef CONTRACT_HOST_CASES_H
#define CONTRACT_HOST_CASES_H

enum host_cases_set {
	HOST_CASES_LOCAL,
	HOST_CASES_SERVERS /* those that log in to a throw-away sshd */
};

int host_cases_run(enum host_cases_set set);

#endif
