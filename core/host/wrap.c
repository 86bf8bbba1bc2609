/* SPDX-License-Identifier: MIT */
/*
 * A command as text for the login shell of another machine, and its output with our marks taken out.
 *
 * SSH runs a text with the user's login shell, which may be any shell, may print what it likes before, and may
 * be told by nobody that the connection is gone. So the text is only `exec /bin/sh -c '…' '…'`: the first
 * quotes hold a constant line that any shell takes as it stands, the second a POSIX script in which every byte
 * that some shell would touch inside single quotes is an octal escape for printf. The script
 *
 * - prints a mark with a fresh nonce on stdout and on stderr: what came before it is noise of startup files;
 * - runs the command, which sees neither the marks nor our descriptor 3;
 * - prints a last mark with its exit status on stderr, and exits with the same status;
 * - reads stdin beside the command. Its end means that nobody is there any more: the process group gets TERM, and
 *   two seconds later KILL. sshd closes stdin too when the command has ended: then what it left behind in the
 *   group is killed at once.
 *
 * The command's input travels on that same stdin, in front: its exact length, then blank lines and a line with
 * the nonce. (Blank lines, because a head that reads ahead takes some of them.) `tail -c` holds all of it back
 * until the line was seen, so a command gets its whole input or none of it; and since tail always takes, a
 * command that does not read does not keep us from seeing the end.
 *
 * A duplex command's stdin is pumped by cat. When it has ended, the caller may have ended it, or the connection
 * is gone; a mark on stderr once a second tells the two apart, because nobody can write to a connection that is
 * gone. TERM tells it that the command has ended; the shell around ignores that signal from the start, so that a pump
 * which is not yet ready for it outlives it: without a pump nobody would kill what the command left behind.
 *
 * sshd makes every command the leader of a process group; where another server does not, setsid(1) does.
 *
 * A shell that stands between cannot tell "killed by signal n" from "exit 128+n". It is taken for the signal.
 * What this does not do: notice a peer that vanished without a word while nothing is written to it; that is for
 * the server's own keep-alive to find.
 */
#include "core/host/wrap.h"

#include "core/base/fs.h"

#include <string.h>

#define MARK_START '\036'
/* More than any head(1) reads ahead. */
#define PAD_BYTES 8192
#define NONCE_HEX (WRAP_NONCE_SIZE - 1)

/* How the encoded script is run, in single quotes of every shell. */
static const char run_encoded[] = "eval \"$(printf %b \"$0\")\"";

/* clang-format off */
/* What runs in the background redirects by exec: a shell keeps a copy of what it redirects for one command only,
 * and that copy would keep a pipe open.
 * Positions are the command's words once they are set; before that, fields of /proc. */
static const char group_text[] =
	"PATH=${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/sbin:/sbin:/snap/bin\n"
	"export PATH\n"
	"b_s=\n"
	"{ read -r b_s </proc/$$/stat; } 2>/dev/null\n"
	"set -- ${b_s##*) }\n"
	"if [ -n \"$3\" ] && [ \"$3\" != $$ ] && command -v setsid >/dev/null 2>&1; then\n"
	"exec setsid /bin/sh -c 'eval \"$(printf %b \"$0\")\"' \"$0\"\n"
	"fi\n"
	"exec 3<&0 </dev/null\n"
	"b_mark() { printf '\\036%s %s\\n' $b_n \"$1\"; }\n"
	"b_gone() {\n"
	"trap : TERM\n"
	"kill -0 $$ && { kill -TERM -$$; sleep 2; }\n"
	"kill -KILL -$$\n"
	"exit 1\n"
	"}\n"
	"b_watch() {\n"
	"exec >/dev/null 2>&1\n"
	"while read -r b_m; do :; done <&3\n"
	"b_gone\n"
	"}\n";

static const char begin_text[] =
	"b_mark begin\n"
	"b_mark begin >&2\n";

static const char begin_time_text[] =
	"b_mark begin\n"
	"b_mark \"begin $(date +%s.%N 2>/dev/null)\" >&2\n";

static const char plain_text[] =
	"b_watch &\n"
	"(exec \"$@\" 3<&-)\n"
	"b_r=$?\n";

/* %zu: the length of the input, three times. */
static const char input_text[] =
	"b_feed() {\n"
	"if command -v head >/dev/null 2>&1; then head -c %zu\n"
	"else dd bs=1 count=%zu 2>/dev/null; fi <&3\n"
	"b_m=\n"
	"while [ \"$b_m\" != $b_n ]; do read -r b_m <&3 || b_gone; done 2>/dev/null\n"
	"b_watch &\n"
	"}\n"
	"b_feed | tail -c %zu 3<&- | (exec \"$@\" 3<&-)\n"
	"b_r=$?\n";

