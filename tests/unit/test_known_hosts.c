/* SPDX-License-Identifier: MIT */
/*
 * known_hosts: who is matched by which line, what a key is told to be, and what is written. Keys, hashes and
 * fingerprints were made by ssh-keygen.
 */
#include "core/host/known_hosts.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/base64.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "tests/support/tmp.h"

#define K1 "AAAAC3NzaC1lZDI1NTE5AAAAIKVu8NbF/WdA43h+RF7C9AweJh8gvLG7cEZNuF01X4NY"
#define K1_SHA256 "SHA256:/q5Is32VdqGeSyNXEDADN7TIdTQSOWTWpARNHQKEkkI"
#define K2 "AAAAC3NzaC1lZDI1NTE5AAAAIMq2HR4S/NgzJrzvU3gE2qpSrdVSnYsDmmAwHtUviFwE"
#define E1 \
	"AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBG2pqiP8sjwYeXdUpEJtF/" \
	"An+W2SmyTLSLIM4OwZkOn5u05rouot5SekLC04/MVZCyI2CO4oSL5cLFt/yqAxdl8="
/* app1.example.com with K1, and its port 2222 with K2 */
#define HASHED_22 \
	"|1|QRC3W7nv5FO2L+4tPhgKZOrHbko=|F6N26rIbYlDcV+VkD66QuZsyPzk= ssh-ed25519 " K1 "\n"
#define HASHED_2222 \
	"|1|HeD03fwIpyuSHuxRHrMkWINQxyw=|pGVuU6XAx3zeM20f2U/92XACKcU= ssh-ed25519 " K2 "\n"

static struct err e;
static struct known_answer answer;

struct key {
	struct strbuf bytes;
	struct known_key known;
};

static void key_init(struct key *key, const char *base64)
{
	strbuf_init(&key->bytes, 4096);
	assert_true(base64_decode(&key->bytes, sv_of(base64)));
	key->known.blob = key->bytes.data;
	key->known.n = key->bytes.len;
	assert_true(known_hosts_type(key->known.blob, key->known.n, key->known.type));
}

static enum known_verdict verdict(const char *text, const char *host, int port, const char *base64)
{
	struct known_hosts *k = known_hosts_new();
	struct key key;
	enum known_verdict v;

	key_init(&key, base64);
	known_hosts_add(k, "file", sv_of(text));
	known_hosts_check(k, host, port, &key.known, &answer);
	v = answer.verdict;
	answer.file = NULL; /* borrowed */
	strbuf_clear(&key.bytes);
	known_hosts_free(k);
	return v;
}

static void key__is_same_changed_or_not_known(void **state)
{
	const char *text = "# comment\n\nother ssh-ed25519 " K2 "\napp1 ssh-ed25519 " K1 " note\n";

	(void)state;
	assert_int_equal(verdict(text, "app1", 22, K1), KNOWN_SAME);
	assert_int_equal(answer.line, 4);
	assert_string_equal(answer.sha256, K1_SHA256);
	assert_int_equal(verdict(text, "APP1", 22, K1), KNOWN_SAME);
	assert_int_equal(verdict(text, "app1", 22, K2), KNOWN_CHANGED);
	assert_int_equal(answer.line, 4);
	assert_string_equal(answer.sha256, K1_SHA256);
	assert_int_equal(verdict(text, "app2", 22, K1), KNOWN_NOT);
	assert_false(answer.other_type);
	/* Two keys of one type: either is good. */
	assert_int_equal(verdict("a ssh-ed25519 " K2 "\na ssh-ed25519 " K1 "\n", "a", 22, K1),
			 KNOWN_SAME);
	assert_int_equal(verdict("a ssh-ed25519 " K1 "\na ssh-ed25519 " K2 "\n", "a", 22, K1),
			 KNOWN_SAME);
	assert_int_equal(answer.line, 1);
}

