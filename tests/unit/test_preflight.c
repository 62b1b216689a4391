/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What a confidential VM's boot must not have around it: command lines, files of a boot environment, LVM labels. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fileio.h"
#include "base/text.h"
#include "luks/lvm_label.h"
#include "unlock/preflight.h"

static const char *const volumes[] = { "root", "data", NULL };

static const char *first(const char *line)
{
	static struct preflight_findings f;

	memset(&f, 0, sizeof(f));
	preflight_command_line(line, volumes, &f);
	return f.n ? f.items[0].id : "";
}

static void command_lines_that_are_good(void **state)
{
	static const char *const good[] = {
		"root=/dev/mapper/root",
		"quiet root=UUID=1 root=/dev/mapper/root", /* the last one wins */
		"root=/dev/mapper/vg-root ro",
		"root=/dev/vg/root",
		"roothash=00ff root=/dev/vda2",
		"root=/dev/mapper/root resume=/dev/vdb noresume",
		"root=/dev/mapper/root systemd.debug_shell=no breakfast=1 init=\"a break b\"",
		"root=/dev/mapper/root resume=",
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_string_equal(first(good[i]), "");
}

static void command_lines_that_are_not(void **state)
{
	static const struct {
		const char *line, *id;
	} bad[] = {
		{ "", "root-by-label" },
		{ "quiet", "root-by-label" },
		{ "root=", "root-by-label" },
		{ "root=UUID=11111111-2222-4333-8444-555555555510", "root-by-label" },
		{ "root=LABEL=x", "root-by-label" },
		{ "root=PARTUUID=x", "root-by-label" },
		{ "root=/dev/vda1", "root-by-label" },
		{ "root=/dev/disk/by-uuid/1", "root-by-label" },
		{ "root=/dev/block/254:0", "root-by-label" },
		{ "root=gpt-auto", "root-by-label" },
		{ "root=/dev/mapper/root root=UUID=1", "root-by-label" },
		{ "root=/dev/mapper/root break", "debug-shell" },
		{ "root=/dev/mapper/root break=premount", "debug-shell" },
		{ "root=/dev/mapper/root rd.break=pre-mount", "debug-shell" },
		{ "root=/dev/mapper/root systemd.debug_shell", "debug-shell" },
		{ "root=/dev/mapper/root systemd.debug-shell=1", "debug-shell" },
		{ "root=/dev/mapper/root rd.systemd.debug_shell=yes", "debug-shell" },
		{ "root=/dev/mapper/root resume=/dev/vdb", "resume" },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_string_equal(first(bad[i].line), bad[i].id);
}

static void the_group_that_root_names(void **state)
{
	static const struct {
		const char *line, *vg;
	} of[] = {
		{ "root=/dev/mapper/root", "" },	   { "root=/dev/mapper/vg-root", "vg" },
		{ "root=/dev/mapper/my--vg-root", "my-vg" }, { "root=/dev/mapper/vg-my--root", "vg" },
		{ "root=/dev/vg0/root", "vg0" },	   { "root=/dev/mapper/luks", "" },
	};
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		struct preflight_findings f = { 0 };

		preflight_command_line(of[i].line, volumes, &f);
		assert_int_equal(f.n, 0);
		assert_string_equal(f.root_vg, of[i].vg);
	}
}

/* Host text is long, binary and hostile: findings stay bounded and printable. */
static void command_lines_of_any_bytes(void **state)
{
	char line[4096];

	for (unsigned int seed = 1; seed < 200; seed++) {
		struct preflight_findings f = { 0 };

		for (size_t i = 0; i < sizeof(line) - 1; i++)
			line[i] = (char)(1 + (seed * 2654435761u + i * 40503u) % 255);
		memcpy(line, " root=", 6);
		line[sizeof(line) - 1] = 0;
		preflight_command_line(line, volumes, &f);
		assert_true(f.n <= PREFLIGHT_FINDINGS_MAX);
		for (size_t i = 0; i < f.n; i++)
			for (const char *p = f.items[i].message; *p; p++)
				assert_true(*p >= ' ' && *p <= '~');
	}
}

struct root {
	char path[64];
	int fd;
};

static void put(const struct root *r, const char *path, const void *data, size_t len)
{
	char dir[300];
	int fd;

	snprintf(dir, sizeof(dir), "%s", path);
	*strrchr(dir, '/') = 0;
	assert_int_equal(dir_make(r->fd, dir, 0700, NULL), 0);
	fd = openat(r->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
}

static int setup(void **state)
{
	struct root *r = calloc(1, sizeof(*r));

	strcpy(r->path, "/tmp/test-preflight-XXXXXX");
	if (!mkdtemp(r->path))
		return -1;
	r->fd = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = r;
	return r->fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	struct root *r = *state;
	char command[100];

	close(r->fd);
	snprintf(command, sizeof(command), "rm -rf %s", r->path);
	if (system(command) != 0)
		return -1;
	free(r);
	return 0;
}

static const char *files(const struct root *r, const char *line)
{
	static struct preflight_findings f;

	memset(&f, 0, sizeof(f));
	preflight_files(r->fd, line, &f);
	return f.n ? f.items[0].id : "";
}

static void hibernation_images(void **state)
{
	static const char efi[] = "sys/firmware/efi/efivars/HibernateLocation-8cf2644b-4b0b-428f-9387-6d876050dc67";
	const struct root *r = *state;

	assert_string_equal(files(r, ""), "");
	put(r, "conf/conf.d/resume", "RESUME=none\n", 12);
	assert_string_equal(files(r, ""), "");
	put(r, "conf/conf.d/resume", "RESUME=\n", 8);
	assert_string_equal(files(r, ""), "");
	put(r, "conf/conf.d/resume", "# x\nRESUME=UUID=1\n", 18);
	assert_string_equal(files(r, ""), "resume");
	assert_string_equal(files(r, "noresume"), "");
	unlinkat(r->fd, "conf/conf.d/resume", 0);
	put(r, efi, "x", 1);
	assert_string_equal(files(r, ""), "resume");
	assert_string_equal(files(r, "quiet noresume"), "");
}

static void credentials_of_the_host(void **state)
{
	static const char smbios[] = "\x0b\x05\x00\x00\x01io.systemd.credential:ssh.authorized_keys.root=x\0";
	const struct root *r = *state;

	put(r, "sys/firmware/dmi/entries/11-0/raw", "\x0b\x05\x00\x00\x01harmless\0", 14);
	assert_string_equal(files(r, ""), "");
	put(r, "sys/firmware/dmi/entries/11-1/raw", smbios, sizeof(smbios));
	assert_string_equal(files(r, ""), "credentials");
	assert_string_equal(files(r, "systemd.import_credentials=yes"), "credentials");
	assert_string_equal(files(r, "systemd.import_credentials=no"), "");
	unlinkat(r->fd, "sys/firmware/dmi/entries/11-1/raw", 0);
	assert_string_equal(files(r, ""), "");
	put(r, "sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials/passwd/raw", "x", 1);
	assert_string_equal(files(r, ""), "credentials");
}

/* A physical volume as pvcreate and vgcreate leave it: label in sector 1, metadata at 4096, text at 4096 + 512. */
static void make_pv(uint8_t disk[static 8192], const char *text)
{
	memset(disk, 0, 8192);
	memcpy(disk + 512, "LABELONE", 8);
	disk[512 + 8] = 1;
	disk[512 + 20] = 32;
	memcpy(disk + 512 + 24, "LVM2 001", 8);
	disk[512 + 32 + 40 + 2] = 0x10;	    /* data area at 1 MiB, to the end */
	disk[512 + 32 + 40 + 32 + 1] = 0x10; /* metadata area at 4096 */
	disk[512 + 32 + 40 + 32 + 8 + 1] = 0x10;
	memcpy(disk + 4096 + 4, " LVM2 x[5A%r0N*>", 16);
	disk[4096 + 40 + 1] = 2; /* text at 512 */
	snprintf((char *)disk + 4096 + 512, 512, "%s", text);
}

static bool name_of(const uint8_t *disk, size_t len, char *out)
{
	char path[] = "/tmp/test-preflight-pv-XXXXXX";
	int fd = mkstemp(path);
	bool ok;

	unlink(path);
	assert_int_equal(write(fd, disk, len), (ssize_t)len);
	ok = lvm_vg_name(fd, out);
	close(fd);
	return ok;
}

static void names_of_volume_groups(void **state)
{
	char name[LVM_NAME_MAX];
	uint8_t disk[8192];

	make_pv(disk, "system {\nid = \"x\"\n");
	assert_true(name_of(disk, sizeof(disk), name));
	assert_string_equal(name, "system");
	make_pv(disk, "{\n");
	assert_false(name_of(disk, sizeof(disk), name));
	make_pv(disk, "sys/tem {\n");
	assert_false(name_of(disk, sizeof(disk), name));
	make_pv(disk, "system");
	assert_false(name_of(disk, sizeof(disk), name));
	make_pv(disk, "system {\n");
	for (size_t len = 0; len < 4096 + 512 + 8; len += 64)
		assert_false(name_of(disk, len, name));
	/* No bit flipped in label or header leads out of the disk. */
	for (size_t bit = 512 * 8; bit < 1024 * 8; bit++) {
		disk[bit / 8] ^= (uint8_t)(1 << bit % 8);
		name_of(disk, sizeof(disk), name);
		disk[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(name_of(disk, sizeof(disk), name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_lines_that_are_good),
		cmocka_unit_test(command_lines_that_are_not),
		cmocka_unit_test(the_group_that_root_names),
		cmocka_unit_test(command_lines_of_any_bytes),
		cmocka_unit_test_setup_teardown(hibernation_images, setup, teardown),
		cmocka_unit_test_setup_teardown(credentials_of_the_host, setup, teardown),
		cmocka_unit_test(names_of_volume_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
