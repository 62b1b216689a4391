/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Makes sealed files for tests of the engine, over the same interfaces as the programs, on the TPM of the test platform:
 *
 *	seal_tool name				Name of the storage primary, which it provisions
 *	seal_tool passphrase RAW		base64 of the bytes of a file: the passphrase of mode vtpm's keyslot
 *	seal_tool both KBSPART RAW UUID NAME	the passphrase of mode kbs+vtpm's keyslot
 *	seal_tool seal CONFIG VOLUME RAW PASSPHRASE [PIN [VK_ID]]
 *						seals RAW as CONFIG wants it for VOLUME, which PASSPHRASE opens; the file goes to standard
 *						output. VK_ID instead of the volume's: a forger's. PIN "" = none.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/hkdf.h"
#include "luks/volume.h"
#include "tests/lib/tpm_swtpm.h"
#include "unlock/header_policy.h"
#include "unlock/rules.h"

static int root_fd = -1;

__attribute__((noreturn)) static void die(const struct err *e)
{
	fprintf(stderr, "seal_tool: %s [%s]\n", err_message(e), err_id(e));
	exit(1);
}

#define MUST(call)                   \
	do {                         \
		struct err *e_ = NULL; \
		if ((call) < 0)      \
			die(e_);     \
	} while (0)

static struct secret *file(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct secret *s = NULL;

	MUST(secret_read_fd(fd, 65536, &s, &e_));
	return s;
}

static void put(const struct secret *s)
{
	fwrite(secret_cdata(s), 1, secret_len(s), stdout);
	secret_free((struct secret *)s);
}

static struct vtpm *tpm(void)
{
	struct vtpm *v = NULL;

	MUST(vtpm_open(&tpm_access_swtpm, root_fd, deadline_in_ms(30000), &v, &e_));
	return v;
}

static void cmd_name(void)
{
	char hex[2 * TPM_NAME_MAX + 1];
	struct vtpm *v = tpm();
	struct tpm_name name;

	MUST(vtpm_provision(v, NULL, &e_));
	MUST(vtpm_primary_name(v, &name, &e_));
	tpm_name_text(&name, hex);
	puts(hex);
	vtpm_close(v);
}

/* What the sealed object says of the volume that the passphrase opens. */
static void identify(const struct config_volume *c, const char *passphrase, struct sealed_payload *p, struct sealed_blob *names)
{
	struct luks_policy policy = header_policy_of(c);
	struct luks_findings findings = { 0 };
	struct luks_device dev = LUKS_DEVICE_INIT;
	struct luks_header header = { .memfd = -1 };
	_cleanup_secret_ struct secret *pass = file(passphrase), *key = NULL;
	_cleanup_luks_volume_ struct luks_volume *v = NULL;

	MUST(device_find(root_fd, c->device, true, &dev, &e_));
	MUST(luks_inspect(&dev, &policy, &header, &findings, &e_));
	MUST(luks_volume_new(&header, &dev, &policy, &v, &e_));
	MUST(luks_volume_unlock(v, pass, LUKS_SECRET_MIN, -1, &key, &names->keyslot, &e_));
	MUST(luks_vk_id(key, luks_volume_uuid(v), c->name, p->vk_id, &e_));
	MUST(luks_header_id(&header, names->keyslot, p->header_id, &e_));
	names->uuid = text_dup(luks_volume_uuid(v));
	luks_findings_clear(&findings);
	luks_volume_free(TAKE_PTR(v));
	luks_header_clear(&header);
	device_close(&dev);
}

static void cmd_seal(char **a, int n)
{
	const struct config_options o = { .root_fd = root_fd, .path = a[0], .allow_http = true };
	struct sealed_payload payload = { .secret = file(a[2]) };
	_cleanup_secret_ struct secret *pin = NULL;
	_cleanup_rules_ struct rules rules = { 0 };
	struct sealed_blob names = { 0 }, blob;
	const struct config_volume *c;
	_cleanup_free_ char *text = NULL;
	struct config *config = NULL;
	struct vtpm *v = tpm();
	struct tpm_name name;

	MUST(config_load(&o, &config, &e_));
	MUST(config_need_volume(config, a[1], &c, &e_));
	MUST(rules_load(config, root_fd, c->pin, &rules, &e_));
	MUST(tpm_name_parse(config->vtpm.srk_name, &name, &e_));
	if (n > 4 && *a[4])
		MUST(secret_from(a[4], strlen(a[4]), &pin, &e_));
	identify(c, a[3], &payload, &names);
	if (n > 5)
		snprintf(payload.vk_id, sizeof(payload.vk_id), "%s", a[5]);
	MUST(vtpm_trust(v, &name, &e_));
	MUST(vtpm_seal(v, &rules.vtpm, &payload, pin, NULL, NULL, &blob, &e_));
	blob.name = text_dup(a[1]);
	blob.uuid = TAKE_PTR(names.uuid);
	blob.keyslot = names.keyslot;
	blob.sealed_at = text_dup("enroll");
	MUST(sealed_blob_text(&blob, &text, &e_));
	fputs(text, stdout);
	sealed_blob_clear(&blob);
	sealed_payload_clear(&payload);
	config_free(config);
	vtpm_close(v);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "", *root = getenv("CRYPTATTEST_TEST_ROOT");
	struct secret *s = NULL, *kbs = NULL, *raw = NULL;

	log_init("seal_tool", LOGL_ERROR, false);
	root_fd = open(root ? root : "/nonexistent", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (text_eq(verb, "name") && argc == 2) {
		cmd_name();
	} else if (text_eq(verb, "passphrase") && argc == 3) {
		raw = file(argv[2]);
		MUST(secret_base64(raw, &s, &e_));
		put(s);
	} else if (text_eq(verb, "both") && argc == 6) {
		kbs = file(argv[2]);
		raw = file(argv[3]);
		MUST(both_parts_passphrase(kbs, raw, argv[4], argv[5], &s, &e_));
		put(s);
	} else if (text_eq(verb, "seal") && argc >= 6 && argc <= 8) {
		cmd_seal(argv + 2, argc - 2);
	} else {
		fprintf(stderr, "usage: see the comment in tests/tools/seal_tool.c\n");
		return 2;
	}
	secret_free(kbs);
	secret_free(raw);
	return 0;
}