static const char duplex_text[] =
	"b_o=\n"
	"trap '' TERM\n"
	"b_pump() {\n"
	"trap b_o=1 TERM\n"
	"exec 4>&2 2>/dev/null\n"
	"cat <&3\n"
	"exec >/dev/null 3<&-\n"
	"trap '' PIPE\n"
	"while [ -z \"$b_o\" ] && kill -0 $$ && b_mark alive >&4; do sleep 1 4>&- & wait $!; done\n"
	"exec 4>&-\n"
	"b_gone\n"
	"}\n"
	"{ b_pump & } | (trap - TERM; exec \"$@\" 3<&-)\n"
	"b_r=$?\n"
	"kill -TERM -$$ 2>/dev/null\n";

static const char end_text[] =
	"b_s=\n"
	"[ $b_r -gt 128 ] && b_s=$(kill -l $b_r 2>/dev/null)\n"
	"b_mark \"end $b_r $b_s\" >&2\n"
	"exit $b_r\n";

/* The watcher is nobody's child: a command that waits for all of its children must not wait for it. */
static const char local_text[] =
	"({ exec <&3 >/dev/null 2>&1; while read -r b_m; do :; done\n"
	"trap : TERM; kill -TERM -$$; sleep 2; kill -KILL -$$; } &)\n"
	"exec \"$@\" 3<&-\n";
/* clang-format on */

static const char *const shell_words[] = { "/bin/sh", "-c" };

void wrap_encode(struct strbuf *out, struct sv text)
{
	strbuf_addc(out, '\'');
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c < ' ' || c > '~' || c == '\'' || c == '\\' || c == '!')
			strbuf_addf(out, "\\0%03o", c);
		else
			strbuf_addc(out, (char)c);
	}
	strbuf_addc(out, '\'');
}

static void add_word(struct strbuf *out, const char *word)
{
	strbuf_addc(out, ' ');
	path_quote(out, word);
}

/* The script before it is encoded. */
static void script_text(const struct host_command *cmd, const char *nonce, bool want_time,
			struct strbuf *out)
{
	strbuf_addf(out, "b_n=%s\n%s", nonce, group_text);
	strbuf_adds(out, "set --");
	if (cmd->script) {
		add_word(out, shell_words[0]);
		add_word(out, shell_words[1]);
		add_word(out, cmd->script);
		add_word(out, "sh");
	}
	for (size_t i = 0; cmd->argv && cmd->argv[i]; i++)
		add_word(out, cmd->argv[i]);
	strbuf_addc(out, '\n');
	strbuf_adds(out, want_time ? begin_time_text : begin_text);
	if (cmd->duplex)
		strbuf_adds(out, duplex_text);
	else if (cmd->input.n > 0)
		strbuf_addf(out, input_text, cmd->input.n, cmd->input.n, cmd->input.n);
	else
		strbuf_adds(out, plain_text);
	strbuf_adds(out, end_text);
}

int wrap_text(const struct host_command *cmd, const char *nonce, bool want_time, struct strbuf *out,
	      struct err *e)
{
	struct strbuf script, text;
	int ret = 0;

	strbuf_init(&script, WRAP_TEXT_MAX);
	strbuf_init(&text, WRAP_TEXT_MAX);
	script_text(cmd, nonce, want_time, &script);
	strbuf_addf(&text, "exec /bin/sh -c '%s' ", run_encoded);
	wrap_encode(&text, strbuf_sv(&script));
	if (!strbuf_ok(&script) || !strbuf_ok(&text))
		ret = err_set(e, ERR_LIMIT, "a command is longer than %zu bytes", WRAP_TEXT_MAX);
	else
		strbuf_addsv(out, strbuf_sv(&text));
	strbuf_clear(&script);
	strbuf_clear(&text);
	return ret;
}

void wrap_input(const struct host_command *cmd, const char *nonce, struct strbuf *out)
{
	if (cmd->duplex || cmd->input.n == 0)
		return;
	/* At once, so that no part of a secret stays in memory that was given back. */
	strbuf_room(out, cmd->input.n + PAD_BYTES + WRAP_NONCE_SIZE);
	strbuf_addsv(out, cmd->input);
	strbuf_pad(out, '\n', PAD_BYTES);
	strbuf_addf(out, "%s\n", nonce);
}

const char **wrap_local(const struct host_command *cmd)
{
	const char **words;
	size_t n = 0, at = 0;

	while (cmd->argv && cmd->argv[n])
		n++;
	words = mem_calloc(n + 9, sizeof(*words));
	words[at++] = shell_words[0];
	words[at++] = shell_words[1];
	words[at++] = local_text;
	words[at++] = "sh";
	if (cmd->script) {
		words[at++] = shell_words[0];
		words[at++] = shell_words[1];
		words[at++] = cmd->script;
		words[at++] = "sh";
	}
	for (size_t i = 0; i < n; i++)
		words[at++] = cmd->argv[i];
	return words;
}

/* --- Marks ------------------------------------------------------------------------------------- */

