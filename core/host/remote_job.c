/* SPDX-License-Identifier: MIT */
/*
 * Detached jobs on a host.
 *
 * Two scripts make a job. The starter runs under the marks and the watcher of every command (wrap.c), so it dies
 * with the connection. It starts the job by setsid(1), out of reach of that, and passes one line back: started,
 * there, or an error. The job
 *
 * - first takes its whole input into the memory of tail(1): a starter that is killed half way leaves no trace,
 *   because nothing else was done yet. The input ends with blank lines and a nonce, as in wrap.c;
 * - makes its folder under flock(1) on the base's lock file: with the command, and who it is (pid, start time, id
 *   of the boot: a number alone may be somebody else's by now). That file is renamed into place last, so under
 *   the lock a folder without it is one that never ran, and may be made again;
 * - compares epochs under the environment's lock, and writes a larger one, by rename. The folder is there before,
 *   so who first raises the epoch and then looks for running jobs misses none;
 * - runs the command with the rest of the pipe as its stdin, and writes the exit code into a file whose block it
 *   took at the beginning, for the case that the disk is full by now; then renames it.
 *
 * A job runs as long as one process of its session does. Its first process leads the session; when only that was
 * killed the others go on, and so does the job. A job that is killed writes no exit code.
 *
 * POSIX has no way for a script to leave its process group without a terminal, and none to lock a file: where
 * setsid or flock is missing (both are in util-linux and in busybox), nothing is started and that is said.
 * Liveness is judged by /proc; where there is none, by kill -0 on the number.
 */
#include "core/host/remote_job.h"

#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/fs.h"
#include "core/base/secret.h"

#include <stdio.h>
#include <string.h>

#define PAD_BYTES 8192 /* more than any head(1) reads ahead */
#define MARK_SIZE 33
#define REPLY_MAX ((size_t)4096)
#define FIRST_PAUSE_MS 50
#define LAST_PAUSE_MS 5000
#define LOOK_LIMIT_MS 30000
#define WORDS_MAX 256

/* Exit statuses of the scripts below. */
enum { NO_FLOCK = 95, NO_SETSID = 96, STILL_RUNS = 94 };

/* clang-format off */
/* $1 the job's script, then its arguments. */
static const char start_text[] =
	"command -v flock >/dev/null 2>&1 || exit 95\n"
	"command -v setsid >/dev/null 2>&1 || exit 96\n"
	"job=$1\n"
	"shift\n"
	"exec 5<&0\n"
	"{ setsid /bin/sh -c \"$job\" sh \"$@\" <&5 5<&- 2>/dev/null & } |\n"
	"{ exec 5<&-; IFS= read -r answer; printf '%s\\n' \"$answer\"; }\n";

/* $1 bytes of input, $2 the mark behind it, $3 base, $4 id, $5 environment, $6 epoch, $7 the command for people,
 * then its words. */
