/* SPDX-License-Identifier: MIT */
/*
 * Authentication by keys: those of the agent that are configured, other ones of the agent, key files.
 *
 * A key is offered before anything is done with it: the server says whether it would accept it, which costs a
 * round trip and no passphrase. Only for a key that it wants the agent signs or a person is asked. Files that
 * need no passphrase are tried before one is asked for.
 *
 * What libssh2 1.10 cannot do is found out from the file, without trying: RSA keys (it signs with SHA-1,
 * which current servers refuse) and ciphers that it cannot decrypt. Certificates it cannot show; the key alone is
 * offered then, since a server may know it too. Each is said with a remedy.
 */
#include "core/host/host_ssh.h"

#include <string.h>
#include <sys/stat.h>

#include "core/base/fs.h"
#include "core/host/host_ssh_agent.h"
#include "core/host/ssh_key.h"

/* So many failures are left for what follows keys. */
#define KEY_TRIES_MAX 4
#define WORDS_SIZE 512
/* What is said of one, and its remedy. */
#define CERTIFICATE "is not used by libssh2", "set transport = openssh, which shows certificates"

struct key_file {
	const char *path;
	struct ssh_key key;
	bool usable, tried;
};

/* --- Signing ----------------------------------------------------------------------------------- */

/* Which SHA the server wants of an RSA key stands in what is to be signed: a string, the session; then a byte, three
 * strings, a byte, and the name of the algorithm (RFC 4252, 7). */
static uint32_t sign_flags(struct sv data)
{
	struct sv part, algorithm = { 0 };

	if (!ssh_wire_string(&data, &part) || data.n < 1)
		return 0;
	data = sv_n(data.p + 1, data.n - 1);
	for (int i = 0; i < 3; i++)
		if (!ssh_wire_string(&data, &part))
			return 0;
	if (data.n < 1)
		return 0;
	data = sv_n(data.p + 1, data.n - 1);
	if (!ssh_wire_string(&data, &algorithm))
		return 0;
	if (sv_eq_str(algorithm, "rsa-sha2-512"))
		return 4;
	return sv_eq_str(algorithm, "rsa-sha2-256") ? 2 : 0;
}

/* Called by libssh2 once the server wants the key. Fails where it was only to be known whether it does. */
static LIBSSH2_USERAUTH_PUBLICKEY_SIGN_FUNC(sign)
{
	struct ssh_link *l = *abstract;
	struct ssh_auth *a = l->auth;
	struct sv bytes = sv_n((const char *)data, data_len), signature;

	(void)session;
	a->wanted = true;
	if (a->signs_with.n == 0)
		return -1;
	if (ssh_agent_sign(a->agent, a->signs_with, bytes, sign_flags(bytes), l->deadline_ms,
			   &l->stop, &signature, &a->agent_err) != 0)
		return -1;
	*sig = (unsigned char *)signature.p;
	*sig_len = signature.n;
	return 0;
}

/* Offers a public key; signs_with: lets the agent sign with it. */
static int offer(struct ssh_link *l, struct sv blob, bool signs)
{
	struct ssh_auth *a = l->auth;
	void *self = l;
	struct err e;
	int rc;

	a->wanted = false;
	a->signs_with = signs ? blob : sv_n(NULL, 0);
	err_clear(&a->agent_err);
	while ((rc = l->lib->userauth_publickey(l->session, a->user, (const unsigned char *)blob.p,
						blob.n, sign, &self)) == LIBSSH2_ERROR_EAGAIN)
		if (ssh_link_wait(l, &e) != 0) {
			a->agent_err = e;
			return LIBSSH2_ERROR_SOCKET_NONE;
		}
	return rc;
}

/* --- The agent --------------------------------------------------------------------------------- */

static void agent_get(struct ssh_link *l)
{
	struct ssh_auth *a = l->auth;
	struct err e;

	if (a->agent != NULL || a->config->agent == NULL)
		return;
	a->agent = mem_calloc(1, sizeof(*a->agent));
	if (ssh_agent_open(a->agent, a->config->agent, l->deadline_ms, &l->stop, &e) == 0)
		return;
	ssh_auth_note(a, "no key of the agent (it cannot be reached)");
	ssh_agent_close(a->agent);
	mem_free(a->agent);
	a->agent = NULL;
}

