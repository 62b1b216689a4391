/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Event logs: iteration, replay, the line for each event, user space's log, PE images. */
#include "tests/lib/check.h"

#include <string.h>

#include "base/encode.h"
#include "base/text.h"
#include "evidence/cel_log.h"
#include "evidence/pe_image.h"
#include "evidence/tcg_event.h"
#include "tests/lib/elog.h"
#include "tests/lib/mutate.h"

static const struct elog_section one_section[] = { { ".text", "code", 4 }, { NULL, NULL, 0 } };

static void put_boot(struct buf *b)
{
	_cleanup_buf_ struct buf pe = BUF_INIT(ELOG_MAX);

	elog_pe(&pe, one_section, true);
	elog_begin(b);
	elog_event(b, 0, EV_S_CRTM_VERSION, "0\0", 2);
	elog_event(b, 0, (uint32_t)EV_EFI_PLATFORM_FIRMWARE_BLOB, "blob", 4);
	elog_variable(b, 7, (uint32_t)EV_EFI_VARIABLE_DRIVER_CONFIG, "SecureBoot", "\1", 1);
	elog_variable(b, 7, (uint32_t)EV_EFI_VARIABLE_DRIVER_CONFIG, "db", "certificates", 12);
	elog_variable(b, 1, (uint32_t)EV_EFI_VARIABLE_BOOT, "BootOrder", "\1\0", 2);
	elog_separator(b, 4);
	elog_event(b, 4, (uint32_t)EV_EFI_ACTION, "Calling EFI Application from Boot Option", 40);
	elog_image(b, "\\EFI\\debian\\shimx64.efi", pe.data, pe.len);
	elog_event(b, 14, EV_IPL, "MokList", 8);
	elog_variable(b, 7, (uint32_t)EV_EFI_VARIABLE_AUTHORITY, "SbatLevel", "sbat", 4);
	elog_grub(b, "grub_cmd: ", "linux /vmlinuz root=/dev/vda");
	elog_grub_file(b, "(hd0,gpt1)/vmlinuz", "kernel", 6);
	elog_grub(b, "kernel_cmdline: ", "/vmlinuz root=/dev/vda");
	elog_image(b, NULL, pe.data, pe.len);
	elog_image(b, "", pe.data, pe.len);
	elog_section(b, ".linux", "kernel", 6);
	elog_loader_cmdline(b, "root=/dev/vda quiet");
	elog_load_options(b, "root=/dev/vda quiet");
	elog_initrd(b, "initrd", 6);
	elog_event(b, 5, (uint32_t)EV_EFI_GPT_EVENT, "EFI PART", 8);
	elog_event(b, 5, (uint32_t)EV_EFI_ACTION, "Exit Boot Services Invocation", 29);
	elog_event(b, 9, 0x77, "odd", 3);
}

