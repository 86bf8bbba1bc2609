/* SPDX-License-Identifier: MIT */
#include "core/base/log.h"

#include "core/base/clock.h"
#include "core/base/secret.h"
#include "core/base/str.h"
#include "core/base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES ((size_t)16 << 10)

/* The one handle of the program. The lock keeps log_close() from closing under a writer; lines
 * themselves do not mix because each is one write with O_APPEND. */
static struct {
	pthread_mutex_t lock;
	int fd;
} handle = { PTHREAD_MUTEX_INITIALIZER, -1 };

static void handle_set(int fd)
{
	int old;

	pthread_mutex_lock(&handle.lock);
	old = handle.fd;
	handle.fd = fd;
	pthread_mutex_unlock(&handle.lock);
	if (old >= 0)
		close(old);
}

int log_open(const char *path, struct err *e)
{
	const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int fd = open(path, flags, 0600);
	struct stat st;

	if (fd < 0)
		return err_sys(e, errno, "cannot open log %s", path);
	/* A terminal would be drawn over and a FIFO could be full; /dev/null is fine. */
	if (fstat(fd, &st) < 0 || !(S_ISREG(st.st_mode) || (S_ISCHR(st.st_mode) && !isatty(fd)))) {
		close(fd);
		err_set(e, ERR_INPUT, "cannot open log %s", path);
		return err_detail(e, "it is not a regular file");
	}
	handle_set(fd);
	return 0;
}

void log_close(void)
{
	handle_set(-1);
}

void log_line(const char *fmt, ...)
{
	struct strbuf text, line;
	char now[CLOCK_TEXT_SIZE];
	va_list ap;

	strbuf_init(&text, LINE_MAX_BYTES);
	strbuf_init(&line, 2 * LINE_MAX_BYTES);
	va_start(ap, fmt);
	strbuf_addv(&text, fmt, ap);
	va_end(ap);
	secret_redact(&text);
	strbuf_addf(&line, "%s [%d] ", clock_iso_ms(clock_utc_ms(), now), (int)getpid());
	clean_text(&line, strbuf_sv(&text), false);
	/* The end of the line must be there even when the text did not fit. */
	line.max++;
	line.overflow = false;
	strbuf_addc(&line, '\n');
	pthread_mutex_lock(&handle.lock);
	if (handle.fd >= 0) {
		/* A log that cannot be written (disk full) must not stop the work it tells of. */
		(void)!write(handle.fd, line.data, line.len);
	}
	pthread_mutex_unlock(&handle.lock);
	strbuf_clear(&line);
	strbuf_clear(&text);
}

void log_err(const struct err *e)
{
	log_line("error %s%s%s: %s%s%s%s%s%s", err_code_name(e->code), e->sys[0] ? " " : "", e->sys,
		 e->msg, e->detail[0] ? ": " : "", e->detail, e->hint[0] ? " (" : "", e->hint,
		 e->hint[0] ? ")" : "");
}
