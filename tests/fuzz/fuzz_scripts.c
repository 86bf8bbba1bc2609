/* SPDX-License-Identifier: MIT */
/* run_script: whatever stands in a run's file of frozen scripts, a text that comes out has the checksum
 * it was asked by. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/release/run_folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX ((size_t)1 << 20)

/* A folder of this process: two fuzzers at once must not read each other's file. */
static const char *folder(void)
{
	static char dir[] = "/tmp/fuzz_scripts.XXXXXX";
	static int made;

	if (!made && !mkdtemp(dir))
		abort();
	made = 1;
	return dir;
}

static void ask(struct run *r, const char *checksum)
{
	char hex[DIGEST_HEX_SIZE];
	struct strbuf text;
	struct err e;

	err_clear(&e);
	strbuf_init(&text, TEXT_MAX);
	if (run_script(r, checksum, &text, &e)) {
		if (e.code == ERR_OK)
			abort();
	} else {
		digest_hex(strbuf_str(&text), text.len, hex);
		if (strcmp(hex, checksum + 3) != 0)
			abort();
	}
	strbuf_clear(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r = { .id = "1-abcdef" };
	char path[64], first[CHECKSUM_SIZE];
	struct sv line = sv_n((const char *)data,
			      size < CHECKSUM_SIZE - 1 ? size : CHECKSUM_SIZE - 1);
	int fd;

	r.dir = (char *)(uintptr_t)folder();
	snprintf(path, sizeof(path), "%s/scripts", r.dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	/* SHA-256 of no bytes, and what the input itself calls its first record. */
	ask(&r, "s1:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	str_copy_sv(first, sizeof(first), line);
	if (memchr(data, '\0', line.n) == NULL && line.n == CHECKSUM_SIZE - 1)
		ask(&r, first);
	scripts_close(r.scripts);
	return 0;
}
