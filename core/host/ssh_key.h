/* SPDX-License-Identifier: MIT */
/* What a private key file tells without its passphrase: of which type it is, and how it is encrypted. */
#ifndef HOST_SSH_KEY_H
#define HOST_SSH_KEY_H

#include "core/base/str.h"

#define SSH_KEY_FILE_MAX ((size_t)128 << 10)
#define SSH_KEY_WORD_SIZE 64

struct ssh_key {
	char type[SSH_KEY_WORD_SIZE]; /* "ssh-ed25519"; "" unknown */
	bool encrypted;
	char cipher[SSH_KEY_WORD_SIZE]; /* "aes256-ctr"; "" of PEM files */
	struct strbuf blob;             /* the public key; empty when the file does not tell it */
};

void ssh_key_clear(struct ssh_key *k);
/* From the text of a private key file. False when it is none. Needs ssh_key_clear in any case. */
bool ssh_key_parse(struct ssh_key *out, struct sv text);
/* Takes type and blob from the text of a .pub file. False, with out as it was, when it is none. */
bool ssh_key_parse_public(struct ssh_key *out, struct sv text);
bool ssh_key_is_rsa(const char *type);

/* A string of SSH's wire format (RFC 4251), cut off the front of rest. */
bool ssh_wire_string(struct sv *rest, struct sv *out);
bool ssh_wire_u32(struct sv *rest, uint32_t *out);
void ssh_wire_add_u32(struct strbuf *out, uint32_t n);
void ssh_wire_add_string(struct strbuf *out, struct sv s);

#endif
