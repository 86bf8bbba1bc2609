/* SPDX-License-Identifier: MIT */
/*
 * HTTP through a host, by libcurl: to a port or a unix socket that the host can reach. No curl is needed there.
 *
 * A client keeps its connection between requests to the same target: over SSH a warm request costs one round
 * trip. One thread at a time. libcurl is loaded at the first request.
 */
#ifndef HOST_HTTP_H
#define HOST_HTTP_H

#include "core/host/host.h"

struct http_client;
/* h is borrowed. Does not connect. */
struct http_client *http_client_new(struct host *h);
void http_client_free(struct http_client *c); /* NULL is fine */
/* One that somebody has given back to h, with its connections, or a new one. Any thread. */
struct http_client *http_client_take(struct host *h);
/* Keeps it with its host for the next one who takes. NULL is fine. Any thread. */
void http_client_give(struct http_client *c);
void http_clients_end(struct host *h); /* for hosts_free: frees those that are kept */

struct http_request {
	const char *method;        /* NULL: GET */
	struct host_target target; /* path: a unix socket. Neither path nor host: from url */
	const char *url; /* path and query for a socket ("/v1.24/info"), else a whole URL */
	struct sv body;  /* JSON */
	bool follow_redirects;
	size_t max_bytes;    /* of the reply; more is ERR_LIMIT. 0: what reply.body may hold */
	int64_t deadline_ms; /* WAIT_FOREVER for a stream */
	/* A command there whose stdin and stdout are the connection ("docker system dial-stdio"), used where
	 * dialling is forbidden (ERR_UNSUPPORTED). Words up to a NULL; NULL: none. */
	const char *const *through;
	/* Not NULL: gets the bytes of a reply with status 2xx as they come instead of reply.body; 0 goes on, -1
	 * stops (the request then fails with ERR_CANCELLED). */
	int (*bytes)(void *arg, struct sv bytes);
	/* Called once when the status is known, before the first bytes. NULL is fine. */
	void (*began)(void *arg, int status);
	void *arg;
};

struct http_reply {
	int status;
	struct strbuf body; /* caller inits with a max and clears */
	char redirect[256]; /* where a redirect leads that was not followed; cleaned; "" */
	int64_t took_us;
	int64_t first_byte_us;
	bool whole; /* the reply's end was seen as HTTP says it, not as a connection that closed */
};

/* 0 when there was a reply, whatever its status. ERR_TIMEOUT, ERR_LOST (closed too early), ERR_NOT_FOUND (nobody
 * listens), ERR_REFUSED (no permission, a bad certificate), ERR_INPUT (no HTTP), ERR_LIMIT, ERR_ASKS (of the host)
 * otherwise; reply then has what came before. Redirects are followed within the same host and port. */
int http_do(struct http_client *c, const struct http_request *r, struct cancel *cancel,
	    struct http_reply *reply, struct err *e) MUST_CHECK;

#endif
