/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* C19: every block device that the kernel has, looked at by ourselves; links of udev hide duplicates. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "luks/device_impl.h"
#include "luks/fs_tag.h"
#include "luks/lvm_label.h"
#include "luks/mapper.h"
#include "luks/part_table.h"

#define CLASS_DIR "/sys/class/block"
#define DEVICES_MAX 4096
#define LUKS_LABEL_OFF 24
#define LUKS_UUID_OFF 168

struct candidate {
	char node[80], parent[80]; /* "/dev/vda2"; "/dev/vda" or "" */
	char partname[80], partuuid[64], dm_name[160];
	unsigned int major, minor, partno;
	uint64_t sectors, start;
	bool allow_file;
	int root_fd;
};

/* A small sysfs file without its final newline; false when it is not there. */
static bool attribute(int dir, const char *name, char *out, size_t cap)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : read(fd, out, cap - 1);

	if (n < 0)
		return false;
	out[n] = 0;
	out[strcspn(out, "\n")] = 0;
	return true;
}

static uint64_t attribute_number(int dir, const char *name)
{
	uint64_t n = 0;
	char text[32];

	return attribute(dir, name, text, sizeof(text)) && text_u64(text, 0, UINT64_MAX / 2, &n, NULL) == 0 ? n : 0;
}

static void copy_word(char *out, size_t cap, const char *value)
{
	if (strlen(value) < cap)
		memcpy(out, value, strlen(value) + 1);
}

/* "/dev/vda2"; sysfs writes ! for / in names such as cciss!c0d0. */
static void node_of(const char *name, char *out, size_t cap)
{
	if (snprintf(out, cap, "/dev/%s", name) >= (int)cap)
		*out = 0;
	for (char *p = out; *p; p++)
		if (*p == '!')
			*p = '/';
}

static void read_uevent(int dir, struct candidate *c)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;
	size_t len;

	if (file_read(dir, "uevent", 4096, ERR_DEVICE, &text, &len, NULL) < 0)
		return;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (text_starts(line, "DEVNAME="))
			node_of(line + 8, c->node, sizeof(c->node));
		else if (text_starts(line, "PARTNAME="))
			copy_word(c->partname, sizeof(c->partname), line + 9);
		else if (text_starts(line, "PARTUUID="))
			copy_word(c->partuuid, sizeof(c->partuuid), line + 9);
	}
}

/* .../block/vda/vda2: the directory above a partition is its disk. */
static void read_parent(int class_fd, const char *name, struct candidate *c)
{
	char link[512], *slash;
	ssize_t n = readlinkat(class_fd, name, link, sizeof(link) - 1);

	if (n <= 0)
		return;
	link[n] = 0;
	slash = strrchr(link, '/');
	if (!slash)
		return;
	*slash = 0;
	slash = strrchr(link, '/');
	if (slash)
		node_of(slash + 1, c->parent, sizeof(c->parent));
}

