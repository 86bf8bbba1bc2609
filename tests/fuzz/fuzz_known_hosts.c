/* SPDX-License-Identifier: MIT */
/* known_hosts: any file gives an answer about a key, the same each time; and a line that we write for a name is
 * found under that name, whatever stands before it, unless a line before it revokes the key. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/host/known_hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char blob[] = "\0\0\0\13ssh-ed25519\0\0\0\4key1";
	const struct known_key key = { .type = "ssh-ed25519", .blob = blob, .n = sizeof(blob) - 1 };
	struct known_hosts *k = known_hosts_new();
	struct known_answer first, second;
	struct strbuf line;

	known_hosts_add(k, "file", sv_n((const char *)data, size));
	known_hosts_check(k, "app1", 2222, &key, &first);
	known_hosts_check(k, "app1", 2222, &key, &second);
	must(first.verdict == second.verdict && first.line == second.line);
	must(first.verdict != KNOWN_SAME || known_hosts_has_type(k, "app1", 2222, key.type));
	must(first.verdict == KNOWN_NOT || first.line > 0);
	must(known_hosts_bad_lines(k) <= size);
	strbuf_init(&line, 4096);
	known_hosts_line("app1", 2222, &key, size % 2 == 0, &line);
	known_hosts_add(k, "ours", strbuf_sv(&line));
	known_hosts_check(k, "app1", 2222, &key, &second);
	must(second.verdict == (first.verdict == KNOWN_REVOKED ? KNOWN_REVOKED : KNOWN_SAME));
	strbuf_clear(&line);
	known_hosts_free(k);
	return 0;
}
