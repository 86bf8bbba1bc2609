/* SPDX-License-Identifier: MIT */
#include "core/host/openssh.h"

#include "core/host/openssh_said.h"
#include "core/host/ssh_config.h"

#include <string.h>

void openssh_words_add(struct openssh_words *w, const char *a, const char *b)
{
	if (w->n + 3 > OPENSSH_WORDS_MAX)
		return; /* cannot be: all of them are ours */
	w->list[w->n++] = a;
	if (b)
		w->list[w->n++] = b;
	w->list[w->n] = NULL;
}

void openssh_words_option(struct openssh_words *w, const char *option)
{
	openssh_words_add(w, "-o", option);
}

/* A path as ssh's configuration wants it: % begins something. */
static const char *percent(struct openssh_words *w, const char *path)
{
	struct strbuf b;
	const char *copy;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	for (; *path; path++) {
		if (*path == '%')
			strbuf_addc(&b, '%');
		strbuf_addc(&b, *path);
	}
	copy = arena_strdup(&w->arena, strbuf_str(&b));
	strbuf_clear(&b);
	return copy;
}

/* Whatever the user's configuration says: nothing is asked, forwarded, run or opened but what we say. */
void openssh_words_begin(struct openssh_words *w, const char *control_path)
{
	arena_init(&w->arena);
	w->n = 0;
	openssh_words_add(w, "ssh", NULL);
	openssh_words_add(w, "-S", percent(w, control_path));
	openssh_words_option(w, "BatchMode=yes");
	openssh_words_option(w, "StrictHostKeyChecking=yes");
	openssh_words_option(w, "RemoteCommand=none");
	openssh_words_option(w, "PermitLocalCommand=no");
	openssh_words_option(w, "ForwardAgent=no");
	openssh_words_option(w, "ForwardX11=no");
	openssh_words_add(w, "-T", NULL);
}

/* Of a program that uses a link: it must not connect by itself where that is gone. It needs nothing of the user's
 * configuration, and would ask the link for the LocalForwards that stand there. */
void openssh_words_client(struct openssh_words *w, const char *log_level)
{
	openssh_words_add(w, "-F", "/dev/null");
	openssh_words_option(w, "ControlMaster=no");
	/* A shell of its own, which holds its stdout until the words are written: ssh kills it when that ends. */
	openssh_words_option(w, "ProxyCommand=sh -c 'echo " OPENSSH_GONE " >&2; exit 255'");
	openssh_words_option(w, log_level);
}

int openssh_words_host(struct openssh_words *w, const struct host *h, struct err *e)
{
	struct ssh_target t;

	if (ssh_target_parse(sv_of(h->name), &t, e))
		return -1;
	if (t.port > 0)
		openssh_words_add(w, "-p", arena_printf(&w->arena, "%d", t.port));
	if (t.user.n > 0)
		openssh_words_add(w, "-l", arena_sv(&w->arena, t.user).p);
	openssh_words_add(w, "--", arena_sv(&w->arena, t.host).p);
	return 0;
}

/* LOCAL:TARGET of -L, or TARGET of -W where local is NULL. */
const char *openssh_words_forward(struct openssh_words *w, const char *local,
				  const struct host_target *t)
{
	const char *part[] = { local, t->path };
	struct strbuf b;
	const char *copy;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	for (int i = 0; i < 2; i++) {
		for (const char *p = part[i] ? percent(w, part[i]) : ""; *p; p++) {
			if (*p == ':' || *p == '\\')
				strbuf_addc(&b, '\\');
			strbuf_addc(&b, *p);
		}
		if (i == 0 && local)
			strbuf_addc(&b, ':');
	}
	if (!t->path)
		strbuf_addf(&b, strchr(t->host, ':') ? "[%s]:%d" : "%s:%d", t->host, t->port);
	copy = arena_strdup(&w->arena, strbuf_str(&b));
	strbuf_clear(&b);
	return copy;
}
