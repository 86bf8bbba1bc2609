/* SPDX-License-Identifier: MIT */
/*
 * Reading ssh's configuration by asking ssh.
 *
 * Host and Match blocks, Include, tokens and canonical names are ssh's business, and every program that reads
 * them by itself gets one of them wrong. `ssh -G` prints what is in force for one host, without connecting.
 * It runs what Match exec names, so it is asked once per host and life of the pool, with a deadline.
 *
 * What it prints is KEYWORD VALUE, one a line. It leaves to us: ~ and %-words of IdentityFile; and it joins
 * the known_hosts files by blanks without quotes, so that a path with a blank is told by the next piece not
 * starting like a path.
 *
 * Keywords of the user that we do not follow (ciphers, CheckHostIP, forwards) have no effect,
 * and none of them weakens the check of host keys: StrictHostKeyChecking is always taken as yes.
 */
#include "core/host/ssh_config.h"

#include <string.h>
#include <unistd.h>

#include "core/base/child.h"

/* --- Names ------------------------------------------------------------------------------------- */

static bool word_is_plain(struct sv s)
{
	if (s.n == 0 || s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f ||
		    strchr("'\"`$\\;&<>|(){},/", s.p[i]))
			return false;
	return true;
}

/* Cuts :PORT or the brackets off. False when what follows a colon is no port. */
static bool port_cut(struct sv *host, int *port)
{
	const char *colon = memchr(host->p, ':', host->n);
	struct sv digits = { 0 };
	int64_t number;

	if (host->n > 0 && host->p[0] == '[') {
		const char *end = memchr(host->p, ']', host->n);

		if (end == NULL)
			return false;
		digits = sv_n(end + 1, host->n - (size_t)(end + 1 - host->p));
		*host = sv_n(host->p + 1, (size_t)(end - host->p) - 1);
		if (digits.n == 0)
			return true;
		if (digits.p[0] != ':')
			return false;
		digits = sv_n(digits.p + 1, digits.n - 1);
	} else if (colon != NULL &&
		   memchr(colon + 1, ':', host->n - (size_t)(colon + 1 - host->p)) == NULL) {
		digits = sv_n(colon + 1, host->n - (size_t)(colon + 1 - host->p));
		host->n = (size_t)(colon - host->p);
	} else {
		return true; /* no port, or an IPv6 address */
	}
	if (!sv_int(digits, 1, 65535, &number))
		return false;
	*port = (int)number;
	return true;
}

int ssh_target_parse(struct sv name, struct ssh_target *out, struct err *e)
{
	struct ssh_target t = { .host = name };

	if (sv_starts(t.host, SV("ssh://"))) {
		t.host = sv_n(t.host.p + 6, t.host.n - 6);
		if (t.host.n > 0 && t.host.p[t.host.n - 1] == '/')
			t.host.n--;
	}
	for (size_t i = t.host.n; i > 0; i--)
		if (t.host.p[i - 1] == '@') {
			t.user = sv_n(t.host.p, i - 1);
			t.host = sv_n(t.host.p + i, t.host.n - i);
			break;
		}
	if (!port_cut(&t.host, &t.port) || !word_is_plain(t.host) ||
	    (t.user.p != NULL && !word_is_plain(t.user))) {
		err_set(e, ERR_CONFIG, "\"%.*s\" is not the name of a host",
			(int)(name.n < 100 ? name.n : 100), name.p);
		return err_hint(e, "write an alias of ssh's configuration, or USER@HOST:PORT");
	}
	*out = t;
	return 0;
}

/* --- Tokens ------------------------------------------------------------------------------------ */

static void token_add(struct strbuf *out, char token, const struct ssh_config *c,
		      const struct ssh_target *t, const struct host_context *ctx)
{
	switch (token) {
	case '%':
		strbuf_addc(out, '%');
		break;
	case 'd':
		strbuf_adds(out, ctx->home);
		break;
	case 'h':
		strbuf_adds(out, c->host);
		break;
	case 'i':
		strbuf_addf(out, "%lld", (long long)getuid());
		break;
	case 'k':
		strbuf_adds(out, c->alias != NULL ? c->alias : c->host);
		break;
	case 'n':
		strbuf_addsv(out, t->host);
		break;
	case 'p':
		strbuf_addf(out, "%d", c->port);
		break;
	case 'r':
		strbuf_adds(out, c->user);
		break;
	case 'u':
		strbuf_adds(out, ctx->login);
		break;
	default: /* one that we do not know: there is no such file then */
		strbuf_addc(out, '%');
		strbuf_addc(out, token);
	}
}

static const char *path_expand(struct ssh_config *c, struct sv path, const struct ssh_target *t,
			       const struct host_context *ctx)
{
	struct strbuf out;
	const char *done;
	size_t i = 0;

	strbuf_init(&out, SSH_CONFIG_MAX);
	if (path.n > 0 && path.p[0] == '~' && (path.n == 1 || path.p[1] == '/')) {
		strbuf_adds(&out, ctx->home);
		i = 1;
	}
	for (; i < path.n; i++)
		if (path.p[i] == '%' && i + 1 < path.n)
			token_add(&out, path.p[++i], c, t, ctx);
		else
			strbuf_addc(&out, path.p[i]);
	done = arena_strdup(&c->arena, strbuf_str(&out));
	strbuf_clear(&out);
	return done;
}

