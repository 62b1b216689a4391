/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* doctor inside an initramfs: is in this image what the configuration will need? Libraries are: this program runs, and loads none later. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "unlock/doctor.h"
#include "unlock/job.h"

#define LIST_MAX (4 << 20)

static bool lists(const struct unlock_env *env, const char *release, const char *list, const char *module)
{
	static const char *const dirs[] = { "usr/lib/modules", "lib/modules" };
	bool found = false;

	for (size_t i = 0; i < ARRAY_SIZE(dirs) && !found; i++) {
		_cleanup_free_ char *text = NULL;
		char path[200], name[64];
		size_t len;

		snprintf(path, sizeof(path), "%s/%.100s/%s", dirs[i], release, list);
		if (file_read(env->root_fd, path, LIST_MAX, ERR_DEVICE, &text, &len, NULL) < 0)
			continue;
		snprintf(name, sizeof(name), "/%.50s.ko", module);
		found = strstr(text, name);
		for (char *p = name; *p && !found; p++)
			if (*p == '_')
				*p = '-';
		found = found || strstr(text, name);
	}
	return found;
}

static bool have_module(const struct unlock_env *env, const char *module)
{
	struct utsname u;
	char path[100];

	snprintf(path, sizeof(path), "sys/module/%.60s", module);
	if (faccessat(env->root_fd, path, F_OK, 0) == 0)
		return true;
	return uname(&u) == 0 && (lists(env, u.release, "modules.dep", module) || lists(env, u.release, "modules.builtin", module));
}

static void need(const struct unlock_env *env, struct doctor *d, const char *modules, const char *what)
{
	_cleanup_free_ char *words = text_dup(modules);
	char *save = NULL;

	for (char *w = words ? strtok_r(words, " ", &save) : NULL; w; w = strtok_r(NULL, " ", &save))
		if (have_module(env, w)) {
			doctor_add(d, "image", w, DOCTOR_OK, NULL, "kernel module for %s", what);
			return;
		}
	struct err *err = NULL;

	err_set(&err, ERR_DEVICE, "image-module", "no kernel module for %s", what);
	err_hint(&err, "build the initramfs anew; its hook adds what the configuration names");
	doctor_add_err(d, "image", modules, DOCTOR_FAIL, err);
}

static void check_modules(const struct unlock_env *env, struct doctor *d)
{
	bool integrity = false, vtpm = false, kbs = false;

	for (struct config_volume **v = env->config->volumes; v && *v; v++) {
		integrity |= (*v)->integrity == CONF_INTEGRITY_HMAC_SHA256;
		vtpm |= config_mode_uses_vtpm((*v)->mode);
		kbs |= config_mode_uses_kbs((*v)->mode);
	}
	if (env->config->volumes && *env->config->volumes)
		need(env, d, "dm_crypt", "encrypted volumes");
	if (integrity)
		need(env, d, "dm_integrity", "volumes with integrity");
	if (vtpm && !env->platform->tpm->present(env->platform->tpm, env->root_fd))
		need(env, d, "tpm_crb tpm_tis", "the TPM");
	if (kbs && env->config->profile == PROFILE_CVM)
		need(env, d, "sev_guest tdx_guest", "evidence");
}

static void check_resolver(const struct unlock_env *env, struct doctor *d)
{
	bool needed = false;

	for (struct config_kbs **k = env->config->kbs; k && *k; k++)
		needed |= doctor_uses_broker(env->config, *k);
	if (!needed)
		return;
	if (faccessat(env->root_fd, "etc/resolv.conf", F_OK, 0) == 0)
		doctor_add(d, "image", "/etc/resolv.conf", DOCTOR_OK, NULL, "there");
	else
		doctor_add(d, "image", "/etc/resolv.conf", DOCTOR_WARN, "DHCP or the boot scripts write it; brokers named by address need none",
			   "absent: no name can be resolved");
}

static void check_anchors(const struct unlock_env *env, struct doctor *d)
{
	for (struct config_kbs **k = env->config->kbs; k && *k; k++)
		if (doctor_uses_broker(env->config, *k))
			doctor_add(d, "image", (*k)->name, DOCTOR_OK, NULL, "trust in the image: %zu pin%s%s%s", strv_len((*k)->pins),
			   strv_len((*k)->pins) == 1 ? "" : "s", (*k)->ca ? ", CA " : "", (*k)->ca ? (*k)->ca : "");
}

void doctor_image(const struct unlock_env *env, struct doctor *d)
{
	if (!facts_in_initrd(env)) {
		doctor_add(d, "image", NULL, DOCTOR_SKIP, NULL, "not in an initramfs; building one fails when something is missing");
		return;
	}
	check_modules(env, d);
	check_resolver(env, d);
	check_anchors(env, d);
}
