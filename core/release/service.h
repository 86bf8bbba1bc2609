/* SPDX-License-Identifier: MIT */
/* What runs in an environment: every service on every host of it, asked through the hosts. */
#ifndef RELEASE_SERVICE_H
#define RELEASE_SERVICE_H

#include <jansson.h>

#include "core/base/cancel.h"
#include "core/host/host.h"
#include "core/release/env.h"

/* One service on one host, as it was at at_utc_ms. */
struct service_unit {
	const struct service *service; /* of the project */
	size_t host;                   /* index into services.host */
	struct runtime_unit unit;
	struct err err; /* code ERR_OK: unit is known */
	int64_t at_utc_ms;
	/* It comes up again and again: its restarts grew since the look before, or did so lately (see service.c). */
	bool loops;
	/* Of the look before; -1 unknown. Where the runtime counts none, looks count: unit.restarts is how often it
	 * was seen to have come up anew. */
	int64_t restarts_before;
	/* What looks remember, those in between that saw it down or nothing too: the start that was seen last, and how
	 * many new ones there were without a calm time between them. */
	char start_id[72];
	int64_t start_utc_ms;
	int starts;
	bool digest_asked; /* unit.digest is all that is known; else the next look asks */
};

struct service_host {
	char name[HOST_NAME_SIZE];
	struct host_status status;
	struct err err; /* why nothing of it is known */
	int64_t took_us;
};

struct services {
	char env[64];
	int64_t at_utc_ms;
	struct service_unit *unit; /* by service in the order of the configuration, then by host */
	size_t n_unit;
	struct service_host *host;
	size_t n_host;
};

/* Asks every host of env at the same time, in threads of its own, each with its share of timeout_ms. before (may be
 * NULL) is the last look. What cannot be asked is said in the result; -1 only when cancelled. Any thread. */
int services_read(const struct env *env, struct hosts *hosts, const struct services *before,
		  int64_t timeout_ms, struct cancel *c, struct services **out,
		  struct err *e) MUST_CHECK;
void services_free(struct services *s); /* NULL is fine */
/* What only two looks show: what starts again and again. services_read does it. */
void services_compare(struct services *now, const struct services *before);

/* The host is away: what was seen of it up to at_utc_ms is unknown, and why. True when something was known. */
bool services_host_away(struct services *s, const char *host, const struct host_status *status,
			const struct err *why, int64_t at_utc_ms);

/* Of one service over its hosts. */
struct service_summary {
	size_t wanted, up;                /* hosts it should run on; on which service_unit_ok */
	const struct service_unit *worst; /* the one that wants attention most; NULL: none known */
	bool differs;                     /* image or digest is not the same on all hosts */
	int64_t oldest_start_utc_ms, newest_start_utc_ms; /* 0 unknown */
	int64_t restarts;                                 /* together; -1 unknown */
};
void service_summarise(const struct services *s, const struct service *service,
		       struct service_summary *out);
/* Whether it is as it should be: running, not restarting again and again, not unhealthy. */
bool service_unit_ok(const struct service_unit *u);
/* "exited 137, out of memory, 6 restarts in 9m" or "running"; one line, cleaned. */
void service_words(const struct service_unit *u, int64_t now_utc_ms, struct strbuf *out);
json_t *services_json(
	const struct services *s); /* the "services" of status --json; new reference */

#endif
