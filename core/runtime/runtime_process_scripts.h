/* SPDX-License-Identifier: MIT */
/* Inside core/runtime: what runs on a host for a service without a runtime of its own. POSIX sh. */
#ifndef RUNTIME_RUNTIME_PROCESS_SCRIPTS_H
#define RUNTIME_RUNTIME_PROCESS_SCRIPTS_H

/* PID_FILE LOG_FILE: lines "KEY VALUE". A LOG_FILE of "" is none. */
extern const char process_inspect_script[];
/* LOG_FILE FOLLOW(0|1) TAIL(-1: all) INODE("": from the beginning) OFFSET MARK: what runtime_log_file.c reads. */
extern const char process_logs_script[];

#endif