void wrap_stream_init(struct wrap_stream *s, const char *nonce, bool marks_follow)
{
	memset(s, 0, sizeof(*s));
	str_copy(s->nonce, sizeof(s->nonce), nonce);
	s->marks_follow = marks_follow;
	s->clock_us = -1;
}

static void note_noise(struct wrap_stream *s, struct sv text)
{
	size_t keep = s->n_noise;

	if (text.n > sizeof(s->noise))
		text = sv_n(text.p + text.n - sizeof(s->noise), sizeof(s->noise));
	if (keep > sizeof(s->noise) - text.n)
		keep = sizeof(s->noise) - text.n;
	memmove(s->noise, s->noise + s->n_noise - keep, keep);
	if (text.n > 0)
		memcpy(s->noise + keep, text.p, text.n);
	s->n_noise = keep + text.n;
}

/* Bytes that are no mark: the caller's, or noise before the first mark. */
static size_t pass(struct wrap_stream *s, struct sv text, char *out)
{
	if (!s->begun) {
		note_noise(s, text);
		return 0;
	}
	if (text.n > 0)
		memcpy(out, text.p, text.n);
	return text.n;
}

static size_t pass_held(struct wrap_stream *s, char *out)
{
	size_t n = pass(s, sv_n(s->held, s->n_held), out);

	s->n_held = 0;
	return n;
}

/* Nanoseconds since 1970 end in 2262: a clock behind this is none. */
#define CLOCK_MAX_S INT64_C(9000000000)

/* "1764327086.123456789", or without the fraction where date(1) cannot say it. */
static int64_t parse_clock(struct sv text)
{
	int64_t seconds, part, us = 0, unit = 100000;
	struct sv whole;

	if (!sv_cut(&text, '.', &whole) || !sv_int(whole, 0, CLOCK_MAX_S, &seconds))
		return -1;
	for (size_t i = 0; i < text.n && unit > 0; i++, unit /= 10) {
		if (!sv_int(sv_n(text.p + i, 1), 0, 9, &part))
			break;
		us += part * unit;
	}
	/* In the middle of the second of which only the number is known. */
	return seconds * 1000000 + (unit == 100000 ? 500000 : us);
}

/* A whole mark is in held, its newline included. False when it is none of ours. */
static bool take_mark(struct wrap_stream *s)
{
	struct sv text = sv_n(s->held + NONCE_HEX + 2, s->n_held - NONCE_HEX - 3), word;
	int64_t status;

	if (!sv_cut(&text, ' ', &word))
		return false;
	if (!s->begun && sv_eq(word, SV("begin"))) {
		s->begun = true;
		s->clock_us = parse_clock(text);
		return true;
	}
	if (!s->begun || !s->marks_follow)
		return false;
	if (sv_eq(word, SV("alive")))
		return true;
	if (!sv_eq(word, SV("end")) || !sv_cut(&text, ' ', &word) || !sv_int(word, 0, 255, &status))
		return false;
	s->ended = true;
	s->status = (int)status;
	str_copy_sv(s->signal, sizeof(s->signal), text);
	return true;
}

/* Whether held may still become a mark with c behind it. */
static bool may_follow(const struct wrap_stream *s, char c)
{
	if (s->n_held <= NONCE_HEX)
		return c == s->nonce[s->n_held - 1];
	if (s->n_held == NONCE_HEX + 1)
		return c == ' ';
	return c != MARK_START && s->n_held < WRAP_MARK_MAX - 1;
}

/* One byte while something is held. Returns the bytes written to out. */
static size_t take_held(struct wrap_stream *s, char c, char *out)
{
	if (!may_follow(s, c))
		return pass_held(s, out);
	s->held[s->n_held++] = c;
	if (c != '\n')
		return 0;
	if (take_mark(s)) {
		s->n_held = 0;
		return 0;
	}
	return pass_held(s, out);
}

size_t wrap_stream_take(struct wrap_stream *s, struct sv in, char *out)
{
	size_t n = 0;

	while (in.n > 0) {
		const char *mark;
		size_t plain;

		if (s->n_held > 0) {
			bool follows = may_follow(s, in.p[0]);

			n += take_held(s, in.p[0], out + n);
			/* What did not fit is looked at again: it may start a mark. */
			if (follows)
				in = sv_n(in.p + 1, in.n - 1);
			continue;
		}
		mark = s->begun && !s->marks_follow ? NULL : memchr(in.p, MARK_START, in.n);
		plain = mark ? (size_t)(mark - in.p) : in.n;
		n += pass(s, sv_n(in.p, plain), out + n);
		if (mark)
			s->held[s->n_held++] = MARK_START;
		in = sv_n(in.p + plain + (mark != NULL), in.n - plain - (mark != NULL));
	}
	return n;
}

size_t wrap_stream_end(struct wrap_stream *s, char *out)
{
	return pass_held(s, out);
}
