/* SPDX-License-Identifier: MIT */
/*
 * From nothing to an authenticated session, in the thread of the connection, one step after the other. All of
 * it has one deadline; everything that waits does so in ssh_link_wait or is given that deadline.
 *
 * Host keys are strict whatever ssh's configuration says. The types of the keys that are known for the host
 * are asked of the server first: libssh2 prefers ecdsa, OpenSSH writes ed25519 into known_hosts, and together
 * they look like a changed key. A key that nobody knows is a question to a person. A key that was changed is
 * refused, and nothing here can take it: whoever knows better removes the old line.
 *
 * Through ProxyJump the socket is a stream dialled through another host of the pool, which has its own
 * connection, checks its own key and asks its own questions; they are asked again in the name of this host,
 * because that is the one that somebody wants to reach. The name of such a host may be a list, as in
 * ProxyJump a,b: b reached through a, whatever b's own configuration says.
 */
#include "core/host/host_ssh.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/clock.h"
#include "core/host/dial.h"

#define CONNECT_TIMEOUT_MS 10000
#define ROUND_BYTES ((int64_t)1 << 30)
#define JUMPS_MAX 16

int ssh_link_wait(struct ssh_link *l, struct err *e)
{
	struct pollfd fd = { .fd = l->sock, .events = POLLIN };
	int ready;

	if (!ssh_link_flush(l) || l->sock_ended || l->sock_error != 0) {
		err_set(e, ERR_LOST, "cannot connect to %s", l->host->name);
		return err_detail(e, "%s", ssh_link_words(l));
	}
	if (l->out.len > l->out_at)
		fd.events |= POLLOUT;
	ready = wait_fds(&fd, 1, l->deadline_ms, &l->stop, e);
	if (ready < 0)
		return -1;
	if (ready == 0) {
		err_set(e, ERR_TIMEOUT, "cannot connect to %s in time", l->host->name);
		err_detail(e, "the other side accepted the connection and then said nothing");
		return err_hint(e, "look whether sshd still works there: ssh %s true",
				l->host->name);
	}
	l->gate = true;
	l->budget = ROUND_BYTES;
	return 0;
}

/* --- Configuration ----------------------------------------------------------------------------- */

/* What stands before the last comma of a name says through whom; the rest is the host. */
static struct sv name_of(const char *name, struct sv *jump)
{
	const char *comma = strrchr(name, ',');

	*jump = comma != NULL ? sv_n(name, (size_t)(comma - name)) : sv_n(NULL, 0);
	return sv_of(comma != NULL ? comma + 1 : name);
}

/* Asked once; what went wrong is not kept. */
static int config_get(struct ssh_link *l, const struct ssh_config **out, struct err *e)
{
	struct ssh_state *s = l->state;
	struct ssh_target target;
	struct sv jump;
	int ret = 0;

	pthread_mutex_lock(&s->config_lock);
	if (!s->has_config) {
		struct ssh_config config;

		memset(&config, 0, sizeof(config));
		ret = ssh_target_parse(name_of(l->host->name, &jump), &target, e);
		if (ret == 0)
			ret = ssh_config_read(&config, &target, l->host->ctx, l->deadline_ms,
					      &l->stop, e);
		if (ret == 0) {
			if (jump.n > 0) {
				config.jump = arena_strndup(&config.arena, jump.p, jump.n);
				config.proxy = NULL;
			}
			s->config = config;
			s->has_config = true;
		} else if (config.arena.first != NULL) {
			ssh_config_clear(&config);
		}
	}
	pthread_mutex_unlock(&s->config_lock);
	*out = &s->config;
	return ret;
}

/* --- Reaching ---------------------------------------------------------------------------------- */

/* Whether h is waited for, along the hosts that wait for each other. */
static bool waits_for(struct host *h, const struct host *wanted)
{
	for (int i = 0; i < JUMPS_MAX && h != NULL; i++) {
		if (h == wanted)
			return true;
		h = h->ops == &host_ssh_ops ? ssh_state_via(h) : NULL;
	}
	return false;
}

/* What the answer to way's question q is kept under here. A key that was confirmed for way is not confirmed for us,
 * who may show the same one: way itself could play our part with it. */
static void subject_here(const struct host *way, struct host_question *q)
{
	size_t n = strlen(q->subject);

	if (q->kind == HOST_QUESTION_KEY)
		snprintf(q->subject + n, sizeof(q->subject) - n, " of %s", way->name);
}

/* What the host on the way asks is asked in our name; what was answered to us is its answer. */
static void pass_answer(struct host *way, struct host *h)
{
	struct secret text = { 0 };
	struct host_question q;
	struct err ignored;

	if (!host_question(way, &q))
		return;
	subject_here(way, &q);
	if (!host_answered(h, q.kind, q.subject, &text))
		return;
	/* When it was wrong, it is asked again. */
	if (host_answer(way, q.id, text.text, &ignored) != 0)
		host_answer_forget(h, q.kind, q.subject);
	secret_clear(&text);
}

