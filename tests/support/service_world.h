/* SPDX-License-Identifier: MIT */
/*
 * Hosts and services for the shop of model_world.h, and what is seen of them.
 *
 * development runs on this machine, staging on stage-1, production on prod-1 and prod-2. Each has web,
 * worker, scheduler and proxy; web and proxy run on every host, the others on the first.
 */
#ifndef SUPPORT_SERVICE_WORLD_H
#define SUPPORT_SERVICE_WORLD_H

#include "tests/support/model_world.h"

/* Behind model_world_init. */
void service_world_init(struct model_world *m);

/* Everything of an environment up and healthy, asked two seconds ago; the caller changes and posts it. */
struct services_seen *service_world_seen(struct model_world *m, int env);
/* The unit of a service, on the host of that number. */
struct service_unit *service_world_unit(struct services_seen *seen, const char *service,
					size_t host);
/* Its glance; NULL: it has none. */
struct health_result *service_world_health(struct services_seen *seen, const char *service,
					   size_t host);
/* Ended with that status, restarted so many times within the last minutes. */
void service_world_fail(struct service_unit *u, int exit_code, int64_t restarts);
/* Moves seen. */
void service_world_post(struct model_world *m, struct services_seen *seen);
/* All three environments up. */
void service_world_post_all(struct model_world *m);

#endif
