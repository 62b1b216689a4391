/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* C19 over a made-up machine: a directory with sys/class/block, its links, and files for disks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "luks/device.h"
#include "tests/headers/disk.h"
#include "tests/headers/edit.h"
#include "tests/headers/image.h"
#include "tests/headers/sample.h"

#define UUID_A "6f1c9d3e-0000-4000-8000-000000000001"
#define UUID_B "6f1c9d3e-0000-4000-8000-00000000000b"

static int root = -1;

static void put_text(const char *path, const char *text)
{
	int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err(99, "%s", path);
	close(fd);
}

static void put_attribute(const char *dev, const char *name, const char *value)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dev, name);
	put_text(path, value);
}

/* parent: NULL for a disk. */
static void add_device(const char *parent, const char *name, const char *numbers, const char *partno, const char *start,
		       const char *uevent)
{
	char dir[128], link[128], target[160], text[512];

	snprintf(dir, sizeof(dir), "sys/devices/pci0/block/%s%s%s", parent ? parent : "", parent ? "/" : "", name);
	snprintf(link, sizeof(link), "sys/class/block/%s", name);
	snprintf(target, sizeof(target), "../../devices/pci0/block/%s%s%s", parent ? parent : "", parent ? "/" : "", name);
	if (mkdirat(root, dir, 0700) < 0 || symlinkat(target, root, link) < 0)
		err(99, "%s", dir);
	put_attribute(dir, "dev", numbers);
	put_attribute(dir, "size", "49152\n");
	if (partno) {
		put_attribute(dir, "partition", partno);
		put_attribute(dir, "start", start);
	}
	snprintf(text, sizeof(text), "MAJOR=254\nDEVNAME=%s\nDEVTYPE=%s\n%s", name, partno ? "partition" : "disk", uevent);
	put_attribute(dir, "uevent", text);
}

static void put_bytes(const char *name, const void *data, size_t len, off_t off, off_t size)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "dev/%s", name);
	fd = openat(root, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, size) < 0 || pwrite(fd, data, len, off) != (ssize_t)len)
		err(99, "%s", path);
	close(fd);
}

static void put_luks(const char *name, const char *uuid, const char *label)
{
	struct edit e;

	edit_make(&e, SAMPLE_JSON, strlen(SAMPLE_JSON));
	for (int i = 0; i < 2; i++) {
		memcpy(e.copy[i] + 168, uuid, 36);
		memcpy(e.copy[i] + 24, label, strlen(label));
		edit_checksum(e.copy[i]);
	}
	put_bytes(name, e.copy, sizeof(e.copy), 0, IMAGE_SIZE);
	edit_free(&e);
}

