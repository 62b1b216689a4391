/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A secret sealed on one system, asked for on another: what the machine says about it. */
#include "tests/lib/vtpm_boot.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "tests/lib/elog.h"
#include "unlock/pcr_cause.h"

static char root[] = "/tmp/test_pcr_cause.XXXXXX";
static struct unlock_env env = { .root_fd = -1 };

static void put_log(const char *system)
{
	_cleanup_buf_ struct buf b = BUF_INIT(ELOG_MAX);
	_cleanup_free_ char *dir = text_dup(BOOT_LOG_PATH);

	elog_begin(&b);
	elog_event2(&b, 7, (uint32_t)EV_EFI_ACTION, "secure boot", 11, "Secure Boot", 11);
	elog_grub_file(&b, "(hd0,gpt1)/boot/initrd.img", system, strlen(system));
	*strrchr(dir, '/') = 0;
	assert_ok(dir_make(env.root_fd, dir, 0755, &_err));
	assert_ok(file_write_atomic(env.root_fd, BOOT_LOG_PATH, b.data, b.len, 0644, &_err));
}

/* The story of this blob on the running system; the caller frees. */
static char *story(struct swtpm *s, const struct tpm_name *primary, const struct vtpm_rules *r, const struct sealed_blob *b,
		   uint32_t want_differing)
{
	struct vtpm *v = boot_open(swtpm_access(s), primary);
	_cleanup_buf_ struct buf out = BUF_INIT(16384);
	uint32_t differing = 0;

	assert_ok(pcr_cause_explain(&env, v, r, b, &differing, &out, &_err));
	assert_int_equal(differing, want_differing);
	vtpm_close(v);
	return buf_take_str(&out);
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		print_message("no \"%s\" in:\n%s\n", part, text);
	assert_non_null(strstr(text, part));
}

static void another_initrd(void **state)
{
	struct tpm_name primary;
	struct swtpm *s = boot_machine(&primary);
	const struct vtpm_rules rules = boot_rules();
	struct vtpm_rules others = boot_rules();
	struct sealed_blob b = { 0 };
	_cleanup_free_ char *same = NULL, *initrd = NULL, *foreign = NULL, *none = NULL;

	boot_seal_now(s, &primary, &rules, NULL, &b);
	put_log("system");
	same = story(s, &primary, &rules, &b, 0);
	has(same, "no PCR differs");
	boot_system(s, "another system");
	put_log("another system");
	initrd = story(s, &primary, &rules, &b, 1 << 9);
	has(initrd, "PCR 9: sealed for ");
	has(initrd, ", now ");
	has(initrd, "; this boot measured (hd0,gpt1)/boot/initrd.img\n");
	has(initrd, "probably the initrd, kernel or boot menu (files that GRUB reads) (PCR 9)\n");
	assert_null(strstr(initrd, "PCR 7"));
	assert_null(strstr(initrd, "does not lead"));
	/* Somebody's log of somebody's boot. */
	put_log("a third system");
	foreign = story(s, &primary, &rules, &b, 1 << 9);
	has(foreign, "the event log does not lead to PCR 9 as it is");
	assert_int_equal(unlinkat(env.root_fd, BOOT_LOG_PATH, 0), 0);
	others.pcrs = 1 << 9 | 1 << 11;
	none = story(s, &primary, &others, &b, 1 << 7 | 1 << 9 | 1 << 11);
	has(none, "PCR 11: sealed for nothing, now ");
	has(none, "what was measured is not known: this boot has no event log");
	sealed_blob_clear(&b);
	swtpm_stop(s);
}

