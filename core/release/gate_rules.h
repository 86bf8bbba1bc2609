/* SPDX-License-Identifier: MIT */
/* The measuring functions behind the table of gate.c. Nobody else includes this. */
#ifndef RELEASE_GATE_RULES_H
#define RELEASE_GATE_RULES_H

#include "core/release/plan_make.h"

/* What a gate is measured on. */
struct measure {
	struct plan *plan;
	const struct history *target;
	const struct history *gate_env; /* NULL: none, or unreadable */
	const struct plan_make *make;   /* NULL on live data */
};

/* Each appends the measured value to out and tells whether the gate is open. */
bool gate_source_open(const struct measure *x, struct strbuf *out);
bool gate_ledger_open(const struct measure *x, struct strbuf *out);
bool gate_foreign_open(const struct measure *x, struct strbuf *out);
bool gate_command_open(const struct measure *x, struct strbuf *out);
bool gate_unfinished_open(const struct measure *x, struct strbuf *out);
bool gate_passed_open(const struct measure *x, struct strbuf *out);
bool gate_changed_open(const struct measure *x, struct strbuf *out);
bool gate_missing_open(const struct measure *x, struct strbuf *out);
bool gate_failed_open(const struct measure *x, struct strbuf *out);
bool gate_late_open(const struct measure *x, struct strbuf *out);
bool gate_reversible_open(const struct measure *x, struct strbuf *out);
bool gate_same_history_open(const struct measure *x, struct strbuf *out);

/* Each appends a command that, run as printed, changes the refusal; nothing when there is none. */
void gate_check_command(const struct measure *x, struct strbuf *out);
void gate_foreign_satisfy(const struct measure *x, struct strbuf *out);
void gate_command_satisfy(const struct measure *x, struct strbuf *out);
void gate_unfinished_satisfy(const struct measure *x, struct strbuf *out);
void gate_passed_satisfy(const struct measure *x, struct strbuf *out);
void gate_changed_satisfy(const struct measure *x, struct strbuf *out);
void gate_missing_satisfy(const struct measure *x, struct strbuf *out);
void gate_failed_satisfy(const struct measure *x, struct strbuf *out);
void gate_reversible_satisfy(const struct measure *x, struct strbuf *out);
void gate_plan_again(const struct measure *x, struct strbuf *out);

#endif