static const char job_text[] =
	"n=$1 mark=$2 base=$3 id=$4 env=$5 epoch=$6 text=$7\n"
	"shift 7\n"
	"exec 4>&1 >/dev/null 2>&1\n"
	"feed() {\n"
	"head -c \"$n\"\n"
	"m=\n"
	"while [ \"$m\" != \"$mark\" ]; do read -r m || kill -KILL -$$; done\n"
	"}\n"
	/* Also when nobody listens any more; the command is not to inherit that. */
	"say() { (trap '' PIPE; printf '%s\\n' \"$1\" >&4); exec 4>&-; }\n"
	"twentieth() { shift 19; printf %s \"$1\"; }\n"
	"make() {\n"
	"mkdir \"$dir\" && printf '%s\\n' \"$text\" >\"$dir/command\" && : >\"$dir/output\" &&\n"
	"printf '%64s\\n' '' >\"$dir/.rc\" &&\n"
	"printf '%s %s %s %s\\n' $$ \"$start\" \"$boot\" \"$now\" >\"$dir/.pid\" && mv \"$dir/.pid\" \"$dir/pid\"\n"
	"}\n"
	"fence() {\n"
	"(: >>\"$base/epoch.$env.lock\") || { echo 'cannot lock the epoch'; return 98; }\n"
	"exec 7>\"$base/epoch.$env.lock\"\n"
	"flock 7 || { echo 'cannot lock the epoch'; return 98; }\n"
	"have=0\n"
	"if [ -e \"$base/epoch.$env\" ]; then have=; read -r have <\"$base/epoch.$env\"; fi\n"
	"case $have in '' | *[!0-9]*) echo \"the epoch file says '$have'\"; return 98 ;; esac\n"
	"[ \"$have\" -le \"$epoch\" ] || { echo \"epoch $have has begun, this is of $epoch\"; return 97; }\n"
	"[ \"$have\" = \"$epoch\" ] || { printf '%s\\n' \"$epoch\" >\"$base/.epoch.$env\" &&\n"
	"mv \"$base/.epoch.$env\" \"$base/epoch.$env\"; } || { echo 'cannot write the epoch'; return 98; }\n"
	"}\n"
	"feed 4>&- | tail -c \"$n\" 4>&- | {\n"
	"read -r go || exit 1\n"
	"umask 077\n"
	"[ -n \"$base\" ] || base=$HOME/.bascule/jobs\n"
	"dir=$base/$id\n"
	"mkdir -p \"$base\" && (: >>\"$base/.lock\") || { say \"error cannot write to $base\"; exit 1; }\n"
	"exec 6>\"$base/.lock\"\n"
	"flock 6 || { say \"error cannot lock $base\"; exit 1; }\n"
	"[ ! -f \"$dir/pid\" ] || { say there; exit 0; }\n"
	"rm -rf \"$dir\"\n"
	"now=$(date +%s.%N)\n"
	"s= start=- boot=-\n"
	"{ read -r s </proc/$$/stat && read -r boot </proc/sys/kernel/random/boot_id; } && start=$(twentieth ${s##*) })\n"
	"make || { rm -rf \"$dir\"; say \"error cannot write to $base\"; exit 1; }\n"
	"exec 6>&-\n"
	"say started\n"
	"fence >>\"$dir/output\"\n"
	"r=$?\n"
	"exec 7>&-\n"
	"if [ $r = 0 ]; then\n"
	"cd \"${HOME:-/}\" || cd /\n"
	"(exec \"$@\" >>\"$dir/output\" 2>&1)\n"
	"r=$?\n"
	"fi\n"
	"printf '%s %s\\n' $r \"$(date +%s.%N)\" 1<>\"$dir/.rc\"\n"
	"sync \"$dir/.rc\"\n"
	"mv \"$dir/.rc\" \"$dir/rc\"\n"
	"}\n";

/* $1 base, $2 id. Sets dir; live (yes or no), pid and boot of a job; leaves where there is none. */
static const char find_text[] =
	"base=${1:-$HOME/.bascule/jobs}\n"
	"dir=$base/$2\n"
	"none() { echo none; exit 0; }\n"
	"[ -d \"$dir\" ] || none\n"
	/* Half made: who makes it holds the lock. */
	"[ -f \"$dir/pid\" ] || (flock 9 2>/dev/null) 9>>\"$base/.lock\"\n"
	"[ -f \"$dir/pid\" ] || none\n"
	"read -r pid start boot began <\"$dir/pid\" || { echo \"cannot read $dir/pid\" >&2; exit 1; }\n"
	"sig=${3-}\n"
	"now= s= live=no\n"
	"{ read -r now </proc/sys/kernel/random/boot_id; } 2>/dev/null\n"
	"each() {\n"
	"for f in /proc/[0-9]*/stat; do\n"
	"s=\n"
	"{ read -r s <\"$f\"; } 2>/dev/null\n"
	"p=${f#/proc/}\n"
	"p=${p%/stat}\n"
	"set -- ${s##*) }\n"
	"if [ \"${4-}\" = \"$pid\" ] && [ \"$1\" != Z ]; then live=yes; [ -z \"$sig\" ] || kill -\"$sig\" \"$p\" 2>/dev/null; fi\n"
	"done\n"
	"}\n"
	"if [ \"$start\" = - ]; then kill -0 \"$pid\" 2>/dev/null && live=yes && [ -n \"$sig\" ] && kill -\"$sig\" -\"$pid\"\n"
	"elif [ \"$boot\" = \"$now\" ]; then\n"
	"{ read -r s </proc/$pid/stat; } 2>/dev/null\n"
	"set -- ${s##*) }\n"
	/* Nobody's number, or a leader that died: others of its session may live. A number that is somebody
	 * else's says that all of them are gone. */
	"if [ -z \"$s\" ] || [ \"$1\" = Z ] || [ \"${20}\" = \"$start\" ]; then each; fi\n"
	"fi\n";

