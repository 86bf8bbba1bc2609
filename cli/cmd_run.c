/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/hosts.h"
#include "cli/interrupt.h"
#include "core/base/child.h"
#include "core/base/clock.h"
#include "core/base/secret.h"
#include "core/release/run_secrets.h"
#include "core/release/runner.h"

#define SECRETS_MS 10000
#define SECRETS_STEP ((size_t)16 << 10)

static const char *const modes[] = {
	[RUNNER_START] = "start",
	[RUNNER_RESUME] = "resume",
	[RUNNER_TAKEOVER] = "takeover",
	[RUNNER_TERMINATE] = "takeover-terminate",
};

static int refuse_words(struct err *e)
{
	err_set(e, ERR_USAGE, "cannot run by hand");
	err_detail(
		e,
		"usage: bascule run ID --state DIR --mode start|resume|takeover[-terminate] --wait MS; it is "
		"started by the commands that make runs");
	return err_hint(e, "bascule runs");
}

/* All of stdin, when it is a pipe: whoever starts a runner has filled it before, so that neither more than
 * the limit nor silence is waited for. */
static int read_stdin(struct strbuf *out, struct err *e)
{
	int64_t deadline_ms = clock_mono_ms() + SECRETS_MS;
	struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
	struct stat st;
	ssize_t got = 1;

	if (fstat(STDIN_FILENO, &st) != 0 || !S_ISFIFO(st.st_mode))
		return 0;
	while (got > 0) {
		char *room = strbuf_room(out, SECRETS_STEP);
		int ready = wait_fds(&fd, 1, deadline_ms, NULL, e);

		if (room == NULL)
			return err_set(e, ERR_LIMIT, "the secrets on stdin are too long");
		if (ready <= 0)
			return ready < 0 ? -1
					 : err_set(e, ERR_TIMEOUT,
						   "the secrets on stdin did not come in time");
		got = read(STDIN_FILENO, room, SECRETS_STEP);
		if (got < 0 && errno != EINTR)
			return err_sys(e, errno, "cannot read the secrets on stdin");
		if (got > 0)
			strbuf_grew(out, (size_t)got);
		else if (got < 0)
			got = 1;
	}
	return 0;
}

/* A runner without hosts goes on: what wants one fails for it, where it is written down. */
static int take_answers(struct cli *c, struct sv answers, struct err *e)
{
	if (cli_hosts_start(c, true, e) == 0)
		return hosts_answers_read(c->ctx.hosts, answers, e);
	print_err(e);
	return 0;
}

static int take_secrets(struct cli *c, struct err *e)
{
	struct sv answers = { NULL, 0 };
	struct strbuf text;
	int rc;

	strbuf_init(&text, CHILD_INPUT_MAX + SECRETS_STEP);
	strbuf_room(&text, CHILD_INPUT_MAX + SECRETS_STEP);
	rc = read_stdin(&text, e);
	if (rc == 0 && text.len > 0)
		rc = run_secrets_read(&c->secrets, strbuf_sv(&text), &c->ctx.secrets, &answers, e);
	if (rc == 0 && answers.p != NULL)
		rc = take_answers(c, answers, e);
	secret_clear_buf(&text);
	return rc;
}

int runner_process(struct cli *c, int argc, char *const argv[], struct err *e)
{
	struct interrupt it;
	int64_t wait_ms;
	size_t mode = 0;
	int status;

	if (argc != 9 || strcmp(argv[3], "--state") != 0 || strcmp(argv[5], "--mode") != 0 ||
	    strcmp(argv[7], "--wait") != 0 || !sv_int(sv_of(argv[8]), -1, INT64_MAX, &wait_ms))
		return refuse_words(e);
	while (mode < sizeof(modes) / sizeof(modes[0]) && strcmp(argv[6], modes[mode]) != 0)
		mode++;
	if (mode == sizeof(modes) / sizeof(modes[0]))
		return refuse_words(e);
	cli_set_state(c, argv[4]);
	/* The terminal it came from may go away, and so may who listens on its socket. */
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (take_secrets(c, e) != 0 || interrupt_start(&it, 0, e) != 0)
		return -1;
	status = runner_main(&c->ctx, argv[2], (enum runner_mode)mode, wait_ms, &it.fired, e);
	interrupt_stop(&it);
	if (status != 0 && e->msg[0] != '\0')
		print_err(e);
	return status;
}