static int make_machine(void **state)
{
	static const char *const dirs[] = { "m", "m/dev", "m/sys", "m/sys/class", "m/sys/class/block", "m/sys/devices",
					    "m/sys/devices/pci0", "m/sys/devices/pci0/block" };
	uint8_t table[DISK_TABLE_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdir(image_path(dirs[i]), 0700) < 0)
			err(99, "%s", dirs[i]);
	root = open(image_path("m"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* vda: GPT; kernel without PARTUUID in uevents. vda1 plain, vda2 our volume. */
	add_device(NULL, "vda", "254:0\n", NULL, NULL, "DISKSEQ=1\n");
	add_device("vda", "vda1", "254:1\n", "1\n", "2048\n", "PARTN=1\nPARTNAME=EFI System\n");
	add_device("vda", "vda2", "254:2\n", "2\n", "4096\n", "PARTN=2\nPARTNAME=root-crypt\n");
	disk_gpt(table, 1, 2);
	put_bytes("vda", table, sizeof(table), 0, IMAGE_SIZE);
	put_bytes("vda1", "FAT", 3, 0, IMAGE_SIZE);
	put_luks("vda2", UUID_A, "rootlabel");
	/* vdb: only the backup table is whole. */
	add_device(NULL, "vdb", "254:16\n", NULL, NULL, "");
	add_device("vdb", "vdb1", "254:17\n", "1\n", "2048\n", "PARTN=1\nPARTNAME=backup-only\n");
	disk_gpt(table, IMAGE_SIZE / 512 - 1, IMAGE_SIZE / 512 - 3);
	put_bytes("vdb", table + 1024, 512, IMAGE_SIZE - 3 * 512, IMAGE_SIZE);
	put_bytes("vdb", table + 512, 512, IMAGE_SIZE - 512, IMAGE_SIZE);
	put_luks("vdb1", UUID_B, "");
	/* vdc: DOS table. */
	add_device(NULL, "vdc", "254:32\n", NULL, NULL, "");
	add_device("vdc", "vdc5", "254:37\n", "5\n", "2048\n", "PARTN=5\n");
	disk_mbr(table);
	put_bytes("vdc", table, sizeof(table), 0, IMAGE_SIZE);
	put_bytes("vdc5", "x", 1, 0, IMAGE_SIZE);
	/* vdd: newer kernel. */
	add_device(NULL, "vdd", "254:48\n", NULL, NULL, "");
	add_device("vdd", "vdd1", "254:49\n", "1\n", "2048\n",
		   "PARTN=1\nPARTNAME=x\nPARTUUID=11111111-2222-4333-8444-555555555555\n");
	put_bytes("vdd1", "x", 1, 0, IMAGE_SIZE);
	return 0;
}

static void find(const char *spec, const char *node, const char *id)
{
	struct luks_device d = LUKS_DEVICE_INIT;
	struct err *e = NULL;
	int r = device_find(root, spec, true, &d, &e);

	if (node && r < 0)
		fail_msg("%s: %s", spec, err_message(e));
	if (node && !strstr(d.path, node))
		fail_msg("%s: found %s", spec, d.path);
	if (!node && r == 0)
		fail_msg("%s: found %s", spec, d.path);
	if (!node && strcmp(err_id(e), id) != 0)
		fail_msg("%s: %s: %s", spec, err_id(e), err_message(e));
	if (!node)
		assert_int_equal(err_class(e), strcmp(id, "device-spec") == 0 ? ERR_CONFIG : ERR_DEVICE);
	err_free(e);
	device_close(&d);
}

static void test_specs(void **state)
{
	find("/dev/vda2", "/dev/vda2", NULL);
	find("UUID=" UUID_A, "/dev/vda2", NULL);
	find("UUID=6F1C9D3E-0000-4000-8000-000000000001", "/dev/vda2", NULL);
	find("LABEL=rootlabel", "/dev/vda2", NULL);
	find("PARTLABEL=root-crypt", "/dev/vda2", NULL);
	find("PARTLABEL=EFI System", "/dev/vda1", NULL);
	find("PARTUUID=" DISK_PARTUUID_2, "/dev/vda2", NULL);
	find("PARTUUID=AAAAAAAA-AAAA-AAAA-AAAA-AAAAAAAAAAAA", "/dev/vda2", NULL);
	find("PARTUUID=" DISK_PARTUUID_1, NULL, "device-ambiguous"); /* vda1, and vdb1 by its backup table */
	find("PARTUUID=deadbeef-05", "/dev/vdc5", NULL);
	find("PARTUUID=11111111-2222-4333-8444-555555555555", "/dev/vdd1", NULL);
	find("UUID=6f1c9d3e-0000-4000-8000-0000000000ff", NULL, "device-absent");
	find("LABEL=", NULL, "device-spec");
	find("LABEL=nothing", NULL, "device-absent");
	find("UUID=not-a-uuid", NULL, "device-spec");
	find("PARTLABEL=r\xc3\xa9", NULL, "device-spec");
	find("PARTUUID=deadbeef-01", NULL, "device-absent");
	find("/dev/none", NULL, "device-absent");
	find("/dev", NULL, "device-unreadable");
	find("", NULL, "device-spec");
}

/* The host attaches a second disk with the same names: nobody chooses. */
static void test_ambiguous(void **state)
{
	struct luks_device d = LUKS_DEVICE_INIT;
	struct err *e = NULL;

	add_device(NULL, "vde", "254:64\n", NULL, NULL, "");
	put_luks("vde", UUID_A, "rootlabel");
	find("UUID=" UUID_A, NULL, "device-ambiguous");
	find("LABEL=rootlabel", NULL, "device-ambiguous");
	assert_int_equal(device_find(root, "UUID=" UUID_A, true, &d, &e), -1);
	assert_non_null(strstr(err_message(e), "/dev/vda2"));
	assert_non_null(strstr(err_message(e), "/dev/vde"));
	err_free(e);
	assert_int_equal(unlinkat(root, "sys/class/block/vde", 0), 0);
	find("UUID=" UUID_A, "/dev/vda2", NULL);
}

/* What is inside our own private mapping is no candidate; inside any other mapping it is. */
static void test_private_mapping(void **state)
{
	add_device(NULL, "dm-0", "253:0\n", NULL, NULL, "");
	assert_int_equal(mkdirat(root, "sys/devices/pci0/block/dm-0/dm", 0700), 0);
	put_luks("dm-0", UUID_A, "");
	put_attribute("sys/devices/pci0/block/dm-0", "dm/name", "cryptattest-0123456789abcdef\n");
	find("UUID=" UUID_A, "/dev/vda2", NULL);
	put_attribute("sys/devices/pci0/block/dm-0", "dm/name", "cryptattest-0123456789abcdef_dif\n");
	find("UUID=" UUID_A, "/dev/vda2", NULL);
	put_attribute("sys/devices/pci0/block/dm-0", "dm/name", "mpatha\n");
	find("UUID=" UUID_A, NULL, "device-ambiguous");
	/* Without a medium, or without a node. */
	put_attribute("sys/devices/pci0/block/dm-0", "size", "0\n");
	find("UUID=" UUID_A, "/dev/vda2", NULL);
	put_attribute("sys/devices/pci0/block/dm-0", "size", "8\n");
	assert_int_equal(unlinkat(root, "dev/dm-0", 0), 0);
	find("UUID=" UUID_A, "/dev/vda2", NULL);
	assert_int_equal(unlinkat(root, "sys/class/block/dm-0", 0), 0);
}

/* LUKS1 is found, so that the audit can say what is wrong with it. */
static void test_luks1_is_found(void **state)
{
	uint8_t head[208] = "LUKS\xba\xbe\x00\x01";

	add_device(NULL, "vdf", "254:80\n", NULL, NULL, "");
	memcpy(head + 168, "99999999-2222-4333-8444-555555555555", 36);
	put_bytes("vdf", head, sizeof(head), 0, IMAGE_SIZE);
	find("UUID=99999999-2222-4333-8444-555555555555", "/dev/vdf", NULL);
	find("LABEL=aes", NULL, "device-absent"); /* no label field there */
	assert_int_equal(unlinkat(root, "sys/class/block/vdf", 0), 0);
}

/* Without allow_file a file is no device, by path or by name. */
static void test_block_only(void **state)
{
	struct luks_device d = LUKS_DEVICE_INIT;
	struct err *e = NULL;

	assert_int_equal(device_find(root, "/dev/vda2", false, &d, &e), -1);
	assert_string_equal(err_id(e), "device-unreadable");
	err_clear(&e);
	assert_int_equal(device_find(root, "UUID=" UUID_A, false, &d, &e), -1);
	assert_string_equal(err_id(e), "device-absent");
	err_free(e);
}

static void test_recheck(void **state)
{
	struct luks_device d = LUKS_DEVICE_INIT;
	struct err *e = NULL;

	assert_int_equal(device_find(root, "/dev/vda2", true, &d, NULL), 0);
	assert_int_equal(d.size, IMAGE_SIZE);
	assert_false(d.block);
	assert_int_equal(device_recheck(&d, NULL), 0);
	assert_int_equal(renameat(root, "dev/vda2", root, "dev/kept"), 0);
	assert_int_equal(device_recheck(&d, &e), -1);
	assert_string_equal(err_id(e), "device-changed");
	err_clear(&e);
	put_luks("vda2", UUID_A, "rootlabel");
	assert_int_equal(device_recheck(&d, &e), -1);
	assert_string_equal(err_id(e), "device-changed");
	err_free(e);
	assert_int_equal(renameat(root, "dev/kept", root, "dev/vda2"), 0);
	assert_int_equal(device_recheck(&d, NULL), 0);
	device_close(&d);
}

static void test_wait(void **state)
{
	struct luks_device d = LUKS_DEVICE_INIT;
	struct err *e = NULL;
	uint64_t t = clock_ns();
	pid_t pid;
	int status;

	assert_int_equal(device_wait(root, "LABEL=later", true, deadline_in_ms(60), &d, &e), -1);
	assert_string_equal(err_id(e), "device-absent");
	assert_true(clock_ns() - t < 2 * NSEC_PER_SEC);
	err_clear(&e);
	pid = fork();
	if (pid == 0) {
		usleep(100000);
		add_device(NULL, "vdg", "254:96\n", NULL, NULL, "");
		put_luks("vdg", UUID_B, "later");
		_exit(0);
	}
	if (device_wait(root, "LABEL=later", true, deadline_in_ms(20000), &d, &e) < 0)
		fail_msg("%s", err_message(e));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	device_close(&d);
	/* A wrong spec, or two devices, is no reason to wait. */
	t = clock_ns();
	assert_int_equal(device_wait(root, "UUID=" UUID_B, true, deadline_in_ms(20000), &d, &e), -1);
	assert_string_equal(err_id(e), "device-ambiguous");
	err_clear(&e);
	assert_true(clock_ns() - t < 2 * NSEC_PER_SEC);
	clock_cancel();
	assert_int_equal(device_wait(root, "LABEL=never", true, deadline_in_ms(20000), &d, &e), -1);
	assert_string_equal(err_id(e), "cancelled");
	assert_true(clock_ns() - t < 2 * NSEC_PER_SEC);
	err_free(e);
	clock_cancel_reset();
}

/* This machine's own devices: the scan must at least come to an end. */
static void test_real_root(void **state)
{
	struct luks_device d = LUKS_DEVICE_INIT;
	struct err *e = NULL;

	assert_int_equal(device_find(AT_FDCWD, "LABEL=cryptattest-test-no-such", false, &d, &e), -1);
	assert_int_equal(err_class(e), ERR_DEVICE);
	err_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_specs),	       cmocka_unit_test(test_ambiguous),  cmocka_unit_test(test_private_mapping),
		cmocka_unit_test(test_luks1_is_found), cmocka_unit_test(test_block_only), cmocka_unit_test(test_recheck),
		cmocka_unit_test(test_wait),	       cmocka_unit_test(test_real_root),
	};

	return cmocka_run_group_tests(tests, make_machine, NULL);
}
