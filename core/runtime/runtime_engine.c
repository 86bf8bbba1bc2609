/* SPDX-License-Identifier: MIT */
/*
 * Containers: the HTTP API of Docker's Engine, and Podman's own beside it.
 *
 * Docker is asked without a version in the path: it answers with its newest. No version would do for all of them,
 * since 20.10 ends at 1.41 and 29 begins at 1.44; what is read here has been the same since 1.24. Podman is asked
 * in its own API ("libpod"), not in the one it has for clients of Docker: that one gives the stream of a container
 * with a terminal without frames, where parts of long lines cannot be told apart, and leaves the digest out.
 *
 * What "exited" means. An engine does not say whether somebody stopped a container. Ended with 0, or by SIGTERM, or
 * ended although the engine would have started it again (restart policies always and unless-stopped): stopped.
 * Out of memory, words of the engine, any other status: failed.
 *
 * Podman starts a container again without saying so: between two tries it is "stopped". Together with a restart
 * policy that is "restarting".
 *
 * Digests. Docker keeps them with the image (RepoDigests), one for each repository the image was pulled from or
 * pushed to; the one of the repository that the container was asked for is taken. An image that never saw a
 * registry has none.
 */
#include "core/runtime/runtime_inside.h"

#include <stdio.h>
#include <string.h>

#include "core/base/json.h"

#define DOCKER_SOCKET "/var/run/docker.sock"
#define PODMAN_SOCKET "/run/podman/podman.sock"
#define PODMAN_API "/v4.0.0/libpod"

static const char *socket_of(const struct runtime_service *s)
{
	if (s->socket != NULL)
		return s->socket;
	return s->kind == RUNTIME_PODMAN ? PODMAN_SOCKET : DOCKER_SOCKET;
}

/* --- Requests ----------------------------------------------------------------------------------- */

static const char *const *through(const struct runtime_service *s, struct arena *a)
{
	const char *url = arena_printf(a, "unix://%s", socket_of(s));
	const char *const docker[] = { "docker", "-H", url, "system", "dial-stdio" };
	const char *const podman[] = { "podman", "--remote", "--url", url, "system", "dial-stdio" };

	if (s->kind == RUNTIME_PODMAN)
		return runtime_argv(a, podman, sizeof(podman) / sizeof(podman[0]));
	return runtime_argv(a, docker, sizeof(docker) / sizeof(docker[0]));
}

/* "1795863242.004402727" */
static void add_time(struct strbuf *path, const char *name, int64_t ns)
{
	strbuf_addf(path, "&%s=%lld.%09lld", name, (long long)(ns / 1000000000),
		    (long long)(ns % 1000000000));
}

static char *logs_path(const struct runtime_service *s, const struct runtime_args *args,
		       const char *base, struct arena *a)
{
	const struct runtime_log_point *p = args->point;
	const char *id = args->id != NULL ? args->id : s->container;
	bool other = p != NULL && p->id[0] != '\0' && args->id != NULL &&
		     strcmp(p->id, args->id) != 0;
	struct strbuf path;
	char *out;

	strbuf_init(&path, STRBUF_NO_LIMIT);
	strbuf_addf(&path, "%s/containers/%s/logs?stdout=true&stderr=true&timestamps=true", base,
		    runtime_quote(a, id));
	if (args->follow)
		strbuf_adds(&path, "&follow=true");
	if (!runtime_point_none(p)) {
		/* Podman gives what is younger, not what is as old, and reads the time into a float: a
		 * microsecond earlier, and the parser passes over what was seen. */
		int64_t early_ns = s->kind == RUNTIME_PODMAN ? 1000 : 0;

		if (!other && p->utc_ns > early_ns)
			add_time(&path, "since", p->utc_ns - early_ns);
	} else {
		if (args->since_utc_ms > 0)
			add_time(&path, "since", args->since_utc_ms * 1000000);
		if (args->tail >= 0)
			strbuf_addf(&path, "&tail=%lld", (long long)args->tail);
	}
	if (args->until_utc_ms > 0 && !args->follow)
		add_time(&path, "until", args->until_utc_ms * 1000000);
	out = arena_strdup(a, strbuf_str(&path));
	strbuf_clear(&path);
	return out;
}

