/* SPDX-License-Identifier: MIT */
/* What the ssh program says when it gives up, as an error. Pure. */
#ifndef HOST_OPENSSH_SAID_H
#define HOST_OPENSSH_SAID_H

#include "core/host/host.h"

/* said: its stderr, any lines; name: of the host. Fills e, also from words it does not know. Returns -1. */
int openssh_said(const char *name, struct sv said, struct err *e);

/* What stands in for a connection of its own in an ssh that is to use a link: it prints these words, which say that no
 * link took the request, so that nothing ran. */
#define OPENSSH_GONE "bascule: the link is gone"
/* Whether e was made of those words. */
bool openssh_said_gone(const struct err *e);

#endif
