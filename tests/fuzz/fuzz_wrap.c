/* SPDX-License-Identifier: MIT */
/* wrap_stream_take: whatever comes and however it is cut, the same bytes are left, never more than came, and the
 * same is known of the end. Behind it openssh_said and hosts_answers_read get the bytes, too. The first byte
 * chooses the stream and the size of the pieces. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/host/openssh_said.h"
#include "core/host/wrap.h"

#define NONCE "0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct wrap_stream *s, struct sv text, size_t step, bool marks, struct strbuf *out)
{
	wrap_stream_init(s, NONCE, marks);
	while (text.n > 0) {
		size_t n = text.n < step ? text.n : step;

		strbuf_grew(out, wrap_stream_take(s, sv_n(text.p, n),
						  strbuf_room(out, n + WRAP_MARK_MAX)));
		text = sv_n(text.p + n, text.n - n);
	}
	strbuf_grew(out, wrap_stream_end(s, strbuf_room(out, WRAP_MARK_MAX)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct host_context ctx = { .home = "/", .login = "root" };
	struct wrap_stream whole, cut;
	struct strbuf a, b;
	struct hosts *pool;
	struct err e;
	struct sv text;

	if (size == 0)
		return 0;
	text = sv_n((const char *)data + 1, size - 1);
	strbuf_init(&a, STRBUF_NO_LIMIT);
	strbuf_init(&b, STRBUF_NO_LIMIT);
	take(&whole, text, text.n + 1, data[0] & 1, &a);
	take(&cut, text, 1 + data[0] / 2, data[0] & 1, &b);
	if (a.len > text.n || !sv_eq(strbuf_sv(&a), strbuf_sv(&b)) || whole.begun != cut.begun ||
	    whole.ended != cut.ended || whole.status != cut.status ||
	    whole.clock_us != cut.clock_us || strcmp(whole.signal, cut.signal) != 0 ||
	    whole.n_noise != cut.n_noise || memcmp(whole.noise, cut.noise, cut.n_noise) != 0 ||
	    (!whole.begun && (whole.ended || a.len > 0)) || whole.n_held > 0)
		abort();
	if (openssh_said("app1", text, &e) != -1 || e.code == ERR_OK)
		abort();
	pool = hosts_new(&ctx);
	strbuf_reset(&a);
	if (hosts_answers_read(pool, text, &e) == 0) {
		/* What was read is written, and read again. */
		hosts_answers_write(pool, &a);
		if (hosts_answers_read(pool, strbuf_sv(&a), &e) != 0)
			abort();
	}
	hosts_free(pool);
	secret_forget();
	strbuf_clear(&a);
	strbuf_clear(&b);
	return 0;
}
