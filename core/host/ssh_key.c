/* SPDX-License-Identifier: MIT */
#include "core/host/ssh_key.h"

#include <string.h>

#include "core/base/base64.h"
#include "core/base/secret.h"

#define BLOB_MAX ((size_t)32 << 10)

/* --- Wire -------------------------------------------------------------------------------------- */

bool ssh_wire_u32(struct sv *rest, uint32_t *out)
{
	const unsigned char *p = (const unsigned char *)rest->p;

	if (rest->n < 4)
		return false;
	*out = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	*rest = sv_n(rest->p + 4, rest->n - 4);
	return true;
}

bool ssh_wire_string(struct sv *rest, struct sv *out)
{
	struct sv at = *rest;
	uint32_t n;

	if (!ssh_wire_u32(&at, &n) || n > at.n)
		return false;
	*out = sv_n(at.p, n);
	*rest = sv_n(at.p + n, at.n - n);
	return true;
}

void ssh_wire_add_u32(struct strbuf *out, uint32_t n)
{
	const char bytes[] = { (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n };

	strbuf_add(out, bytes, sizeof(bytes));
}

void ssh_wire_add_string(struct strbuf *out, struct sv s)
{
	ssh_wire_add_u32(out, (uint32_t)s.n);
	strbuf_addsv(out, s);
}

/* --- Private keys ------------------------------------------------------------------------------ */

void ssh_key_clear(struct ssh_key *k)
{
	strbuf_clear(&k->blob);
	memset(k, 0, sizeof(*k));
}

static bool word_copy(char out[SSH_KEY_WORD_SIZE], struct sv word)
{
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] <= ' ' || word.p[i] > '~')
			return false;
	if (word.n == 0 || word.n >= SSH_KEY_WORD_SIZE)
		return false;
	str_copy_sv(out, SSH_KEY_WORD_SIZE, word);
	return true;
}

static bool blob_take(struct ssh_key *k, struct sv blob)
{
	struct sv rest = blob, type;
	char word[SSH_KEY_WORD_SIZE];

	if (!ssh_wire_string(&rest, &type) || !word_copy(word, type) || blob.n > BLOB_MAX)
		return false;
	str_copy(k->type, sizeof(k->type), word);
	strbuf_reset(&k->blob);
	strbuf_addsv(&k->blob, blob);
	return true;
}

/* PROTOCOL.key of OpenSSH: the cipher, how the passphrase becomes its key, the public keys, the private ones. */
static bool parse_openssh(struct ssh_key *k, struct sv bytes)
{
	static const char magic[] = "openssh-key-v1"; /* with its NUL */
	struct sv cipher, kdf, options, blob;
	uint32_t n;

	if (!sv_starts(bytes, sv_n(magic, sizeof(magic))))
		return false;
	bytes = sv_n(bytes.p + sizeof(magic), bytes.n - sizeof(magic));
	if (!ssh_wire_string(&bytes, &cipher) || !ssh_wire_string(&bytes, &kdf) ||
	    !ssh_wire_string(&bytes, &options) || !ssh_wire_u32(&bytes, &n) || n < 1 ||
	    !ssh_wire_string(&bytes, &blob) || !word_copy(k->cipher, cipher))
		return false;
	k->encrypted = !sv_eq_str(cipher, "none");
	return blob_take(k, blob);
}

/* The base64 between the BEGIN and END lines. */
static bool decode_body(struct sv text, struct strbuf *out)
{
	struct strbuf body;
	struct sv line;
	bool ended = false, good;

	strbuf_init(&body, SSH_KEY_FILE_MAX);
	while (!ended && sv_cut(&text, '\n', &line)) {
		line = sv_trim(line);
		ended = sv_starts(line, SV("-----END"));
		if (!ended)
			strbuf_addsv(&body, line);
	}
	good = ended && base64_decode(out, strbuf_sv(&body));
	secret_clear_buf(&body);
	return good;
}

/* Of the old formats only the first lines are read: they say what kind of key it is, not which. */
static bool parse_pem(struct ssh_key *k, struct sv kind, struct sv text)
{
	struct sv line;

	if (sv_eq_str(kind, "RSA PRIVATE KEY"))
		str_copy(k->type, sizeof(k->type), "ssh-rsa");
	else if (sv_eq_str(kind, "DSA PRIVATE KEY"))
		str_copy(k->type, sizeof(k->type), "ssh-dss");
	else if (sv_eq_str(kind, "EC PRIVATE KEY"))
		str_copy(k->type, sizeof(k->type), "ecdsa");
	else if (sv_eq_str(kind, "ENCRYPTED PRIVATE KEY"))
		k->encrypted = true;
	else if (!sv_eq_str(kind, "PRIVATE KEY"))
		return false;
	if (sv_cut(&text, '\n', &line) && sv_starts(line, SV("Proc-Type: 4,ENCRYPTED")))
		k->encrypted = true;
	return true;
}

bool ssh_key_parse(struct ssh_key *out, struct sv text)
{
	static const struct sv begin = SV("-----BEGIN "), end = SV("-----");
	struct strbuf bytes;
	struct sv line, kind;
	bool good;

	memset(out, 0, sizeof(*out));
	strbuf_init(&out->blob, BLOB_MAX);
	/* Some people have text before it. */
	do {
		if (!sv_cut(&text, '\n', &line))
			return false;
		line = sv_trim(line);
	} while (!sv_starts(line, begin));
	if (!sv_ends(line, end) || line.n < begin.n + end.n)
		return false;
	kind = sv_n(line.p + begin.n, line.n - begin.n - end.n);
	if (!sv_eq_str(kind, "OPENSSH PRIVATE KEY"))
		return parse_pem(out, kind, text);
	strbuf_init(&bytes, SSH_KEY_FILE_MAX);
	good = decode_body(text, &bytes) && parse_openssh(out, strbuf_sv(&bytes));
	secret_clear_buf(&bytes);
	return good;
}

bool ssh_key_parse_public(struct ssh_key *out, struct sv text)
{
	struct strbuf bytes;
	struct sv type, body;
	bool good;

	text = sv_trim(text);
	if (!sv_cut(&text, ' ', &type) || !sv_cut(&text, ' ', &body))
		return false;
	strbuf_init(&bytes, BLOB_MAX);
	good = base64_decode(&bytes, sv_trim(body)) && blob_take(out, strbuf_sv(&bytes));
	strbuf_clear(&bytes);
	return good;
}

bool ssh_key_is_rsa(const char *type)
{
	return strncmp(type, "ssh-rsa", 7) == 0 || strncmp(type, "rsa-sha2-", 9) == 0;
}
