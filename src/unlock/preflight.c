/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/preflight.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"
#include "luks/device.h"
#include "unlock/preflight_impl.h"

#define COMMAND_LINE_MAX 65536
#define SMBIOS_ENTRY_MAX 65536

static bool exists(int root_fd, const char *path)
{
	return faccessat(root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* First entry of a folder that begins with prefix and is no dot file; false when there is none, or no folder. */
static bool first_entry(int root_fd, const char *path, const char *prefix, char *out, size_t cap)
{
	int fd = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.' && text_starts(e->d_name, prefix)) {
			snprintf(out, cap, "%s", e->d_name);
			return true;
		}
	return false;
}

/* initramfs-tools keeps RESUME= of the machine that built the image; systemd finds an image by an EFI variable, which is the host's. */
static void check_resume(int root_fd, const char *command_line, struct preflight_findings *f)
{
	_cleanup_free_ char *text = NULL;
	char value[64];
	size_t len;

	if (preflight_word(command_line, "noresume", value, sizeof(value)))
		return;
	if (exists(root_fd, "sys/firmware/efi/efivars/HibernateLocation-8cf2644b-4b0b-428f-9387-6d876050dc67"))
		preflight_add(f, "resume", "put noresume on the kernel command line",
			      "an EFI variable names a hibernation image, and EFI variables are the host's");
	if (file_read(root_fd, "conf/conf.d/resume", 4096, ERR_CONFIG, &text, &len, NULL) < 0)
		return;
	for (char *line = text, *next; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!text_starts(line, "RESUME=") || !line[7] || text_eq(line + 7, "none"))
			continue;
		preflight_add(f, "resume", "RESUME=none in /etc/initramfs-tools/conf.d/resume, then update-initramfs -u; or noresume on the kernel command line",
			      "the initramfs would resume from %s: a hibernation image that the host wrote would replace this system", line + 7);
	}
}

/* SMBIOS type 11 strings with this prefix are credentials (systemd.system-credentials(7)). */
static bool smbios_credential(int root_fd)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *e;
	int fd = openat(root_fd, "sys/firmware/dmi/entries", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || !(dir = fdopendir(fd))) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((e = readdir(dir))) {
		_cleanup_free_ char *raw = NULL;
		char path[300];
		size_t len;

		if (!text_starts(e->d_name, "11-"))
			continue;
		snprintf(path, sizeof(path), "%s/raw", e->d_name);
		if (file_read(fd, path, SMBIOS_ENTRY_MAX, ERR_CONFIG, &raw, &len, NULL) == 0 &&
		    memmem(raw, len, "io.systemd.credential", strlen("io.systemd.credential")))
			return true;
	}
	return false;
}

static void check_credentials(int root_fd, const char *command_line, struct preflight_findings *f)
{
	static const char hint[] = "put systemd.import_credentials=no on the kernel command line, or take them from the machine's definition";
	char name[256];
	bool on = true;

	if (preflight_word(command_line, "systemd.import_credentials", name, sizeof(name)) && text_bool(name, &on, NULL) == 0 && !on)
		return;
	if (first_entry(root_fd, "sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials", "", name, sizeof(name)) ||
	    first_entry(root_fd, "run/credentials/@system", "", name, sizeof(name)))
		preflight_add(f, "credentials", hint, "the host hands in the credential %s: it can set passwords, keys and files", name);
	else if (smbios_credential(root_fd))
		preflight_add(f, "credentials", hint, "the host hands in credentials by SMBIOS: they can set passwords, keys and files");
}

void preflight_files(int root_fd, const char *command_line, struct preflight_findings *ret)
{
	check_resume(root_fd, command_line, ret);
	check_credentials(root_fd, command_line, ret);
}

static int check_vg(int root_fd, struct preflight_findings *f, struct err **err)
{
	char **disks = NULL;

	if (!*f->root_vg)
		return 0;
	if (device_find_vg(root_fd, f->root_vg, &disks, err) < 0)
		return -1;
	if (disks && *disks)
		preflight_add(f, "foreign-vg", "take that disk away from the machine, or rename the volume group inside your volume",
			      "%s, which is not encrypted, claims to hold volume group %s, the one that root= names", disks[0], f->root_vg);
	strv_free(disks);
	return 0;
}

const char **preflight_volumes(const struct config *c)
{
	const char **names;
	size_t n = 0;

	while (c->volumes[n])
		n++;
	names = calloc(n + 1, sizeof(*names));
	n = 0;
	for (struct config_volume **v = c->volumes; names && *v; v++)
		if ((*v)->phase == PHASE_INITRD)
			names[n++] = (*v)->name;
	return names;
}

int preflight_check(const struct unlock_env *env, struct err **err)
{
	_cleanup_free_ char *line = NULL;
	_cleanup_free_ const char **names = preflight_volumes(env->config);
	struct preflight_findings f = { 0 };
	size_t len;

	if (!names)
		return err_nomem(err);
	if (file_read(env->root_fd, "proc/cmdline", COMMAND_LINE_MAX, ERR_CONFIG, &line, &len, err) < 0)
		return err_wrap(err, "preflight");
	preflight_command_line(line, names, &f);
	preflight_files(env->root_fd, line, &f);
	if (check_vg(env->root_fd, &f, err) < 0)
		return -1;
	for (size_t i = 0; i < f.n; i++)
		if (env->config->preflight == PREFLIGHT_WARN || i > 0)
			log_warning("preflight: %s [%s]; to do: %s", f.items[i].message, f.items[i].id, f.items[i].hint);
	if (!f.n || env->config->preflight == PREFLIGHT_WARN)
		return 0;
	err_set(err, ERR_CONFIG, f.items[0].id, "preflight: %s", f.items[0].message);
	return err_hint(err, "%s", f.items[0].hint);
}
