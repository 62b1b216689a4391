/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * src/luks against a real kernel: device search, activation, read-back, removal. Runs as root in a guest (tests/headers/guest.sh); TAP
 * on stdout. Removes what it maps.
 *
 *	dm_trial run PASSFILE DISK-WITH-PARTITIONS {VOLUME | H8=VOLUME}...	(the second form: must be refused by that check)
 *	dm_trial partitions FILE	writes the table that `run` looks for
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libcryptsetup.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "luks/table.h"
#include "luks/volume.h"
#include "tests/headers/disk.h"

static unsigned int number, failed;
static const struct mapper *const m = &mapper_dm;

static bool report(bool ok, const char *volume, const char *what, struct err *e)
{
	printf("%sok %u - %s: %s\n", ok ? "" : "not ", ++number, volume, what);
	if (!ok)
		printf("# %s (%s)\n", e ? err_message(e) : "no error", err_id(e));
	failed += !ok;
	return ok;
}

/* The call succeeded. */
static bool good(int r, const char *volume, const char *what, struct err **e)
{
	bool ok = report(r == 0, volume, what, *e);

	err_clear(e);
	return ok;
}

/* The call failed with this id. */
static void bad(int r, const char *id, const char *volume, const char *what, struct err **e)
{
	report(r < 0 && strcmp(err_id(*e), id) == 0, volume, what, *e);
	err_clear(e);
}

struct opened {
	struct luks_device dev;
	struct luks_header h;
	struct luks_volume *v;
	struct secret *key;
};

static bool open_volume(struct opened *o, const char *volume, const struct secret *pass)
{
	static const struct luks_policy policy = { 0 };
	struct err *e = NULL;
	int slot;

	*o = (struct opened){ .dev = LUKS_DEVICE_INIT, .h = LUKS_HEADER_INIT };
	return good(device_find(AT_FDCWD, volume, false, &o->dev, &e), volume, "device found", &e) &&
	       good(luks_header_read(&o->dev, &policy, &o->h, &e), volume, "header copied", &e) &&
	       good(luks_volume_new(&o->h, &o->dev, &policy, &o->v, &e), volume, "header audited", &e) &&
	       good(luks_volume_unlock(o->v, pass, 16, -1, &o->key, &slot, &e), volume, "opened in memory", &e);
}

static void close_volume(struct opened *o)
{
	luks_volume_free(o->v);
	luks_header_clear(&o->h);
	secret_free(o->key);
	device_close(&o->dev);
}

static void show_table(const char *name)
{
	_cleanup_mapper_info_ struct mapper_info i = { 0 };

	if (m->query(m->ctx, name, &i, NULL) == 0 && i.n_targets == 1 && strstr(i.targets[0].params, ":logon:"))
		printf("# %s: %s\n", name, i.targets[0].params);
	else if (i.n_targets == 1 && strcmp(i.targets[0].type, "integrity") == 0)
		printf("# %s: %s\n", name, i.targets[0].params);
}

static bool mapped(const char *name)
{
	_cleanup_mapper_info_ struct mapper_info i = { 0 };

	return m->query(m->ctx, name, &i, NULL) == 0 && i.exists;
}

/* Private, read back, taken away; public, read back, twice the same name refused. */
static void trial_twice(struct opened *o, const char *volume)
{
	struct luks_activation a = { .private_name = true };
	struct err *e = NULL;
	char name[32];

	good(mapper_private_name(name, &e), volume, "private name", &e);
	a.name = name;
	good(luks_volume_activate(o->v, m, o->key, &a, &e), volume, "private activation, table read back", &e);
	good(luks_volume_deactivate(o->v, m, name, &e), volume, "deactivated", &e);
	report(!mapped(name), volume, "private mapping gone", NULL);
	a = (struct luks_activation){ .name = "root" };
	good(luks_volume_activate(o->v, m, o->key, &a, &e), volume, "public activation, table read back", &e);
	show_table("root");
	show_table("root_dif");
	good(luks_volume_check_table(o->v, m, "root", false, &e), volume, "table read again", &e);
	bad(luks_volume_check_table(o->v, m, "root", true, &e), "K6", volume, "discard expected but absent", &e);
	bad(luks_volume_activate(o->v, m, o->key, &a, &e), "name-taken", volume, "same name again", &e);
}

