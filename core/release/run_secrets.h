/* SPDX-License-Identifier: MIT */
/* What a runner must know and the run's folder must not have: given through a pipe at its start. */
#ifndef RELEASE_RUN_SECRETS_H
#define RELEASE_RUN_SECRETS_H

#include "core/release/env.h"

struct plan;

/* The secrets of plan's environment and its gate's, and what was answered to the hosts that one of them is
 * reached through (hosts may be NULL), as one JSON document; nothing when there are none. */
void run_secrets_write(const struct plan *plan, struct hosts *hosts, struct strbuf *out);
/* Reads such a document; *out and *answers (for hosts_answers_read; p NULL: the plan wants no host) live in a. They are known to
 * secret_redact from now on. Errors do not show the text. */
int run_secrets_read(struct arena *a, struct sv text, const struct env_secrets **out,
		     struct sv *answers, struct err *e) MUST_CHECK;

#endif
