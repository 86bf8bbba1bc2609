/* SPDX-License-Identifier: MIT */
#include "core/host/openssh_said.h"

#include <string.h>

/* clang-format off */
/* The first row whose words are somewhere in the text. %s of msg and hint is the host's name. */
static const struct {
	const char *words;
	enum err_code code;
	const char *msg, *hint;
} rows[] = {
	{ "HOST IDENTIFICATION HAS CHANGED", ERR_REFUSED, "the host key of %s has changed",
	  "ask who runs it for its new key; somebody may be listening" },
	{ "is revoked", ERR_REFUSED, "the host key of %s is revoked",
	  "ask who runs it for its new key" },
	{ "host key is known for", ERR_ASKS, "the host key of %s is not known yet",
	  "ssh %s" },
	{ "Host key verification failed", ERR_REFUSED, "the host key of %s was not accepted",
	  "ssh %s" },
	{ "Too many authentication failures", ERR_REFUSED, "%s refuses the keys it was shown",
	  "name the right key: IdentityFile and IdentitiesOnly yes in ssh's configuration" },
	{ "Session open refused by peer", ERR_BUSY, "%s takes no more sessions on one connection",
	  "try again, or raise MaxSessions in its sshd_config" },
	{ "administratively prohibited", ERR_UNSUPPORTED, "%s does not allow forwarding",
	  "allow it in its sshd_config: AllowTcpForwarding, AllowStreamLocalForwarding" },
	/* The link was asked, and ended before it answered: what was asked for may run. */
	{ "mux_client_", ERR_LOST, "the connection to %s ended", "ssh -v %s" },
	{ OPENSSH_GONE, ERR_BUSY, "the connection to %s was gone already", "try again" },
	{ "Could not resolve hostname", ERR_NOT_FOUND, "cannot resolve %s",
	  "ssh -G %s | grep hostname" },
	{ "Name or service not known", ERR_NOT_FOUND, "a name cannot be resolved at %s", NULL },
	{ "Bad configuration option", ERR_CONFIG, "ssh refuses its configuration", "ssh -G %s" },
	{ "Bad owner or permissions", ERR_CONFIG, "ssh refuses its configuration", "ssh -G %s" },
	{ "too long for Unix domain socket", ERR_LIMIT, "the control socket of %s has too long a path",
	  "use a shorter folder" },
	{ "connect failed: Connection refused", ERR_NOT_FOUND, "nobody listens there, says %s", NULL },
	{ "connect failed: open failed", ERR_NOT_FOUND, "nobody can be reached there, says %s", NULL },
	{ "connect failed: Connection timed out", ERR_TIMEOUT, "nobody answers there, says %s", NULL },
	{ "connect failed", ERR_NOT_FOUND, "nobody can be reached there, says %s", NULL },
	{ "Connection refused", ERR_NOT_FOUND, "nobody listens for ssh on %s",
	  "ssh -v %s" },
	{ "No route to host", ERR_NOT_FOUND, "no way leads to %s", "ssh -v %s" },
	{ "Network is unreachable", ERR_NOT_FOUND, "no way leads to %s", "ssh -v %s" },
	{ "timed out", ERR_TIMEOUT, "%s does not answer", "ssh -v %s" },
	{ "Timeout, server", ERR_LOST, "%s does not answer any more", "ssh -v %s" },
	{ "Permission denied", ERR_REFUSED, "%s does not let us in",
	  "ssh %s; a key with a passphrase has to be given to the agent: ssh-add" },
	{ "no matching", ERR_REFUSED, "%s and ssh have no method in common", "ssh -v %s" },
	{ "Connection closed", ERR_LOST, "%s closed the connection", "ssh -v %s" },
	{ "Connection reset", ERR_LOST, "%s closed the connection", "ssh -v %s" },
	{ "Broken pipe", ERR_LOST, "%s closed the connection", "ssh -v %s" },
	{ "ssh: not found", ERR_UNSUPPORTED, "cannot connect to %s without the ssh program",
	  "install openssh-client" },
};
/* clang-format on */

/* A line without what it begins with in every program's complaints, and whether it says anything. */
static struct sv tidy(struct sv line)
{
	line = sv_trim(line);
	if (sv_starts(line, SV("ssh: ")))
		line = sv_n(line.p + 5, line.n - 5);
	if (line.n > 0 && line.p[0] == '@')
		return sv_of("");
	return line;
}

/* The line with the words, or the last one that says anything. */
static struct sv telling_line(struct sv said, const char *words)
{
	struct sv line, last = sv_of("");

	while (sv_cut(&said, '\n', &line)) {
		struct sv text = tidy(line);

		if (text.n > 0)
			last = text;
		if (words && text.n > 0 && memmem(text.p, text.n, words, strlen(words)))
			return text;
	}
	return last;
}

/* Of a changed key: the fingerprint it has now, which ssh gives a line. */
static struct sv fingerprint_line(struct sv said)
{
	struct sv line;

	while (sv_cut(&said, '\n', &line))
		if (sv_starts(sv_trim(line), SV("SHA256:")))
			return sv_trim(line);
	return sv_of("");
}

/* The templates have one %s at most. */
static void put_name(struct strbuf *out, const char *template, const char *name)
{
	struct sv rest = sv_of(template);
	const char *at = strstr(template, "%s");

	if (at) {
		strbuf_add(out, template, (size_t)(at - template));
		strbuf_adds(out, name);
		rest = sv_of(at + 2);
	}
	strbuf_addsv(out, rest);
}

bool openssh_said_gone(const struct err *e)
{
	return e->code == ERR_BUSY && strstr(e->detail, OPENSSH_GONE);
}

int openssh_said(const char *name, struct sv said, struct err *e)
{
	struct strbuf text;
	struct sv line;
	size_t i = 0;

	while (i < sizeof(rows) / sizeof(rows[0]) &&
	       (said.n == 0 || !memmem(said.p, said.n, rows[i].words, strlen(rows[i].words))))
		i++;
	strbuf_init(&text, 1024);
	if (i == sizeof(rows) / sizeof(rows[0])) {
		err_set(e, ERR_LOST, "ssh gave up on %s", name);
		line = telling_line(said, NULL);
		err_detail(e, "%.*s", (int)line.n, line.n > 0 ? line.p : "");
		strbuf_clear(&text);
		return err_hint(e, "ssh -v %s", name);
	}
	put_name(&text, rows[i].msg, name);
	err_set(e, rows[i].code, "%s", strbuf_str(&text));
	line = fingerprint_line(said);
	if (line.n == 0)
		line = telling_line(said, rows[i].words);
	err_detail(e, "%.*s", (int)line.n, line.n > 0 ? line.p : "");
	strbuf_reset(&text);
	if (rows[i].hint) {
		put_name(&text, rows[i].hint, name);
		err_hint(e, "%s", strbuf_str(&text));
	}
	strbuf_clear(&text);
	return -1;
}