/* Why the socket cannot be reached, in words of the script below. */
static const char why_script[] =
	/* clang-format off */
	"s=$1\n"
	"if [ ! -e \"$s\" ]; then\n"
	"	d=${s%/*}\n"
	"	[ -x \"${d:-/}\" ] || { [ -e \"${d:-/}\" ] && { echo permission \"$(id -un 2>/dev/null)\"; exit 0; }; }\n"
	"	if command -v \"$2\" >/dev/null 2>&1; then echo stopped; else echo missing; fi\n"
	"	exit 0\n"
	"fi\n"
	"[ -S \"$s\" ] || { echo nosocket; exit 0; }\n"
	"[ -r \"$s\" ] && [ -w \"$s\" ] || { echo permission \"$(id -un 2>/dev/null)\"; exit 0; }\n"
	"echo present\n";
/* clang-format on */

static int request(enum runtime_verb verb, const struct runtime_service *s,
		   const struct runtime_args *args, struct arena *a, struct runtime_request *req,
		   struct err *e)
{
	const char *base = s->kind == RUNTIME_PODMAN ? PODMAN_API : "";
	const char *id = args->id != NULL ? args->id : s->container;
	const char *const why[] = { socket_of(s), runtime_kind_name(s->kind) };

	memset(req, 0, sizeof(*req));
	if (str_blank(id)) {
		err_set(e, ERR_CONFIG, "service %s has no container", s->name);
		return err_hint(e, "add container = NAME to its section");
	}
	req->how = RUNTIME_HTTP;
	req->method = "GET";
	req->socket = arena_strdup(a, socket_of(s));
	req->through = through(s, a);
	switch (verb) {
	case RUNTIME_INSPECT:
		req->path = arena_printf(a, "%s/containers/%s/json", base, runtime_quote(a, id));
		return 0;
	case RUNTIME_IMAGE:
		req->path = arena_printf(a, "%s/images/%s/json", base, runtime_quote(a, id));
		return 0;
	case RUNTIME_LOGS:
		req->path = logs_path(s, args, base, a);
		return 0;
	case RUNTIME_WHY:
		break;
	}
	memset(req, 0, sizeof(*req));
	req->how = RUNTIME_SCRIPT;
	req->script = why_script;
	req->argv = runtime_argv(a, why, 2);
	return 0;
}

/* --- Errors ------------------------------------------------------------------------------------- */

/* A text in it may hold a zero (the output of a health check), which json_parse does not take. */
static json_t *json_of(struct sv body, struct err *e)
{
	json_error_t error;
	json_t *j = json_loadb(body.p, body.n, JSON_ALLOW_NUL, &error);

	if (j == NULL) {
		err_set(e, ERR_INPUT, "cannot read a reply");
		err_detail(e, "line %d, column %d: %s", error.line, error.column, error.text);
	}
	return j;
}

/* The words of an engine's error: its JSON, or what came instead. */
static void message_of(struct sv body, char *out, size_t size)
{
	struct err ignored;
	json_t *j = body.n > 0 && body.p[0] == '{' ? json_of(body, &ignored) : NULL;
	const char *text = j != NULL ? json_str_opt(j, "message", NULL) : NULL;

	runtime_words(out, size, text != NULL ? sv_of(text) : body);
	json_decref(j);
}

static bool has(const char *text, const char *word)
{
	return strstr(text, word) != NULL;
}

/* A reply that is not 200. */
static int refused(const struct runtime_service *s, const struct runtime_reply *r, const char *what,
		   struct err *e)
{
	const char *kind = runtime_kind_name(s->kind);
	char words[400];