static int pass_question(struct host *way, struct host *h, struct err *e)
{
	struct host_question q;
	struct strbuf text;

	if (!host_question(way, &q))
		return -1;
	strbuf_init(&text, sizeof(q.text) + 64);
	strbuf_addf(&text, "on the way to it: %s", q.text);
	str_copy(q.text, sizeof(q.text), strbuf_str(&text));
	strbuf_clear(&text);
	subject_here(way, &q);
	return host_ask(h, &q, e);
}

static int reach_through(struct ssh_link *l, const struct ssh_config *config, struct err *e)
{
	const struct host_target target = { .host = config->host, .port = config->port };
	struct host_spec spec = l->host->spec;
	struct host *way;
	int ret;

	spec.name = config->jump;
	if (strlen(config->jump) >= HOST_NAME_SIZE)
		return err_set(e, ERR_LIMIT, "the ProxyJump of %s is longer than %d bytes",
			       l->host->name, HOST_NAME_SIZE - 1);
	way = hosts_get(l->host->pool, &spec);
	atomic_store(&l->state->via, way);
	if (waits_for(way, l->host)) {
		atomic_store(&l->state->via, NULL);
		err_set(e, ERR_CONFIG, "the way to %s leads through itself", l->host->name);
		return err_hint(e, "look at ProxyJump in ssh's configuration: ssh -G %s",
				l->host->name);
	}
	pass_answer(way, l->host);
	ret = way->ops->dial(way, &target, l->deadline_ms, &l->stop, &l->sock, e);
	atomic_store(&l->state->via, NULL);
	if (ret == 0 || e->code == ERR_CANCELLED)
		return ret;
	if (e->code == ERR_ASKS)
		return pass_question(way, l->host, e);
	return err_wrap(e, "cannot connect to %s through %s", l->host->name, config->jump);
}

static int reach_direct(struct ssh_link *l, const struct ssh_config *config, struct err *e)
{
	const struct host_target target = { .host = config->host, .port = config->port };
	const int on = 1;
	int64_t dead_ms = 3 * l->host->spec.alive_ms;
	unsigned int timeout = dead_ms > 0 && dead_ms < INT32_MAX ? (unsigned int)dead_ms : 0;

	if (dial_target(&target, l->deadline_ms, &l->stop, &l->sock, e) != 0) {
		if (e->code == ERR_CANCELLED)
			return -1;
		err_wrap(e, "cannot connect to %s", l->host->name);
		return e->hint[0] == '\0' ? err_hint(e, "ssh %s true", l->host->name) : -1;
	}
	/* Both make things better and nothing depends on them. What was sent and is not acknowledged for so
	 * long breaks the connection: noticed by the kernel as we notice silence. */
	(void)setsockopt(l->sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(l->sock, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
	return 0;
}

static int reach(struct ssh_link *l, const struct ssh_config *config, struct err *e)
{
	/* Such a file may be a binary list of OpenSSH's; without it a key that was revoked would be taken. */
	if (config->revoked != NULL) {
		err_set(e, ERR_UNSUPPORTED, "cannot connect to %s by libssh2", l->host->name);
		err_detail(e, "ssh's configuration has RevokedHostKeys for it: %s",
			   config->revoked);
		return err_hint(e, "set transport = openssh");
	}
	if (config->jump != NULL)
		return reach_through(l, config, e);
	if (config->proxy == NULL)
		return reach_direct(l, config, e);
	err_set(e, ERR_UNSUPPORTED, "cannot connect to %s by libssh2", l->host->name);
	err_detail(e, "ssh's configuration has a ProxyCommand for it");
	return err_hint(e, "set transport = openssh, or use ProxyJump instead");
}

/* --- Host keys --------------------------------------------------------------------------------- */

/* In the order in which they are wanted where none is known. */
static const char *const key_types[] = { "ssh-ed25519",
					 "ecdsa-sha2-nistp256",
					 "ecdsa-sha2-nistp384",
					 "ecdsa-sha2-nistp521",
					 "rsa-sha2-512",
					 "rsa-sha2-256",
					 "ssh-rsa" };

/* The type that the key of such an algorithm has. */
static const char *type_of(const char *algorithm)
{
	return strncmp(algorithm, "rsa-sha2-", 9) == 0 ? "ssh-rsa" : algorithm;
}

/* Sets those of wanted that libssh2 has. It takes only what it knows out of the list by itself, but moves text over
 * itself doing so. */
static int prefer(struct ssh_link *l, int method, const char *const *wanted, size_t n,
		  struct err *e)
{
	const char **algorithm = NULL;
	int count = l->lib->session_supported_algs(l->session, method, &algorithm);
	struct strbuf list;
	int rc = 0;

	strbuf_init(&list, 1024);
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < count; k++)
			if (strcmp(wanted[i], algorithm[k]) == 0)
				strbuf_addf(&list, "%s%s", list.len > 0 ? "," : "", wanted[i]);
	if (count > 0)
		l->lib->free(l->session, algorithm);
	if (list.len > 0)
		rc = l->lib->session_method_pref(l->session, method, strbuf_str(&list));
	strbuf_clear(&list);
	return rc == 0 ? 0
		       : err_set(e, ERR_SYSTEM, "libssh2 does not take a list of its own methods");
}

static int prefer_all(struct ssh_link *l, const struct ssh_config *config,
		      const struct known_hosts *known, struct err *e)
{
	static const char *const ciphers[] = { "aes128-ctr",
					       "aes256-ctr",
					       "aes192-ctr",
					       "aes128-gcm@openssh.com",
					       "aes256-gcm@openssh.com",
					       "chacha20-poly1305@openssh.com" };
	static const char *const macs[] = { "hmac-sha2-256", "hmac-sha2-512",
					    "hmac-sha2-256-etm@openssh.com",
					    "hmac-sha2-512-etm@openssh.com", "hmac-sha1" };
	const size_t n_types = sizeof(key_types) / sizeof(key_types[0]);
	const size_t n_ciphers = sizeof(ciphers) / sizeof(ciphers[0]);
	const size_t n_macs = sizeof(macs) / sizeof(macs[0]);
	const char *list[sizeof(key_types) / sizeof(key_types[0])];
	size_t n = 0;
	int port;
	const char *name = ssh_config_known_name(config, &port);

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < n_types; i++)
			if (known_hosts_has_type(known, name, port, type_of(key_types[i])) ==
			    (pass == 0))
				list[n++] = key_types[i];
	if (prefer(l, LIBSSH2_METHOD_HOSTKEY, list, n, e) != 0 ||
	    prefer(l, LIBSSH2_METHOD_CRYPT_CS, ciphers, n_ciphers, e) != 0 ||
	    prefer(l, LIBSSH2_METHOD_CRYPT_SC, ciphers, n_ciphers, e) != 0 ||
	    prefer(l, LIBSSH2_METHOD_MAC_CS, macs, n_macs, e) != 0)
		return -1;
	return prefer(l, LIBSSH2_METHOD_MAC_SC, macs, n_macs, e);
}

