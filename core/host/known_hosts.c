/* SPDX-License-Identifier: MIT */
/*
 * Our own reading of known_hosts files, since libssh2's understands neither patterns nor negation, takes a
 * revoked key for a good one, and gives up at the first line that it does not like.
 *
 * A line is [@mark] names type key [comment]. names is either one hashed name (|1|salt|hash, HMAC-SHA1 of the
 * name with the salt as its key) or a list of patterns separated by commas, in which * and ? are wild and !
 * before a pattern means: not this one, whatever the others say. Names are compared in lower case.
 *
 * A key is only told from another one of the same type. A host that is known by its ed25519 key and now shows
 * its ecdsa key is not changed, it is not known: an attacker could always offer a type that nobody has seen,
 * so that a person decides, but it is no proof of anything. Which types are known is told to the transport
 * before it talks to the server (known_hosts_has_type), which then asks for one of them.
 *
 * Appending takes a lock on the file and writes one line with one write, so that two programs of ours (or two
 * threads) leave two whole lines. It is held for two short writes, but anybody who can read the file can hold it for
 * ever, so the wait for it is bounded; the kernel tells nobody when it is given back. ssh itself takes no lock; a single short write to a file opened for
 * appending is what it does too.
 *
 * Not here: certificates. Lines of authorities are found only so that it can be said that they are not used.
 */
#include "core/host/known_hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/base64.h"
#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/fs.h"
#include "core/base/mem.h"

#define DEFAULT_PORT 22
#define NAME_MAX_BYTES 1100 /* of a host: 1024 and a port */
#define KEY_MAX ((size_t)64 << 10)
#define LOCK_AGAIN_MS 20

enum mark { MARK_NONE, MARK_REVOKED, MARK_AUTHORITY };

struct line {
	enum mark mark;
	struct sv names, type, blob;
	const char *file;
	size_t number;
};

struct known_hosts {
	struct arena arena;
	struct line *line;
	size_t n, cap;
	size_t bad;
};

struct known_hosts *known_hosts_new(void)
{
	struct known_hosts *k = mem_calloc(1, sizeof(*k));

	arena_init(&k->arena);
	return k;
}

void known_hosts_free(struct known_hosts *k)
{
	if (k == NULL)
		return;
	mem_free(k->line);
	arena_clear(&k->arena);
	mem_free(k);
}

size_t known_hosts_bad_lines(const struct known_hosts *k)
{
	return k->bad;
}

/* --- Reading ----------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word; empty at the end. */
static struct sv word_cut(struct sv *rest)
{
	struct sv word;
	size_t n = 0;

	while (rest->n > 0 && is_blank(rest->p[0])) {
		rest->p++;
		rest->n--;
	}
	while (n < rest->n && !is_blank(rest->p[n]))
		n++;
	word = sv_n(rest->p, n);
	rest->p += n;
	rest->n -= n;
	return word;
}

bool known_hosts_type(const void *blob, size_t n, char out[KNOWN_HOSTS_TYPE_SIZE])
{
	const unsigned char *p = blob;
	size_t length;

	if (n < 4)
		return false;
	length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	if (length == 0 || length > n - 4 || length >= KNOWN_HOSTS_TYPE_SIZE)
		return false;
	for (size_t i = 0; i < length; i++)
		if (p[4 + i] <= ' ' || p[4 + i] > '~')
			return false;
	memcpy(out, p + 4, length);
	out[length] = '\0';
	return true;
}

static bool mark_of(struct sv word, enum mark *mark)
{
	if (sv_eq_str(word, "@revoked"))
		*mark = MARK_REVOKED;
	else if (sv_eq_str(word, "@cert-authority"))
		*mark = MARK_AUTHORITY;
	else
		return false;
	return true;
}