	message_of(r->body, words, sizeof(words));
	err_set(e, ERR_SYSTEM, "cannot %s of %s", what, s->name);
	if (r->status == 501 || has(words, "does not support reading") ||
	    has(words, "is not logging output")) {
		e->code = ERR_UNSUPPORTED;
		err_hint(e,
			 "its log driver keeps nothing to read: start the container with "
			 "--log-driver %s",
			 s->kind == RUNTIME_PODMAN ? "k8s-file or journald"
						   : "json-file, local or journald");
	} else if (r->status == 404 && has(words, "ontainer")) {
		e->code = ERR_NOT_FOUND;
		err_hint(e, "the container was removed: look at the service again");
	} else if (r->status == 409) {
		e->code = ERR_NOT_FOUND;
		err_hint(e, "the container is being removed: look at the service again");
	} else if (r->status == 400 || r->status == 404 || r->status / 100 == 3) {
		e->code = ERR_UNSUPPORTED;
		err_hint(e, "is %s the API of %s there? see `socket` of the service", socket_of(s),
			 kind);
	} else if (r->status == 401 || r->status == 403) {
		e->code = ERR_REFUSED;
		err_hint(e, "an authorization plugin of %s forbids it: ask who set it up", kind);
	} else {
		err_hint(e, "look into the log of %s on that host", kind);
	}
	return err_detail(e, "%s answers %d%s%s", kind, r->status, words[0] != '\0' ? ": " : "",
			  words);
}

static int explain(const struct runtime_service *s, const struct runtime_reply *r, struct err *e)
{
	const char *kind = runtime_kind_name(s->kind), *socket = socket_of(s);
	bool docker = s->kind == RUNTIME_DOCKER;
	struct sv rest = runtime_last_line(r->body), word = { NULL, 0 };
	char user[64];

	err_set(e, ERR_LOST, "cannot reach %s", kind);
	(void)sv_cut(&rest, ' ', &word);
	runtime_words(user, sizeof(user), rest);
	if (sv_eq_str(word, "missing")) {
		err_detail(e, "there is no %s, and no command %s", socket, kind);
		e->code = ERR_NOT_FOUND;
		return err_hint(e, "install %s there, or set `socket` of the service", kind);
	}
	if (sv_eq_str(word, "stopped")) {
		err_detail(e, "there is no %s", socket);
		e->code = ERR_NOT_FOUND;
		return err_hint(e, "start it there: systemctl start %s",
				docker ? "docker" : "podman.socket");
	}
	if (sv_eq_str(word, "nosocket")) {
		err_detail(e, "%s is no socket", socket);
		e->code = ERR_CONFIG;
		return err_hint(e, "correct `socket` of the service");
	}
	if (sv_eq_str(word, "permission")) {
		err_detail(e, "%s may not use %s", user[0] != '\0' ? user : "the user", socket);
		e->code = ERR_REFUSED;
		if (docker)
			return err_hint(e, "usermod -aG docker %s, then log in anew",
					user[0] != '\0' ? user : "USER");
		return err_hint(e, "give that user the socket, or set `socket` to one of its own");
	}
	err_detail(e, "%s is there, but nobody answers", socket);
	return err_hint(e, "look whether it runs there: systemctl status %s",
			docker ? "docker" : "podman");
}

/* --- INSPECT ------------------------------------------------------------------------------------ */

