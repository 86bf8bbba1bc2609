/* SPDX-License-Identifier: MIT */
/*
 * Two commands: `git status` says branch, commit and files, `git rev-list --count` the commits that
 * are not upstream. Both are told to take no lock, to run no file system monitor (a program of the
 * repository's choice) and to print plain, machine-read output. git's own words go to a stderr that
 * we drop, so why it refuses is found out here: no repository, or one of another owner, which git
 * reads for nobody but that owner until safe.directory says otherwise.
 */
#include "core/migrate/git_state.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/child.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/utf8.h"

#define TIME_MS 5000
#define OUTPUT_MAX ((size_t)4 << 20)
#define COMMIT_DIGITS 12
#define ARGS_MAX 32
#define ANCESTORS_MAX 64

/* ---- reading status ---- */

static const char *copy(struct git_state *s, struct sv text)
{
	return arena_sv(&s->arena, text).p;
}

static void take_header(struct git_state *s, struct sv line)
{
	static const struct sv oid = { "branch.oid ", 11 }, head = { "branch.head ", 12 },
			       upstream = { "branch.upstream ", 16 };

	if (sv_starts(line, oid)) {
		struct sv id = sv_n(line.p + oid.n, line.n - oid.n);

		if (id.n > COMMIT_DIGITS)
			id.n = COMMIT_DIGITS;
		s->known = true;
		if (!sv_starts(id, SV("(")))
			s->commit = copy(s, id);
	} else if (sv_starts(line, head)) {
		struct sv name = sv_n(line.p + head.n, line.n - head.n);

		if (!sv_eq(name, SV("(detached)")))
			s->branch = copy(s, name);
	} else if (sv_starts(line, upstream)) {
		s->has_upstream = true;
	}
}

/* The path of an entry: behind the given number of blanks. */
static struct sv path_behind(struct sv entry, int blanks)
{
	while (blanks-- > 0) {
		const char *blank = memchr(entry.p, ' ', entry.n);

		if (blank == NULL)
			return sv_n(entry.p, 0);
		entry = sv_n(blank + 1, (size_t)(entry.p + entry.n - blank - 1));
	}
	return entry;
}

bool git_state_parse(struct sv text, struct git_state *out)
{
	const char **list = arena_alloc(&out->arena, GIT_STATE_LISTED_MAX * sizeof(*list));
	struct sv rest = text, entry, path;

	out->branch = out->commit = out->why = "";
	out->uncommitted = list;
	while (sv_cut(&rest, '\0', &entry)) {
		if (entry.n < 2 || entry.p[1] != ' ')
			continue;
		switch (entry.p[0]) {
		case '#':
			take_header(out, sv_n(entry.p + 2, entry.n - 2));
			continue;
		case '1':
			path = path_behind(entry, 8);
			break;
		case '2':
			path = path_behind(entry, 9);
			(void)sv_cut(&rest, '\0', &entry); /* the name it had before */
			break;
		case 'u':
			path = path_behind(entry, 10);
			break;
		case '?':
			path = sv_n(entry.p + 2, entry.n - 2);
			break;
		default:
			continue;
		}
		if (path.n == 0)
			continue;
		out->n_uncommitted++;
		if (out->n_listed < GIT_STATE_LISTED_MAX)
			list[out->n_listed++] = copy(out, path);
	}
	return out->known;
}

/* ---- asking git ---- */

/* 0 with git's exit status, -1 when it could not be run or took too long. */
static int run_git(const char *dir, const char *const *args, struct cancel *c, struct strbuf *out,
		   int *status, struct err *e)
{
	/* Nor is it to look elsewhere because we were started by a hook. */
	static const char *const common[] = { "env",
					      "-u",
					      "GIT_DIR",
					      "-u",
					      "GIT_WORK_TREE",
					      "-u",
					      "GIT_INDEX_FILE",
					      "LC_ALL=C",
					      "GIT_OPTIONAL_LOCKS=0",
					      "GIT_TERMINAL_PROMPT=0",
					      "GIT_PAGER=cat",
					      "git",
					      "--no-pager",
					      "-c",
					      "core.fsmonitor=false",
					      "-C" };
	const char *argv[ARGS_MAX];
	char *given[ARGS_MAX];
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		argv[n++] = common[i];
	argv[n++] = dir;
	while (*args != NULL && n + 1 < ARGS_MAX)
		argv[n++] = *args++;
	for (size_t i = 0; i < n; i++)
		given[i] = mem_strdup(argv[i]);
	given[n] = NULL;
	strbuf_reset(out);
	rc = child_capture(given, out, clock_mono_ms() + TIME_MS, c, status, e);
	for (size_t i = 0; i < n; i++)
		mem_free(given[i]);
	return rc;
}