static void says_what_each_event_is(void **state)
{
	static const struct {
		enum boot_event_kind kind;
		const char *name, *text;
	} want[] = {
		{ BOOT_FIRMWARE, "", "firmware version" },
		{ BOOT_FIRMWARE, "", "firmware volume" },
		{ BOOT_SECURE_BOOT, "SecureBoot", "Secure Boot variable SecureBoot (on)" },
		{ BOOT_SECURE_BOOT, "db", "Secure Boot variable db (12 bytes)" },
		{ BOOT_ORDER, "BootOrder", "boot variable BootOrder" },
		{ BOOT_SEPARATOR, "", "separator" },
		{ BOOT_ACTION, "Calling EFI Application from Boot Option", "firmware: Calling EFI Application from Boot Option" },
		{ BOOT_IMAGE, "\\EFI\\debian\\shimx64.efi", "boot loader or kernel \\EFI\\debian\\shimx64.efi" },
		{ BOOT_SHIM_MOK, "MokList", "shim's list of machine owner keys MokList" },
		{ BOOT_SECURE_BOOT, "SbatLevel", "Secure Boot: certificate or level used, from variable SbatLevel" },
		{ BOOT_GRUB_COMMAND, "linux /vmlinuz root=/dev/vda", "GRUB command linux /vmlinuz root=/dev/vda" },
		{ BOOT_GRUB_FILE, "(hd0,gpt1)/vmlinuz", "file read by GRUB: (hd0,gpt1)/vmlinuz" },
		{ BOOT_GRUB_CMDLINE, "/vmlinuz root=/dev/vda", "kernel command line given by GRUB: /vmlinuz root=/dev/vda" },
		{ BOOT_IMAGE, "", "boot loader or kernel that another loader checked (path not told)" },
		{ BOOT_INNER_IMAGE, "", "kernel inside a unified kernel image" },
		{ BOOT_UKI_SECTION, ".linux", "section .linux of the unified kernel image" },
		{ BOOT_UKI_SECTION, ".linux", "section .linux of the unified kernel image" },
		{ BOOT_LOADER_CMDLINE, "root=/dev/vda quiet", "systemd-boot or stub: root=/dev/vda quiet" },
		{ BOOT_LOAD_OPTIONS, "LOADED_IMAGE::LoadOptions", "kernel command line, measured by the kernel's EFI stub" },
		{ BOOT_INITRD, "Linux initrd", "initrd, measured by the kernel's EFI stub" },
		{ BOOT_PARTITIONS, "", "partition table (GPT)" },
		{ BOOT_ACTION, "Exit Boot Services Invocation", "firmware: Exit Boot Services Invocation" },
		{ BOOT_OTHER, "", "event of type 0x00000077, 3 bytes" },
	};
	_cleanup_buf_ struct buf b = BUF_INIT(ELOG_MAX);
	struct boot_event_info info;
	struct tcg_event ev;
	struct tcg_log log;
	size_t n = 0;

	put_boot(&b);
	assert_ok(tcg_log_open(b.data, b.len, &log, &_err));
	assert_true(tcg_log_has_bank(&log, TCG_SHA384) && !tcg_log_has_bank(&log, TCG_SHA512));
	while (tcg_log_next(&log, &ev, NULL) > 0) {
		assert_true(n < sizeof(want) / sizeof(want[0]));
		tcg_event_describe(&ev, &info);
		assert_int_equal(info.kind, want[n].kind);
		assert_string_equal(info.name, want[n].name);
		assert_string_equal(info.text, want[n].text);
		n++;
	}
	assert_int_equal(n, sizeof(want) / sizeof(want[0]));
	assert_int_equal(log.rd.off, b.len);
}

static void names_are_made_printable(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(ELOG_MAX);
	struct boot_event_info info;
	struct tcg_event ev;
	struct tcg_log log;

	elog_begin(&b);
	elog_grub(&b, "grub_cmd: ", "echo \x1b[2J\n\x80 end");
	assert_ok(tcg_log_open(b.data, b.len, &log, &_err));
	assert_int_equal(tcg_log_next(&log, &ev, NULL), 1);
	tcg_event_describe(&ev, &info);
	assert_string_equal(info.text, "GRUB command echo ?[2J?? end");
}

static void hand_extend(uint8_t pcr[static 32], const void *data, size_t len)
{
	uint8_t d[DIGEST_MAX], out[DIGEST_MAX];
	const struct digest_piece pieces[] = { { pcr, 32 }, { d, 32 } };

	assert_ok(digest_bytes(DIGEST_SHA256, data, len, d, &_err));
	assert_ok(digest_pieces(DIGEST_SHA256, pieces, 2, out, &_err));
	memcpy(pcr, out, 32);
}