static bool line_parse(struct known_hosts *k, struct sv text, struct line *out)
{
	char type[KNOWN_HOSTS_TYPE_SIZE];
	struct strbuf blob;
	struct sv word = word_cut(&text);
	bool good = false;

	out->mark = MARK_NONE;
	if (word.n > 0 && word.p[0] == '@') {
		if (!mark_of(word, &out->mark))
			return false;
		word = word_cut(&text);
	}
	strbuf_init(&blob, KEY_MAX);
	out->names = word;
	out->type = word_cut(&text);
	word = word_cut(&text);
	/* The type stands there twice, as a word and in the key: a key that says something else is not one
	 * of that type. */
	if (word.n > 0 && base64_decode(&blob, word) && strbuf_ok(&blob) &&
	    known_hosts_type(blob.data, blob.len, type) && sv_eq_str(out->type, type)) {
		out->blob = arena_sv(&k->arena, strbuf_sv(&blob));
		good = true;
	}
	strbuf_clear(&blob);
	return good;
}

void known_hosts_add(struct known_hosts *k, const char *file, struct sv text)
{
	struct sv rest = arena_sv(&k->arena, text), line;
	const char *name = arena_strdup(&k->arena, file);
	size_t number = 0;

	while (sv_cut(&rest, '\n', &line)) {
		struct line parsed = { .file = name, .number = ++number };

		line = sv_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (!line_parse(k, line, &parsed)) {
			k->bad++;
			continue;
		}
		mem_grow(&k->line, &k->cap, k->n + 1, sizeof(*k->line));
		k->line[k->n++] = parsed;
	}
}

int known_hosts_read(struct known_hosts *k, const char *path, struct err *e)
{
	struct strbuf text;
	int ret = 0;

	if (strcmp(path, "none") == 0 || strcmp(path, "/dev/null") == 0)
		return 0;
	strbuf_init(&text, KNOWN_HOSTS_FILE_MAX);
	if (fs_read(path, KNOWN_HOSTS_FILE_MAX, &text, e) == 0) {
		known_hosts_add(k, path, strbuf_sv(&text));
	} else if (e->code == ERR_NOT_FOUND) {
		err_clear(e);
	} else {
		err_wrap(e, "cannot learn which keys of hosts are known");
		err_hint(e, "make %s readable, or take it out of ssh's configuration", path);
		ret = -1;
	}
	strbuf_clear(&text);
	return ret;
}

