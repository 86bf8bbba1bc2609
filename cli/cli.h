/* SPDX-License-Identifier: MIT */
/* One invocation of the program, and the table of its commands. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "cli/args.h"
#include "cli/print.h"
#include "core/release/env.h"

struct cli {
	struct args args;
	struct arena arena;   /* strings of ctx and others that live as long as the program */
	struct arena secrets; /* of a runner, as they came through its pipe */
	struct context ctx;
	struct host_context host_ctx; /* of ctx.hosts */
	int run_lock;                 /* the lock of host_ctx.run_dir, while there are hosts */
	struct project *project;      /* NULL for commands that need none */
	bool terminal_in, terminal_out;
};

enum command_flag {
	COMMAND_CONFIG = 1 << 0,  /* wants a configuration, read before it runs */
	COMMAND_CHANGES = 1 << 1, /* refused under --read-only */
};

struct command {
	const char *name;
	const char *synopsis; /* behind the name: "ENV [--to ID]" */
	const char *help;     /* one line */
	unsigned flags;
	unsigned options;         /* OPT_BIT of those it takes beside the global ones */
	int min_words, max_words; /* behind the name */
	/* what its words are: "env", "run", "plan", "rollback", "shell", … or "" */
	const char *completes;
	/* Returns the exit status, or -1 with e. */
	int (*run)(struct cli *c, struct err *e);
};

extern const struct command commands[];
extern const size_t commands_n;
const struct command *command_find(const char *name);
/* ERR_USAGE: says whether name is for a later version, or which command is nearest. */
int command_unknown(const char *name, struct err *e);

/* --- main.c ------------------------------------------------------------------------------------- */

/* Finds and reads the configuration into c->project. Its mistakes are printed here; e->msg is empty then. */
int cli_read_config(struct cli *c, struct err *e) MUST_CHECK;
/* Is there a terminal that a screen can be drawn on? An editor's shell or a serial line says with
 * TERM=dumb, or with none, that it cannot. */
bool cli_can_draw(const struct cli *c);
/* The word behind the command, or NULL. */
const char *cli_word(const struct cli *c, size_t i);
/* The environment named by a word; ERR_USAGE with the nearest name. */
int cli_env(const struct cli *c, const char *name, const struct env **out,
	    struct err *e) MUST_CHECK;
/* The service of env named by a word; NULL with ERR_USAGE and the nearest name. */
const struct service *cli_service(const struct env *env, const char *name,
				  struct err *e) MUST_CHECK;
/* --wait as run_spawn wants it: 0 without, -1 without a time. */
int cli_wait_ms(const struct cli *c, int64_t *ms, struct err *e) MUST_CHECK;
const char *cli_getenv(void *arg, const char *name);
/* Points ctx at another state folder (malloced strings in the arena). */
void cli_set_state(struct cli *c, const char *state_dir);

/* --- the commands, one file per family ---------------------------------------------------------- */

int cmd_status(struct cli *c, struct err *e);
int cmd_matrix(struct cli *c, struct err *e);
int cmd_history(struct cli *c, struct err *e);
int cmd_details(struct cli *c, struct err *e);
int cmd_plan(struct cli *c, struct err *e);
int cmd_preflight(struct cli *c, struct err *e);
int cmd_migrate(struct cli *c, struct err *e);
int cmd_rollback(struct cli *c, struct err *e);
int cmd_baseline(struct cli *c, struct err *e);
int cmd_accept(struct cli *c, struct err *e);
int cmd_mark(struct cli *c, struct err *e);
int cmd_restore(struct cli *c, struct err *e);
int cmd_seed(struct cli *c, struct err *e);
int cmd_seeds(struct cli *c, struct err *e);
int cmd_create(struct cli *c, struct err *e);
int cmd_new(struct cli *c, struct err *e);
int cmd_check(struct cli *c, struct err *e);
int cmd_trust(struct cli *c, struct err *e);
int cmd_runs(struct cli *c, struct err *e);
int cmd_watch(struct cli *c, struct err *e);
int cmd_resume(struct cli *c, struct err *e);
int cmd_retry(struct cli *c, struct err *e);
int cmd_skip(struct cli *c, struct err *e);
int cmd_cancel(struct cli *c, struct err *e);
int cmd_abort(struct cli *c, struct err *e);
int cmd_takeover(struct cli *c, struct err *e);
int cmd_backups(struct cli *c, struct err *e);
int cmd_logs(struct cli *c, struct err *e);
int cmd_health(struct cli *c, struct err *e);
int cmd_keys(struct cli *c, struct err *e);
int cmd_themes(struct cli *c, struct err *e);
int cmd_completion(struct cli *c, struct err *e);
int cmd_demo(struct cli *c, struct err *e);
int cmd_help(struct cli *c, struct err *e);
int cmd_version(struct cli *c, struct err *e);

/* `bascule run ID --state DIR --mode MODE --wait MS`: the runner itself, started by run_spawn and by
 * nobody else; its words are parsed here. */
int runner_process(struct cli *c, int argc, char *const argv[], struct err *e);
/* Help of one command to stdout. */
int help_command(const struct command *cmd, struct err *e) MUST_CHECK;
/* --print-docs PART. */
int print_docs(const char *part, struct err *e) MUST_CHECK;
/* The console on the read configuration. */
int cli_console(struct cli *c, struct err *e);

#endif
