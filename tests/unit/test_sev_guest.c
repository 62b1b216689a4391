/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* /dev/sev-guest: what its answers mean, and what a device without ioctls can show of the transport. tests/emul has one with them. */
#include "tests/lib/check.h"

#include <errno.h>

#include "base/cleanup.h"
#include "tee/providers.h"
#include "tee/sev_guest.h"
#include "tee_root.h"

/* A character device that knows no ioctl answers as sev-guest does once its message key is gone. */
static void ioctl_transport(void **state)
{
	struct tee_root *t = *state;
	struct buf why _cleanup_buf_ = BUF_INIT(512);
	_cleanup_err_ struct err *e = NULL;
	struct evidence ev = { 0 };
	uint8_t data[64] = { 1 };

	assert_int_equal(tee_snp_ioctl.probe(&t->env, &why), TEE_ABSENT);
	assert_fails(tee_snp_ioctl.collect(&t->env, data, deadline_in_ms(5000), &ev, &_err), ERR_NOEVIDENCE, "tee-driver");
	tee_root_dir(t, "sys/devices/platform/sev-guest");
	assert_int_equal(tee_snp_ioctl.probe(&t->env, &why), TEE_DRIVER_MISSING);
	tee_root_dir(t, "dev");
	assert_int_equal(symlinkat("/dev/null", t->env.root_fd, SEV_GUEST_DEVICE), 0);
	assert_int_equal(tee_snp_ioctl.probe(&t->env, &why), TEE_PRESENT);
	unlinkat(t->env.root_fd, TEE_REQUEST_LOCK, 0); /* the pause has its own test */
	assert_true(tee_snp_ioctl.collect(&t->env, data, deadline_in_ms(5000), &ev, &e) < 0);
	assert_int_equal(err_class(e), ERR_NOEVIDENCE);
	assert_string_equal(err_id(e), "vmpck");
	assert_non_null(strstr(err_hint_text(e), "rebooted"));
	assert_null(ev.report);

	tee_root_dir(t, "sys/devices/system/cpu/sev");
	tee_root_file(t, "sys/devices/system/cpu/sev/vmpl", "4\n", 2);
	assert_fails(tee_snp_ioctl.collect(&t->env, data, deadline_in_ms(5000), &ev, &_err), ERR_NOEVIDENCE, "tee-param");
}

static void ioctl_answers(void **state)
{
	static const struct {
		bool opened;
		int error;
		uint32_t status, size;
		enum err_class cls;
		const char *id;
	} t[] = {
		{ false, ENOENT, 0, 0, ERR_NOEVIDENCE, "tee-driver" },
		{ false, EACCES, 0, 0, ERR_NOEVIDENCE, "tee-permission" },
		{ true, EIO, 0, 0, ERR_NOEVIDENCE, "vmpck" },
		{ true, ENOTTY, 0, 0, ERR_NOEVIDENCE, "vmpck" },
		{ true, EINVAL, 0, 0, ERR_NOEVIDENCE, "tee-param" },
		{ true, 0, 0x16, 0, ERR_NOEVIDENCE, "tee-param" },
		{ true, 0, 0x27, 0, ERR_NOEVIDENCE, "tee-param" },
		{ true, 0, 0x1, 0, ERR_NOEVIDENCE, "tee-firmware" },
		{ true, 0, 0, 1183, ERR_INTEGRITY, "snp-size" },
		{ true, 0, 0, 0, ERR_INTEGRITY, "snp-size" },
	};
	struct snp_request *q _cleanup_shared_ = tee_shared_new(sizeof(*q));

	assert_non_null(q);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		q->opened = t[i].opened;
		q->error = t[i].error;
		q->status = t[i].status;
		q->report_size = t[i].size;
		assert_fails(sev_guest_judge(q, &_err), t[i].cls, t[i].id);
	}
	q->report_size = SNP_REPORT_SIZE;
	assert_int_equal(sev_guest_judge(q, NULL), 0);
}

static void put_entry(uint8_t *table, size_t i, uint32_t offset, uint32_t length)
{
	uint8_t *p = table + 24 * i;

	memset(p, 0xab, 16);
	for (int k = 0; k < 4; k++) {
		p[16 + k] = (uint8_t)(offset >> (8 * k));
		p[20 + k] = (uint8_t)(length >> (8 * k));
	}
}

static void table_length(void **state)
{
	_cleanup_free_ uint8_t *table = calloc(1, CERT_TABLE_MAX);

	assert_non_null(table);
	assert_int_equal(sev_guest_table_len(table), 0);
	put_entry(table, 0, 72, 100);
	put_entry(table, 1, 172, 1000);
	assert_int_equal(sev_guest_table_len(table), 1172);
	put_entry(table, 1, 24, 0);
	assert_int_equal(sev_guest_table_len(table), 172);
	put_entry(table, 0, 0, 1); /* the terminator counts too */
	assert_int_equal(sev_guest_table_len(table), 72);
	put_entry(table, 1, CERT_TABLE_MAX - 4, 5);
	assert_int_equal(sev_guest_table_len(table), CERT_TABLE_MAX);
	put_entry(table, 1, UINT32_MAX, UINT32_MAX);
	assert_int_equal(sev_guest_table_len(table), CERT_TABLE_MAX);
	memset(table, 0xff, CERT_TABLE_MAX);
	assert_int_equal(sev_guest_table_len(table), CERT_TABLE_MAX);
	for (size_t i = 0; i < CERT_TABLE_MAX / 24; i++)
		put_entry(table, i, 0, 1);
	assert_int_equal(sev_guest_table_len(table), CERT_TABLE_MAX); /* no terminator */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tee_root_setup, tee_root_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(ioctl_transport), cmocka_unit_test(ioctl_answers), cmocka_unit_test(table_length) };

	return cmocka_run_group_tests_name("sev_guest", tests, NULL, NULL);
}