/* --- Matching ---------------------------------------------------------------------------------- */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* * stands for any text, ? for one byte. Linear in both: only the last * is ever tried again. */
static bool pattern_fits(struct sv pattern, struct sv name)
{
	size_t p = 0, i = 0, star = SIZE_MAX, from = 0;

	while (i < name.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			from = i;
		} else if (p < pattern.n &&
			   (pattern.p[p] == '?' || lower(pattern.p[p]) == name.p[i])) {
			p++;
			i++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			i = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

static bool list_fits(struct sv names, struct sv name)
{
	struct sv pattern;
	bool fits = false;

	while (sv_cut(&names, ',', &pattern)) {
		bool negated = pattern.n > 0 && pattern.p[0] == '!';

		if (negated) {
			pattern.p++;
			pattern.n--;
		}
		if (pattern.n == 0 || !pattern_fits(pattern, name))
			continue;
		if (negated)
			return false;
		fits = true;
	}
	return fits;
}

/* |1|salt|hash */
static bool hash_fits(struct sv names, struct sv name)
{
	unsigned char sum[DIGEST_HMAC_SHA1_BYTES];
	struct strbuf salt, hash;
	struct sv piece[4], rest = names;
	bool fits = false;

	for (size_t i = 0; i < 4; i++)
		if (!sv_cut(&rest, '|', &piece[i]))
			return false;
	if (!sv_eq_str(piece[1], "1") || rest.n > 0)
		return false;
	strbuf_init(&salt, KEY_MAX);
	strbuf_init(&hash, KEY_MAX);
	if (base64_decode(&salt, piece[2]) && base64_decode(&hash, piece[3]) &&
	    hash.len == sizeof(sum)) {
		digest_hmac_sha1(strbuf_str(&salt), salt.len, name.p, name.n, sum);
		fits = memcmp(sum, hash.data, sizeof(sum)) == 0;
	}
	strbuf_clear(&salt);
	strbuf_clear(&hash);
	return fits;
}

static bool line_fits(const struct line *line, struct sv name)
{
	if (line->names.n > 0 && line->names.p[0] == '|')
		return hash_fits(line->names, name);
	return list_fits(line->names, name);
}

/* How host at port is called in the files. */
static void name_make(struct strbuf *out, const char *host, int port)
{
	if (port != DEFAULT_PORT)
		strbuf_addc(out, '[');
	for (const char *c = host; *c != '\0'; c++)
		strbuf_addc(out, lower(*c));
	if (port != DEFAULT_PORT)
		strbuf_addf(out, "]:%d", port);
}

static void answer_by(struct known_answer *out, enum known_verdict verdict, const struct line *line)
{
	out->verdict = verdict;
	out->file = line->file;
	out->line = line->number;
	known_hosts_sha256(line->blob.p, line->blob.n, out->sha256);
}

static void check_name(const struct known_hosts *k, struct sv name, const struct known_key *key,
		       struct known_answer *out)
{
	struct sv blob = sv_n(key->blob, key->n);

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < k->n; i++) {
		const struct line *line = &k->line[i];
		bool same = sv_eq(line->blob, blob);

		/* Hashing a name costs more than comparing keys. */
		if ((line->mark == MARK_REVOKED && !same) || !line_fits(line, name))
			continue;
		if (line->mark == MARK_REVOKED) {
			answer_by(out, KNOWN_REVOKED, line);
			return;
		}
		if (line->mark == MARK_AUTHORITY)
			out->authority = true;
		else if (!sv_eq_str(line->type, key->type))
			out->other_type = true;
		else if (same && out->verdict != KNOWN_SAME)
			answer_by(out, KNOWN_SAME, line);
		else if (out->verdict == KNOWN_NOT)
			answer_by(out, KNOWN_CHANGED, line);
	}
}

void known_hosts_check(const struct known_hosts *k, const char *host, int port,
		       const struct known_key *key, struct known_answer *out)
{
	struct known_answer bare;
	struct strbuf name;

	strbuf_init(&name, NAME_MAX_BYTES);
	name_make(&name, host, port);
	check_name(k, strbuf_sv(&name), key, out);
	if (port != DEFAULT_PORT && out->verdict != KNOWN_REVOKED) {
		strbuf_reset(&name);
		name_make(&name, host, DEFAULT_PORT);
		check_name(k, strbuf_sv(&name), key, &bare);
		if (bare.verdict == KNOWN_REVOKED ||
		    (bare.verdict == KNOWN_SAME && out->verdict == KNOWN_NOT))
			*out = bare;
	}
	strbuf_clear(&name);
}

static bool name_has_type(const struct known_hosts *k, struct sv name, const char *type)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->line[i].mark == MARK_NONE && sv_eq_str(k->line[i].type, type) &&
		    line_fits(&k->line[i], name))
			return true;
	return false;
}

bool known_hosts_has_type(const struct known_hosts *k, const char *host, int port, const char *type)
{
	struct strbuf name;
	bool has;

	strbuf_init(&name, NAME_MAX_BYTES);
	name_make(&name, host, port);
	has = name_has_type(k, strbuf_sv(&name), type);
	if (!has && port != DEFAULT_PORT) {
		strbuf_reset(&name);
		name_make(&name, host, DEFAULT_PORT);
		has = name_has_type(k, strbuf_sv(&name), type);
	}
	strbuf_clear(&name);
	return has;
}

void known_hosts_sha256(const void *blob, size_t n, char out[KNOWN_HOSTS_SHA256_SIZE])
{
	unsigned char sum[DIGEST_BYTES];
	struct strbuf text;

	digest_bytes(blob, n, sum);
	strbuf_init(&text, KNOWN_HOSTS_SHA256_SIZE - 1);
	strbuf_adds(&text, "SHA256:");
	base64_encode(&text, sum, sizeof(sum), false);
	str_copy_sv(out, KNOWN_HOSTS_SHA256_SIZE, strbuf_sv(&text));
	strbuf_clear(&text);
}

/* --- Writing ----------------------------------------------------------------------------------- */

