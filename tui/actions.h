/* SPDX-License-Identifier: MIT */
/*
 * Every named command of the console: one table that feeds keys, help, palette, keys.ini and the man page.
 * A key, the palette and a script run the same action.
 */
#ifndef TUI_ACTIONS_H
#define TUI_ACTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Order is the order of help. Grammar: lower case looks, upper case toggles, punctuation changes mode;
 * nothing that changes an environment is one key. */
/* clang-format off */
#define ACTION_LIST(X) \
	/* id, name, default keys, where, argument, help */ \
	X(VIEW_ENVS, "environments", "1", WHERE_ANY, NULL, "environments side by side") \
	X(VIEW_MIGRATIONS, "migrations", "2", WHERE_ANY, NULL, "every migration in every environment") \
	X(VIEW_LOGS, "logs", "4", WHERE_ANY, NULL, "logs of the selected environment, live and merged") \
	X(VIEW_PLAN, "plan", "5", WHERE_ANY, NULL, "the shown plan, or the run that came from it") \
	X(VIEW_DATABASE, "database", "6", WHERE_ANY, NULL, "server, role, history and tables of one environment") \
	X(VIEW_RUNS, "runs", "9", WHERE_ANY, NULL, "runs, also those whose console died") \
	X(VIEW_AUDIT, "audit", "8", WHERE_ANY, NULL, "the events in an environment's ledger") \
	X(VIEW_SERVICES, "services", "0", WHERE_ANY, NULL, "what runs in one environment, on each of its hosts") \
	X(HELP, "help", "? F1", WHERE_ANY, NULL, "keys that work here; Enter runs one") \
	X(DOWN, "down", "j Down", WHERE_ANY, NULL, "next row") \
	X(UP, "up", "k Up", WHERE_ANY, NULL, "previous row") \
	X(LEFT, "left", "h Left", WHERE_ANY, NULL, "environment to the left; in logs back in time") \
	X(RIGHT, "right", "l Right", WHERE_ANY, NULL, "environment to the right; in logs on in time") \
	X(PAGE_DOWN, "page-down", "Ctrl-D PageDown", WHERE_ANY, NULL, "a page down") \
	X(PAGE_UP, "page-up", "Ctrl-U PageUp", WHERE_ANY, NULL, "a page up") \
	X(FIRST, "first", "g Home", WHERE_ANY, NULL, "first row") \
	X(LAST, "last", "G End", WHERE_ANY, NULL, "last row") \
	X(OPEN, "open", "Enter", WHERE_ANY, NULL, "open the selected row") \
	X(BACK, "back", "q Esc", WHERE_ANY, NULL, "close, clear the filter, or go back") \
	X(PANE, "pane", "Tab", WHERE_ANY, NULL, "next pane") \
	X(PALETTE, "command", ":", WHERE_ANY, NULL, "type a command, Tab completes") \
	X(FIND, "find", "/", WHERE_ANY, "TEXT", "find in the list") \
	X(FIND_NEXT, "find-next", "n", WHERE_ANY, NULL, "next match") \
	X(FIND_PREVIOUS, "find-previous", "N", WHERE_ANY, NULL, "previous match") \
	X(FILTER, "filter", "\\", WHERE_ANY, "TEXT", "only rows with TEXT; `!TEXT` without; `differs` only rows that differ; empty shows all; in logs several, `-2` removes the second") \
	X(SORT, "sort", "o", WHERE_LISTS, "COLUMN", "sort by the next column, or by COLUMN") \
	X(SORT_REVERSE, "sort-reverse", "O", WHERE_LISTS, NULL, "reverse the order") \
	X(MARK, "mark", "Space", WHERE_MIGRATIONS | WHERE_LOGS, NULL, "mark the row, in migrations for a plan") \
	X(MARK_NONE, "unmark", "U", WHERE_MIGRATIONS | WHERE_LOGS, NULL, "remove every mark") \
	X(EXPAND, "expand", "+", WHERE_MIGRATIONS | WHERE_LOGS, NULL, "show what is folded: rows equal everywhere, lines that go on, repeats") \
	X(COLLAPSE, "collapse", "-", WHERE_MIGRATIONS | WHERE_LOGS, NULL, "fold them again") \
	X(DOWN_SQL, "down-sql", "D", WHERE_MIGRATIONS, NULL, "show the down script, or the up script again") \
	X(COMPARE, "compare", "x", WHERE_MIGRATIONS, NULL, "was and now: the stored script against the file") \
	X(LOGS_OF, "logs-of", "L", WHERE_ENVS | WHERE_SERVICES | WHERE_LOGS, "SERVICE", "logs of the selected service, or of SERVICE") \
	X(HEALTH, "health", "H", WHERE_ENVS | WHERE_SERVICES, "SERVICE", "check the health of the selected service, or of SERVICE, with all attempts") \
	X(ANSWER, "answer", "a", WHERE_ANY, NULL, "answer what a host asks: an unknown key, a passphrase") \
	X(NEXT_ERROR, "next-error", "e", WHERE_LOGS, NULL, "next error") \
	X(PREVIOUS_ERROR, "previous-error", "E", WHERE_LOGS, NULL, "previous error") \
	X(NEXT_MARK, "next-mark", "}", WHERE_LOGS, NULL, "next mark or gap") \
	X(PREVIOUS_MARK, "previous-mark", "{", WHERE_LOGS, NULL, "previous mark or gap") \
	X(LEVEL, "level", "v", WHERE_LOGS, "LEVEL", "show less: only lines of the next higher level, or of LEVEL, and above") \
	X(LEVEL_LOWER, "level-lower", "V", WHERE_LOGS, NULL, "show more: lines of the next lower level too") \
	X(SINCE, "since", "s", WHERE_LOGS, "TIME", "read the logs again since TIME: 15m, 2h, 14:05 or 2026-11-21T14:05:00Z") \
	X(PAUSE, "pause", "=", WHERE_LOGS, NULL, "hold the rows still, or follow again") \
	X(WRAP, "wrap", "w", WHERE_LOGS, NULL, "wrap long lines, or cut them") \
	X(TIME_FORMAT, "time", "t", WHERE_LOGS, NULL, "time of a line: of day, with date, ago, none") \
	X(COPY, "copy", "y", WHERE_LOGS, NULL, "copy the line to the clipboard of the terminal") \
	X(COPY_RECORD, "copy-record", "Y", WHERE_LOGS, NULL, "copy the record with all of its lines") \
	X(EXPORT, "export", ">", WHERE_LOGS, "FILE", "write every line that is shown, also out of sight, to a new file") \
	X(PLAN, "plan-migrate", "p", WHERE_ANY, "ENV", "make a plan: migrate towards what the stage before has") \
	X(BACK_OUT, "plan-rollback", "b", WHERE_ANY, "ENV", "make a plan: roll back the newest migration, or down to the selected one") \
	X(START, "start", "!", WHERE_PLAN, NULL, "start the shown plan; asks as the environment demands") \
	X(ARM, "arm", "A", WHERE_ANY, "ENV", "allow changes to one environment for five minutes, or disarm") \
	X(STOP, "stop", NULL, WHERE_RUN, NULL, "stop the run after this step") \
	X(CANCEL, "cancel", "K", WHERE_RUN, NULL, "cancel the statement that runs, after a y; its step then fails as any other") \
	X(ABORT, "abort", NULL, WHERE_RUN, NULL, "stop the run now; its open transaction is rolled back") \
	X(RETRY, "retry", NULL, WHERE_RUN, NULL, "try the failed step of a paused run again") \
	X(SKIP, "skip", NULL, WHERE_RUN, "REASON", "skip the failed step of a paused run") \
	X(RUN_BACK, "roll-back", NULL, WHERE_RUN, NULL, "undo what a paused run did") \
	X(RESUME, "resume", NULL, WHERE_RUN, NULL, "go on with an interrupted or paused run") \
	X(TAKEOVER, "takeover", NULL, WHERE_RUN, NULL, "take a run over from a runner that is silent or gone") \
	X(REFRESH, "refresh", "R F5", WHERE_ANY, NULL, "read everything again now") \
	X(THEME, "theme", NULL, WHERE_ANY, "NAME", "change the theme") \
	X(REDRAW, "redraw", "Ctrl-L", WHERE_ANY, NULL, "paint the screen again") \
	X(SUSPEND, "suspend", "Ctrl-Z", WHERE_ANY, NULL, "back to the shell; fg returns") \
	X(LEAVE, "leave", "Ctrl-C", WHERE_ANY, NULL, "ask to leave; a run goes on without the console") \
	X(QUIT, "quit", "Q F10", WHERE_ANY, NULL, "leave; a run goes on without the console")

