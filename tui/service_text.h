/* SPDX-License-Identifier: MIT */
/* What runs, in words: the same in the views of environments and of services. */
#ifndef TUI_SERVICE_TEXT_H
#define TUI_SERVICE_TEXT_H

#include "core/base/clock.h"
#include "core/engine/engine.h"
#include "tui/view.h"

/* Facts older than that are dim: nobody should trust them at a glance. */
#define SERVICE_OLD_MS (2 * ENGINE_REFRESH_MS)

/* Whether any environment has services, and whether any has hosts but this machine or services. */
bool service_text_any(const struct project *p);
bool service_text_hosts(const struct project *p);
/* The service of that name in env; NULL. */
const struct service *service_text_find(const struct env *env, const char *name);
/* What was seen of an environment last; NULL: not asked yet. */
const struct services_seen *service_text_seen(const struct model *m, int env);
/* The glance at the health of a unit; NULL: its service has no health URL, or nobody looked. */
const struct health_result *service_text_health(const struct services_seen *seen,
						const struct service_unit *u);

/* "27m", "3h", "4 d"; "" for 0. */
char *service_text_age(int64_t since_utc_ms, int64_t now_utc_ms, char out[CLOCK_TEXT_SIZE]);
/* "running", or in capitals what wants attention: "FAILED", "LOOPS", "unknown". */
const char *service_text_state(const struct service_unit *u, enum role *role);
/* "ok", or in capitals what wants attention: "ASKS", "DOWN". */
const char *service_text_host(const struct service_host *h, enum role *role);
/* The host that is down or asks, the one that asks first; NULL none. Why it does. */
const struct service_host *service_text_host_worst(const struct services *s);
const struct err *service_text_host_err(const struct service_host *h);
/* What it runs: the image without its registry ("shop-web:2.13.4"), else its unit or command; "-". */
const char *service_text_image(const struct service_unit *u);
/* "ok 200 in 41 ms", "FAIL 503 in 2 ms", "unknown: …". */
enum role service_text_health_words(const struct health_result *h, bool narrow, struct strbuf *out);
/* "4f1c09aa" of "sha256:4f1c09aa…"; "" for none. */
char *service_text_digest(const char *digest, char out[CLOCK_TEXT_SIZE]);

/* --- One cell of the view of environments; seen may be NULL ------------------------------------- */

/* How its hosts are reached: "ok  31 ms / 29 ms", "ASKS prod-1: …", "DOWN prod-2: …". */
enum role service_text_host_cell(const struct env *env, const struct services_seen *seen,
				 bool narrow, struct strbuf *out);
/* "4 of 4 up  3s ago"; when the services have no rows of their own (worst), the worst of them by name. */
enum role service_text_all_cell(const struct env *env, const struct services_seen *seen,
				int64_t now_utc_ms, bool narrow, bool worst, struct strbuf *out);
/* "ok    up 27m   r0   x2", "FAIL  exited 137, 6 restarts in 9m". */
enum role service_text_cell(const struct service *service, const struct services_seen *seen,
			    int64_t now_utc_ms, bool narrow, struct strbuf *out);
/* The worst of all that were asked. */
enum role service_text_health_cell(const struct env *env, const struct services_seen *seen,
				   bool narrow, struct strbuf *out);

#endif
