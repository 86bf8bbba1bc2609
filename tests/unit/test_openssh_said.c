/* SPDX-License-Identifier: MIT */
/* Words of OpenSSH 9.2 as they come, and what is made of them. */
#include "core/host/openssh_said.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *said;
	enum err_code code;
	const char *detail; /* a part of it */
} cases[] = {
	{ "No ED25519 host key is known for [127.0.0.1]:2222 and you have requested strict checking.\n"
	  "Host key verification failed.\n",
	  ERR_ASKS, "No ED25519 host key is known" },
	{ "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n"
	  "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n"
	  "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n"
	  "IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\n"
	  "The fingerprint for the ED25519 key sent by the remote host is\n"
	  "SHA256:Qdb6j3u7wSKmXTc5cOBXMqNFnIw7pVYPZ4q9CcDc4bM.\n"
	  "Please contact your system administrator.\nHost key verification failed.\n",
	  ERR_REFUSED, "SHA256:Qdb6" },
	{ "root@127.0.0.1: Permission denied (publickey).\n", ERR_REFUSED, "(publickey)" },
	{ "Received disconnect from 1.2.3.4 port 22:2: Too many authentication failures\n",
	  ERR_REFUSED, "Too many" },
	{ "ssh: Could not resolve hostname nowhere.invalid: Name or service not known\n",
	  ERR_NOT_FOUND, "Could not resolve hostname nowhere.invalid" },
	{ "ssh: connect to host 127.0.0.1 port 1: Connection refused\n", ERR_NOT_FOUND,
	  "connect to host 127.0.0.1 port 1" },
	{ "ssh: connect to host 10.0.0.1 port 22: Connection timed out\n", ERR_TIMEOUT,
	  "timed out" },
	{ "Connection timed out during banner exchange\nConnection to 127.0.0.1 port 2222 timed out\n",
	  ERR_TIMEOUT, "timed out" },
	{ "kex_exchange_identification: read: Connection reset by peer\n"
	  "Connection reset by 127.0.0.1 port 2222\n",
	  ERR_LOST, "reset by peer" },
	{ "Timeout, server 127.0.0.1 not responding.\n", ERR_LOST, "not responding" },
	{ "mux_client_request_session: session request failed: Session open refused by peer\n"
	  "kex_exchange_identification: Connection closed by remote host\n",
	  ERR_BUSY, "Session open refused" },
	{ "mux_client_request_session: read from master failed: Broken pipe\n" OPENSSH_GONE "\n"
	  "kex_exchange_identification: Connection closed by remote host\n",
	  ERR_LOST, "read from master failed" },
	{ OPENSSH_GONE "\nkex_exchange_identification: Connection closed by remote host\n"
		       "Connection closed by UNKNOWN port 65535\n",
	  ERR_BUSY, OPENSSH_GONE },
	{ "channel 2: open failed: administratively prohibited: open failed\n", ERR_UNSUPPORTED,
	  "administratively" },
	{ "channel 2: open failed: connect failed: Connection refused\n", ERR_NOT_FOUND,
	  "refused" },
	{ "channel 2: open failed: connect failed: Name or service not known\n", ERR_NOT_FOUND,
	  "Name or service" },
	{ "/x/config: line 3: Bad configuration option: hostnam\n/x/config: terminating, 1 bad configuration options\n",
	  ERR_CONFIG, "line 3" },
	{ "sh: 4: exec: ssh: not found\n", ERR_UNSUPPORTED, "not found" },
	{ "something new\nand its last line\n\n", ERR_LOST, "and its last line" },
	{ "", ERR_LOST, "" },
	{ "\n@@@\n", ERR_LOST, "" },
};

static void openssh_said__makes_an_error__of_the_words(void **state)
{
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(openssh_said("app1", sv_of(cases[i].said), &e), -1);
		if (e.code != cases[i].code || !strstr(e.detail, cases[i].detail))
			fail_msg("%s: %s: %s (%s)", cases[i].said, err_code_name(e.code), e.msg,
				 e.detail);
		assert_null(strstr(e.msg, "%s"));
		assert_null(strchr(e.detail, '\n'));
	}
}

static void openssh_said__says_what_to_do__with_the_host_s_name(void **state)
{
	struct err e;

	(void)state;
	openssh_said("app1", sv_of(cases[0].said), &e);
	assert_string_equal(e.msg, "the host key of app1 is not known yet");
	assert_string_equal(e.hint, "ssh app1");
	openssh_said("app1", sv_of(cases[2].said), &e);
	assert_non_null(strstr(e.hint, "ssh-add"));
}

int main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(openssh_said__makes_an_error__of_the_words),
		cmocka_unit_test(openssh_said__says_what_to_do__with_the_host_s_name),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}
