/* SPDX-License-Identifier: MIT */
#include "core/base/fs.h"

#include "core/base/mem.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *path_join(const char *dir, const char *name)
{
	struct strbuf b;

	if (name[0] == '/')
		return mem_strdup(name);
	strbuf_init(&b, STRBUF_NO_LIMIT);
	strbuf_adds(&b, dir);
	if (b.len > 0 && b.data[b.len - 1] != '/')
		strbuf_addc(&b, '/');
	strbuf_adds(&b, name);
	return strbuf_detach(&b);
}

char *path_dir(const char *path)
{
	size_t n = (size_t)(path_base(path) - path);

	if (n == 0)
		return mem_strdup(".");
	while (n > 1 && path[n - 1] == '/')
		n--;
	return mem_strndup(path, n);
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *path_absolute(const char *path, struct err *e)
{
	char *cwd, *joined;

	if (path[0] == '/')
		return mem_strdup(path);
	cwd = getcwd(NULL, 0);
	if (!cwd) {
		err_sys(e, errno, "cannot find the current folder of %s", path);
		return NULL;
	}
	while (path[0] == '.' && path[1] == '/') {
		path += 2;
		path += strspn(path, "/");
	}
	joined = path_join(cwd, path);
	free(cwd);
	return joined;
}

char *path_real(const char *path, struct err *e)
{
	const char *base = path_base(path);
	char *dir = NULL, *real = NULL, *result = NULL;
	/* These are no names of their own: the path is a folder. */
	bool folder = !base[0] || strcmp(base, ".") == 0 || strcmp(base, "..") == 0;

	dir = folder ? mem_strdup(path) : path_dir(path);
	real = realpath(dir, NULL);
	if (!real)
		err_sys(e, errno, "cannot resolve folder %s", dir);
	else
		result = folder ? mem_strdup(real) : path_join(real, base);
	free(real);
	mem_free(dir);
	return result;
}

void path_quote(struct strbuf *out, const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789_@%+=:,./-";

	if (word[0] && !word[strspn(word, plain)]) {
		strbuf_adds(out, word);
		return;
	}
	strbuf_addc(out, '\'');
	for (; *word; word++) {
		/* Nothing can be escaped inside single quotes: leave them for the quote itself. */
		if (*word == '\'')
			strbuf_adds(out, "'\\''");
		else
			strbuf_addc(out, *word);
	}
	strbuf_addc(out, '\'');
}
