/* SPDX-License-Identifier: MIT */
/* Requests of a runtime, done on a host: what service.c and health.c share. Included by core/release only. */
#ifndef RELEASE_SERVICE_ASK_H
#define RELEASE_SERVICE_ASK_H

#include "core/base/cancel.h"
#include "core/host/http.h"
#include "core/runtime/runtime.h"

struct service_asker {
	struct host *host;
	struct http_client *http; /* of that host; may be NULL where no runtime of it speaks HTTP */
	int64_t deadline_ms;
	struct cancel *cancel;
};

/* Asks for the state of s; unit is set anew. Where a container engine cannot be reached the error is why. */
int service_inspect(struct service_asker *a, const struct runtime_service *s,
		    struct runtime_unit *unit, struct err *e) MUST_CHECK;
/* Adds the digest of unit's image, where the runtime keeps it apart. */
int service_digest(struct service_asker *a, const struct runtime_service *s,
		   struct runtime_unit *unit, struct err *e) MUST_CHECK;
/* Appends at most the newest n lines of its log, cleaned. */
int service_log_tail(struct service_asker *a, const struct runtime_service *s,
		     const struct runtime_unit *unit, int n, struct strbuf *out,
		     struct err *e) MUST_CHECK;

#endif