/* Behind find_text. What is looked at last decides: an exit code that is there by now is the truth. */
static const char look_text[] =
	"bytes=$(wc -c <\"$dir/output\")\n"
	"code= ended=\n"
	"[ ! -f \"$dir/rc\" ] || read -r code ended <\"$dir/rc\"\n"
	"rebooted=no\n"
	"[ \"$start\" = - ] || [ \"$boot\" = \"$now\" ] || rebooted=yes\n"
	"echo \"$live ${code:--} $pid ${bytes:-0} $began ${ended:--} $rebooted\"\n";

static const char remove_text[] =
	"[ \"$live\" = no ] || [ -f \"$dir/rc\" ] || exit 94\n"
	"rm -rf \"$dir\"\n";

/* $1 base, $2 id, $3 the first byte, from 1, $4 how many. */
static const char output_text[] =
	"base=${1:-$HOME/.bascule/jobs}\n"
	"[ -f \"$base/$2/output\" ] || exit 2\n"
	"tail -c +\"$3\" \"$base/$2/output\" | head -c \"$4\"\n";
/* clang-format on */

/* --- Checks ------------------------------------------------------------------------------------- */

static bool is_name(const char *name)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789._-";

	return name[0] && name[0] != '.' && name[0] != '-' && !name[strspn(name, plain)] &&
	       strlen(name) <= REMOTE_JOB_NAME_MAX;
}

static int check_place(const char *base, const char *id, struct err *e)
{
	if (base && base[0] != '/')
		return err_set(e, ERR_INPUT, "the folder of jobs is not absolute: %s", base);
	if (!is_name(id))
		return err_set(e, ERR_INPUT, "not a name for a job: %s", id);
	return 0;
}

static int no_such_job(struct host *h, const char *id, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "there is no job %s on %s", id, host_name(h));
}

/* --- Start -------------------------------------------------------------------------------------- */

static int start_failed(struct host *h, const char *id, int status, struct sv reply, struct err *e)
{
	const char *missing = status == NO_FLOCK ? "flock" : status == NO_SETSID ? "setsid" : NULL;

	if (missing) {
		err_set(e, ERR_UNSUPPORTED, "cannot start job %s on %s", id, host_name(h));
		err_detail(e, "it has no program %s", missing);
		return err_hint(e, "install util-linux there");
	}
	err_set(e, ERR_SYSTEM, "cannot start job %s on %s", id, host_name(h));
	if (sv_starts(reply, SV("error ")))
		reply = sv_n(reply.p + 6, reply.n - 6);
	if (reply.n > 0)
		err_detail(e, "%.*s", (int)reply.n, reply.p);
	else
		err_detail(e, "it ended before it said anything, with status %d", status);
	return err_hint(e, "look at the free space and the permissions there");
}

/* The arguments of start_text and its input. */
struct start_words {
	const char *list[WORDS_MAX];
	char bytes[24], epoch[24], mark[MARK_SIZE];
	struct strbuf text, input;
};

