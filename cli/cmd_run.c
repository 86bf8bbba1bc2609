/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/interrupt.h"
#include "core/release/runner.h"

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
	if (interrupt_start(&it, 0, e) != 0)
		return -1;
	status = runner_main(&c->ctx, argv[2], (enum runner_mode)mode, wait_ms, &it.fired, e);
	interrupt_stop(&it);
	if (status != 0 && e->msg[0] != '\0')
		print_err(e);
	return status;
}