static bool word_is(const char *word, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

/* The engine starts it again whatever it ended with. */
static bool always_restarts(const json_t *inspect)
{
	const json_t *policy = json_object_get(json_object_get(inspect, "HostConfig"),
					       "RestartPolicy");
	const char *name = json_str_opt(policy, "Name", "");

	return strcmp(name, "always") == 0 || strcmp(name, "unless-stopped") == 0;
}

static bool restarts_after(const json_t *inspect, int exit_code, int64_t restarts)
{
	const json_t *policy = json_object_get(json_object_get(inspect, "HostConfig"),
					       "RestartPolicy");
	int64_t max = json_int_opt(policy, "MaximumRetryCount", 0);

	if (always_restarts(inspect))
		return true;
	return strcmp(json_str_opt(policy, "Name", ""), "on-failure") == 0 && exit_code != 0 &&
	       (max == 0 || restarts < max);
}

static enum runtime_state ended(const json_t *inspect, const struct runtime_unit *u)
{
	if (u->oom || u->words[0] != '\0')
		return UNIT_FAILED;
	if (u->exit_code == 0 || u->exit_code == 128 + 15 || always_restarts(inspect))
		return UNIT_STOPPED;
	return UNIT_FAILED;
}

static enum runtime_state state_of(const json_t *inspect, const json_t *state,
				   const struct runtime_unit *u)
{
	static const char *const created[] = { "created", "configured", "initialized", NULL };
	static const char *const gone[] = { "removing", "stopping", NULL };
	static const char *const broken[] = { "dead", "improper", NULL };
	const char *status = json_str_opt(state, "Status", "");

	if (strcmp(status, "restarting") == 0 || json_bool_opt(state, "Restarting", false))
		return UNIT_RESTARTING;
	if (strcmp(status, "paused") == 0 || json_bool_opt(state, "Paused", false))
		return UNIT_PAUSED;
	if (strcmp(status, "running") == 0)
		return UNIT_RUNNING;
	if (word_is(status, created))
		return u->words[0] != '\0' ? UNIT_FAILED : UNIT_CREATED;
	if (strcmp(status, "stopped") == 0 && restarts_after(inspect, u->exit_code, u->restarts))
		return UNIT_RESTARTING;
	if (strcmp(status, "exited") == 0 || strcmp(status, "stopped") == 0)
		return ended(inspect, u);
	if (word_is(status, broken))
		return UNIT_FAILED;
	return word_is(status, gone) ? UNIT_STOPPED : UNIT_UNKNOWN;
}

static void read_health(const json_t *state, struct runtime_unit *u)
{
	const json_t *health = json_object_get(state, "Health"), *log, *last;
	const char *status;

	if (!json_is_object(health))
		health = json_object_get(state, "Healthcheck"); /* Podman before 4 */
	status = json_str_opt(health, "Status", "");
	if (strcmp(status, "starting") == 0)
		u->health = HEALTH_STARTING;
	else if (strcmp(status, "healthy") == 0)
		u->health = HEALTH_HEALTHY;
	else if (strcmp(status, "unhealthy") == 0)
		u->health = HEALTH_UNHEALTHY;
	if (u->health != HEALTH_UNHEALTHY || u->words[0] != '\0')
		return;
	log = json_object_get(health, "Log");
	last = json_array_get(log, json_array_size(log) > 0 ? json_array_size(log) - 1 : 0);
	runtime_words(u->words, sizeof(u->words), sv_of(json_str_opt(last, "Output", "")));
}

/* "sha256:" in front, which Podman leaves out. */
static void copy_image_id(char *dst, size_t size, const char *id)
{
	bool bare = id[0] != '\0' && strchr(id, ':') == NULL;

	snprintf(dst, size, "%s%.72s", bare ? "sha256:" : "", id);
}

static void read_container(const json_t *j, struct runtime_unit *u)
{
	const json_t *state = json_object_get(j, "State");
	const json_t *config = json_object_get(j, "Config");
	const json_t *driver = json_object_get(json_object_get(j, "HostConfig"), "LogConfig");

	str_copy(u->id, sizeof(u->id), json_str_opt(j, "Id", ""));
	runtime_words(u->image, sizeof(u->image),
		      sv_of(json_str_opt(j, "ImageName", json_str_opt(config, "Image", ""))));
	copy_image_id(u->image_id, sizeof(u->image_id), json_str_opt(j, "Image", ""));
	str_copy(u->digest, sizeof(u->digest), json_str_opt(j, "ImageDigest", ""));
	u->created_utc_ms = runtime_stamp_ms(json_str_opt(j, "Created", ""));
	u->started_utc_ms = runtime_stamp_ms(json_str_opt(state, "StartedAt", ""));
	u->ended_utc_ms = runtime_stamp_ms(json_str_opt(state, "FinishedAt", ""));
	u->exit_code = (int)json_int_opt(state, "ExitCode", 0);
	u->oom = json_bool_opt(state, "OOMKilled", false);
	u->restarts = json_int_opt(j, "RestartCount", -1);
	u->pid = json_int_opt(state, "Pid", 0);
	u->tty = json_bool_opt(config, "Tty", false);
	runtime_words(u->log_driver, sizeof(u->log_driver),
		      sv_of(json_str_opt(driver, "Type", "")));
	runtime_words(u->words, sizeof(u->words), sv_of(json_str_opt(state, "Error", "")));
	u->health = HEALTH_NONE;
	u->state = state_of(j, state, u);
	if (u->state == UNIT_RUNNING)
		read_health(state, u);
}

static int parse_inspect(const struct runtime_service *s, const struct runtime_reply *r,
			 struct runtime_unit *u, struct err *e)
{
	char words[400];
	json_t *j;

	if (r->status == 404) {
		message_of(r->body, words, sizeof(words));
		if (!has(words, "ontainer"))
			return refused(s, r, "read the state", e);
		u->state = UNIT_ABSENT;
		return 0;
	}
	if (r->status != 200)
		return refused(s, r, "read the state", e);
	j = json_of(r->body, e);
	if (j == NULL)
		return err_wrap(e, "cannot read the state of %s", s->name);
	if (!json_is_object(json_object_get(j, "State")) || json_str_opt(j, "Id", NULL) == NULL) {
		json_decref(j);
		err_set(e, ERR_INPUT, "cannot read the state of %s", s->name);
		return err_detail(e, "the reply of %s has no State and Id",
				  runtime_kind_name(s->kind));
	}
	read_container(j, u);
	json_decref(j);
	return 0;
}

/* --- IMAGE -------------------------------------------------------------------------------------- */

/* The repository of an image's name, as short as Docker shows it: "docker.io/library/nginx:1.25@sha256:…" is
 * "nginx". */
static struct sv repository(struct sv name)
{
	static const struct sv prefix[] = { { "index.docker.io/", 16 },
					    { "docker.io/", 10 },
					    { "library/", 8 } };
	const char *at = memchr(name.p, '@', name.n);
	size_t end;

	if (at != NULL)
		name.n = (size_t)(at - name.p);
	for (end = name.n; end > 0 && name.p[end - 1] != '/' && name.p[end - 1] != ':'; end--)
		;
	if (end > 0 && name.p[end - 1] == ':')
		name.n = end - 1;
	for (size_t i = 0; i < sizeof(prefix) / sizeof(prefix[0]); i++)
		if (sv_starts(name, prefix[i]))
			name = sv_n(name.p + prefix[i].n, name.n - prefix[i].n);
	return name;
}

static void copy_digest(const char *reference, struct runtime_unit *u)
{
	const char *at = strchr(reference, '@');

	if (at != NULL && strlen(at + 1) < sizeof(u->digest))
		str_copy(u->digest, sizeof(u->digest), at + 1);
}

static int parse_image(const struct runtime_service *s, const struct runtime_reply *r,
		       struct runtime_unit *u, struct err *e)
{
	const json_t *list, *item;
	json_t *j;
	size_t i;

	if (r->status ==
	    404) /* removed under a running container: nobody knows its digest any more */
		return 0;
	if (r->status != 200)
		return refused(s, r, "read the image", e);
	j = json_of(r->body, e);
	if (j == NULL)
		return err_wrap(e, "cannot read the image of %s", s->name);
	if (!json_is_object(j)) {
		json_decref(j);
		return err_set(e, ERR_INPUT, "cannot read the image of %s", s->name);
	}
	list = json_object_get(j, "RepoDigests");
	if (json_array_size(list) == 1 && json_is_string(json_array_get(list, 0)))
		copy_digest(json_string_value(json_array_get(list, 0)), u);
	json_array_foreach(list, i, item)
	{
		if (json_is_string(item) &&
		    sv_eq(repository(sv_of(json_string_value(item))), repository(sv_of(u->image))))
			copy_digest(json_string_value(item), u);
	}
	json_decref(j);
	return 0;
}

static int parse(enum runtime_verb verb, const struct runtime_service *s,
		 const struct runtime_reply *r, struct runtime_unit *u, struct err *e)
{
	switch (verb) {
	case RUNTIME_INSPECT:
		return parse_inspect(s, r, u, e);
	case RUNTIME_IMAGE:
		return parse_image(s, r, u, e);
	case RUNTIME_LOGS:
		return r->status == 200 ? 0 : refused(s, r, "read the log", e);
	case RUNTIME_WHY:
		break;
	}
	return explain(s, r, e);
}

const struct runtime_ops runtime_docker_ops = {
	.name = "docker",
	.request = request,
	.parse = parse,
};

const struct runtime_ops runtime_podman_ops = {
	.name = "podman",
	.request = request,
	.parse = parse,
};