void known_hosts_line(const char *host, int port, const struct known_key *key, bool hashed,
		      struct strbuf *out)
{
	unsigned char salt[DIGEST_HMAC_SHA1_BYTES], sum[DIGEST_HMAC_SHA1_BYTES];
	struct strbuf name;

	strbuf_init(&name, NAME_MAX_BYTES);
	name_make(&name, host, port);
	if (hashed) {
		digest_random(salt, sizeof(salt));
		digest_hmac_sha1(salt, sizeof(salt), strbuf_str(&name), name.len, sum);
		strbuf_adds(out, "|1|");
		base64_encode(out, salt, sizeof(salt), true);
		strbuf_addc(out, '|');
		base64_encode(out, sum, sizeof(sum), true);
	} else {
		strbuf_addsv(out, strbuf_sv(&name));
	}
	strbuf_addf(out, " %s ", key->type);
	base64_encode(out, key->blob, key->n, true);
	strbuf_addc(out, '\n');
	strbuf_clear(&name);
}

/* A last line without its end must not swallow ours. */
static int end_last_line(int fd, const char *path, struct err *e)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char last;

	if (size <= 0)
		return 0;
	if (pread(fd, &last, 1, size - 1) != 1)
		return err_sys(e, errno, "cannot read %s", path);
	return last == '\n' ? 0 : fs_write_all(fd, "\n", 1, path, e);
}

/* Where the disk is full a part of the line may stand there, and be another key of that host from now on. */
static void take_back(int fd, off_t before, size_t most)
{
	off_t after = lseek(fd, 0, SEEK_END);

	/* More than ours came from a program that takes no lock. */
	if (before >= 0 && after > before && (size_t)(after - before) <= most)
		(void)!ftruncate(fd, before);
}

static int lock(int fd, const char *path, int64_t deadline_ms, struct cancel *c, struct err *e)
{
	const int64_t start_ms = clock_mono_ms();
	int64_t now_ms;

	if (deadline_ms > start_ms + KNOWN_HOSTS_LOCK_MS)
		deadline_ms = start_ms + KNOWN_HOSTS_LOCK_MS;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(e, errno, "cannot lock %s", path);
		now_ms = clock_mono_ms();
		if (now_ms >= deadline_ms) {
			err_set(e, ERR_TIMEOUT, "cannot lock %s", path);
			err_detail(e, "another process has held its lock for %lld ms",
				   (long long)(now_ms - start_ms));
			return err_hint(e, "find who holds it, and try again: lslocks");
		}
		if (wait_fds(NULL, 0, now_ms + LOCK_AGAIN_MS, c, e) < 0)
			return -1;
	}
	return 0;
}

static int append_text(const char *path, struct sv text, int64_t deadline_ms, struct cancel *c,
		       struct err *e)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600), ret = -1;
	off_t before;

	if (fd < 0)
		return err_sys(e, errno, "cannot open %s", path);
	if (lock(fd, path, deadline_ms, c, e) == 0) {
		before = lseek(fd, 0, SEEK_END);
		if (end_last_line(fd, path, e) == 0 &&
		    fs_write_all(fd, text.p, text.n, path, e) == 0)
			ret = fsync(fd) < 0 && errno != EINVAL
				      ? err_sys(e, errno, "cannot write %s", path)
				      : 0;
		else
			take_back(fd, before, text.n + 1);
	}
	close(fd);
	return ret;
}

int known_hosts_append(const char *path, const char *host, int port, const struct known_key *key,
		       bool hashed, int64_t deadline_ms, struct cancel *c, struct err *e)
{
	char *dir = path_dir(path);
	struct strbuf text;
	int ret;

	strbuf_init(&text, 2 * KEY_MAX);
	known_hosts_line(host, port, key, hashed, &text);
	ret = fs_mkdirs(dir, 0700, e);
	if (ret == 0)
		ret = append_text(path, strbuf_sv(&text), deadline_ms, c, e);
	if (ret != 0)
		err_wrap(e, "cannot add the key of %s to the known hosts", host);
	strbuf_clear(&text);
	mem_free(dir);
	return ret;
}
