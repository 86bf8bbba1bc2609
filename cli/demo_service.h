/* SPDX-License-Identifier: MIT */
/* A small service to look at: `bascule demo-service`, and shopd of tests/services. */
#ifndef CLI_DEMO_SERVICE_H
#define CLI_DEMO_SERVICE_H

/* Its whole life; argv[0] is skipped. Returns the exit status. */
int demo_service(int argc, char *const argv[]);

#endif
