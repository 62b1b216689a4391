/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* vtpm/tpm.h on swtpm: opening, absence, loss, properties, names; and the table of response codes. */
#include "tests/lib/vtpm_check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tss2/tss2_tpm2_types.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/lib/swtpm.h"
#include "tests/lib/tpm_swtpm.h"
#include "vtpm/rc.h"
#include "vtpm/tpm.h"

static void test_codes(void **state)
{
	static const struct {
		uint32_t rc;
		bool auth;
		const char *id;
	} cases[] = {
		{ 0x99d, false, "policy" },
		{ 0x128, false, "pcr-changed" },
		{ 0x98e, true, "tpm-auth" },
		{ 0x98e, false, "tpm-session" },
		{ 0xa8e, true, "tpm-session" }, /* not the PIN's session */
		{ 0xa8e, false, "tpm-session" }, /* second session */
		{ 0x9a2, true, "tpm-auth" },
		{ 0x9a2, false, "tpm-session" },
		{ 0x921, true, "tpm-lockout" },
		{ 0x921, false, "tpm-lockout" },
		{ 0x1df, false, "tpm-replaced" }, /* parameter 1 */
		{ 0x18b, false, "tpm-handle" },
		{ 0x910, false, "tpm-session" },
		{ 0x918, false, "tpm-session" },
		{ 0x922, false, "tpm-busy" },
		{ 0x908, false, "tpm-busy" },
		{ 0x90a, false, "tpm-busy" },
		{ 0x902, false, "tpm-busy" },
		{ 0x903, false, "tpm-busy" },
		{ 0x904, false, "tpm-busy" },
		{ 0xb0903, false, "tpm-busy" }, /* by the resource manager */
		{ 0x148, false, "nv-locked" },
		{ 0x149, false, "nv-authorization" },
		{ 0x14a, false, "nv-unwritten" },
		{ 0x14b, false, "nv-space" },
		{ 0x14c, false, "nv-defined" },
		{ 0x146, false, "nv-range" },
		{ 0x101, false, "tpm-failure" },
		{ 0x100, false, "tpm-failure" },
		{ 0x1d5, false, "tpm-rc" }, /* 129 bytes to seal */
		{ TSS2_TCTI_RC_IO_ERROR, false, "tpm-io" },
		{ TSS2_TCTI_RC_NO_CONNECTION, false, "tpm-io" },
		{ TSS2_TCTI_RC_MALFORMED_RESPONSE, false, "tpm-session" },
		{ TSS2_ESYS_RC_IO_ERROR, false, "tpm-io" },
		{ TSS2_ESYS_RC_RSP_AUTH_FAILED, false, "tpm-session" },
		{ TSS2_ESYS_RC_RSP_AUTH_FAILED, true, "tpm-session" },
		{ TSS2_ESYS_RC_MALFORMED_RESPONSE, false, "tpm-session" },
		{ TSS2_SYS_RC_MALFORMED_RESPONSE, false, "tpm-session" },
		{ TSS2_SYS_RC_INSUFFICIENT_RESPONSE, false, "tpm-session" },
		{ TSS2_MU_RC_INSUFFICIENT_BUFFER, false, "tpm-session" },
		{ TSS2_ESYS_RC_BAD_SEQUENCE, false, "tpm-io" },
		{ TSS2_ESYS_RC_MEMORY, false, "tpm-rc" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_err_ struct err *err = NULL;

		assert_int_equal(tpm_rc_err(cases[i].rc, cases[i].auth, "step", &err), -1);
		assert_int_equal(err_class(err), ERR_TPM);
		if (strcmp(err_id(err), cases[i].id) != 0)
			fail_msg("0x%x: %s, not %s", cases[i].rc, err_id(err), cases[i].id);
		assert_memory_equal(err_message(err), "step: ", 6);
	}
	assert_true(tpm_rc_busy(0x922));
	assert_false(tpm_rc_busy(0));
	assert_false(tpm_rc_busy(0x921));
	assert_false(tpm_rc_busy(TSS2_TCTI_RC_TRY_AGAIN));
	assert_true(tpm_rc_is(0x99d, 0x09d));
	assert_false(tpm_rc_is(TSS2_ESYS_RC_BAD_VALUE | 0x9d, 0x09d));
}

static void test_properties(void **state)
{
	_cleanup_tpm_ struct tpm *t = check_open(swtpm_access(*state));
	struct tpm_info info;
	struct tpm_lockout lockout;

	assert_ok(tpm_info(t, &info, &_err));
	assert_string_equal(info.manufacturer, "IBM");
	assert_true(strstr(info.vendor, "TPM") != NULL);
	assert_true(info.firmware[0] != 0);
	assert_ok(tpm_lockout(t, &lockout, &_err));
	assert_false(lockout.locked);
	assert_int_equal(lockout.failed, 0);
	assert_true(lockout.max_tries > 0 && lockout.interval_s > 0 && lockout.recovery_s > 0);
}

/* The file names a socket: absent, dead, alive. */
static void test_absent(void **state)
{
	char root[] = "/tmp/test-vtpm-XXXXXX", path[64];
	struct tpm *t = NULL;
	struct tpm_info info;
	_cleanup_close_ int fd = -1;
	FILE *f;

	assert_non_null(mkdtemp(root));
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_false(tpm_access_device.present(&tpm_access_device, fd));
	assert_fails(tpm_open(&tpm_access_device, fd, deadline_in_ms(1000), &t, &_err), ERR_TPM, "tpm-absent");
	assert_false(tpm_access_swtpm.present(&tpm_access_swtpm, fd));
	assert_fails(tpm_open(&tpm_access_swtpm, fd, deadline_in_ms(1000), &t, &_err), ERR_TPM, "tpm-absent");
	assert_int_equal(mkdirat(fd, "dev", 0700), 0);
	snprintf(path, sizeof(path), "%s/dev/tpm-swtpm", root);
	f = fopen(path, "we");
	fprintf(f, "%s\n", swtpm_path(*state));
	fclose(f);
	assert_true(tpm_access_swtpm.present(&tpm_access_swtpm, fd));
	assert_ok(tpm_open(&tpm_access_swtpm, fd, deadline_in_ms(1000), &t, &_err));
	assert_ok(tpm_info(t, &info, &_err));
	tpm_close(t);
	swtpm_kill(*state);
	assert_fails(tpm_open(&tpm_access_swtpm, fd, deadline_in_ms(1000), &t, &_err), ERR_TPM, "tpm-io");
	swtpm_reboot(*state);
	unlink(path);
	assert_int_equal(unlinkat(fd, "dev", AT_REMOVEDIR), 0);
	rmdir(root);
}

static void test_vanishes(void **state)
{
	_cleanup_tpm_ struct tpm *t = check_open(swtpm_access(*state));
	struct tpm_info info;

	assert_ok(tpm_info(t, &info, &_err));
	swtpm_kill(*state);
	assert_fails(tpm_info(t, &info, &_err), ERR_TPM, "tpm-io");
	swtpm_reboot(*state);
}

static void test_names(void **state)
{
	static const char sha256[] = "000b00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
	struct tpm_name n = { 0 }, m;
	char text[2 * TPM_NAME_MAX + 1], long_name[101], wrong[sizeof(sha256)];

	assert_ok(tpm_name_parse(sha256, &n, &_err));
	assert_int_equal(n.len, 34);
	tpm_name_text(&n, text);
	assert_true(strcasecmp(text, sha256) == 0);
	memset(long_name, '5', 100);
	long_name[100] = 0;
	memcpy(long_name, "000c", 4);
	assert_ok(tpm_name_parse(long_name, &m, &_err));
	assert_int_equal(m.len, 50);
	assert_false(tpm_name_equal(&n, &m));
	assert_true(tpm_name_equal(&n, &n));
	strcpy(wrong, sha256);
	wrong[3] = 'c'; /* length of the other algorithm */
	assert_fails(tpm_name_parse(wrong, &m, &_err), ERR_CONFIG, "tpm-name");
	strcpy(wrong, sha256);
	wrong[9] = 'x';
	assert_fails(tpm_name_parse(wrong, &m, &_err), ERR_CONFIG, "hex");
	assert_fails(tpm_name_parse(sha256 + 2, &m, &_err), ERR_CONFIG, "tpm-name");
	assert_fails(tpm_name_parse("", &m, &_err), ERR_CONFIG, "tpm-name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes), cmocka_unit_test(test_names),   cmocka_unit_test(test_properties),
		cmocka_unit_test(test_absent), cmocka_unit_test(test_vanishes),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, check_start, check_stop);
}
