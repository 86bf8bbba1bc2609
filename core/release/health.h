/* SPDX-License-Identifier: MIT */
/*
 * Is a service healthy: first its container, then HTTP through its host, as often as the configuration says.
 * Consecutive successes count; a redirect is none unless allowed; a container that restarted meanwhile begins
 * anew.
 */
#ifndef RELEASE_HEALTH_H
#define RELEASE_HEALTH_H

#include <jansson.h>

#include "core/release/service.h"

enum health_verdict { HEALTH_WAITING, HEALTH_OK, HEALTH_FAILED, HEALTH_UNKNOWN };

struct health_try {
	int64_t at_utc_ms, took_us;
	int status; /* of HTTP; 0: none came */
	struct err err;
	bool ok;
};

/* Of one service on one host; told again with every change. */
struct health_result {
	const struct service *service;
	char host[HOST_NAME_SIZE];
	enum health_verdict verdict;
	struct runtime_unit unit; /* the container's state, looked at first and with every try */
	int tries, successes;     /* successes in a row, now */
	struct health_try last;
	struct err
		err; /* HEALTH_FAILED, HEALTH_UNKNOWN: why, in a sentence with the measured value */
	char *log_tail; /* HEALTH_FAILED: its last lines, cleaned; owned; NULL */
};
void health_result_clear(struct health_result *r);

/* once: one try, no delay, for a glance; else delay, attempts, interval, timeout and successes of the service.
 * progress (may be NULL) is called from this thread. A service without a health URL is judged by its container
 * alone. -1 only when cancelled or the host asks something. */
int health_check(const struct service *s, const struct host_spec *on, struct hosts *hosts,
		 bool once, void (*progress)(void *arg, const struct health_result *r), void *arg,
		 struct cancel *c, struct health_result *out, struct err *e) MUST_CHECK;
/* A glance (once) at every unit of s whose service has a health URL and whose host answered, one thread a host.
 * *list has *n results in the order of s->unit; clear each, mem_free the list. -1 only when cancelled. */
int health_glance(const struct env *env, const struct services *s, struct hosts *hosts,
		  struct cancel *c, struct health_result **list, size_t *n,
		  struct err *e) MUST_CHECK;
json_t *health_json(const struct health_result *r);

#endif
