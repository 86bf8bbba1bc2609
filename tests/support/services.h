/* SPDX-License-Identifier: MIT */
/* Throw-away servers for tests in C, by tests/services/services.sh, whose head lists what it can do. Failures fail the test. Servers belong to the test program and end with it. */
#ifndef SUPPORT_SERVICES_H
#define SUPPORT_SERVICES_H

#include <stdbool.h>
#include <sys/types.h>

enum server_kind { SERVICE_PG, SERVICE_MY, SERVICE_SSH, SERVICE_DOCKER };

/* All zero: not started. Strings belong to it; those that its kind does not have are NULL. */
struct server {
	char *name;
	char *socket_dir, *socket; /* PostgreSQL clients want the folder, MariaDB's the file */
	char *user, *password;     /* app; the password is asked for over TCP only */
	char *db;                  /* app, which the user owns */
	char *superuser;
	char *url, *url_tcp; /* of user and db, without password */
	char *url_password;  /* url_tcp with it */
	char *data, *log;
	char *ca, *tls; /* with --tls: the authority's certificate, the folder of all of them */
	/* SSH, and a proxy in front of one: ssh -F config name (config_all: of every
	 * one that was started). host_key is "SHA256:..." of the key
	 * that it shows to who has no wish, the other two of its types or NULL. password and
	 * passphrase are "" when there is none. */
	char *dir, *config, *config_all, *key, *known_hosts, *passphrase;
	char *host_key, *host_key_ed25519, *host_key_ecdsa;
	int port;
	pid_t pid;
};

/* Starts the one server of that kind, or names the one of this name that was started before. Returns
 * -1 when it is not installed here, which fails the test in continuous integration; call it in the
 * group's setup, ignore what it returns, and let each test begin with services_need(). */
int services_start(enum server_kind kind, struct server *out);
/* The same with a name and options of `start`, separated by blanks: "--durable --set port=1". */
int services_start_as(enum server_kind kind, const char *name, const char *options,
		      struct server *out);
/* Whether what `services.sh need` calls so is here; says what is missing, and fails in continuous integration. */
bool services_have(const char *what);
/* Skips the running test when s was not started. */
void services_need(const struct server *s);
/* Ends the server, removes its data, frees s. */
void services_stop(struct server *s);
/* Frees s; the server goes on. */
void services_clear(struct server *s);

/* SQL by the real client as the superuser, in the database app: rows one a line, without the last
 * newline; caller frees. */
char *services_sql(const struct server *s, const char *sql);
/* Any verb of services.sh, the words up to a NULL: services_tell("crash", s.name, NULL). What it
 * printed without the last newline; caller frees. */
char *services_tell(const char *verb, ...) __attribute__((sentinel));
/* The same; returns the exit status instead of failing. *said may be NULL, or gets stdout and stderr;
 * caller frees. */
int services_try(char **said, const char *verb, ...) __attribute__((sentinel));
/* Fills s for whatever was started by services_tell: a replica, a pooler, a proxy. */
void services_env(const char *name, struct server *s);

#endif