/* --- Lines ------------------------------------------------------------------------------------- */

struct reading {
	struct ssh_config *c;
	const struct ssh_target *target;
	const struct host_context *ctx;
	/* Until all is read: the %-words in them may stand below. */
	struct sv identity[SSH_CONFIG_FILES_MAX], certificate[SSH_CONFIG_FILES_MAX],
		known[SSH_CONFIG_FILES_MAX], global, agent;
	size_t n_identity, n_certificate, n_known;
};

static bool is_none(struct sv value)
{
	return value.n == 0 || sv_eq_str(value, "none");
}

static bool is_yes(struct sv value)
{
	return sv_eq_str(value, "yes") || sv_eq_str(value, "true");
}

static const char *text_of(struct reading *r, struct sv value)
{
	return is_none(value) ? NULL : arena_strndup(&r->c->arena, value.p, value.n);
}

static void known_add(struct reading *r, struct sv list)
{
	struct sv piece;

	while (sv_cut(&list, ' ', &piece)) {
		struct sv *last = r->n_known > 0 ? &r->known[r->n_known - 1] : NULL;

		/* The rest of a path with a blank in it. */
		if (piece.n > 0 && piece.p[0] != '/' && piece.p[0] != '~' && last != NULL &&
		    last->p + last->n + 1 == piece.p)
			last->n += 1 + piece.n;
		else if (!is_none(piece) && r->n_known < SSH_CONFIG_FILES_MAX)
			r->known[r->n_known++] = piece;
	}
}

static void line_take(struct reading *r, struct sv key, struct sv value)
{
	struct ssh_config *c = r->c;
	int64_t number;

	if (sv_eq_str(key, "hostname") && value.n > 0)
		c->host = text_of(r, value);
	else if (sv_eq_str(key, "user") && value.n > 0)
		c->user = text_of(r, value);
	else if (sv_eq_str(key, "port") && sv_int(value, 1, 65535, &number))
		c->port = (int)number;
	else if (sv_eq_str(key, "hostkeyalias"))
		c->alias = text_of(r, value);
	else if (sv_eq_str(key, "identityfile") && !is_none(value) &&
		 r->n_identity < SSH_CONFIG_FILES_MAX)
		r->identity[r->n_identity++] = value;
	else if (sv_eq_str(key, "certificatefile") && !is_none(value) &&
		 r->n_certificate < SSH_CONFIG_FILES_MAX)
		r->certificate[r->n_certificate++] = value;
	else if (sv_eq_str(key, "identitiesonly"))
		c->identities_only = is_yes(value);
	else if (sv_eq_str(key, "identityagent"))
		r->agent = value;
	else if (sv_eq_str(key, "userknownhostsfile"))
		known_add(r, value);
	else if (sv_eq_str(key, "globalknownhostsfile"))
		r->global = value;
	else if (sv_eq_str(key, "hashknownhosts"))
		c->hash_known_hosts = is_yes(value);
	else if (sv_eq_str(key, "proxyjump"))
		c->jump = text_of(r, value);
	else if (sv_eq_str(key, "proxycommand"))
		c->proxy = text_of(r, value);
	else if (sv_eq_str(key, "revokedhostkeys"))
		c->revoked = text_of(r, value);
	else if (sv_eq_str(key, "pubkeyauthentication"))
		c->by_key = !sv_eq_str(value, "no") && !sv_eq_str(value, "false");
	else if (sv_eq_str(key, "kbdinteractiveauthentication"))
		c->by_prompts = is_yes(value);
	else if (sv_eq_str(key, "passwordauthentication"))
		c->by_password = is_yes(value);
}

/* Words of the environment that ssh would look up are not for core/ to read; the usual one is in ctx. */
static const char *agent_of(struct reading *r)
{
	if (r->agent.n == 0 || sv_eq_str(r->agent, "SSH_AUTH_SOCK") ||
	    sv_eq_str(r->agent, "$SSH_AUTH_SOCK"))
		return r->ctx->agent_socket != NULL
			       ? arena_strdup(&r->c->arena, r->ctx->agent_socket)
			       : NULL;
	if (is_none(r->agent) || r->agent.p[0] == '$')
		return NULL;
	return path_expand(r->c, r->agent, r->target, r->ctx);
}

static const char **paths_expand(const struct reading *r, const struct sv *path, size_t n)
{
	struct ssh_config *c = r->c;
	const char **list = arena_alloc(&c->arena, (n + 1) * sizeof(*list));

	for (size_t i = 0; i < n; i++)
		list[i] = path_expand(c, path[i], r->target, r->ctx);
	return list;
}