static int handshake(struct ssh_link *l, struct err *e)
{
	int rc;

	l->gate = true;
	l->budget = ROUND_BYTES;
	while ((rc = l->lib->session_handshake(l->session, l->sock)) == LIBSSH2_ERROR_EAGAIN)
		if (ssh_link_wait(l, e) != 0)
			return -1;
	if (rc == 0)
		return 0;
	err_set(e, ERR_REFUSED, "cannot agree with %s on how to talk", l->host->name);
	err_detail(e, "%s", ssh_link_words(l));
	if (l->sock_ended || l->sock_error != 0) {
		e->code = ERR_LOST;
		return err_hint(e, "look at the log of its sshd: it may allow no more connections");
	}
	if (ssh2_has_rsa(l->lib))
		return err_hint(e, "set transport = openssh");
	return err_hint(
		e, "this libssh2 cannot use RSA host keys of current servers: add another one there"
		   " (ssh-keygen -A), or set transport = openssh");
}

static int key_changed(struct ssh_link *l, const char *name, int port, const struct known_key *key,
		       const char *sha256, const struct known_answer *a, struct err *e)
{
	struct strbuf shown;

	strbuf_init(&shown, 1024);
	if (port != SSH_DEFAULT_PORT)
		strbuf_addf(&shown, "'[%s]:%d'", name, port);
	else
		strbuf_adds(&shown, name);
	if (a->verdict == KNOWN_REVOKED) {
		err_set(e, ERR_REFUSED, "%s shows a key that was revoked", l->host->name);
		err_detail(e, "%s %s, revoked by %s:%zu", key->type, sha256, a->file, a->line);
		err_hint(e, "do not connect; ask whoever administers it");
	} else {
		err_set(e, ERR_REFUSED, "the key of %s has changed", l->host->name);
		err_detail(e, "known: %s %s (%s:%zu); now: %s", key->type, a->sha256, a->file,
			   a->line, sha256);
		err_hint(e, "when its owner confirms the new one: ssh-keygen -R %s -f %s",
			 strbuf_str(&shown), a->file);
	}
	strbuf_clear(&shown);
	return -1;
}

