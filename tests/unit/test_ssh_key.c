/* SPDX-License-Identifier: MIT */
/* What key files tell without their passphrase. The files were made by ssh-keygen and openssl. */
#include "core/host/ssh_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/tmp.h"

/* ssh-keygen makes the files: their text is long and says nothing to a reader. */
static void make_key(const char *path, const char *type, const char *format, const char *passphrase,
		     const char *cipher)
{
	char *argv[20];
	const char *words[] = { "ssh-keygen",
				"-q",
				"-t",
				type,
				"-f",
				path,
				"-N",
				passphrase,
				"-m",
				format,
				cipher != NULL ? "-Z" : NULL,
				cipher,
				NULL };
	struct tmp_child child;
	size_t n = 0;

	for (; words[n] != NULL; n++)
		argv[n] = strdup(words[n]);
	argv[n] = NULL;
	tmp_run(&child, NULL, argv);
	if (child.status != 0)
		fail_msg("ssh-keygen: %s", child.err);
	tmp_child_clear(&child);
	while (n > 0)
		free(argv[--n]);
}

static void check(const char *type, const char *format, const char *passphrase, const char *cipher,
		  const char *is_type, const char *is_cipher)
{
	char *dir = tmp_make(), *path = tmp_path(dir, "key"), *text, *public;
	struct ssh_key key, other = { .blob.max = 1 << 16 };

	make_key(path, type, format, passphrase, cipher);
	text = tmp_read(dir, "key");
	public = tmp_read(dir, "key.pub");
	assert_true(ssh_key_parse(&key, sv_of(text)));
	assert_string_equal(key.type, is_type);
	assert_string_equal(key.cipher, is_cipher);
	assert_int_equal(key.encrypted, passphrase[0] != '\0');
	assert_true(ssh_key_parse_public(&other, sv_of(public)));
	if (strcmp(format, "RFC4716") == 0) {
		assert_int_equal(key.blob.len, other.blob.len);
		assert_memory_equal(key.blob.data, other.blob.data, key.blob.len);
		assert_string_equal(key.type, other.type);
	} else {
		assert_int_equal(key.blob.len, 0);
	}
	ssh_key_clear(&key);
	ssh_key_clear(&other);
	free(text);
	free(public);
	free(path);
	tmp_remove(dir);
}

static void parse__knows__type_and_cipher(void **state)
{
	(void)state;
	check("ed25519", "RFC4716", "", NULL, "ssh-ed25519", "none");
	check("ed25519", "RFC4716", "secret", "aes256-gcm@openssh.com", "ssh-ed25519",
	      "aes256-gcm@openssh.com");
	check("ecdsa", "RFC4716", "secret", NULL, "ecdsa-sha2-nistp256", "aes256-ctr");
	check("ecdsa", "PEM", "", NULL, "ecdsa", "");
	check("ecdsa", "PEM", "secret", NULL, "ecdsa", "");
	check("ecdsa", "PKCS8", "secret", NULL, "", "");
}

static void parse__knows__rsa(void **state)
{
	struct ssh_key key;

	(void)state;
	assert_true(ssh_key_parse(&key, SV("note\n-----BEGIN RSA PRIVATE KEY-----\r\n"
					   "Proc-Type: 4,ENCRYPTED\n\nAAAA\n")));
	assert_true(ssh_key_is_rsa(key.type));
	assert_true(key.encrypted);
	ssh_key_clear(&key);
	assert_true(ssh_key_is_rsa("rsa-sha2-512"));
	assert_true(ssh_key_is_rsa("ssh-rsa-cert-v01@openssh.com"));
	assert_false(ssh_key_is_rsa("ssh-ed25519"));
}

static void parse__refuses__what_is_no_key(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n",
		"-----BEGIN OPENSSH PRIVATE KEY-----\n!!\n-----END OPENSSH PRIVATE KEY-----\n",
		/* its magic, and then nothing */
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n",
		"-----BEGIN -----",
		"-----BEGIN ",
	};
	struct ssh_key key, other = { .blob.max = 1000 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (ssh_key_parse(&key, sv_of(bad[i])))
			fail_msg("taken: %s", bad[i]);
		ssh_key_clear(&key);
		if (ssh_key_parse_public(&other, sv_of(bad[i])))
			fail_msg("taken: %s", bad[i]);
		assert_string_equal(other.type, "");
	}
	ssh_key_clear(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse__knows__type_and_cipher),
		cmocka_unit_test(parse__knows__rsa),
		cmocka_unit_test(parse__refuses__what_is_no_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