static void name_key(struct strbuf *out, const char *what, struct sv blob)
{
	char sha256[KNOWN_HOSTS_SHA256_SIZE];

	known_hosts_sha256(blob.p, blob.n, sha256);
	strbuf_addf(out, "%s %s", what, sha256);
}

/* Types that libssh2 can sign for. */
static bool type_known(const char *type)
{
	return strcmp(type, "ssh-ed25519") == 0 || strncmp(type, "ecdsa-sha2-nistp", 16) == 0 ||
	       strcmp(type, "ssh-rsa") == 0;
}

static bool agent_key_usable(struct ssh_link *l, const struct ssh_agent_key *key)
{
	struct ssh_auth *a = l->auth;

	if (ssh_key_is_rsa(key->type) && !ssh2_has_rsa(l->lib)) {
		ssh_auth_remark(
			a, "the agent's RSA key cannot be used by this libssh2",
			"use an ed25519 key (ssh-keygen -t ed25519), or set transport = openssh");
		return false;
	}
	if (strstr(key->type, "-cert-") != NULL) {
		ssh_auth_remark(a, "the agent's certificate " CERTIFICATE);
		return false;
	}
	return type_known(key->type);
}

static enum ssh_try agent_try(struct ssh_link *l, struct ssh_agent_key *key, struct err *e)
{
	struct ssh_auth *a = l->auth;
	struct strbuf name;
	int rc;

	key->used = true;
	if (!agent_key_usable(l, key))
		return SSH_TRY_NO;
	strbuf_init(&name, WORDS_SIZE);
	name_key(&name, "agent key", key->blob);
	ssh_auth_note(a, strbuf_str(&name));
	strbuf_clear(&name);
	rc = offer(l, key->blob, true);
	if (a->agent_err.code != ERR_OK && rc != 0 && a->wanted) {
		ssh_auth_remark(a, "the agent did not sign", "ssh-add -l");
		return SSH_TRY_NO; /* nothing was sent, so nothing was counted */
	}
	if (rc == LIBSSH2_ERROR_SOCKET_NONE) {
		*e = a->agent_err;
		return SSH_TRY_ERROR;
	}
	return ssh_auth_judge(l, rc, e);
}

static struct ssh_agent_key *agent_find(struct ssh_auth *a, struct sv blob)
{
	for (size_t i = 0; a->agent != NULL && i < a->agent->n; i++)
		if (blob.n > 0 && sv_eq(a->agent->key[i].blob, blob))
			return &a->agent->key[i];
	return NULL;
}

static enum ssh_try agent_keys(struct ssh_link *l, struct key_file *file, size_t n, struct err *e)
{
	struct ssh_auth *a = l->auth;
	enum ssh_try t = SSH_TRY_NO;

	for (size_t i = 0; i < n && t == SSH_TRY_NO; i++) {
		struct ssh_agent_key *key = agent_find(a, strbuf_sv(&file[i].key.blob));

		if (key == NULL || key->used)
			continue;
		file[i].tried = true;
		t = agent_try(l, key, e);
	}
	for (size_t i = 0; a->agent != NULL && i < a->agent->n && t == SSH_TRY_NO; i++) {
		if (a->agent->key[i].used || a->config->identities_only)
			continue;
		if (a->failures + 1 >= KEY_TRIES_MAX) {
			ssh_auth_remark(
				a, "other keys of the agent were not tried",
				"name the right key in ssh's configuration: IdentityFile, IdentitiesOnly yes");
			break;
		}
		t = agent_try(l, &a->agent->key[i], e);
	}
	return t;
}

/* --- Files ------------------------------------------------------------------------------------- */

/* The public half of a file that keeps it to itself. */
static void read_public(struct key_file *f)
{
	struct strbuf path, text;
	struct err ignored;

	strbuf_init(&path, 4096);
	strbuf_init(&text, SSH_KEY_FILE_MAX);
	strbuf_addf(&path, "%s.pub", f->path);
	if (fs_read(strbuf_str(&path), SSH_KEY_FILE_MAX, &text, &ignored) == 0)
		(void)ssh_key_parse_public(&f->key, strbuf_sv(&text));
	strbuf_clear(&path);
	strbuf_clear(&text);
}

