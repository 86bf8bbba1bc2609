/* SPDX-License-Identifier: MIT */
/* Which host and port an http or https URL means. Pure. */
#ifndef HOST_HTTP_URL_H
#define HOST_HTTP_URL_H

#include "core/base/str.h"

struct http_url {
	bool tls;
	char host[256]; /* without the brackets of an IPv6 address */
	int port;
};

/* ERR_CONFIG for what is no such URL. */
int http_url_read(const char *url, struct http_url *out, struct err *e) MUST_CHECK;
/* Both are such URLs of one host and port. */
bool http_url_same(const char *a, const char *b);

#endif