static void key__of_another_type__is_not_known(void **state)
{
	(void)state;
	assert_int_equal(verdict("a ssh-ed25519 " K1 "\n", "a", 22, E1), KNOWN_NOT);
	assert_true(answer.other_type);
	assert_int_equal(verdict("a ecdsa-sha2-nistp256 " E1 "\n", "a", 22, E1), KNOWN_SAME);
}

static void port__has_its_own_line__or_the_bare_one(void **state)
{
	const char *text = "[a]:2222 ssh-ed25519 " K2 "\na ssh-ed25519 " K1 "\n";

	(void)state;
	assert_int_equal(verdict(text, "a", 2222, K2), KNOWN_SAME);
	assert_int_equal(verdict(text, "a", 22, K1), KNOWN_SAME);
	assert_int_equal(verdict(text, "a", 22, K2), KNOWN_CHANGED);
	/* The line of the port counts before the bare one. */
	assert_int_equal(verdict(text, "a", 2222, K1), KNOWN_CHANGED);
	assert_int_equal(verdict(text, "a", 23, K1), KNOWN_SAME);
	assert_int_equal(verdict(text, "a", 23, K2), KNOWN_NOT);
	assert_int_equal(verdict("[::1]:2222 ssh-ed25519 " K1 "\n", "::1", 2222, K1), KNOWN_SAME);
}

static void names__are_patterns(void **state)
{
	(void)state;
	assert_int_equal(verdict("*.example.com ssh-ed25519 " K1, "a.example.com", 22, K1),
			 KNOWN_SAME);
	assert_int_equal(verdict("*.example.com ssh-ed25519 " K1, "example.com", 22, K1),
			 KNOWN_NOT);
	assert_int_equal(verdict("App? ssh-ed25519 " K1, "app7", 22, K1), KNOWN_SAME);
	assert_int_equal(verdict("app? ssh-ed25519 " K1, "app", 22, K1), KNOWN_NOT);
	assert_int_equal(verdict("a,b,*c ssh-ed25519 " K1, "b", 22, K1), KNOWN_SAME);
	assert_int_equal(verdict("*a*a*b ssh-ed25519 " K1, "aaaaaaaaaaaaaaaaac", 22, K1),
			 KNOWN_NOT);
	assert_int_equal(verdict("[*]:22?? ssh-ed25519 " K1, "x", 2222, K1), KNOWN_SAME);
	assert_int_equal(verdict("* ssh-ed25519 " K1, "x", 2222, K1), KNOWN_SAME);
	assert_int_equal(verdict(", ssh-ed25519 " K1, "", 22, K1), KNOWN_NOT);
}

static void negation__wins__wherever_it_stands(void **state)
{
	(void)state;
	assert_int_equal(verdict("*.ex,!db.ex ssh-ed25519 " K1, "a.ex", 22, K1), KNOWN_SAME);
	assert_int_equal(verdict("*.ex,!db.ex ssh-ed25519 " K1, "db.ex", 22, K1), KNOWN_NOT);
	assert_int_equal(verdict("!db.ex,*.ex ssh-ed25519 " K1, "db.ex", 22, K1), KNOWN_NOT);
	assert_int_equal(verdict("!db.ex ssh-ed25519 " K1, "a.ex", 22, K1), KNOWN_NOT);
}

static void hashed__names__are_found(void **state)
{
	(void)state;
	assert_int_equal(verdict(HASHED_22 HASHED_2222, "app1.example.com", 22, K1), KNOWN_SAME);
	assert_int_equal(verdict(HASHED_22 HASHED_2222, "App1.Example.com", 2222, K2), KNOWN_SAME);
	assert_int_equal(verdict(HASHED_22 HASHED_2222, "app1.example.com", 22, K2), KNOWN_CHANGED);
	assert_int_equal(verdict(HASHED_22 HASHED_2222, "app2.example.com", 22, K1), KNOWN_NOT);
	assert_int_equal(verdict("|1|QRC3|F6N2 ssh-ed25519 " K1, "a", 22, K1), KNOWN_NOT);
	assert_int_equal(verdict("|1| ssh-ed25519 " K1, "a", 22, K1), KNOWN_NOT);
	assert_int_equal(verdict("|2|QRC3W7nv5FO2L+4tPhgKZOrHbko=|F6N26rIbYlDcV+VkD66QuZsyPzk= "
				 "ssh-ed25519 " K1,
				 "app1.example.com", 22, K1),
			 KNOWN_NOT);
}

