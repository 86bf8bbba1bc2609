/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/check.h"
#include "config/ini.h"
#include "core/base/fs.h"

#define LOGIND_FILE_MAX ((size_t)64 << 10)

static void check_terminal(struct check *k)
{
	const char *term = getenv("TERM");
	const char *codeset;

	if (term == NULL || term[0] == '\0' || strcmp(term, "dumb") == 0)
		check_add(k, CHECK_WARN, "terminal", "export TERM=xterm-256color",
			  "TERM is %s: the console cannot be drawn, the commands work",
			  term == NULL || term[0] == '\0' ? "not set" : term);
	else
		check_add(k, CHECK_OK, "terminal", "", "%s", term);
	codeset = setlocale(LC_CTYPE, "") != NULL ? nl_langinfo(CODESET) : "unknown";
	if (strcmp(codeset, "UTF-8") == 0)
		check_add(k, CHECK_OK, "locale", "", "%s", codeset);
	else
		check_add(k, CHECK_WARN, "locale", "export LC_CTYPE=C.UTF-8",
			  "the character set is %s: the console draws in ASCII", codeset);
}

static void on_logind(void *arg, const struct ini_item *item)
{
	int *kills = arg;

	if (item->event == INI_PAIR && strcmp(item->key, "KillUserProcesses") == 0)
		*kills = strcmp(item->value, "yes") == 0 || strcmp(item->value, "true") == 0 ||
			 strcmp(item->value, "1") == 0 || strcmp(item->value, "on") == 0;
}

static void read_logind(const char *path, int *kills)
{
	struct strbuf text;
	struct err ignored;

	strbuf_init(&text, LOGIND_FILE_MAX);
	if (fs_read(path, LOGIND_FILE_MAX, &text, &ignored) == 0)
		ini_scan(strbuf_sv(&text), 4096, on_logind, kills);
	strbuf_clear(&text);
}

static int is_conf(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot != NULL && strcmp(dot, ".conf") == 0;
}

static void read_logind_folder(const char *dir, int *kills)
{
	struct dirent **entry = NULL;
	int n = scandir(dir, &entry, is_conf, alphasort), i;
	char *path;

	for (i = 0; i < n; i++) {
		path = path_join(dir, entry[i]->d_name);
		read_logind(path, kills);
		mem_free(path);
		free(entry[i]);
	}
	free(entry);
}

/* A runner lives on when its operator logs out, unless logind kills what the session started. */
static void check_logout(struct check *k)
{
	int kills = 0;

	if (!fs_is_dir("/run/systemd/system"))
		return;
	read_logind_folder("/usr/lib/systemd/logind.conf.d", &kills);
	read_logind("/etc/systemd/logind.conf", &kills);
	read_logind_folder("/etc/systemd/logind.conf.d", &kills);
	if (!kills)
		check_add(k, CHECK_OK, "logout", "",
			  "a run goes on after its operator has logged out");
	else
		check_add(k, CHECK_WARN, "logout", "loginctl enable-linger",
			  "logind kills the user's processes at logout (KillUserProcesses=yes): a "
			  "run "
			  "would be interrupted, and could be resumed");
}

void check_system(struct check *k)
{
	check_terminal(k);
	check_logout(k);
}
