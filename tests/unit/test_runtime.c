/* SPDX-License-Identifier: MIT */
/* What every runtime is asked, and what its answers mean. The answers are those of real ones, shortened. */
#include "core/runtime/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/mem.h"
#include "core/runtime/runtime_inside.h"

static struct err e;
static struct arena arena;

static const struct runtime_service docker = { .name = "web",
					       .kind = RUNTIME_DOCKER,
					       .container = "shop-web" };
static const struct runtime_service podman = { .name = "web",
					       .kind = RUNTIME_PODMAN,
					       .container = "shop-web" };
static const struct runtime_service systemd = { .name = "web",
						.kind = RUNTIME_SYSTEMD,
						.unit = "shop.service" };
static const struct runtime_service process = { .name = "web",
						.kind = RUNTIME_PROCESS,
						.command = "/usr/bin/shopd --port 8080",
						.pid_file = "/run/shop.pid",
						.log_file = "log/shop.log",
						.directory = "/srv/shop" };

/* A request as one line: "GET PATH @SOCKET" or its words with | between. */
static const char *request_of(enum runtime_verb verb, const struct runtime_service *s,
			      const struct runtime_args *args)
{
	struct runtime_request r;
	struct strbuf out;
	const char *text;

	if (runtime_ops_of(s->kind)->request(verb, s, args, &arena, &r, &e) != 0)
		return arena_printf(&arena, "%s: %s", err_code_name(e.code), e.msg);
	strbuf_init(&out, STRBUF_NO_LIMIT);
	if (r.how == RUNTIME_HTTP)
		strbuf_addf(&out, "%s %s @%s", r.method, r.path, r.socket);
	for (size_t i = 0; r.how != RUNTIME_HTTP && r.argv[i] != NULL; i++)
		strbuf_addf(&out, "%s%s", i > 0 ? "|" : "", r.argv[i]);
	assert_true((r.how == RUNTIME_SCRIPT) == (r.script != NULL));
	text = arena_strdup(&arena, strbuf_str(&out));
	strbuf_clear(&out);
	return text;
}

#define LOGS_END "/logs?stdout=true&stderr=true&timestamps=true"