static int start_words(struct start_words *w, const struct remote_job_spec *s, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; s->argv[i]; i++) {
		if (i + 9 >= WORDS_MAX)
			return err_set(e, ERR_LIMIT, "job %s has more than %d words", s->id,
				       WORDS_MAX - 9);
		w->list[8 + i] = s->argv[i];
		strbuf_adds(&w->text, i ? " " : "");
		path_quote(&w->text, s->argv[i]);
	}
	digest_random_hex((MARK_SIZE - 1) / 2, w->mark);
	/* The first line tells the job that all of it has come. */
	snprintf(w->bytes, sizeof(w->bytes), "%zu", s->input.n + 3);
	snprintf(w->epoch, sizeof(w->epoch), "%lld", (long long)s->epoch);
	strbuf_room(&w->input, s->input.n + PAD_BYTES + MARK_SIZE + 4);
	strbuf_adds(&w->input, "go\n");
	strbuf_addsv(&w->input, s->input);
	strbuf_pad(&w->input, '\n', PAD_BYTES);
	strbuf_addf(&w->input, "%s\n", w->mark);
	w->list[n++] = job_text;
	w->list[n++] = w->bytes;
	w->list[n++] = w->mark;
	w->list[n++] = s->base ? s->base : "";
	w->list[n++] = s->id;
	w->list[n++] = s->environment;
	w->list[n++] = w->epoch;
	w->list[n] = strbuf_str(&w->text);
	return 0;
}

int remote_job_start(struct host *h, const struct remote_job_spec *s, int64_t deadline_ms,
		     struct cancel *c, struct err *e)
{
	struct start_words w = { .list = { NULL } };
	struct host_command cmd = { .script = start_text, .argv = w.list };
	struct strbuf reply;
	struct host_result r;
	struct sv line;
	int ret = -1;

	if (check_place(s->base, s->id, e))
		return -1;
	if (!is_name(s->environment) || s->epoch < 0 || !s->argv[0])
		return err_set(e, ERR_INPUT, "job %s is not one", s->id);
	if (s->input.n > REMOTE_JOB_INPUT_MAX)
		return err_set(e, ERR_LIMIT, "the input of job %s is longer than %zu bytes", s->id,
			       REMOTE_JOB_INPUT_MAX);
	strbuf_init(&reply, REPLY_MAX);
	strbuf_init(&w.text, STRBUF_NO_LIMIT);
	strbuf_init(&w.input, STRBUF_NO_LIMIT);
	if (start_words(&w, s, e))
		goto out;
	cmd.input = strbuf_sv(&w.input);
	if (host_run(h, &cmd, &reply, NULL, &r, deadline_ms, c, e))
		goto out;
	line = sv_trim(strbuf_sv(&reply));
	if (r.status == 0 && (sv_eq(line, SV("started")) || sv_eq(line, SV("there"))))
		ret = 0;
	else
		start_failed(h, s->id, r.status, line, e);
out:
	secret_clear_buf(&w.input);
	strbuf_clear(&w.text);
	strbuf_clear(&reply);
	return ret;
}

/* --- Look --------------------------------------------------------------------------------------- */

/* Runs find_text and then another; out gets what it prints. third may be NULL. */
static int find_and(struct host *h, const char *base, const char *id, const char *third,
		    const char *then, struct strbuf *out, struct host_result *r,
		    int64_t deadline_ms, struct cancel *c, struct err *e)
{
	const char *const words[] = { base ? base : "", id, third, NULL };
	struct strbuf script;
	struct host_command cmd = { .argv = words };
	int ret;

	if (check_place(base, id, e))
		return -1;
	strbuf_init(&script, STRBUF_NO_LIMIT);
	strbuf_adds(&script, find_text);
	strbuf_adds(&script, then);
	cmd.script = strbuf_str(&script);
	ret = host_run(h, &cmd, out, NULL, r, deadline_ms, c, e);
	strbuf_clear(&script);
	return ret;
}

