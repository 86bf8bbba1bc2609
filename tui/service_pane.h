/* SPDX-License-Identifier: MIT */
/* One service on one host in full, and the check of its health as it goes on. */
#ifndef TUI_SERVICE_PANE_H
#define TUI_SERVICE_PANE_H

#include "tui/view.h"

#define SERVICE_TRIES_MAX 64

/* The tries of checks, oldest first: the model keeps the newest word on each check only. */
struct service_tries {
	struct service_try {
		const struct service *service;
		char host[HOST_NAME_SIZE];
		int number;
		struct health_try what;
	} list[SERVICE_TRIES_MAX];
	size_t n;
};
/* The last try of r, when it is not there yet. A check that began anew drops what there was of it. */
void service_tries_take(struct service_tries *s, const struct health_result *r);

/* u is one of what was seen of env (index). */
void service_pane_draw(const struct model *m, int env, const struct service_tries *tries,
		       const struct service_unit *u, struct canvas *c, struct rect r);

#endif