/* What the console's last line gains. */
static void goes_into_the_error(void **state)
{
	struct tpm_name primary;
	struct swtpm *s = boot_machine(&primary);
	const struct vtpm_rules rules = boot_rules();
	struct sealed_blob b = { 0 };
	_cleanup_free_ char *text = NULL;
	struct err *err = NULL, *other = NULL;
	struct vtpm *v;

	boot_seal_now(s, &primary, &rules, NULL, &b);
	assert_ok(sealed_blob_text(&b, &text, &_err));
	boot_system(s, "another system");
	put_log("another system");
	assert_true(boot_unseal(s, &primary, &rules, &b, &err) < 0);
	assert_string_equal(err_id(err), "policy");
	v = boot_open(swtpm_access(s), &primary);
	pcr_cause_hint(&env, "root", v, &rules, text, strlen(text), &err);
	has(err_message(err), "probably the initrd");
	has(err_message(err), "the secret was sealed for other PCR values");
	err_set(&other, ERR_TPM, "tpm-auth", "wrong PIN");
	pcr_cause_hint(&env, "root", v, &rules, text, strlen(text), &other);
	assert_string_equal(err_message(other), "wrong PIN");
	err_free(err);
	err_free(other);
	vtpm_close(v);
	sealed_blob_clear(&b);
	swtpm_stop(s);
}

static void likely_causes(void **state)
{
	static const struct {
		uint32_t differing;
		const char *text;
	} want[] = {
		{ 1 << 7, "probably the Secure Boot state (switched, or keys in db or dbx updated) (PCR 7)" },
		{ 1 << 9, "probably the initrd (PCR 9)" },
		{ 1 << 4 | 1 << 9, "probably another kernel, with its initrd (PCRs 4 9)" },
		{ 1 << 4 | 1 << 11, "probably another unified kernel image (PCRs 4 11)" },
		{ 1 << 0 | 1 << 4 | 1 << 7 | 1 << 9, "probably another machine, or firmware that was replaced (PCRs 0 4 7 9)" },
		{ 1 << 8, "probably the kernel command line or boot menu (GRUB's commands) (PCR 8)" },
		{ 1 << 1 | 1 << 14,
		  "probably the firmware settings, boot order or size of the machine (PCR 1); machine owner keys (MOK) of shim (PCR 14)" },
		{ 1 << 15, "probably the cap (a secret was used already in this boot) (PCR 15)" },
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		_cleanup_buf_ struct buf out = BUF_INIT(1024);

		pcr_cause_likely(want[i].differing, NULL, &out);
		assert_string_equal(buf_cstr(&out), want[i].text);
	}
}

static void long_lists_are_cut(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(ELOG_MAX), out = BUF_INIT(1024);
	_cleanup_boot_log_ struct boot_log log = { 0 };
	char path[64];

	elog_begin(&b);
	for (int i = 0; i < 40; i++) {
		snprintf(path, sizeof(path), "/boot/grub/module-%d.mod", i);
		elog_grub_file(&b, path, path, strlen(path));
	}
	assert_ok(file_write_atomic(env.root_fd, BOOT_LOG_PATH, b.data, b.len, 0644, &_err));
	assert_ok(boot_log_load(env.root_fd, PCR_SHA256, &log, &_err));
	pcr_cause_measured(&log, 9, 100, &out);
	assert_string_equal(buf_cstr(&out),
			    "/boot/grub/module-0.mod, /boot/grub/module-1.mod, /boot/grub/module-2.mod, /boot/grub/module-3.mod, ..");
	buf_reset(&out);
	pcr_cause_measured(&log, 4, 100, &out);
	assert_int_equal(out.len, 0);
}

static int make_root(void **state)
{
	(void)state;
	if (!mkdtemp(root))
		return -1;
	env.root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return env.root_fd < 0 ? -1 : 0;
}

static int remove_root(void **state)
{
	_cleanup_free_ char *command = text_printf("rm -rf %s", root);

	(void)state;
	close(env.root_fd);
	return command && system(command) == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_initrd),
		cmocka_unit_test(goes_into_the_error),
		cmocka_unit_test(likely_causes),
		cmocka_unit_test(long_lists_are_cut),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, make_root, remove_root);
}
