/* SPDX-License-Identifier: MIT */
/*
 * What the system says about a file system, this boot and a process.
 *
 * fs_is_network() matters because SQLite's locks and its shared memory cannot be trusted on a
 * network file system, and we refuse to work there. statfs(2) names most kinds by a number. FUSE
 * has one number for all, so there /proc/self/mountinfo is searched for the device of the path and
 * the kind is taken from it. When in doubt the answer is "not a network": a refusal must be right.
 */
#include "core/base/fs.h"

#include "core/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define FUSE_MAGIC 0x65735546U
#define MOUNTINFO_MAX ((size_t)4 << 20)
#define PROC_TEXT_MAX 4096

static const struct {
	uint32_t magic;
	const char *name;
} network_kinds[] = {
	{ 0x6969, "nfs" },        { 0x517b, "smb" },      { 0xff534d42, "cifs" },
	{ 0xfe534d42, "smb2" },   { 0x01021997, "9p" },   { 0x5346414f, "afs" },
	{ 0x6b414653, "afs" },    { 0x00c36400, "ceph" }, { 0x73757245, "coda" },
	{ 0x0bd00bd0, "lustre" }, { 0x47504653, "gpfs" }, { 0x19830326, "beegfs" },
	{ 0x7461636f, "ocfs2" },  { 0x01161970, "gfs2" }, { 0x786f4256, "vboxsf" },
	{ 0x0000564c, "ncp" },
};

/* The part after "fuse." of kinds whose files are on another machine, or shared with one. */
static const char *const fuse_network_kinds[] = {
	"sshfs",     "glusterfs", "s3fs",      "rclone",       "davfs2",   "ceph",     "ceph-fuse",
	"curlftpfs", "gcsfuse",   "goofys",    "juicefs",      "nfs",      "smbnetfs", "gvfsd-fuse",
	"grpcfuse",  "moosefs",   "seaweedfs", "mergerfs.nfs", "virtiofs", "mfs",
};

/* The kind of the file system on device dev in a text of mountinfo(5), or the empty view. */
static struct sv mountinfo_kind(struct sv text, dev_t dev)
{
	char device[32];
	struct sv line;

	snprintf(device, sizeof(device), "%u:%u", major(dev), minor(dev));
	while (sv_cut(&text, '\n', &line)) {
		struct sv field = { 0 };
		bool ours = false;

		for (int i = 0; i < 3 && sv_cut(&line, ' ', &field); i++)
			ours = i == 2 && sv_eq_str(field, device);
		/* The number of fields before the "-" varies. */
		while (ours && sv_cut(&line, ' ', &field)) {
			if (sv_eq(field, SV("-")) && sv_cut(&line, ' ', &field))
				return field;
		}
	}
	return sv_of("");
}

static bool is_network_fuse(const char *path, char name[16])
{
	struct strbuf text;
	struct err ignored;
	struct stat st;
	struct sv kind;
	bool network = false;

	strbuf_init(&text, MOUNTINFO_MAX);
	if (stat(path, &st) < 0 ||
	    fs_read("/proc/self/mountinfo", MOUNTINFO_MAX, &text, &ignored) < 0)
		goto out;
	kind = mountinfo_kind(strbuf_sv(&text), st.st_dev);
	if (sv_starts(kind, SV("fuse.")))
		kind = sv_n(kind.p + 5, kind.n - 5);
	for (size_t i = 0; i < sizeof(fuse_network_kinds) / sizeof(fuse_network_kinds[0]); i++)
		network = network || sv_eq_str(kind, fuse_network_kinds[i]);
	if (network)
		str_copy_sv(name, 16, kind);
out:
	strbuf_clear(&text);
	return network;
}

bool fs_is_network(const char *path, char name[16])
{
	char *dir = NULL;
	struct statfs fs;
	bool network = false;

	name[0] = '\0';
	if (statfs(path, &fs) < 0) {
		dir = path_dir(path);
		path = dir;
		if (statfs(path, &fs) < 0)
			goto out;
	}
	if ((uint32_t)fs.f_type == FUSE_MAGIC) {
		network = is_network_fuse(path, name);
		goto out;
	}
	for (size_t i = 0; i < sizeof(network_kinds) / sizeof(network_kinds[0]); i++) {
		if (network_kinds[i].magic != (uint32_t)fs.f_type)
			continue;
		str_copy(name, 16, network_kinds[i].name);
		network = true;
		break;
	}
out:
	mem_free(dir);
	return network;
}

void fs_boot_id(char out[40])
{
	struct strbuf text;
	struct err ignored;

	strbuf_init(&text, PROC_TEXT_MAX);
	out[0] = '\0';
	if (fs_read("/proc/sys/kernel/random/boot_id", PROC_TEXT_MAX, &text, &ignored) == 0)
		str_copy_sv(out, 40, sv_trim(strbuf_sv(&text)));
	strbuf_clear(&text);
}

/* Field 3 and field 22 of a line of /proc/PID/stat. */
static bool parse_stat(struct sv line, int64_t *start_ticks, char *state)
{
	const char *end = line.n > 0 ? memrchr(line.p, ')', line.n) : NULL;
	struct sv field;

	/* Field 2 is the program's name in brackets and may hold blanks and brackets itself, so
	 * counting begins behind the last closing one. */
	if (!end || line.n - (size_t)(end - line.p) < 2)
		return false;
	line = sv_n(end + 2, line.n - (size_t)(end - line.p) - 2);
	for (int i = 3; sv_cut(&line, ' ', &field); i++) {
		if (i == 3 && field.n != 1)
			return false;
		if (i == 3)
			*state = field.p[0];
		if (i == 22)
			return sv_int(sv_trim(field), 0, INT64_MAX, start_ticks);
	}
	return false;
}

bool fs_process(int64_t pid, int64_t *start_ticks, char *state)
{
	char path[64], letter = '\0';
	struct strbuf text;
	struct err ignored;
	int64_t ticks = 0;
	bool found;

	snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
	strbuf_init(&text, PROC_TEXT_MAX);
	found = pid > 0 && fs_read(path, PROC_TEXT_MAX, &text, &ignored) == 0 &&
		parse_stat(strbuf_sv(&text), &ticks, &letter);
	strbuf_clear(&text);
	/* A zombie has a number but no life: it holds no lock and will do nothing more. */
	if (!found || letter == 'Z' || letter == 'X')
		return false;
	if (start_ticks)
		*start_ticks = ticks;
	if (state)
		*state = letter;
	return true;
}