static void requests__of_engines__are_paths(void **state)
{
	const struct runtime_log_point point = { .utc_ns = INT64_C(1795863242004402727),
						 .same = 3,
						 .id = "abc" };
	const struct runtime_service odd = { .name = "web",
					     .kind = RUNTIME_DOCKER,
					     .container = "a/../b?c#d e%",
					     .socket = "/run/user/1000/docker.sock" };
	const struct runtime_service none = { .name = "web", .kind = RUNTIME_DOCKER };
	const struct runtime_args plain = { .tail = -1 };
	const struct {
		enum runtime_verb verb;
		const struct runtime_service *s;
		struct runtime_args args;
		const char *request;
	} row[] = {
		{ RUNTIME_INSPECT, &docker, plain,
		  "GET /containers/shop-web/json @/var/run/docker.sock" },
		{ RUNTIME_INSPECT, &podman, plain,
		  "GET /v4.0.0/libpod/containers/shop-web/json @/run/podman/podman.sock" },
		{ RUNTIME_INSPECT, &odd, plain,
		  "GET /containers/a%2F..%2Fb%3Fc%23d%20e%25/json @/run/user/1000/docker.sock" },
		{ RUNTIME_INSPECT, &none, plain, "config: service web has no container" },
		{ RUNTIME_IMAGE,
		  &docker,
		  { .id = "sha256:ab", .tail = -1 },
		  "GET /images/sha256%3Aab/json @/var/run/docker.sock" },
		{ RUNTIME_LOGS,
		  &docker,
		  { .id = "abc", .tail = 20 },
		  "GET /containers/abc" LOGS_END "&tail=20 @/var/run/docker.sock" },
		{ RUNTIME_LOGS,
		  &docker,
		  { .id = "abc", .tail = -1, .follow = true, .since_utc_ms = 1795863242004 },
		  "GET /containers/abc" LOGS_END
		  "&follow=true&since=1795863242.004000000 @/var/run/docker.sock" },
		/* Behind a point neither since nor tail count. */
		{ RUNTIME_LOGS,
		  &docker,
		  { .id = "abc", .tail = 20, .since_utc_ms = 5, .follow = true, .point = &point },
		  "GET /containers/abc" LOGS_END
		  "&follow=true&since=1795863242.004402727 @/var/run/docker.sock" },
		{ RUNTIME_LOGS,
		  &podman,
		  { .id = "abc", .tail = -1, .point = &point },
		  "GET /v4.0.0/libpod/containers/abc" LOGS_END
		  "&since=1795863242.004401727 @/run/podman/podman.sock" },
		/* Another container under the same name: all of it. */
		{ RUNTIME_LOGS,
		  &docker,
		  { .id = "def", .tail = 20, .since_utc_ms = 5, .point = &point },
		  "GET /containers/def" LOGS_END " @/var/run/docker.sock" },
		{ RUNTIME_LOGS,
		  &docker,
		  { .id = "abc", .tail = -1, .point = &point, .until_utc_ms = 1795863243000 },
		  "GET /containers/abc" LOGS_END
		  "&since=1795863242.004402727&until=1795863243.000000000 @/var/run/docker.sock" },
		{ RUNTIME_WHY, &docker, plain, "/var/run/docker.sock|docker" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		assert_string_equal(request_of(row[i].verb, row[i].s, &row[i].args),
				    row[i].request);
}

static void requests__through_a_command__name_the_socket(void **state)
{
	const struct runtime_args args = { .tail = -1 };
	struct runtime_request r;

	(void)state;
	assert_int_equal(
		runtime_docker_ops.request(RUNTIME_INSPECT, &docker, &args, &arena, &r, &e), 0);
	assert_string_equal(r.through[0], "docker");
	assert_string_equal(r.through[2], "unix:///var/run/docker.sock");
	assert_string_equal(r.through[4], "dial-stdio");
	assert_null(r.through[5]);
	assert_int_equal(
		runtime_podman_ops.request(RUNTIME_INSPECT, &podman, &args, &arena, &r, &e), 0);
	assert_string_equal(r.through[3], "unix:///run/podman/podman.sock");
}

static void requests__of_systemd_and_processes__are_words(void **state)
{
	const struct runtime_log_point cursor = { .cursor = "s=1;i=2" };
	const struct runtime_log_point place = { .inode = 77, .offset = 1234, .cursor = "99" };
	const struct runtime_service bare = { .name = "web", .kind = RUNTIME_PROCESS };
	const struct runtime_service unitless = { .name = "web", .kind = RUNTIME_SYSTEMD };
#define JOURNAL \
	"env|LC_ALL=C|TZ=UTC|journalctl|--no-pager|--quiet|--all|--output=json|" \
	"--output-fields=MESSAGE,PRIORITY,MESSAGE_ID,N_DROPPED|--unit=shop.service"
	const struct {
		enum runtime_verb verb;
		const struct runtime_service *s;
		struct runtime_args args;
		const char *request;
	} row[] = {
		{ RUNTIME_LOGS, &systemd, { .tail = 20 }, JOURNAL "|--lines=20" },
		{ RUNTIME_LOGS,
		  &systemd,
		  { .tail = -1, .follow = true, .since_utc_ms = 1795863242004 },
		  JOURNAL "|--since=@1795863242.004|--lines=all|--follow" },
		{ RUNTIME_LOGS,
		  &systemd,
		  { .tail = 20, .since_utc_ms = 5, .follow = true, .point = &cursor },
		  JOURNAL "|--cursor=s=1;i=2|--lines=all|--follow" },
		{ RUNTIME_INSPECT, &unitless, { .tail = -1 }, "config: service web has no unit" },
		{ RUNTIME_INSPECT,
		  &process,
		  { .tail = -1 },
		  "/run/shop.pid|/srv/shop/log/shop.log" },
		{ RUNTIME_INSPECT, &bare, { .tail = -1 }, "config: service web has no pid_file" },
		{ RUNTIME_LOGS, &bare, { .tail = -1 }, "config: service web has no log_file" },
		{ RUNTIME_LOGS,
		  &process,
		  { .tail = 20, .follow = true },
		  "/srv/shop/log/shop.log|1|20||0|-" },
		{ RUNTIME_LOGS,
		  &process,
		  { .tail = 20, .point = &place },
		  "/srv/shop/log/shop.log|0|20|77|1234|99" },
		{ RUNTIME_IMAGE,
		  &process,
		  { .tail = -1 },
		  "unsupported: a process has no such question" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		assert_string_equal(request_of(row[i].verb, row[i].s, &row[i].args),
				    row[i].request);
}

/* --- Replies ------------------------------------------------------------------------------------ */

/* A unit as one line, or the error. */
static const char *unit_text(enum runtime_verb verb, const struct runtime_service *s, int status,
			     const char *body, const char *words, struct runtime_unit *u)
{
	const struct runtime_reply r = { .status = status,
					 .body = sv_of(body),
					 .err = sv_of(words) };

	if (runtime_ops_of(s->kind)->parse(verb, s, &r, u, &e) != 0) {
		assert_true(e.msg[0] != '\0');
		return arena_printf(&arena, "%s: %s | %s", err_code_name(e.code), e.msg, e.detail);
	}
	return arena_printf(&arena,
			    "%s %s image %s digest %s start %lld end %lld exit %d%s "
			    "restarts %lld pid %lld %s%s%s",
			    runtime_state_name(u->state), u->id, u->image, u->digest,
			    (long long)u->started_utc_ms, (long long)u->ended_utc_ms, u->exit_code,
			    u->oom ? " oom" : "", (long long)u->restarts, (long long)u->pid,
			    runtime_health_name(u->health), u->words[0] != '\0' ? " " : "",
			    u->words);
}

static const char *unit_of(const struct runtime_service *s, int status, const char *body,
			   const char *words)
{
	struct runtime_unit u = { .state = UNIT_UNKNOWN };

	return unit_text(RUNTIME_INSPECT, s, status, body, words, &u);
}

/* STATE and POLICY of a container of Docker. */
#define DOCKER(state, policy, restarts) \
	"{\"Id\":\"18fb\",\"Created\":\"2026-11-28T10:52:10.924557499Z\",\"Path\":\"/prog\"," \
	"\"State\":{" state "},\"Image\":\"sha256:c3c6\",\"Name\":\"/shop-web\"," \
	"\"RestartCount\":" restarts ",\"HostConfig\":{\"LogConfig\":{\"Type\":\"json-file\"," \
	"\"Config\":{}},\"RestartPolicy\":{\"Name\":\"" policy "\",\"MaximumRetryCount\":0}}," \
	"\"Config\":{\"Tty\":false,\"Image\":\"registry:5000/shop:2.1\"}}"
#define TIMES \
	"\"StartedAt\":\"2026-11-28T10:52:11.157914398Z\",\"FinishedAt\":\"0001-01-01T00:00:00Z\""
#define ENDED "\"StartedAt\":\"2026-11-28T10:52:11.157Z\",\"FinishedAt\":\"2026-11-28T10:52:12.5Z\""
#define FLAGS "\"Paused\":false,\"Restarting\":false,\"OOMKilled\":false,\"Dead\":false,"
#define HEAD " 18fb image registry:5000/shop:2.1 digest  start 1795863131157 end "

static void containers__of_docker__are_read(void **state)
{
	static const struct {
		int status;
		const char *body;
		const char *unit;
	} row[] = {
		{ 200,
		  DOCKER("\"Status\":\"running\",\"Running\":true," FLAGS
			 "\"Pid\":14335,\"ExitCode\":0,\"Error\":\"\"," TIMES,
			 "no", "0"),
		  "running" HEAD "0 exit 0 restarts 0 pid 14335 none" },
		{ 200,
		  DOCKER("\"Status\":\"running\",\"Running\":true," FLAGS
			 "\"Pid\":5,\"ExitCode\":0,\"Error\":\"\"," TIMES
			 ",\"Health\":{\"Status\":\"unhealthy\",\"FailingStreak\":4,\"Log\":["
			 "{\"ExitCode\":0,\"Output\":\"fine\"},{\"ExitCode\":1,"
			 "\"Output\":\"no \\u001b[1manswer\\u0000\\n\"}]}",
			 "always", "2"),
		  "running" HEAD "0 exit 0 restarts 2 pid 5 unhealthy no \\x1b[1manswer" },
		{ 200,
		  DOCKER("\"Status\":\"restarting\",\"Running\":true,\"Paused\":false,"
			 "\"Restarting\":true,\"OOMKilled\":false,\"Dead\":false,\"Pid\":0,"
			 "\"ExitCode\":4,\"Error\":\"\"," ENDED,
			 "always", "8"),
		  "restarting" HEAD "1795863132500 exit 4 restarts 8 pid 0 none" },
		{ 200,
		  DOCKER("\"Status\":\"exited\",\"Running\":false," FLAGS
			 "\"Pid\":0,\"ExitCode\":3,\"Error\":\"\"," ENDED,
			 "no", "0"),
		  "failed" HEAD "1795863132500 exit 3 restarts 0 pid 0 none" },
		/* docker stop: by TERM, or killed although the engine would start it again. */
		{ 200,
		  DOCKER("\"Status\":\"exited\",\"Running\":false," FLAGS
			 "\"Pid\":0,\"ExitCode\":143,\"Error\":\"\"," ENDED,
			 "no", "0"),
		  "stopped" HEAD "1795863132500 exit 143 restarts 0 pid 0 none" },
		{ 200,
		  DOCKER("\"Status\":\"exited\",\"Running\":false," FLAGS
			 "\"Pid\":0,\"ExitCode\":137,\"Error\":\"\"," ENDED,
			 "unless-stopped", "0"),
		  "stopped" HEAD "1795863132500 exit 137 restarts 0 pid 0 none" },
		{ 200,
		  DOCKER("\"Status\":\"exited\",\"Running\":false,\"Paused\":false,"
			 "\"Restarting\":false,\"OOMKilled\":true,\"Dead\":false,\"Pid\":0,"
			 "\"ExitCode\":137,\"Error\":\"\"," ENDED,
			 "always", "0"),
		  "failed" HEAD "1795863132500 exit 137 oom restarts 0 pid 0 none" },
		{ 200,
		  DOCKER("\"Status\":\"created\",\"Running\":false," FLAGS
			 "\"Pid\":0,\"ExitCode\":127,\"Error\":\"exec: \\\"shopd\\\": not found\","
			 "\"StartedAt\":\"0001-01-01T00:00:00Z\",\"FinishedAt\":"
			 "\"0001-01-01T00:00:00Z\"",
			 "no", "0"),
		  "failed 18fb image registry:5000/shop:2.1 digest  start 0 end 0 exit 127 restarts 0 "
		  "pid 0 none exec: \"shopd\": not found" },
		{ 200,
		  DOCKER("\"Status\":\"paused\",\"Running\":true,\"Paused\":true,"
			 "\"Restarting\":false,\"OOMKilled\":false,\"Pid\":5,\"ExitCode\":0,"
			 "\"Error\":\"\"," TIMES,
			 "no", "0"),
		  "paused" HEAD "0 exit 0 restarts 0 pid 5 none" },
		{ 404, "{\"message\":\"No such container: shop-web\"}",
		  "absent  image  digest  start 0 end 0 exit 0 restarts 0 pid 0 none" },
		{ 404, "404 page not found",
		  "unsupported: cannot read the state of web | docker answers 404: 404 page not found" },
		{ 400,
		  "{\"message\":\"client version 1.24 is too old. Minimum supported API version is 1.44\"}",
		  "unsupported: cannot read the state of web | docker answers 400: client version 1.24 "
		  "is too old. Minimum supported API version is 1.44" },
		{ 403, "{\"message\":\"authorization denied by plugin opa\"}",
		  "refused: cannot read the state of web | docker answers 403: authorization denied by "
		  "plugin opa" },
		{ 500, "{\"message\":\"layer does not exist\"}",
		  "system: cannot read the state of web | docker answers 500: layer does not exist" },
		{ 301, "", "unsupported: cannot read the state of web | docker answers 301" },
		{ 200, "{\"Id\":",
		  "input: cannot read the state of web | cannot read a reply: line 1, "
		  "column 6: unexpected token near end of file" },
		{ 200, "[]",
		  "input: cannot read the state of web | the reply of docker has no State and Id" },
		{ 200, "{\"Id\":7,\"State\":{}}",
		  "input: cannot read the state of web | the reply of docker has no State and Id" },
		/* Members of other types than they should have are as good as missing. */
		{ 200,
		  "{\"Id\":\"x\",\"State\":{\"Status\":5,\"ExitCode\":\"a\"},\"Config\":[],"
		  "\"HostConfig\":3,\"RestartCount\":null}",
		  "unknown x image  digest  start 0 end 0 exit 0 restarts -1 pid 0 none" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		assert_string_equal(unit_of(&docker, row[i].status, row[i].body, ""), row[i].unit);
}

#define PODMAN(state, policy, restarts) \
	"{\"Id\":\"2688\",\"Created\":\"2026-11-28T11:52:10.9+01:00\",\"State\":{" state "}," \
	"\"Image\":\"002f\",\"ImageDigest\":\"sha256:a644\",\"ImageName\":\"localhost/hr:1\"," \
	"\"Name\":\"shop-web\",\"RestartCount\":" restarts ",\"Config\":{\"Tty\":true}," \
	"\"HostConfig\":{\"LogConfig\":{\"Type\":\"k8s-file\"},\"RestartPolicy\":{\"Name\":" \
	"\"" policy "\",\"MaximumRetryCount\":0}}}"

static void containers__of_podman__are_read(void **state)
{
	struct runtime_unit u = { .state = UNIT_UNKNOWN };
	static const struct {
		int status;
		const char *body;
		const char *unit;
	} row[] = {
		{ 200,
		  PODMAN("\"OciVersion\":\"1.0.2-dev\",\"Status\":\"running\",\"Running\":true,"
			 "\"Pid\":6724,\"ExitCode\":0,\"StartedAt\":\"2026-11-28T10:52:11.157Z\","
			 "\"Health\":{\"Status\":\"\",\"FailingStreak\":0,\"Log\":null}",
			 "", "0"),
		  "running 2688 image localhost/hr:1 digest sha256:a644 start 1795863131157 end 0 exit "
		  "0 restarts 0 pid 6724 none" },
		/* Between two tries. */
		{ 200,
		  PODMAN("\"Status\":\"stopped\",\"Running\":false,\"ExitCode\":4,"
			 "\"StartedAt\":\"2026-11-28T10:52:11.157Z\"",
			 "always", "105"),
		  "restarting 2688 image localhost/hr:1 digest sha256:a644 start 1795863131157 end 0 "
		  "exit 4 restarts 105 pid 0 none" },
		{ 200,
		  PODMAN("\"Status\":\"stopped\",\"Running\":false,\"ExitCode\":4,"
			 "\"StartedAt\":\"2026-11-28T10:52:11.157Z\"",
			 "", "0"),
		  "failed 2688 image localhost/hr:1 digest sha256:a644 start 1795863131157 end 0 exit 4 "
		  "restarts 0 pid 0 none" },
		{ 200, PODMAN("\"Status\":\"configured\",\"ExitCode\":0", "", "0"),
		  "created 2688 image localhost/hr:1 digest sha256:a644 start 0 end 0 exit 0 restarts 0 "
		  "pid 0 none" },
		/* Podman 3 says it under another name. */
		{ 200,
		  PODMAN("\"Status\":\"running\",\"Healthcheck\":{\"Status\":\"starting\"}", "",
			 "0"),
		  "running 2688 image localhost/hr:1 digest sha256:a644 start 0 end 0 exit 0 restarts 0 "
		  "pid 0 starting" },
		{ 404,
		  "{\"cause\":\"no such container\",\"message\":\"no container with name or ID "
		  "\\\"shop-web\\\" found: no such container\",\"response\":404}",
		  "absent  image  digest  start 0 end 0 exit 0 restarts 0 pid 0 none" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		assert_string_equal(unit_of(&podman, row[i].status, row[i].body, ""), row[i].unit);
	(void)unit_text(RUNTIME_INSPECT, &podman, 200, row[0].body, "", &u);
	assert_string_equal(u.image_id, "sha256:002f");
	assert_string_equal(u.log_driver, "k8s-file");
	assert_true(u.tty);
	assert_int_equal(u.created_utc_ms, INT64_C(1795863130900));
}

/* It is shown, and asked for by: not a character of it may be missing. */
static void image_ids__are_whole(void **state)
{
	static const char id[] =
		"sha256:93758bf1e00fed480f99fe3b60ca1a7a4c406d88ee330286d50023fa1412fa7c";
	struct runtime_unit u;
	char body[256];

	(void)state;
	snprintf(body, sizeof(body),
		 "{\"Id\":\"a1\",\"Image\":\"%s\",\"State\":{\"Status\":\"running\"}}", id);
	(void)unit_text(RUNTIME_INSPECT, &docker, 200, body, "", &u);
	assert_string_equal(u.image_id, id);
	snprintf(body, sizeof(body),
		 "{\"Id\":\"a1\",\"Image\":\"%s\",\"State\":{\"Status\":\"running\"}}",
		 id + strlen("sha256:"));
	(void)unit_text(RUNTIME_INSPECT, &podman, 200, body, "", &u);
	assert_string_equal(u.image_id, id);
}

static void digests__are_those__of_the_repository(void **state)
{
	static const struct {
		const char *image, *body, *digest;
	} row[] = {
		{ "registry:5000/shop:2.1",
		  "{\"RepoDigests\":[\"shop@sha256:aa\",\"registry:5000/shop@sha256:bb\"]}",
		  "sha256:bb" },
		{ "docker.io/library/nginx:1.25@sha256:cc",
		  "{\"RepoDigests\":[\"other@sha256:aa\",\"nginx@sha256:cc\"]}", "sha256:cc" },
		{ "nginx", "{\"RepoDigests\":[\"docker.io/nginx@sha256:dd\",\"x@sha256:aa\"]}",
		  "sha256:dd" },
		/* Only one is known: that is it, under whatever name. */
		{ "sha256:1234", "{\"RepoDigests\":[\"shop@sha256:aa\"]}", "sha256:aa" },
		{ "elsewhere/shop", "{\"RepoDigests\":[\"a@sha256:aa\",\"b@sha256:bb\"]}", "" },
		{ "hr:1", "{\"RepoDigests\":[]}", "" },
		{ "hr:1", "{\"RepoDigests\":null}", "" },
		{ "hr:1", "{\"RepoDigests\":[3,\"no at sign\"]}", "" },
		{ "hr:1", "{}", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct runtime_unit u = { .state = UNIT_RUNNING };

		str_copy(u.image, sizeof(u.image), row[i].image);
		(void)unit_text(RUNTIME_IMAGE, &docker, 200, row[i].body, "", &u);
		assert_string_equal(u.digest, row[i].digest);
		assert_int_equal(u.state, UNIT_RUNNING);
	}
}

static void logs__that_do_not_come__say_why(void **state)
{
	static const struct {
		const struct runtime_service *s;
		int status;
		const char *body, *err, *words;
	} row[] = {
		{ &docker, 200, "", "", "ok" },
		{ &docker, 501,
		  "{\"message\":\"configured logging driver does not support reading\"}", "",
		  "unsupported: cannot read the log of web | docker answers 501: configured logging "
		  "driver does not support reading" },
		{ &podman, 500,
		  "{\"cause\":\"this container is not logging output\",\"message\":\"failed to obtain logs "
		  "for Container 'nolog': this container is using the 'none' log driver, cannot read "
		  "logs: this container is not logging output\",\"response\":500}",
		  "",
		  "unsupported: cannot read the log of web | podman answers 500: failed to obtain logs for "
		  "Container 'nolog': this container is using the 'none' log driver, cannot read logs: "
		  "this container is not logging output" },
		{ &docker, 404, "{\"message\":\"No such container: abc\"}", "",
		  "not_found: cannot read the log of web | docker answers 404: No such container: abc" },
		{ &docker, 409,
		  "{\"message\":\"can not get logs from container which is dead or marked "
		  "for removal\"}",
		  "",
		  "not_found: cannot read the log of web | docker answers 409: can not get logs from "
		  "container which is dead or marked for removal" },
		{ &systemd, 0, "", "", "ok" },
		{ &systemd, 1, "", "Failed to seek to cursor: Invalid argument\n",
		  "not_found: cannot ask journalctl for shop.service | Failed to seek to cursor: Invalid "
		  "argument" },
		{ &systemd, 1, "",
		  "Hint: You are currently not seeing messages from other users.\n"
		  "No journal files were opened due to insufficient permissions.\n",
		  "refused: cannot ask journalctl for shop.service | No journal files were opened due to "
		  "insufficient permissions." },
		{ &process, 0, "", "", "ok" },
		{ &process, 127, "", "sh: dd: not found\n",
		  "system: cannot read the log file of web | the script on the host ended with status "
		  "127: sh: dd: not found" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const struct runtime_reply r = { .status = row[i].status,
						 .body = sv_of(row[i].body),
						 .err = sv_of(row[i].err) };
		const char *got = "ok";

		if (runtime_ops_of(row[i].s->kind)->parse(RUNTIME_LOGS, row[i].s, &r, NULL, &e) !=
		    0)
			got = arena_printf(&arena, "%s: %s | %s", err_code_name(e.code), e.msg,
					   e.detail);
		assert_string_equal(got, row[i].words);
	}
}

static void engines__that_are_out_of_reach__say_what_to_do(void **state)
{
	static const struct {
		const struct runtime_service *s;
		const char *said, *words, *hint;
	} row[] = {
		{ &docker, "missing\n",
		  "not_found: cannot reach docker | there is no /var/run/docker.sock, and no command docker",
		  "install docker there, or set `socket` of the service" },
		{ &docker, "stopped\n",
		  "not_found: cannot reach docker | there is no /var/run/docker.sock",
		  "start it there: systemctl start docker" },
		{ &podman, "stopped\n",
		  "not_found: cannot reach podman | there is no /run/podman/podman.sock",
		  "start it there: systemctl start podman.socket" },
		{ &docker, "permission deploy\n",
		  "refused: cannot reach docker | deploy may not use /var/run/docker.sock",
		  "usermod -aG docker deploy, then log in anew" },
		{ &docker, "nosocket\n",
		  "config: cannot reach docker | /var/run/docker.sock is no socket",
		  "correct `socket` of the service" },
		{ &docker, "present\n",
		  "connection-lost: cannot reach docker | /var/run/docker.sock is there, but nobody answers",
		  "look whether it runs there: systemctl status docker" },
		{ &docker, "",
		  "connection-lost: cannot reach docker | /var/run/docker.sock is there, but nobody answers",
		  "look whether it runs there: systemctl status docker" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct runtime_unit u = { .state = UNIT_UNKNOWN };

		assert_string_equal(unit_text(RUNTIME_WHY, row[i].s, 0, row[i].said, "", &u),
				    row[i].words);
		assert_string_equal(e.hint, row[i].hint);
	}
}

/* As systemctl 252 prints it; older ones leave out what they do not know. */
#define SHOW(pid, status_text, result, restarts, start, end, code, status, load, active, sub, \
	     error) \
	"MainPID=" pid "\nStatusText=" status_text "\nResult=" result "\nNRestarts=" restarts \
	"\nExecMainStartTimestamp=" start "\nExecMainExitTimestamp=" end "\nExecMainPID=48" \
	"\nExecMainCode=" code "\nExecMainStatus=" status "\nId=shop.service\nLoadState=" load \
	"\nActiveState=" active "\nSubState=" sub "\nInactiveEnterTimestamp=\nLoadError=" error \
	"\n"
#define S_START "Sat 2026-11-28 11:46:19 UTC"
#define S_END "Sat 2026-11-28 11:46:37 UTC"

static void units__of_systemd__are_read(void **state)
{
	static const struct {
		int status;
		const char *body, *err, *unit;
	} row[] = {
		{ 0,
		  SHOW("48", "", "success", "0", S_START, "", "0", "0", "loaded", "active",
		       "running", ""),
		  "",
		  "running shop.service image  digest  start 1795866379000 end 0 exit 0 restarts 0 pid "
		  "48 none" },
		{ 0,
		  SHOW("0", "", "exit-code", "208", S_START, S_END, "1", "7", "loaded",
		       "activating", "auto-restart", ""),
		  "",
		  "restarting shop.service image  digest  start 1795866379000 end 1795866397000 exit 7 "
		  "restarts 208 pid 0 none exit-code" },
		{ 0,
		  SHOW("0", "", "signal", "0", S_START, S_END, "2", "9", "loaded", "failed",
		       "failed", ""),
		  "",
		  "failed shop.service image  digest  start 1795866379000 end 1795866397000 exit 137 "
		  "restarts 0 pid 0 none signal" },
		{ 0,
		  SHOW("0", "", "oom-kill", "3", S_START, S_END, "2", "9", "loaded", "failed",
		       "failed", ""),
		  "",
		  "failed shop.service image  digest  start 1795866379000 end 1795866397000 exit 137 "
		  "oom restarts 3 pid 0 none oom-kill" },
		{ 0,
		  SHOW("0", "", "success", "0", S_START, S_END, "1", "0", "loaded", "inactive",
		       "dead", ""),
		  "",
		  "stopped shop.service image  digest  start 1795866379000 end 1795866397000 exit 0 "
		  "restarts 0 pid 0 none" },
		{ 0,
		  SHOW("0", "", "success", "0", "", "", "0", "0", "not-found", "inactive", "dead",
		       "org.freedesktop.systemd1.NoSuchUnit \"Unit shop.service not found.\""),
		  "",
		  "absent shop.service image  digest  start 0 end 0 exit 0 restarts 0 pid 0 none" },
		{ 0,
		  SHOW("0", "", "success", "0", "", "", "0", "0", "bad-setting", "inactive", "dead",
		       "Unit shop.service has a bad unit file setting."),
		  "",
		  "failed shop.service image  digest  start 0 end 0 exit 0 restarts 0 pid 0 none Unit "
		  "shop.service has a bad unit file setting." },
		/* An older one: no NRestarts, n/a for no time. */
		{ 0,
		  "Id=shop.service\nLoadState=loaded\nActiveState=active\nSubState=running\nMainPID=5\n"
		  "ExecMainStartTimestamp=Sat 2026-11-28 11:46:19 UTC\nExecMainExitTimestamp=n/a\n"
		  "ExecMainCode=0\nExecMainStatus=0\n",
		  "",
		  "running shop.service image  digest  start 1795866379000 end 0 exit 0 restarts -1 "
		  "pid 5 none" },
		{ 1, "",
		  "System has not been booted with systemd as init system (PID 1). Can't operate.\n"
		  "Failed to connect to bus: Host is down\n",
		  "unsupported: cannot ask systemctl for shop.service | Failed to connect to bus: Host is "
		  "down" },
		{ 127, "", "env: 'systemctl': No such file or directory\n",
		  "unsupported: cannot ask systemctl for shop.service | env: 'systemctl': No such file or "
		  "directory" },
		{ 0, "nonsense\n=\n\n", "",
		  "input: cannot read what systemctl says of shop.service | it gives neither LoadState nor "
		  "ActiveState" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		assert_string_equal(unit_of(&systemd, row[i].status, row[i].body, row[i].err),
				    row[i].unit);
}

#define FACTS(rest) "pidfile ok\npid 4711\npidtime 1795866000\n" rest "log 77 1234\nend\n"
#define ALIVE(comm, state, ticks, command) \
	"alive yes\ncomm " comm "\nstate " state "\nticks " ticks "\nhz 100\nbtime 1795865000\n" \
	"command " command "\n"
#define P_HEAD " image  digest  start "

static void processes__are_judged_by_their_facts(void **state)
{
	static const struct {
		const char *body, *unit;
	} row[] = {
		{ FACTS(ALIVE("shopd", "S", "99900",
			      "/usr/bin/shopd\1--port\1"
			      "8080")),
		  "running 4711.99900" P_HEAD
		  "1795865999000 end 0 exit 0 restarts -1 pid 4711 none" },
		{ FACTS(ALIVE("shopd", "T", "99900", "shopd")),
		  "paused 4711.99900" P_HEAD
		  "1795865999000 end 0 exit 0 restarts -1 pid 4711 none" },
		/* Run by an interpreter; under a title of its own; started later but still the same. */
		{ FACTS(ALIVE("python3", "S", "999900", "/usr/bin/python3\1/opt/bin/shopd\1-x")),
		  "running 4711.999900" P_HEAD
		  "1795874999000 end 0 exit 0 restarts -1 pid 4711 none" },
		{ FACTS(ALIVE("x", "S", "999900", "shopd: master process /usr/bin/x")),
		  "running 4711.999900" P_HEAD
		  "1795874999000 end 0 exit 0 restarts -1 pid 4711 none" },
		/* Another title, but it began before the pid file was written. */
		{ FACTS(ALIVE("x", "S", "99900", "whatever")),
		  "running 4711.99900" P_HEAD
		  "1795865999000 end 0 exit 0 restarts -1 pid 4711 none" },
		{ FACTS(ALIVE("cron", "S", "999900", "/usr/sbin/cron\1-f")),
		  "failed " P_HEAD
		  "0 end 0 exit -1 restarts -1 pid 0 none pid 4711 is another program "
		  "now: /usr/sbin/cron -f" },
		{ FACTS(ALIVE("shopd", "Z", "99900", "")),
		  "failed " P_HEAD
		  "0 end 0 exit -1 restarts -1 pid 0 none pid 4711 of the pid file is "
		  "gone" },
		{ FACTS("alive no\n"),
		  "failed " P_HEAD "0 end 0 exit -1 restarts -1 pid 0 none pid 4711 of "
		  "the pid file is gone" },
		/* Without /proc. */
		{ FACTS("alive yes\nlstart Sat Nov 28 11:46:19 2026\ncommand /usr/bin/shopd --port 8080\n"),
		  "running 4711.1795866379" P_HEAD
		  "1795866379000 end 0 exit 0 restarts -1 pid 4711 none" },
		{ "pidfile none\nlog 77 1234\nend\n",
		  "stopped " P_HEAD "0 end 0 exit -1 restarts -1 pid 0 none" },
		{ "pidfile none\nend\n",
		  "absent " P_HEAD "0 end 0 exit -1 restarts -1 pid 0 none" },
		{ "pidfile bad\nend\n",
		  "unknown " P_HEAD "0 end 0 exit 0 restarts -1 pid 0 none the pid file "
		  "has no number in it" },
		{ "pidfile unreadable\nend\n",
		  "refused: cannot read the pid file of web | /run/shop.pid" },
		{ "pidfile ok\npid 4711\nalive yes\n",
		  "input: cannot read the state of web | the script on the host ended with status 0" },
		{ "",
		  "input: cannot read the state of web | the script on the host ended with status 0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		assert_string_equal(unit_of(&process, 0, row[i].body, ""), row[i].unit);
}

static void stamps__are_read__to_the_nanosecond(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		int64_t ns;
	} row[] = {
		{ "2026-11-28T10:54:02.004402727Z rest", 30, INT64_C(1795863242004402727) },
		{ "2026-11-28T10:54:02Z", 20, INT64_C(1795863242000000000) },
		{ "2026-11-28T11:54:02.5+01:00", 27, INT64_C(1795863242500000000) },
		{ "2026-11-28T09:24:02.1234567891-01:30", 36, INT64_C(1795863242123456789) },
		{ "2024-02-29T00:00:00Z", 20, INT64_C(1709164800000000000) },
		{ "0001-01-01T00:00:00Z", 20, 0 },
		{ "2026-11-28 10:54:02Z", 0, 0 },
		{ "2026-11-28T10:54:02", 0, 0 },
		{ "2026-11-28T10:54:02.Z", 0, 0 },
		{ "2026-11-28T10:54:61Z", 0, 0 },
		{ "2026-00-28T10:54:02Z", 0, 0 },
		{ "2026-11-28T10:54:02+1:00", 0, 0 },
		{ "9999-12-31T23:59:59Z", 20, 0 },
		{ "", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		int64_t ns = 0;

		assert_int_equal(runtime_stamp(sv_of(row[i].text), &ns), row[i].n);
		assert_int_equal(ns, row[i].ns);
	}
}

static int teardown(void **state)
{
	(void)state;
	arena_clear(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests__of_engines__are_paths),
		cmocka_unit_test(requests__through_a_command__name_the_socket),
		cmocka_unit_test(requests__of_systemd_and_processes__are_words),
		cmocka_unit_test(containers__of_docker__are_read),
		cmocka_unit_test(containers__of_podman__are_read),
		cmocka_unit_test(image_ids__are_whole),
		cmocka_unit_test(digests__are_those__of_the_repository),
		cmocka_unit_test(logs__that_do_not_come__say_why),
		cmocka_unit_test(engines__that_are_out_of_reach__say_what_to_do),
		cmocka_unit_test(units__of_systemd__are_read),
		cmocka_unit_test(processes__are_judged_by_their_facts),
		cmocka_unit_test(stamps__are_read__to_the_nanosecond),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