static void replays_each_bank(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(ELOG_MAX);
	uint8_t pcr9[32] = { 0 }, pcr0[32] = { 0 };
	struct tcg_replay r;

	elog_begin(&b);
	elog_event(&b, 0, EV_NO_ACTION, "StartupLocality\0\3", 17);
	elog_event(&b, 0, EV_S_CRTM_VERSION, "v", 1);
	elog_grub_file(&b, "/a", "A", 1);
	elog_event(&b, 9, EV_NO_ACTION, "note", 4);
	elog_initrd(&b, "I", 1);
	pcr0[31] = 3;
	hand_extend(pcr0, "v", 1);
	hand_extend(pcr9, "A", 1);
	hand_extend(pcr9, "I", 1);
	assert_ok(tcg_log_replay(b.data, b.len, TCG_SHA256, &r, &_err));
	assert_memory_equal(r.pcr[0], pcr0, 32);
	assert_memory_equal(r.pcr[9], pcr9, 32);
	assert_int_equal(r.touched, 1 << 0 | 1 << 9);
	assert_int_equal(r.pcr[17][0], 0xFF);
	assert_ok(tcg_log_replay(b.data, b.len, TCG_SHA384, &r, &_err));
	assert_memory_not_equal(r.pcr[9], pcr9, 32);
	assert_fails(tcg_log_replay(b.data, b.len, TCG_SHA1, &r, &_err), ERR_CONFIG, "pcr-bank");
	assert_fails(tcg_log_replay(b.data, b.len, TCG_SHA512, &r, &_err), ERR_INTEGRITY, "event-log");
	elog_event(&b, 24, EV_IPL, "x", 1);
	assert_fails(tcg_log_replay(b.data, b.len, TCG_SHA256, &r, &_err), ERR_INTEGRITY, "event-log");
	assert_fails(tcg_log_replay(b.data, 0, TCG_SHA256, &r, &_err), ERR_INTEGRITY, "event-log");
}

static int take(void *ctx, const struct cel_event *ev, struct err **err)
{
	struct buf *out = ctx;

	(void)err;
	buf_printf(out, "%u %02x %s;", ev->pcr, ev->digest[31], ev->name);
	return 0;
}

static const char cel[] =
	"\x1e{\"pcr\":11,\"digests\":[{\"hashAlg\":\"sha1\",\"digest\":\"00\"},{\"hashAlg\":\"sha256\",\"digest\":"
	"\"00000000000000000000000000000000000000000000000000000000000000aa\"}],\"content_type\":\"systemd\","
	"\"content\":{\"string\":\"enter-initrd\",\"bootId\":\"x\"}}\n"
	"\x1e{\"pcr\":15,\"digests\":[{\"hashAlg\":\"sha256\",\"digest\":"
	"\"00000000000000000000000000000000000000000000000000000000000000bb\"}],\"content\":{\"string\":\"machine-id:\\u001b\"}}\n";

static void reads_user_space_log(void **state)
{
	_cleanup_buf_ struct buf out = BUF_INIT(1024);

	assert_ok(cel_log_walk(cel, sizeof(cel) - 1, TCG_SHA256, take, &out, &_err));
	assert_string_equal(buf_cstr(&out), "11 aa enter-initrd;15 bb machine-id:?;");
	assert_fails(cel_log_walk(cel, sizeof(cel) - 1, TCG_SHA384, take, &out, &_err), ERR_INTEGRITY, "event-log");
	assert_fails(cel_log_walk(cel, 40, TCG_SHA256, take, &out, &_err), ERR_INTEGRITY, "event-log");
	assert_fails(cel_log_walk("{\"pcr\":24,\"digests\":[]}", 23, TCG_SHA256, take, &out, &_err), ERR_INTEGRITY, "event-log");
	assert_ok(cel_log_walk("", 0, TCG_SHA256, take, &out, &_err));
}