static void file_remark(struct ssh_auth *a, const struct key_file *f, const char *what,
			const char *remedy)
{
	struct strbuf words;

	strbuf_init(&words, WORDS_SIZE);
	strbuf_addf(&words, "%s %s", f->path, what);
	ssh_auth_remark(a, strbuf_str(&words), remedy);
	strbuf_clear(&words);
}

/* Whether libssh2 can do anything with it; says why not. */
static bool file_usable(struct ssh_link *l, const struct key_file *f)
{
	struct ssh_auth *a = l->auth;
	bool old = !ssh2_has_rsa(l->lib);
	char remedy[WORDS_SIZE];

	if (old && ssh_key_is_rsa(f->key.type)) {
		file_remark(
			a, f, "is an RSA key, which this libssh2 cannot use with current servers",
			"use an ed25519 key (ssh-keygen -t ed25519), or set transport = openssh");
		return false;
	}
	if (old &&
	    (strstr(f->key.cipher, "gcm") != NULL || strstr(f->key.cipher, "chacha") != NULL)) {
		snprintf(
			remedy, sizeof(remedy),
			"ssh-add %s, or ssh-keygen -p -Z aes256-ctr -f %s, or set transport = openssh",
			f->path, f->path);
		file_remark(a, f, "is encrypted in a way that this libssh2 cannot read", remedy);
		return false;
	}
	if (f->key.type[0] == 's' && f->key.type[1] == 'k') {
		file_remark(a, f, "needs hardware that libssh2 cannot use",
			    "set transport = openssh");
		return false;
	}
	return true;
}

/* ssh shows those that are named, and those beside its keys, without being told to. */
static void certificates_remark(struct ssh_auth *a, const struct key_file *file, size_t n)
{
	struct key_file f = { 0 };
	struct strbuf path;

	for (size_t i = 0; i < a->config->n_certificate; i++) {
		f.path = a->config->certificate[i];
		if (fs_exists(f.path))
			file_remark(a, &f, CERTIFICATE);
	}
	strbuf_init(&path, 4096);
	for (size_t i = 0; i < n; i++) {
		strbuf_reset(&path);
		strbuf_addf(&path, "%s-cert.pub", file[i].path);
		f.path = strbuf_str(&path);
		if (fs_exists(f.path))
			file_remark(a, &f, CERTIFICATE);
	}
	strbuf_clear(&path);
}

static void file_read(struct ssh_link *l, struct key_file *f)
{
	struct strbuf text;
	struct stat st;
	struct err e;
	bool good;

	strbuf_init(&text, SSH_KEY_FILE_MAX);
	if (fs_read(f->path, SSH_KEY_FILE_MAX, &text, &e) != 0) {
		strbuf_init(&f->key.blob, SSH_KEY_FILE_MAX);
		read_public(f); /* of a key that only the agent has */
		if (e.code != ERR_NOT_FOUND)
			file_remark(l->auth, f, "cannot be read",
				    "look at its owner and permissions");
		strbuf_clear(&text);
		return;
	}
	good = ssh_key_parse(&f->key, strbuf_sv(&text));
	secret_clear_buf(&text);
	if (f->key.blob.len == 0)
		read_public(f);
	if (!good) {
		file_remark(l->auth, f, "is not a private key", "name another IdentityFile");
	} else if (stat(f->path, &st) == 0 && (st.st_mode & 077) != 0) {
		char remedy[WORDS_SIZE];

		snprintf(remedy, sizeof(remedy), "chmod 600 %s", f->path);
		file_remark(l->auth, f, "may be read by others and is not used", remedy);
	} else {
		f->usable = true;
	}
}

static enum ssh_try file_sign(struct ssh_link *l, struct key_file *f, const char *passphrase,
			      bool *unreadable, struct err *e)
{
	struct ssh_auth *a = l->auth;
	int rc;

	*unreadable = false;
	while ((rc = l->lib->userauth_publickey_fromfile_ex(
			l->session, a->user, (unsigned int)strlen(a->user), NULL, f->path,
			passphrase)) == LIBSSH2_ERROR_EAGAIN)
		if (ssh_link_wait(l, e) != 0)
			return SSH_TRY_ERROR;
	if (rc == LIBSSH2_ERROR_FILE) {
		*unreadable = true;
		return SSH_TRY_NO;
	}
	a->wanted = true; /* nobody says whether it was */
	return ssh_auth_judge(l, rc, e);
}