/* clang-format on */

/* Where an action means something; a bit per view. */
enum action_where {
	WHERE_ENVS = 1 << 0,
	WHERE_MIGRATIONS = 1 << 1,
	WHERE_PLAN = 1 << 2,
	WHERE_RUN = 1 << 3,
	WHERE_RUNS = 1 << 4,
	WHERE_AUDIT = 1 << 5,
	WHERE_HELP = 1 << 6,
	WHERE_DATABASE = 1 << 7,
	WHERE_LOGS = 1 << 8,
	WHERE_SERVICES = 1 << 9,
	WHERE_ANY = 0x3ff,
	WHERE_LISTS = WHERE_ANY & ~WHERE_LOGS /* rows that can be sorted */
};

enum action {
#define X(id, name, keys, where, arg, help) ACT_##id,
	ACTION_LIST(X)
#undef X
		ACTIONS,
	ACT_NONE = -1
};

struct action_info {
	const char *name; /* word of the palette and of keys.ini */
	const char *keys; /* default keys, blank-separated; NULL: only by name */
	unsigned where;
	const char *argument; /* NULL: takes none */
	const char *help;
};

extern const struct action_info action_table[ACTIONS];
/* By name; ACT_NONE when there is no such action. */
enum action action_of(const char *name);

#endif