/* The checksum, the certificate's directory entry and the certificates do not count; every other byte does. */
static void authenticode_is_what_firmware_hashes(void **state)
{
	static const struct elog_section sections[] = { { ".linux", "a kernel", 8 }, { ".cmdline", "quiet", 5 }, { NULL, NULL, 0 } };
	_cleanup_buf_ struct buf b = BUF_INIT(ELOG_MAX), u = BUF_INIT(ELOG_MAX);
	uint8_t want[DIGEST_MAX], got[DIGEST_MAX];
	struct pe_content c;
	struct pe_image pe;

	elog_pe(&b, sections, true);
	elog_pe(&u, sections, false);
	assert_ok(pe_parse(u.data, u.len, &pe, &_err));
	assert_ok(pe_authenticode(&pe, DIGEST_SHA256, want, &_err));
	for (size_t i = 0; i < b.len; i++) {
		bool counts = !(i >= pe.checksum_off && i < pe.checksum_off + 4) &&
			      !(i >= pe.cert_entry_off && i < pe.cert_entry_off + 8) && i < u.len;
		struct pe_image p;

		b.data[i] ^= 0x01;
		if (pe_parse(b.data, b.len, &p, NULL) == 0 && pe_authenticode(&p, DIGEST_SHA256, got, NULL) == 0)
			assert_true((memcmp(want, got, 32) != 0) == counts || (i >= pe.cert_entry_off && i < pe.cert_entry_off + 8));
		b.data[i] ^= 0x01;
	}
	assert_ok(pe_parse(b.data, b.len, &pe, &_err));
	assert_ok(pe_authenticode(&pe, DIGEST_SHA256, got, &_err));
	assert_memory_equal(want, got, 32);
	assert_null(pe_find(&pe, ".initrd"));
	assert_ok(pe_content(&pe, pe_find(&pe, ".cmdline"), &c, &_err));
	assert_int_equal(c.len, 5);
	assert_memory_equal(c.bytes, "quiet", 5);
	assert_ok(pe_content_digest(&c, DIGEST_SHA256, got, &_err));
	assert_ok(digest_bytes(DIGEST_SHA256, "quiet", 5, want, &_err));
	assert_memory_equal(want, got, 32);
}

static void walk(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct boot_event_info info;
	struct tcg_event ev;
	struct tcg_log log;

	(void)what;
	(void)ctx;
	if (tcg_log_open(data, len, &log, NULL) < 0)
		return;
	while (tcg_log_next(&log, &ev, NULL) > 0)
		tcg_event_describe(&ev, &info);
	assert_true(log.rd.off <= len);
}

static void parse_pe(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	uint8_t out[DIGEST_MAX];
	struct pe_content c;
	struct pe_image pe;

	(void)what;
	(void)ctx;
	if (pe_parse(data, len, &pe, NULL) < 0)
		return;
	pe_authenticode(&pe, DIGEST_SHA256, out, NULL);
	for (size_t i = 0; i < pe.n_sections; i++)
		if (pe_content(&pe, &pe.section[i], &c, NULL) == 0)
			pe_content_digest(&c, DIGEST_SHA256, out, NULL);
}

static void parse_cel(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	_cleanup_buf_ struct buf out = BUF_INIT(65536);

	(void)what;
	(void)ctx;
	cel_log_walk((const char *)data, len, TCG_SHA256, take, &out, NULL);
}

static void flips_and_cuts(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(ELOG_MAX), pe = BUF_INIT(ELOG_MAX);

	put_boot(&b);
	elog_pe(&pe, one_section, true);
	mutate_bit_flips(b.data, 0, b.len, b.len, walk, NULL);
	mutate_truncations(b.data, b.len, 1, walk, NULL);
	mutate_bit_flips(pe.data, 0, 0x200, pe.len, parse_pe, NULL);
	mutate_truncations(pe.data, pe.len, 1, parse_pe, NULL);
	mutate_bit_flips((const uint8_t *)cel, 0, sizeof(cel) - 1, sizeof(cel) - 1, parse_cel, NULL);
	mutate_truncations((const uint8_t *)cel, sizeof(cel) - 1, 1, parse_cel, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_each_event_is), cmocka_unit_test(names_are_made_printable),
		cmocka_unit_test(replays_each_bank),	   cmocka_unit_test(reads_user_space_log),
		cmocka_unit_test(authenticode_is_what_firmware_hashes), cmocka_unit_test(flips_and_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