static void files_take(struct reading *r)
{
	struct ssh_config *c = r->c;
	size_t n_user = r->n_known;

	known_add(r, r->global);
	c->identity = paths_expand(r, r->identity, r->n_identity);
	c->n_identity = r->n_identity;
	c->certificate = paths_expand(r, r->certificate, r->n_certificate);
	c->n_certificate = r->n_certificate;
	c->known = paths_expand(r, r->known, r->n_known);
	c->n_known = r->n_known;
	if (n_user > 0 && strcmp(c->known[0], "/dev/null") != 0)
		c->known_first = c->known[0];
	c->agent = agent_of(r);
}

void ssh_config_parse(struct ssh_config *out, struct sv text, const struct ssh_target *target,
		      const struct host_context *ctx)
{
	struct reading *r = mem_calloc(1, sizeof(*r));
	struct sv line, key;

	memset(out, 0, sizeof(*out));
	arena_init(&out->arena);
	r->c = out;
	r->target = target;
	r->ctx = ctx;
	text = arena_sv(&out->arena, text);
	out->by_key = out->by_prompts = out->by_password = true;
	while (sv_cut(&text, '\n', &line)) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (memchr(line.p, '\0', line.n) == NULL && sv_cut(&line, ' ', &key))
			line_take(r, key, line);
	}
	if (out->host == NULL)
		out->host = arena_strndup(&out->arena, target->host.p, target->host.n);
	if (out->user == NULL)
		out->user = target->user.n > 0
				    ? arena_strndup(&out->arena, target->user.p, target->user.n)
				    : arena_strdup(&out->arena, ctx->login);
	if (out->port == 0)
		out->port = target->port != 0 ? target->port : SSH_DEFAULT_PORT;
	files_take(r);
	mem_free(r);
}

void ssh_config_clear(struct ssh_config *c)
{
	arena_clear(&c->arena);
	memset(c, 0, sizeof(*c));
}

const char *ssh_config_known_name(const struct ssh_config *c, int *port)
{
	*port = c->alias != NULL ? SSH_DEFAULT_PORT : c->port;
	return c->alias != NULL ? c->alias : c->host;
}

/* --- Asking ------------------------------------------------------------------------------------ */

/* ssh_config(5): what is in force where nothing is configured. Kinds of keys that need hardware are left out. */
static const char defaults[] =
	"identityfile ~/.ssh/id_rsa\n"
	"identityfile ~/.ssh/id_ecdsa\n"
	"identityfile ~/.ssh/id_ed25519\n"
	"userknownhostsfile ~/.ssh/known_hosts ~/.ssh/known_hosts2\n"
	"globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2\n";

static int ssh_run(const struct ssh_target *t, const struct host_context *ctx, struct strbuf *out,
		   int64_t deadline_ms, struct cancel *c, int *status, struct err *e)
{
	struct arena a;
	char *argv[12];
	size_t n = 0;
	int ret;

	arena_init(&a);
	argv[n++] = arena_strdup(&a, "ssh");
	argv[n++] = arena_strdup(&a, "-TG");
	if (ctx->ssh_config != NULL) {
		argv[n++] = arena_strdup(&a, "-F");
		argv[n++] = arena_strdup(&a, ctx->ssh_config);
	}
	if (t->port != 0) {
		argv[n++] = arena_strdup(&a, "-p");
		argv[n++] = arena_printf(&a, "%d", t->port);
	}
	if (t->user.n > 0) {
		argv[n++] = arena_strdup(&a, "-l");
		argv[n++] = arena_strndup(&a, t->user.p, t->user.n);
	}
	argv[n++] = arena_strdup(&a, "--");
	argv[n++] = arena_strndup(&a, t->host.p, t->host.n);
	argv[n] = NULL;
	ret = child_capture(argv, out, deadline_ms, c, status, e);
	arena_clear(&a);
	return ret;
}

int ssh_config_read(struct ssh_config *out, const struct ssh_target *target,
		    const struct host_context *ctx, int64_t deadline_ms, struct cancel *c,
		    struct err *e)
{
	struct strbuf text;
	int status = 0, ret = -1;

	strbuf_init(&text, SSH_CONFIG_MAX);
	if (ssh_run(target, ctx, &text, deadline_ms, c, &status, e) != 0) {
		if (e->code != ERR_NOT_FOUND) {
			err_wrap(e, "cannot ask ssh for its configuration of %.*s",
				 (int)target->host.n, target->host.p);
			goto out;
		}
		err_clear(e);
		ssh_config_parse(out, SV(defaults), target, ctx);
	} else if (status != 0) {
		err_set(e, ERR_CONFIG, "ssh does not understand its configuration of %.*s",
			(int)target->host.n, target->host.p);
		err_detail(e, "ssh -G ended with status %d", status);
		err_hint(e, "ssh -G%s%s %.*s", ctx->ssh_config != NULL ? " -F " : "",
			 ctx->ssh_config != NULL ? ctx->ssh_config : "", (int)target->host.n,
			 target->host.p);
		goto out;
	} else {
		ssh_config_parse(out, strbuf_sv(&text), target, ctx);
		out->program = true;
	}
	ret = 0;
out:
	strbuf_clear(&text);
	return ret;
}