static void trial_remove(struct opened *o, const char *volume)
{
	struct err *e = NULL;
	int fd = open("/dev/mapper/root", O_RDONLY | O_CLOEXEC);

	bad(mapper_remove_volume(m, "root", o->h.uuid, &e), "mapping-busy", volume, "removal while open", &e);
	close(fd);
	good(mapper_remove_volume(m, "root", o->h.uuid, &e), volume, "removed without reading the header", &e);
	report(!mapped("root") && !mapped("root_dif"), volume, "nothing left", NULL);
	bad(mapper_remove_volume(m, "root", NULL, &e), "mapping-absent", volume, "removed again", &e);
}

static void trial_variants(struct opened *o, const char *volume)
{
	struct luks_activation a = { .name = "root", .read_only = true };
	struct err *e = NULL;

	good(luks_volume_activate(o->v, m, o->key, &a, &e), volume, "read-only", &e);
	good(luks_volume_deactivate(o->v, m, "root", &e), volume, "deactivated", &e);
	a = (struct luks_activation){ .name = "root", .discard = true };
	if (luks_volume_has_integrity(o->v)) {
		bad(luks_volume_activate(o->v, m, o->key, &a, &e), "K5", volume, "discard with integrity", &e);
		return;
	}
	good(luks_volume_activate(o->v, m, o->key, &a, &e), volume, "with discard", &e);
	good(luks_volume_deactivate(o->v, m, "root", &e), volume, "deactivated", &e);
}

/* A killed agent leaves a private mapping; while it is there nothing else opens the disk. */
static void trial_sweep(struct opened *o, const char *volume)
{
	unsigned int want = luks_volume_has_integrity(o->v) ? 2 : 1, n = 0;
	struct luks_activation a = { .private_name = true }, b = { .name = "root" };
	struct err *e = NULL;
	char name[32];

	mapper_private_name(name, NULL);
	a.name = name;
	good(luks_volume_activate(o->v, m, o->key, &a, &e), volume, "private mapping left behind", &e);
	bad(luks_volume_activate(o->v, m, o->key, &b, &e), "activation-failed", volume, "disk in use", &e);
	good(mapper_sweep_private(m, &n, &e), volume, "swept", &e);
	report(n == want && !mapped(name), volume, "everything private removed", NULL);
}

/* A mapping under the right name and uuid that does not encrypt. */
static void trial_lie(struct opened *o, const char *volume, const char *cipher, const char *key)
{
	char uuid[160], params[512];
	struct dm_task *t = dm_task_create(DM_DEVICE_CREATE);
	uint64_t length = (o->dev.size - o->h.data_offset) / 512;
	struct err *e = NULL;
	uint32_t cookie = 0;

	table_dm_uuid("LUKS2", o->h.uuid, "root", uuid, sizeof(uuid));
	snprintf(params, sizeof(params), "%s %s 0 %u:%u %llu", cipher, key, major(o->dev.rdev), minor(o->dev.rdev),
		 (unsigned long long)o->h.data_offset / 512);
	if (!t || !dm_task_set_name(t, "root") || !dm_task_set_uuid(t, uuid) || !dm_task_add_target(t, 0, length, "crypt", params) ||
	    !dm_task_set_cookie(t, &cookie, 0) || !dm_task_run(t))
		errx(99, "cannot make the lying mapping");
	dm_udev_wait(cookie);
	dm_task_destroy(t);
	bad(luks_volume_check_table(o->v, m, "root", false, &e), "K6", volume, cipher, &e);
	good(m->remove(m->ctx, "root", &e), volume, "lying mapping removed", &e);
}

