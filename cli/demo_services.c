/* SPDX-License-Identifier: MIT */
/*
 * The services of the demo.
 *
 * Each is this program once more (`bascule demo-service`, cli/demo_service.c) as a process of its own,
 * described in bascule.ini as any other `runtime = process` is. The ports are chosen when the demo is made,
 * seconds before its services start: until then they are held by sockets that let nobody else in but who says
 * SO_REUSEADDR, which the services do and who looks for a free port does not.
 * Production is a little sick: about once a minute its web has a burst of errors. Nothing of the
 * user's environment stays with processes that live for hours, nor does a descriptor: who waits for the
 * end of our output does not wait for theirs.
 */
#include "cli/demo_services.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/child.h"
#include "core/base/digest.h"
#include "core/base/fs.h"

#define PORT_FIRST 20000 /* below what the kernel gives to clients */
#define PORT_COUNT 12000
#define TWELVE_HOURS "43200000"
#define LOG_MAX "4000000"
#define ARGV_MAX 32

/* What each one is told besides its port and files. */
static const struct demo_service_kind {
	const char *environment, *service, *version, *rate, *shape, *burst_every, *backfill;
} kinds[DEMO_SERVICES] = {
	{ "development", "web", "1.10.0", "1", "mixed", NULL, "300" },
	{ "staging", "web", "1.8.0", "1", "mixed", NULL, "300" },
	{ "production", "web", "1.6.0", "4", "mixed", "60000", "2400" },
	{ "production", "worker", "1.6.0", "1", "worker", NULL, "600" },
};

static const char config_head[] =
	"\n"
	"; What runs there: small programs that write a log and answer /health. `bascule demo` "
	"starts them;\n"
	"; they end after twelve hours, or when this folder is removed.\n"
	"[service web]\n"
	"runtime = process\n"
	"command = bascule demo-service\n"
	"pid_file = web.pid               ; in `directory`\n"
	"log_file = web.log\n";

/* They are there at once: their health is not worth waiting for. */
static const char config_health[] = "health_delay = 0s\n"
				    "health_attempts = 5\n"
				    "health_interval = 1s\n"
				    "health_successes = 2\n";

static const char config_worker[] = "runtime = process\n"
				    "command = bascule demo-service\n"
				    "pid_file = worker.pid\n"
				    "log_file = worker.log\n";

