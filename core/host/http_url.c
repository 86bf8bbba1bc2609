/* SPDX-License-Identifier: MIT */
#include "core/host/http_url.h"

#include <string.h>
#include <strings.h>

static bool take_scheme(struct sv *s, bool *tls)
{
	static const struct {
		const char *text;
		bool tls;
	} scheme[] = { { "http://", false }, { "https://", true } };

	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(scheme[i].text);

		if (s->n <= n || strncasecmp(s->p, scheme[i].text, n) != 0)
			continue;
		*tls = scheme[i].tls;
		*s = sv_n(s->p + n, s->n - n);
		return true;
	}
	return false;
}

/* "host", "host:port", "[::1]:port" behind a "user@": what stands before the path. */
static bool read_authority(struct sv s, struct http_url *out)
{
	const char *at = memrchr(s.p, '@', s.n), *colon;
	struct sv host;
	int64_t port = out->tls ? 443 : 80;

	if (at != NULL)
		s = sv_n(at + 1, s.n - (size_t)(at + 1 - s.p));
	if (s.n > 0 && s.p[0] == '[') {
		const char *end = memchr(s.p, ']', s.n);

		if (end == NULL)
			return false;
		host = sv_n(s.p + 1, (size_t)(end - s.p) - 1);
		s = sv_n(end + 1, s.n - (size_t)(end + 1 - s.p));
		if (s.n > 0 && s.p[0] != ':')
			return false;
	} else {
		colon = memchr(s.p, ':', s.n);
		host = sv_n(s.p, colon != NULL ? (size_t)(colon - s.p) : s.n);
		s = sv_n(s.p + host.n, s.n - host.n);
	}
	if (s.n > 0 && !sv_int(sv_n(s.p + 1, s.n - 1), 1, 65535, &port))
		return false;
	if (host.n == 0 || host.n >= sizeof(out->host))
		return false;
	for (size_t i = 0; i < host.n; i++)
		if ((unsigned char)host.p[i] <= ' ' || host.p[i] == 0x7f)
			return false;
	str_copy_sv(out->host, sizeof(out->host), host);
	out->port = (int)port;
	return true;
}

int http_url_read(const char *url, struct http_url *out, struct err *e)
{
	struct sv s = sv_of(url);
	struct http_url u = { .port = 0 };

	if (!take_scheme(&s, &u.tls) || !read_authority(sv_n(s.p, strcspn(s.p, "/?#")), &u)) {
		err_set(e, ERR_CONFIG, "cannot use %s as a URL", url);
		return err_hint(e, "write http://HOST:PORT/PATH or https://HOST/PATH");
	}
	*out = u;
	return 0;
}

bool http_url_same(const char *a, const char *b)
{
	struct http_url x, y;
	struct err ignored;

	return http_url_read(a, &x, &ignored) == 0 && http_url_read(b, &y, &ignored) == 0 &&
	       strcasecmp(x.host, y.host) == 0 && x.port == y.port;
}