static void revoked__wins_over_everything(void **state)
{
	const char *text = "a ssh-ed25519 " K1 "\n@revoked * ssh-ed25519 " K1 "\n";

	(void)state;
	assert_int_equal(verdict(text, "a", 22, K1), KNOWN_REVOKED);
	assert_int_equal(answer.line, 2);
	assert_int_equal(verdict(text, "a", 22, K2), KNOWN_CHANGED);
	assert_int_equal(verdict("@revoked b ssh-ed25519 " K1 "\n", "a", 22, K1), KNOWN_NOT);
	assert_int_equal(verdict("[a]:23 ssh-ed25519 " K1 "\n@revoked a ssh-ed25519 " K1 "\n", "a",
				 23, K1),
			 KNOWN_REVOKED);
}

static void authority__is_no_key_of_the_host(void **state)
{
	(void)state;
	assert_int_equal(verdict("@cert-authority *.ex ssh-ed25519 " K1, "a.ex", 22, K1),
			 KNOWN_NOT);
	assert_true(answer.authority);
	assert_int_equal(verdict("@cert-authority *.ex ssh-ed25519 " K1, "a.ey", 22, K1),
			 KNOWN_NOT);
	assert_false(answer.authority);
}

static void bad_lines__are_counted_and_passed_over(void **state)
{
	static const char *const bad[] = {
		"a",
		"a ssh-ed25519",
		"a ssh-ed25519 !!!!",
		"a ssh-ed25519 " K1 "A",
		"a ssh-rsa " K1,
		"@nonsense a ssh-ed25519 " K1,
		"@revoked",
		"a 2048 35 1234567890",
		"a ssh-ed25519 AAAA",
		"a ssh-ed25519 AAAAAA==",
	};
	struct known_hosts *k = known_hosts_new();
	struct key key;

	(void)state;
	key_init(&key, K1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		known_hosts_add(k, "file", sv_of(bad[i]));
	assert_int_equal(known_hosts_bad_lines(k), sizeof(bad) / sizeof(bad[0]));
	known_hosts_check(k, "a", 22, &key.known, &answer);
	assert_int_equal(answer.verdict, KNOWN_NOT);
	known_hosts_add(k, "file", sv_of("\tb\t ssh-ed25519 \t" K1 "\r\n"));
	known_hosts_check(k, "b", 22, &key.known, &answer);
	assert_int_equal(answer.verdict, KNOWN_SAME);
	strbuf_clear(&key.bytes);
	known_hosts_free(k);
}

static void types__are_those_of_the_host(void **state)
{
	struct known_hosts *k = known_hosts_new();

	(void)state;
	known_hosts_add(k, "file",
			sv_of("a ssh-ed25519 " K1 "\n[b]:23 ecdsa-sha2-nistp256 " E1
			      "\n@revoked c ssh-ed25519 " K1 "\n" HASHED_22));
	assert_true(known_hosts_has_type(k, "a", 22, "ssh-ed25519"));
	assert_true(known_hosts_has_type(k, "a", 99, "ssh-ed25519"));
	assert_false(known_hosts_has_type(k, "a", 22, "ecdsa-sha2-nistp256"));
	assert_true(known_hosts_has_type(k, "b", 23, "ecdsa-sha2-nistp256"));
	assert_false(known_hosts_has_type(k, "b", 22, "ecdsa-sha2-nistp256"));
	assert_false(known_hosts_has_type(k, "c", 22, "ssh-ed25519"));
	assert_true(known_hosts_has_type(k, "app1.example.com", 22, "ssh-ed25519"));
	known_hosts_free(k);
}

static void line__is_what_check_finds(void **state)
{
	struct strbuf text;
	struct key key;

	(void)state;
	key_init(&key, K1);
	strbuf_init(&text, 4096);
	known_hosts_line("Host", 22, &key.known, false, &text);
	assert_string_equal(strbuf_str(&text), "host ssh-ed25519 " K1 "\n");
	assert_int_equal(verdict(strbuf_str(&text), "host", 22, K1), KNOWN_SAME);
	strbuf_reset(&text);
	known_hosts_line("host", 2200, &key.known, false, &text);
	assert_string_equal(strbuf_str(&text), "[host]:2200 ssh-ed25519 " K1 "\n");
	strbuf_reset(&text);
	known_hosts_line("host", 2200, &key.known, true, &text);
	assert_null(strstr(strbuf_str(&text), "host"));
	assert_int_equal(verdict(strbuf_str(&text), "host", 2200, K1), KNOWN_SAME);
	assert_int_equal(verdict(strbuf_str(&text), "host", 22, K1), KNOWN_NOT);
	strbuf_clear(&text);
	strbuf_clear(&key.bytes);
}

static int64_t soon(void)
{
	return clock_mono_ms() + 60000;
}

static void append__makes_what_is_missing(void **state)
{
	char *dir = tmp_make(), *path = tmp_path(dir, ".ssh/deep/known_hosts"), *text;
	char *folder = tmp_path(dir, ".ssh");
	struct stat st;
	struct key key;

	(void)state;
	key_init(&key, K1);
	assert_int_equal(known_hosts_append(path, "a", 22, &key.known, false, soon(), NULL, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	/* A line without its end stays a line of its own. */
	tmp_write(dir, ".ssh/deep/known_hosts", "b ssh-ed25519 " K2);
	assert_int_equal(known_hosts_append(path, "a", 22, &key.known, false, soon(), NULL, &e), 0);
	text = tmp_read(dir, ".ssh/deep/known_hosts");
	assert_string_equal(text, "b ssh-ed25519 " K2 "\na ssh-ed25519 " K1 "\n");
	mem_free(text);
	assert_int_equal(known_hosts_append(dir, "a", 22, &key.known, false, soon(), NULL, &e), -1);
	assert_non_null(strstr(e.msg, "known hosts"));
	strbuf_clear(&key.bytes);
	mem_free(path);
	mem_free(folder);
	tmp_remove(dir);
}

/* Whoever can read the file can hold its lock for ever. */
static void append__waits_for_the_lock__but_not_for_ever(void **state)
{
	char *dir = tmp_make(), *path = tmp_path(dir, "kh"), *text;
	struct cancel stop;
	struct key key;
	int fd;

	(void)state;
	key_init(&key, K1);
	tmp_write(dir, "kh", "");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	assert_int_equal(known_hosts_append(path, "a", 22, &key.known, false, clock_mono_ms() + 50,
					    NULL, &e),
			 -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_non_null(strstr(e.msg, "cannot add the key of a"));
	assert_non_null(strstr(e.detail, path));
	assert_non_null(strstr(e.detail, "another process has held its lock for"));
	assert_non_null(strstr(e.hint, "lslocks"));
	/* Its own limit, where the caller has none. */
	assert_int_equal(
		known_hosts_append(path, "a", 22, &key.known, false, WAIT_FOREVER, NULL, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_int_equal(cancel_init(&stop, &e), 0);
	cancel_fire(&stop);
	assert_int_equal(
		known_hosts_append(path, "a", 22, &key.known, false, WAIT_FOREVER, &stop, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	cancel_clear(&stop);
	text = tmp_read(dir, "kh");
	assert_string_equal(text, "");
	mem_free(text);
	close(fd);
	assert_int_equal(known_hosts_append(path, "a", 22, &key.known, false, soon(), NULL, &e), 0);
	strbuf_clear(&key.bytes);
	mem_free(path);
	tmp_remove(dir);
}

/* Half a line would be another key of that host. */
static void append__leaves_nothing__where_there_is_no_room(void **state)
{
	const char before[] = "b ssh-ed25519 " K2;
	char *dir = tmp_make(), *path = tmp_path(dir, "kh"), *text;
	struct rlimit usual, little;
	struct key key;
	int rc;

	(void)state;
	key_init(&key, K1);
	tmp_write(dir, "kh", before);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
	little = usual;
	little.rlim_cur = sizeof(before) + 40;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	rc = known_hosts_append(path, "a", 22, &key.known, false, soon(), NULL, &e);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(rc, -1);
	text = tmp_read(dir, "kh");
	assert_string_equal(text, before);
	mem_free(text);
	strbuf_clear(&key.bytes);
	mem_free(path);
	tmp_remove(dir);
}

static void read__passes_over_none__and_says_what_is_unreadable(void **state)
{
	struct known_hosts *k = known_hosts_new();
	char *dir = tmp_make(), *path = tmp_path(dir, "kh");
	struct key key;

	(void)state;
	key_init(&key, K1);
	assert_int_equal(known_hosts_read(k, "none", &e), 0);
	assert_int_equal(known_hosts_read(k, "/dev/null", &e), 0);
	assert_int_equal(known_hosts_read(k, path, &e), 0);
	assert_int_equal(known_hosts_read(k, dir, &e), -1);
	assert_non_null(strstr(e.hint, dir));
	tmp_write(dir, "kh", "\na ssh-ed25519 " K1 "\n");
	assert_int_equal(known_hosts_read(k, path, &e), 0);
	known_hosts_check(k, "a", 22, &key.known, &answer);
	assert_int_equal(answer.verdict, KNOWN_SAME);
	assert_string_equal(answer.file, path);
	assert_int_equal(answer.line, 2);
	known_hosts_free(k);
	strbuf_clear(&key.bytes);
	mem_free(path);
	tmp_remove(dir);
}

static void base64__goes_both_ways(void **state)
{
	static const char *const bad[] = { "A", "AB=C", "A===", "AAA==", "A A=", "AAAA=" };
	struct strbuf b, back;

	(void)state;
	strbuf_init(&b, 100);
	strbuf_init(&back, 100);
	for (size_t n = 0; n < 12; n++) {
		strbuf_reset(&b);
		strbuf_reset(&back);
		base64_encode(&b, "\xff\x00 hello wor", n, n % 2 == 0);
		assert_true(base64_decode(&back, strbuf_sv(&b)));
		assert_int_equal(back.len, n);
		if (n > 0)
			assert_memory_equal(back.data, "\xff\x00 hello wor", n);
	}
	strbuf_reset(&b);
	base64_encode(&b, "ab", 2, true);
	assert_string_equal(strbuf_str(&b), "YWI=");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (base64_decode(&back, sv_of(bad[i])))
			fail_msg("taken: %s", bad[i]);
	strbuf_clear(&b);
	strbuf_clear(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key__is_same_changed_or_not_known),
		cmocka_unit_test(key__of_another_type__is_not_known),
		cmocka_unit_test(port__has_its_own_line__or_the_bare_one),
		cmocka_unit_test(names__are_patterns),
		cmocka_unit_test(negation__wins__wherever_it_stands),
		cmocka_unit_test(hashed__names__are_found),
		cmocka_unit_test(revoked__wins_over_everything),
		cmocka_unit_test(authority__is_no_key_of_the_host),
		cmocka_unit_test(bad_lines__are_counted_and_passed_over),
		cmocka_unit_test(types__are_those_of_the_host),
		cmocka_unit_test(line__is_what_check_finds),
		cmocka_unit_test(append__makes_what_is_missing),
		cmocka_unit_test(append__waits_for_the_lock__but_not_for_ever),
		cmocka_unit_test(append__leaves_nothing__where_there_is_no_room),
		cmocka_unit_test(read__passes_over_none__and_says_what_is_unreadable),
		cmocka_unit_test(base64__goes_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
