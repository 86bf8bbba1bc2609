/* SPDX-License-Identifier: MIT */
/* The services of the demo: small programs that write a log and answer /health. */
#ifndef CLI_DEMO_SERVICES_H
#define CLI_DEMO_SERVICES_H

#include "core/base/str.h"
#include "core/release/env.h"

#define DEMO_SERVICES 4

/* Ports that are theirs, though nobody listens there yet: another demo that is made meanwhile gets others. */
struct demo_ports {
	int n;
	int fd[DEMO_SERVICES];
};

/* Appends their sections to the configuration, with free ports of this machine in them, which are held until
 * demo_ports_release. */
int demo_services_config(struct strbuf *config, struct demo_ports *held, struct err *e) MUST_CHECK;
/* Behind demo_services_start. */
void demo_ports_release(struct demo_ports *held);
/* Starts those of p that do not run. They go on when this program has ended, and end by themselves:
 * after twelve hours, or when their pid file is gone, with the folder of the demo or without it. */
int demo_services_start(const struct project *p, const char *exe, struct err *e) MUST_CHECK;

#endif