static void trial_volume(const char *volume, const struct secret *pass)
{
	struct err *e = NULL;
	struct opened o;

	if (!open_volume(&o, volume, pass)) {
		close_volume(&o);
		return;
	}
	trial_twice(&o, volume);
	trial_remove(&o, volume);
	trial_variants(&o, volume);
	trial_sweep(&o, volume);
	if (!luks_volume_has_integrity(o.v)) {
		trial_lie(&o, volume, "cipher_null-ecb", "-");
		trial_lie(&o, volume, "aes-xts-plain", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
						       "0f112233445566778899aabbccddeeff00112233445566778899aabbccddee00");
	}
	close_volume(&o);
	/* The kernel may lack the keyring: the table then holds the key, which is compared. */
	crypt_volume_key_keyring(NULL, 0);
	if (open_volume(&o, volume, pass)) {
		trial_twice(&o, volume);
		good(luks_volume_deactivate(o.v, m, "root", &e), volume, "deactivated", &e);
	}
	close_volume(&o);
	crypt_volume_key_keyring(NULL, 1);
}

static void trial_refused(const char *id, const char *volume)
{
	static const struct luks_policy policy = { .profile = LUKS_COMPAT };
	struct luks_device dev = LUKS_DEVICE_INIT;
	struct luks_header h = LUKS_HEADER_INIT;
	struct luks_findings f = { 0 };
	struct err *e = NULL;

	if (good(device_find(AT_FDCWD, volume, false, &dev, &e), volume, "device found", &e))
		bad(luks_inspect(&dev, &policy, &h, &f, &e), id, volume, "refused", &e);
	luks_findings_clear(&f);
	luks_header_clear(&h);
	device_close(&dev);
}

static void trial_find(const char *disk)
{
	static const char *const specs[] = { "PARTUUID=" DISK_PARTUUID_2, "PARTLABEL=data-crypt" };
	char want[64];

	snprintf(want, sizeof(want), "%s2", disk);
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct luks_device d = LUKS_DEVICE_INIT;
		struct err *e = NULL;
		int r = device_find(AT_FDCWD, specs[i], false, &d, &e);

		report(r == 0 && strcmp(d.path, want) == 0, specs[i], "found by its partition", e);
		err_free(e);
		device_close(&d);
	}
}

static int write_partitions(const char *file)
{
	uint8_t table[DISK_TABLE_SIZE];
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	disk_gpt(table, 1, 2);
	if (fd < 0 || ftruncate(fd, 16384 * 512) < 0 || pwrite(fd, table, sizeof(table), 0) != (ssize_t)sizeof(table))
		err(99, "%s", file);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	_cleanup_secret_ struct secret *pass = NULL;
	const char *debug = getenv("DM_TRIAL_DEBUG");
	char **names = NULL;
	int fd;

	if (argc == 3 && strcmp(argv[1], "partitions") == 0)
		return write_partitions(argv[2]);
	if (argc < 5 || strcmp(argv[1], "run") != 0)
		errx(2, "usage: dm_trial run PASSFILE DISK VOLUME... | partitions FILE");
	log_init("dm_trial", debug && *debug ? LOGL_DEBUG : LOGL_WARNING, false);
	fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || secret_read_fd(fd, 512, &pass, NULL) < 0)
		err(99, "%s", argv[2]);
	close(fd);
	trial_find(argv[3]);
	for (int i = 4; i < argc; i++) {
		if (argv[i][0] == 'H' && strlen(argv[i]) > 3 && argv[i][2] == '=') {
			argv[i][2] = 0;
			trial_refused(argv[i], argv[i] + 3);
		} else {
			trial_volume(argv[i], pass);
		}
	}
	report(m->list(m->ctx, &names, NULL) == 0 && strv_len(names) == 0, "machine", "no mapping left", NULL);
	strv_free(names);
	printf("1..%u\n# %u failed\n", number, failed);
	return failed ? 1 : 0;
}