/* A socket on a free port of this machine; the port is taken for as long as it is open. */
static int take_port(int *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, i;
	unsigned first;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	digest_random(&first, sizeof(first));
	for (i = 0; fd >= 0 && i < PORT_COUNT; i++) {
		*port = PORT_FIRST + (int)((first % PORT_COUNT + (unsigned)i * 7) % PORT_COUNT);
		at.sin_port = htons((uint16_t)*port);
		if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
		    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0)
			return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

void demo_ports_release(struct demo_ports *held)
{
	while (held->n > 0)
		close(held->fd[--held->n]);
}

int demo_services_config(struct strbuf *config, struct demo_ports *held, struct err *e)
{
	int port[DEMO_SERVICES];

	while (held->n < DEMO_SERVICES) {
		int fd = take_port(&port[held->n]);

		if (fd < 0)
			return err_set(e, ERR_SYSTEM, "no port of this machine is free");
		held->fd[held->n++] = fd;
	}
	strbuf_addf(config, "%s%s", config_head, config_health);
	for (size_t i = 0; i < DEMO_SERVICES; i++) {
		bool alone = strcmp(kinds[i].service, "worker") == 0;

		strbuf_addf(config,
			    "\n[service %s on %s]\n%sdirectory = run/%s\n"
			    "health = http://127.0.0.1:%d/health\n%s",
			    kinds[i].service, kinds[i].environment, alone ? config_worker : "",
			    kinds[i].environment, port[i], alone ? config_health : "");
	}
	return 0;
}

static const struct demo_service_kind *kind_of(const char *environment, const char *service)
{
	for (size_t i = 0; i < DEMO_SERVICES; i++)
		if (strcmp(kinds[i].environment, environment) == 0 &&
		    strcmp(kinds[i].service, service) == 0)
			return &kinds[i];
	return NULL;
}

/* Whether the process of that pid file is ours: it has the file on its command line. */
static bool runs(const char *pid_file)
{
	struct strbuf text, command;
	struct err ignored;
	char path[64];
	int64_t pid = 0;
	bool found = false;

	strbuf_init(&text, 64);
	strbuf_init(&command, 64 << 10);
	if (fs_read(pid_file, 64, &text, &ignored) == 0 &&
	    sv_int(sv_trim(strbuf_sv(&text)), 1, INT32_MAX, &pid) && fs_process(pid, NULL, NULL)) {
		snprintf(path, sizeof(path), "/proc/%lld/cmdline", (long long)pid);
		found = fs_read(path, 64 << 10, &command, &ignored) == 0 &&
			memmem(strbuf_str(&command), command.len, pid_file, strlen(pid_file)) !=
				NULL;
	}
	strbuf_clear(&command);
	strbuf_clear(&text);
	return found;
}

static const char *port_of(const char *url)
{
	const char *colon = strrchr(url, ':');

	return colon != NULL ? colon + 1 : "";
}

/* Starts one as a process that owes us nothing; its pid file is written here and by itself, so that it is there
 * when we come back. */
static int start(const struct service *s, const struct demo_service_kind *k, const char *exe,
		 struct err *e)
{
	const struct runtime_service *r = &s->runtime;
	char *pid_file = path_join(r->directory, r->pid_file);
	char *log_file = path_join(r->directory, r->log_file);
	char port[16], number[32];
	const char *argv[ARGV_MAX] = { "env",          "-i",         exe,          "demo-service",
				       "--name",       k->service,   "--version",  k->version,
				       "--rate",       k->rate,      "--shape",    k->shape,
				       "--backfill",   k->backfill,  "--rotate",   LOG_MAX,
				       "--exit-after", TWELVE_HOURS, "--port",     port,
				       "--log",        log_file,     "--pid-file", pid_file };
	size_t n = 0;
	pid_t pid;
	int rc = -1;

	snprintf(port, sizeof(port), "%.*s", (int)strcspn(port_of(s->health.url), "/"),
		 port_of(s->health.url));
	while (argv[n] != NULL)
		n++;
	if (k->burst_every != NULL) {
		argv[n++] = "--burst-every";
		argv[n++] = k->burst_every;
	}
	if (fs_mkdirs(r->directory, 0755, e) == 0 &&
	    child_spawn_detached("/usr/bin/env", (char *const *)(uintptr_t)argv, log_file, SV(""),
				 &pid, e) == 0) {
		snprintf(number, sizeof(number), "%ld\n", (long)pid);
		rc = fs_replace(pid_file, number, strlen(number), 0644, e);
	}
	mem_free(log_file);
	mem_free(pid_file);
	return rc;
}

int demo_services_start(const struct project *p, const char *exe, struct err *e)
{
	for (size_t i = 0; i < p->n_env; i++) {
		for (size_t j = 0; j < p->env[i].n_service; j++) {
			const struct service *s = &p->env[i].service[j];
			const struct demo_service_kind *k = kind_of(p->env[i].name,
								    s->runtime.name);
			char *pid_file;
			bool there;

			/* Who changed the configuration has services of his own in it. */
			if (k == NULL || s->runtime.kind != RUNTIME_PROCESS ||
			    s->health.url == NULL || s->runtime.directory == NULL)
				continue;
			pid_file = path_join(s->runtime.directory, s->runtime.pid_file);
			there = runs(pid_file);
			mem_free(pid_file);
			if (!there && start(s, k, exe, e) != 0)
				return -1;
		}
	}
	return 0;
}