/* "1764327086.123456789" to milliseconds; 0 when it is none. */
static int64_t parse_time_ms(struct sv text)
{
	int64_t seconds = 0, ms = 0;
	struct sv whole;

	if (!sv_cut(&text, '.', &whole) || !sv_int(whole, 0, INT64_MAX / 1000 - 1, &seconds))
		return 0;
	if (text.n >= 3 && !sv_int(sv_n(text.p, 3), 0, 999, &ms))
		ms = 0;
	return seconds * 1000 + ms;
}

/* One line of look_text. */
static bool parse_look(struct sv line, struct remote_job_look *out)
{
	struct remote_job_look look = { .state = REMOTE_JOB_NONE };
	struct sv live, code, pid, bytes, began, ended, rebooted;
	int64_t number = 0;

	line = sv_trim(line);
	if (sv_eq(line, SV("none"))) {
		*out = look;
		return true;
	}
	/* Some wc print blanks before their number. */
	if (!sv_cut(&line, ' ', &live) || !sv_cut(&line, ' ', &code) || !sv_cut(&line, ' ', &pid) ||
	    !sv_int(pid, 1, INT32_MAX, &look.pid))
		return false;
	line = sv_trim(line);
	if (!sv_cut(&line, ' ', &bytes) || !sv_int(bytes, 0, INT64_MAX, &look.output_bytes) ||
	    !sv_cut(&line, ' ', &began) || !sv_cut(&line, ' ', &ended) ||
	    !sv_cut(&line, ' ', &rebooted))
		return false;
	look.started_utc_ms = parse_time_ms(began);
	look.ended_utc_ms = parse_time_ms(ended);
	if (!sv_eq(code, SV("-"))) {
		look.state = REMOTE_JOB_ENDED;
		if (!sv_int(code, 0, 255, &number))
			return false;
		look.exit_code = (int)number;
	} else if (sv_eq(live, SV("yes"))) {
		look.state = REMOTE_JOB_RUNNING;
	} else {
		look.state = REMOTE_JOB_DIED;
		look.rebooted = sv_eq(rebooted, SV("yes"));
	}
	*out = look;
	return true;
}

/* sig: sent to all of its session before it is looked at; NULL: none. */
static int look_and_kill(struct host *h, const char *base, const char *id, const char *sig,
			 int64_t deadline_ms, struct cancel *c, struct remote_job_look *out,
			 struct err *e)
{
	struct strbuf reply;
	int ret = -1;

	strbuf_init(&reply, REPLY_MAX);
	if (find_and(h, base, id, sig, look_text, &reply, NULL, deadline_ms, c, e)) {
		err_wrap(e, "cannot look at job %s", id);
	} else if (!parse_look(strbuf_sv(&reply), out)) {
		err_set(e, ERR_INPUT, "cannot read what %s says of job %s", host_name(h), id);
		err_detail(e, "%s", strbuf_str(&reply));
	} else {
		ret = 0;
	}
	strbuf_clear(&reply);
	return ret;
}

int remote_job_look(struct host *h, const char *base, const char *id, int64_t deadline_ms,
		    struct cancel *c, struct remote_job_look *out, struct err *e)
{
	return look_and_kill(h, base, id, NULL, deadline_ms, c, out, e);
}

int remote_job_output(struct host *h, const char *base, const char *id, int64_t offset,
		      struct strbuf *out, int64_t deadline_ms, struct cancel *c, struct err *e)
{
	char first[24], count[24];
	const char *const words[] = { base ? base : "", id, first, count, NULL };
	const struct host_command cmd = { .script = output_text, .argv = words, .bulk = true };
	struct host_result r;

	if (check_place(base, id, e))
		return -1;
	if (out->len >= out->max)
		return 0;
	snprintf(first, sizeof(first), "%lld", (long long)offset + 1);
	snprintf(count, sizeof(count), "%zu", out->max - out->len);
	if (host_run(h, &cmd, out, NULL, &r, deadline_ms, c, e))
		return -1;
	if (r.status == 2)
		return no_such_job(h, id, e);
	if (r.status != 0)
		return err_set(e, ERR_SYSTEM, "cannot read the output of job %s on %s", id,
			       host_name(h));
	return 0;
}