static bool read_candidate(int class_fd, const char *name, struct candidate *c)
{
	_cleanup_close_ int dir = openat(class_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char dev[32];

	/* A floppy drive answers after seconds. */
	if (dir < 0 || (strncmp(name, "fd", 2) == 0 && isdigit((unsigned char)name[2])))
		return false;
	c->sectors = attribute_number(dir, "size");
	if (c->sectors == 0 || !attribute(dir, "dev", dev, sizeof(dev)) || sscanf(dev, "%u:%u", &c->major, &c->minor) != 2)
		return false;
	node_of(name, c->node, sizeof(c->node));
	read_uevent(dir, c);
	if (attribute(dir, "dm/name", c->dm_name, sizeof(c->dm_name)) && mapper_name_is_private(c->dm_name))
		return false;
	c->partno = (unsigned int)attribute_number(dir, "partition");
	c->start = attribute_number(dir, "start");
	if (c->partno)
		read_parent(class_fd, name, c);
	return *c->node != 0;
}

/* The node that sysfs speaks of, and no other. */
static bool open_node(const struct candidate *c, const char *node, bool check, struct luks_device *ret)
{
	if (device_open(c->root_fd, node, c->allow_file, ret, NULL) < 0)
		return false;
	if (!check || !ret->block || ret->rdev == makedev(c->major, c->minor))
		return true;
	device_close(ret);
	return false;
}

static bool match_fs(const struct candidate *c, const struct device_spec *spec)
{
	struct luks_device d = LUKS_DEVICE_INIT;
	uint8_t head[FS_TAG_BYTES];
	struct fs_tag tag;
	bool ok;

	if (!open_node(c, c->node, true, &d))
		return false;
	ok = fd_pread_exact(d.fd, head, sizeof(head), 0, NULL) == 0 && fs_tag_parse(head, sizeof(head), &tag);
	device_close(&d);
	return ok && (spec->key == DEVICE_UUID ? strcasecmp(tag.uuid, spec->value) == 0 : strcmp(tag.label, spec->value) == 0);
}

static bool match_header(const struct candidate *c, const struct device_spec *spec)
{
	struct luks_device d = LUKS_DEVICE_INIT;
	uint8_t h[512];
	bool ok;

	if (!open_node(c, c->node, true, &d))
		return false;
	ok = fd_pread_exact(d.fd, h, sizeof(h), 0, NULL) == 0 && memcmp(h, "LUKS\xba\xbe", 6) == 0;
	device_close(&d);
	if (!ok)
		return false;
	/* LUKS1 has its UUID at the same place. */
	if (spec->key == DEVICE_UUID)
		return strnlen((char *)h + LUKS_UUID_OFF, 40) == 36 && strcasecmp((char *)h + LUKS_UUID_OFF, spec->value) == 0;
	return h[6] == 0 && h[7] == 2 && strnlen((char *)h + LUKS_LABEL_OFF, 48) < 48 &&
	       strcmp((char *)h + LUKS_LABEL_OFF, spec->value) == 0;
}

static bool gpt_at(const struct luks_device *disk, uint64_t lba, unsigned int block, const struct candidate *c,
		   char out[static PARTUUID_SIZE])
{
	_cleanup_free_ uint8_t *entries = NULL;
	uint64_t first = 0;
	uint8_t head[512];
	struct gpt g;

	if (fd_pread_exact(disk->fd, head, sizeof(head), lba * block, NULL) < 0 || !gpt_header_parse(head, sizeof(head), lba, &g))
		return false;
	entries = malloc(gpt_entries_size(&g));
	if (!entries || fd_pread_exact(disk->fd, entries, gpt_entries_size(&g), g.entries_lba * block, NULL) < 0)
		return false;
	/* The table may have been rewritten since the kernel read it. */
	return gpt_partuuid(&g, entries, gpt_entries_size(&g), c->partno, &first, out) && first == c->start / (block / 512);
}

static bool table_partuuid(const struct candidate *c, char out[static PARTUUID_SIZE])
{
	struct luks_device disk = LUKS_DEVICE_INIT;
	uint8_t sector[512];
	int block = 512;
	bool ok;

	if (!c->partno || !*c->parent || !open_node(c, c->parent, false, &disk))
		return false;
	if (disk.block && (ioctl(disk.fd, BLKSSZGET, &block) < 0 || block < 512 || block > 65536))
		block = 512;
	ok = gpt_at(&disk, 1, (unsigned int)block, c, out) ||
	     (disk.size >= 2 * (uint64_t)block &&
	      gpt_at(&disk, disk.size / (unsigned int)block - 1, (unsigned int)block, c, out)) ||
	     (fd_pread_exact(disk.fd, sector, sizeof(sector), 0, NULL) == 0 && mbr_partuuid(sector, sizeof(sector), c->partno, out));
	device_close(&disk);
	return ok;
}

/* A disk or partition; what stands on a mapping shows through its lower devices, or is ours. */
static bool match_vg(const struct candidate *c, const struct device_spec *spec)
{
	struct luks_device d = LUKS_DEVICE_INIT;
	char name[LVM_NAME_MAX];
	bool ok;

	if (*c->dm_name || !open_node(c, c->node, true, &d))
		return false;
	ok = lvm_vg_name(d.fd, name) && strcmp(name, spec->value) == 0;
	device_close(&d);
	return ok;
}

static bool match(const struct candidate *c, const struct device_spec *spec)
{
	char partuuid[PARTUUID_SIZE];

	switch (spec->key) {
	case DEVICE_UUID:
	case DEVICE_LABEL:
		return spec->filesystem ? match_fs(c, spec) : match_header(c, spec);
	case DEVICE_PARTLABEL:
		return c->partno && strcmp(c->partname, spec->value) == 0;
	case DEVICE_PARTUUID:
		if (!c->partno)
			return false;
		if (*c->partuuid)
			return strcasecmp(c->partuuid, spec->value) == 0;
		return table_partuuid(c, partuuid) && strcasecmp(partuuid, spec->value) == 0;
	case DEVICE_VG:
		return match_vg(c, spec);
	case DEVICE_PATH:
		break;
	}
	return false;
}

int device_scan(int root_fd, const struct device_spec *spec, bool allow_file, char ***ret, unsigned int *ret_seen,
		struct err **err)
{
	_cleanup_closedir_ DIR *dir = NULL;
	unsigned int seen = 0;
	struct dirent *entry;
	char **hits = NULL;
	bool failed = false;
	int fd;

	fd = openat(root_fd, device_below(root_fd, CLASS_DIR), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || !(dir = fdopendir(fd))) {
		int e = errno;

		if (fd >= 0)
			close(fd);
		return err_set_errno(err, ERR_DEVICE, "device-unreadable", e, "cannot list " CLASS_DIR);
	}
	while (!failed && seen < DEVICES_MAX && (entry = readdir(dir))) {
		struct candidate c = { .root_fd = root_fd, .allow_file = allow_file };

		if (entry->d_name[0] == '.' || !read_candidate(dirfd(dir), entry->d_name, &c))
			continue;
		seen++;
		if (match(&c, spec))
			hits = strv_append(hits, c.node, &failed);
	}
	if (failed) {
		strv_free(hits);
		return err_nomem(err);
	}
	*ret = hits;
	*ret_seen = seen;
	return 0;
}