static int key_ask(struct ssh_link *l, const struct ssh_config *config, const struct known_key *key,
		   const char *sha256, const struct known_answer *a, struct err *e)
{
	struct host_question q = { .kind = HOST_QUESTION_KEY, .echo = true };
	const char *more = "";

	if (a->authority)
		more = " (known by an authority, whose certificates only transport = openssh reads)";
	else if (a->other_type)
		more = " (it is known by a key of another type)";
	str_copy(q.key_type, sizeof(q.key_type), key->type);
	str_copy(q.sha256, sizeof(q.sha256), sha256);
	snprintf(q.text, sizeof(q.text), "%s port %d shows a key that is not known%s: %s %s",
		 config->host, config->port, more, key->type, sha256);
	return host_ask(l->host, &q, e);
}

static int key_check(struct ssh_link *l, const struct ssh_config *config,
		     const struct known_hosts *known, const struct err *unread, struct err *e)
{
	struct secret answer = { 0 };
	char sha256[KNOWN_HOSTS_SHA256_SIZE],
		subject[KNOWN_HOSTS_SHA256_SIZE + KNOWN_HOSTS_TYPE_SIZE];
	struct known_answer a;
	struct known_key key;
	const char *name;
	int kind = 0, port;

	key.blob = l->lib->session_hostkey(l->session, &key.n, &kind);
	if (key.blob == NULL || !known_hosts_type(key.blob, key.n, key.type))
		return err_set(e, ERR_REFUSED, "%s shows a key that is none", l->host->name);
	known_hosts_sha256(key.blob, key.n, sha256);
	name = ssh_config_known_name(config, &port);
	known_hosts_check(known, name, port, &key, &a);
	if (a.verdict == KNOWN_SAME)
		return 0;
	if (a.verdict != KNOWN_NOT)
		return key_changed(l, name, port, &key, sha256, &a, e);
	if (unread->code != ERR_OK) { /* it may stand in what we could not read */
		*e = *unread;
		return -1;
	}
	snprintf(subject, sizeof(subject), "%s %s", key.type, sha256);
	if (!host_answered(l->host, HOST_QUESTION_KEY, subject, &answer))
		return key_ask(l, config, &key, sha256, &a, e);
	secret_clear(&answer);
	if (config->known_first == NULL)
		return 0; /* the answer counts as long as this process lives */
	return known_hosts_append(config->known_first, name, port, &key, config->hash_known_hosts,
				  l->deadline_ms, &l->stop, e);
}

static int shake_and_check(struct ssh_link *l, const struct ssh_config *config, struct err *e)
{
	struct known_hosts *known = known_hosts_new();
	struct err unread, one;
	int ret;

	err_clear(&unread);
	for (size_t i = 0; i < config->n_known; i++)
		if (known_hosts_read(known, config->known[i], &one) != 0)
			unread = one;
	ret = prefer_all(l, config, known, e);
	if (ret == 0)
		ret = handshake(l, e);
	if (ret == 0)
		ret = key_check(l, config, known, &unread, e);
	known_hosts_free(known);
	return ret;
}

/* --- All of it --------------------------------------------------------------------------------- */

static void say_about(struct ssh_link *l, const struct ssh_config *config)
{
	const char *banner = l->lib->session_banner_get(l->session);
	const char *key = l->lib->session_methods(l->session, LIBSSH2_METHOD_HOSTKEY);
	const char *kex = l->lib->session_methods(l->session, LIBSSH2_METHOD_KEX);
	struct strbuf about;
	struct sv rest = sv_of(banner), software;

	if (sv_starts(rest, SV("SSH-2.0-")))
		rest = sv_n(rest.p + 8, rest.n - 8);
	if (!sv_cut(&rest, ' ', &software))
		software = rest;
	strbuf_init(&about, 512);
	strbuf_addsv(&about, software);
	strbuf_addf(&about, ", %s, %s", key != NULL ? key : "?", kex != NULL ? kex : "?");
	if (!config->program)
		strbuf_adds(&about, ", no ssh program: its defaults");
	host_set_about(l->host, strbuf_str(&about));
	strbuf_clear(&about);
}

int ssh_link_connect(struct ssh_link *l, struct err *e)
{
	int64_t timeout_ms = l->host->spec.connect_timeout_ms;
	const struct ssh_config *config;

	l->deadline_ms = clock_mono_ms() + (timeout_ms > 0 ? timeout_ms : CONNECT_TIMEOUT_MS);
	if (config_get(l, &config, e) != 0 || reach(l, config, e) != 0 ||
	    shake_and_check(l, config, e) != 0 || ssh_link_authenticate(l, config, e) != 0)
		return -1;
	say_about(l, config);
	return 0;
}