/* --- Wait, kill, remove ------------------------------------------------------------------------- */

/* What may be over by the next try. */
static bool may_pass(enum err_code code)
{
	return code == ERR_LOST || code == ERR_TIMEOUT || code == ERR_NOT_FOUND || code == ERR_BUSY;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Waits a growing while. -1: cancelled, or nothing is left until deadline_ms; then e is left alone. */
static int rest(int64_t *pause_ms, int64_t deadline_ms, struct cancel *c, struct err *e)
{
	int64_t now = clock_mono_ms();

	if (now >= deadline_ms)
		return -1;
	if (wait_fds(NULL, 0, earlier(now + *pause_ms, deadline_ms), c, e) < 0)
		return -1;
	*pause_ms = earlier(*pause_ms * 2, LAST_PAUSE_MS);
	return 0;
}

/* Looks until it does not run. 1: it still does at until_ms. deadline_ms is of the looks. */
static int wait_end(struct host *h, const char *base, const char *id, int64_t until_ms,
		    int64_t deadline_ms, struct cancel *c, struct remote_job_look *out,
		    struct err *e)
{
	int64_t pause_ms = FIRST_PAUSE_MS;
	bool seen = false;

	for (;;) {
		int64_t limit_ms = earlier(deadline_ms, clock_mono_ms() + LOOK_LIMIT_MS);

		seen = remote_job_look(h, base, id, limit_ms, c, out, e) == 0;
		if (seen && out->state != REMOTE_JOB_RUNNING)
			return 0;
		if (!seen && !may_pass(e->code))
			return -1;
		if (rest(&pause_ms, until_ms, c, e) == 0)
			continue;
		/* Cancelled, or the last try failed: e says it. */
		return seen && !cancel_fired(c) ? 1 : -1;
	}
}

int remote_job_wait(struct host *h, const char *base, const char *id, int64_t deadline_ms,
		    struct cancel *c, struct remote_job_look *out, struct err *e)
{
	int running = wait_end(h, base, id, deadline_ms, deadline_ms, c, out, e);

	if (running < 0)
		return -1;
	if (running > 0)
		return err_set(e, ERR_TIMEOUT, "job %s on %s still runs", id, host_name(h));
	return out->state == REMOTE_JOB_NONE ? no_such_job(h, id, e) : 0;
}

int remote_job_kill(struct host *h, const char *base, const char *id, int64_t grace_ms,
		    int64_t deadline_ms, struct cancel *c, struct err *e)
{
	struct remote_job_look look;
	int running;

	if (look_and_kill(h, base, id, "TERM", deadline_ms, c, &look, e))
		return -1;
	if (look.state == REMOTE_JOB_NONE)
		return no_such_job(h, id, e);
	running = wait_end(h, base, id, earlier(clock_mono_ms() + grace_ms, deadline_ms),
			   deadline_ms, c, &look, e);
	if (running > 0 && look_and_kill(h, base, id, "KILL", deadline_ms, c, &look, e) == 0)
		running = wait_end(h, base, id, deadline_ms, deadline_ms, c, &look, e);
	if (running > 0)
		return err_set(e, ERR_TIMEOUT, "job %s on %s still runs", id, host_name(h));
	return running;
}

int remote_job_remove(struct host *h, const char *base, const char *id, int64_t deadline_ms,
		      struct cancel *c, struct err *e)
{
	struct host_result r;

	if (find_and(h, base, id, NULL, remove_text, NULL, &r, deadline_ms, c, e))
		return -1;
	if (r.status == STILL_RUNS)
		return err_set(e, ERR_BUSY, "job %s on %s still runs", id, host_name(h));
	if (r.status != 0)
		return err_set(e, ERR_SYSTEM, "cannot remove job %s on %s", id, host_name(h));
	return 0;
}