/* Is there a .git in the folder or above it, and whose is it? */
static bool find_repository(const char *dir, struct stat *st)
{
	char *at = mem_strdup(dir);
	bool found = false;

	for (int i = 0; i < ANCESTORS_MAX && !found; i++) {
		char *git = path_join(at, ".git"), *up;

		found = stat(git, st) == 0;
		mem_free(git);
		up = path_join(at, "..");
		mem_free(at);
		at = up;
	}
	mem_free(at);
	return found;
}

static void not_known(struct git_state *s, const char *why)
{
	s->known = false;
	s->branch = s->commit = "";
	s->n_uncommitted = s->n_listed = s->n_unpushed = 0;
	s->why = arena_strdup(&s->arena, why);
}

/* git ended with a failure: why? */
static void explain(struct git_state *s, const char *dir, int status)
{
	struct stat st;

	if (status == 127)
		not_known(s, "there is no git command");
	else if (!find_repository(dir, &st))
		not_known(s, "not in a git work tree");
	else if (st.st_uid != geteuid())
		not_known(s, "git does not read this repository of another user "
			     "(see safe.directory in git-config)");
	else
		not_known(s, "git cannot read this repository");
}

static int count_unpushed(const char *dir, struct cancel *c, struct strbuf *text,
			  struct git_state *s, struct err *e)
{
	static const char *const args[] = { "rev-list", "--count", "@{upstream}..HEAD",
					    "--",       ".",       NULL };
	int status;
	int64_t n;

	if (run_git(dir, args, c, text, &status, e) != 0)
		return -1;
	if (status == 0 && sv_int(sv_trim(strbuf_sv(text)), 0, INT32_MAX, &n))
		s->n_unpushed = (size_t)n;
	else
		s->has_upstream = false; /* configured, but its branch was never fetched */
	return 0;
}

int git_state_read(const char *dir, struct cancel *c, struct git_state *out, struct err *e)
{
	static const char *const args[] = { "status",
					    "--porcelain=v2",
					    "--branch",
					    "-z",
					    "--untracked-files=all",
					    "--ignore-submodules=all",
					    "--",
					    ".",
					    NULL };
	struct strbuf text;
	int status = 0;

	*out = (struct git_state){ 0 };
	arena_init(&out->arena);
	not_known(out, "");
	strbuf_init(&text, OUTPUT_MAX);
	if (run_git(dir, args, c, &text, &status, e) != 0)
		not_known(out, "git gave no answer in time");
	else if (status != 0)
		explain(out, dir, status);
	else if (!git_state_parse(strbuf_sv(&text), out))
		not_known(out, "this git does not know status --porcelain=v2");
	else if (out->has_upstream && out->commit[0] != '\0' &&
		 count_unpushed(dir, c, &text, out, e) != 0)
		not_known(out, "git gave no answer in time");
	strbuf_clear(&text);
	if (cancel_fired(c))
		return err_set(e, ERR_CANCELLED, "cannot ask git about %s: cancelled", dir);
	err_clear(e);
	return 0;
}

void git_state_clear(struct git_state *s)
{
	arena_clear(&s->arena);
	*s = (struct git_state){ 0 };
}

void git_state_words(const struct git_state *s, struct strbuf *out)
{
	if (!s->known) {
		strbuf_addf(out, "git: %s", s->why != NULL && *s->why ? s->why : "not asked");
		return;
	}
	if (s->branch[0] != '\0')
		clean_text(out, sv_of(s->branch), false);
	else
		strbuf_adds(out, "no branch");
	if (s->commit[0] != '\0')
		strbuf_addf(out, " at %s", s->commit);
	else
		strbuf_adds(out, ", no commit yet");
	if (s->n_uncommitted > 0)
		strbuf_addf(out, ", %zu file%s not committed", s->n_uncommitted,
			    s->n_uncommitted == 1 ? "" : "s");
	if (!s->has_upstream)
		strbuf_adds(out, ", no upstream branch");
	else if (s->n_unpushed > 0)
		strbuf_addf(out, ", %zu commit%s not pushed", s->n_unpushed,
			    s->n_unpushed == 1 ? "" : "s");
	if (s->n_uncommitted == 0 && s->has_upstream && s->n_unpushed == 0)
		strbuf_adds(out, ", all committed and pushed");
}