static int ask_passphrase(struct ssh_link *l, const struct key_file *f, bool wrong, struct err *e)
{
	struct host_question q = { .kind = HOST_QUESTION_PASSPHRASE };
	struct strbuf text;

	strbuf_init(&text, sizeof(q.text) - 1);
	strbuf_addf(&text, "passphrase of %s%s", f->path, wrong ? " (the last one was wrong)" : "");
	str_copy(q.text, sizeof(q.text), strbuf_str(&text));
	strbuf_clear(&text);
	str_copy(q.subject, sizeof(q.subject), f->path);
	return host_ask(l->host, &q, e);
}

static enum ssh_try file_encrypted(struct ssh_link *l, struct key_file *f, bool may_ask,
				   struct err *e)
{
	struct secret passphrase = { 0 };
	bool wrong = false, known;
	enum ssh_try t = SSH_TRY_NO;

	known = host_answered(l->host, HOST_QUESTION_PASSPHRASE, f->path, &passphrase);
	if (!known && !may_ask)
		return SSH_TRY_NO;
	f->tried = true;
	if (f->key.blob.len > 0) {
		int rc = offer(l, strbuf_sv(&f->key.blob), false);

		if (rc == LIBSSH2_ERROR_SOCKET_NONE) {
			*e = l->auth->agent_err;
			t = SSH_TRY_ERROR;
		} else if (!l->auth->wanted) {
			ssh_auth_note(l->auth, f->path);
			t = ssh_auth_judge(l, rc, e);
		}
		if (t != SSH_TRY_NO || !l->auth->wanted) {
			secret_clear(&passphrase);
			return t;
		}
	}
	if (known) {
		ssh_auth_note(l->auth, f->path);
		t = file_sign(l, f, passphrase.text, &wrong, e);
		secret_clear(&passphrase);
		if (!wrong)
			return t;
		host_answer_forget(l->host, HOST_QUESTION_PASSPHRASE, f->path);
	}
	ask_passphrase(l, f, wrong, e);
	return SSH_TRY_ERROR;
}

static enum ssh_try file_plain(struct ssh_link *l, struct key_file *f, struct err *e)
{
	bool unreadable;
	enum ssh_try t;

	f->tried = true;
	ssh_auth_note(l->auth, f->path);
	t = file_sign(l, f, NULL, &unreadable, e);
	if (unreadable)
		file_remark(l->auth, f, "cannot be read by libssh2", "set transport = openssh");
	return t;
}

static enum ssh_try file_keys(struct ssh_link *l, struct key_file *file, size_t n, struct err *e)
{
	enum ssh_try t = SSH_TRY_NO;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < n && t == SSH_TRY_NO; i++) {
			struct key_file *f = &file[i];

			if (f->tried || !f->usable)
				continue;
			if (pass == 0 && !file_usable(l, f))
				f->usable = false;
			else if (f->key.encrypted)
				t = file_encrypted(l, f, pass == 1, e);
			else
				t = file_plain(l, f, e);
		}
	return t;
}

enum ssh_try ssh_auth_keys(struct ssh_link *l, struct err *e)
{
	const struct ssh_config *config = l->auth->config;
	struct key_file *file = mem_calloc(config->n_identity + 1, sizeof(*file));
	enum ssh_try t;

	for (size_t i = 0; i < config->n_identity; i++) {
		file[i].path = config->identity[i];
		file_read(l, &file[i]);
	}
	certificates_remark(l->auth, file, config->n_identity);
	agent_get(l);
	t = agent_keys(l, file, config->n_identity, e);
	if (t == SSH_TRY_NO)
		t = file_keys(l, file, config->n_identity, e);
	for (size_t i = 0; i < config->n_identity; i++)
		ssh_key_clear(&file[i].key);
	mem_free(file);
	return t;
}
