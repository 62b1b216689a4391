/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * A prediction from one boot's log must be what the log of the next boot, made from the changed files, replays to. Boots are of our own
 * making here; tests/emul/eventlog.sh makes real ones.
 */
#include "tests/lib/check.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "tests/lib/elog.h"
#include "unlock/predict.h"

static char root[] = "/tmp/test_predict.XXXXXX";
static int root_fd = -1;

/* Everything that a boot is made of. */
struct boot {
	const char *loader, *kernel, *initrd, *cmdline, *grub_cfg, *osrel;
};
static const struct boot first = { "loader", "kernel one", "initrd one", "root=/dev/vda quiet", "menu", "ID=test" };

static void put(const char *path, const void *data, size_t len)
{
	_cleanup_free_ char *dir = text_dup(path);

	*strrchr(dir, '/') = 0;
	assert_ok(dir_make(root_fd, dir, 0755, &_err));
	assert_ok(file_write_atomic(root_fd, path, data, len, 0644, &_err));
}

static void pe_of(const char *text, const char *cmdline, const char *initrd, const char *osrel, struct buf *b)
{
	_cleanup_buf_ struct buf inner = BUF_INIT(ELOG_MAX);
	struct elog_section kernel[] = { { ".text", text, strlen(text) }, { NULL, NULL, 0 } };

	elog_pe(&inner, kernel, true);
	if (!cmdline) {
		buf_append(b, inner.data, inner.len);
		return;
	}
	const struct elog_section uki[] = {
		{ ".sdmagic", "#### LoaderInfo: systemd-stub 252.39-1 ####", 43 }, /* measured sections come in the stub's order, not the file's */
		{ ".sbat", "sbat", 4 },
		{ ".osrel", osrel, strlen(osrel) },
		{ ".cmdline", cmdline, strlen(cmdline) },
		{ ".initrd", initrd, strlen(initrd) },
		{ ".linux", inner.data, inner.len },
		{ NULL, NULL, 0 },
	};

	elog_pe(b, uki, true);
}

static void put_start(struct buf *log)
{
	elog_begin(log);
	elog_event(log, 0, EV_S_CRTM_VERSION, "1", 1);
	elog_variable(log, 7, (uint32_t)EV_EFI_VARIABLE_DRIVER_CONFIG, "SecureBoot", "\1", 1);
	elog_separator(log, 7);
	elog_separator(log, 4);
}

/* Loader (which GRUB is), kernel checked by shim, files by path; all on the disk as well when install. */
static void grub_boot(const struct boot *b, struct buf *log, bool install)
{
	_cleanup_buf_ struct buf loader = BUF_INIT(ELOG_MAX), kernel = BUF_INIT(ELOG_MAX);
	char text[300], line[320];

	pe_of(b->loader, NULL, NULL, NULL, &loader);
	pe_of(b->kernel, NULL, NULL, NULL, &kernel);
	snprintf(text, sizeof(text), "/boot/vmlinuz-1 %s", b->cmdline);
	put_start(log);
	elog_image(log, "\\EFI\\debian\\grubx64.efi", loader.data, loader.len);
	elog_grub(log, "grub_cmd: ", "source (hd0,gpt1)/boot/grub/grub.cfg");
	elog_grub_file(log, "(hd0,gpt1)/boot/grub/grub.cfg", b->grub_cfg, strlen(b->grub_cfg));
	snprintf(line, sizeof(line), "linux %s", text);
	elog_grub(log, "grub_cmd: ", line);
	elog_grub_file(log, "/boot/vmlinuz-1", kernel.data, kernel.len);
	elog_grub(log, "kernel_cmdline: ", text);
	elog_image(log, NULL, kernel.data, kernel.len);
	elog_grub(log, "grub_cmd: ", "initrd /boot/initrd.img-1");
	elog_grub_file(log, "/boot/initrd.img-1", b->initrd, strlen(b->initrd));
	if (!install)
		return;
	put("boot/efi/EFI/debian/grubx64.efi", loader.data, loader.len);
	put("boot/grub/grub.cfg", b->grub_cfg, strlen(b->grub_cfg));
	put("boot/vmlinuz-1", kernel.data, kernel.len);
	put("boot/initrd.img-1", b->initrd, strlen(b->initrd));
	snprintf(line, sizeof(line), "BOOT_IMAGE=/boot/vmlinuz-1 %s\n", b->cmdline);
	put("proc/cmdline", line, strlen(line));
}

static void uki_boot(const struct boot *b, struct buf *log, const char *install)
{
	_cleanup_buf_ struct buf uki = BUF_INIT(ELOG_MAX), kernel = BUF_INIT(ELOG_MAX);

	pe_of(b->kernel, b->cmdline, b->initrd, b->osrel, &uki);
	pe_of(b->kernel, NULL, NULL, NULL, &kernel);
	put_start(log);
	elog_image(log, "\\EFI\\Linux\\test.efi", uki.data, uki.len);
	elog_loader_cmdline(log, b->cmdline);
	elog_section(log, ".linux", kernel.data, kernel.len);
	elog_section(log, ".osrel", b->osrel, strlen(b->osrel));
	elog_section(log, ".cmdline", b->cmdline, strlen(b->cmdline));
	elog_section(log, ".initrd", b->initrd, strlen(b->initrd));
	elog_image(log, "", kernel.data, kernel.len);
	elog_load_options(log, b->cmdline);
	elog_initrd(log, b->initrd, strlen(b->initrd));
	if (install)
		put(install, uki.data, uki.len);
	put("proc/cmdline", first.cmdline, strlen(first.cmdline));
}

/* systemd-boot: kernel by its stub, initrd= before the arguments. */
static void entry_boot(const struct boot *b, struct buf *log, bool install)
{
	_cleanup_buf_ struct buf kernel = BUF_INIT(ELOG_MAX);
	char text[300];

	pe_of(b->kernel, NULL, NULL, NULL, &kernel);
	snprintf(text, sizeof(text), "initrd=\\test\\initrd %s", b->cmdline);
	put_start(log);
	elog_image(log, "\\test\\linux", kernel.data, kernel.len);
	elog_loader_cmdline(log, text);
	elog_load_options(log, text);
	elog_initrd(log, b->initrd, strlen(b->initrd));
	if (!install)
		return;
	put("efi/test/linux", kernel.data, kernel.len);
	put("efi/test/initrd", b->initrd, strlen(b->initrd));
	put("proc/cmdline", text, strlen(text));
}

static void replay(const struct buf *log, struct pcr_values *ret)
{
	struct tcg_replay r;

	assert_ok(tcg_log_replay(log->data, log->len, TCG_SHA256, &r, &_err));
	*ret = (struct pcr_values){ .bank = PCR_SHA256, .mask = 0xFFFF };
	memcpy(ret->value, r.pcr, sizeof(r.pcr));
}

static void phase(struct pcr_values *v, const char *word)
{
	assert_ok(pcr_extend_value(PCR_SHA256, v->value[11], word, strlen(word), v->value[11], &_err));
}

/* live == NULL: what the log leads to. */
static void predict(const struct buf *log, const struct pcr_values *live, const struct predict_input *next, struct prediction *ret)
{
	_cleanup_boot_log_ struct boot_log l = { 0 };
	struct pcr_values replayed;
	struct predict_params p = { .root_fd = root_fd, .bank = PCR_SHA256, .mask = 0xFFFF, .cap_pcr = 15, .live = live };

	replay(log, &replayed);
	if (!live)
		p.live = &replayed;
	if (next)
		p.next = *next;
	put(BOOT_LOG_PATH, log->data, log->len);
	assert_ok(boot_log_load(root_fd, PCR_SHA256, &l, &_err));
	p.log = &l;
	assert_ok(predict_run(&p, ret, &_err));
}

static void is(const struct prediction *p, unsigned int pcr, enum predict_state state, const struct pcr_values *want)
{
	if (p->pcr[pcr].state != state)
		print_message("PCR %u: %s\n", pcr, p->pcr[pcr].why);
	assert_int_equal(p->pcr[pcr].state, state);
	if (want)
		assert_memory_equal(p->pcr[pcr].value, want->value[pcr], 32);
}

static void says(const struct prediction *p, unsigned int pcr, const char *part)
{
	if (!strstr(p->pcr[pcr].why, part))
		print_message("PCR %u: %s\n", pcr, p->pcr[pcr].why);
	assert_non_null(strstr(p->pcr[pcr].why, part));
}

static char *in_root(const char *path)
{
	return text_printf("%s/%s", root, path);
}

static void nothing_changed(void **state)
{
	_cleanup_buf_ struct buf grub = BUF_INIT(ELOG_MAX), uki = BUF_INIT(ELOG_MAX), entry = BUF_INIT(ELOG_MAX);
	const struct buf *const logs[] = { &grub, &uki, &entry };

	for (size_t i = 0; i < 3; i++) {
		struct prediction p;
		struct pcr_values want;

		if (i == 0)
			grub_boot(&first, &grub, true);
		else if (i == 1)
			uki_boot(&first, &uki, "boot/efi/EFI/Linux/test.efi");
		else
			entry_boot(&first, &entry, true);
		replay(logs[i], &want);
		predict(logs[i], NULL, NULL, &p);
		for (unsigned int k = 0; k < 16; k++)
			is(&p, k, PREDICT_SAME, &want);
		assert_int_equal(p.phases, PHASES_NOT_MEASURED);
	}
}

/* update-initramfs wrote the same name anew; a kernel package too. */
static void grub_files_changed(void **state)
{
	struct boot next = first;
	_cleanup_buf_ struct buf log = BUF_INIT(ELOG_MAX), after = BUF_INIT(ELOG_MAX), later = BUF_INIT(ELOG_MAX);
	struct pcr_values want;
	struct prediction p;

	grub_boot(&first, &log, true);
	next.initrd = "initrd two";
	grub_boot(&next, &after, true);
	replay(&after, &want);
	predict(&log, NULL, NULL, &p);
	is(&p, 9, PREDICT_CHANGES, &want);
	assert_string_equal(p.pcr[9].why, "changes because of /boot/initrd.img-1");
	is(&p, 4, PREDICT_SAME, &want);
	is(&p, 8, PREDICT_SAME, &want);
	next.kernel = "kernel two";
	grub_boot(&next, &later, true);
	replay(&later, &want);
	predict(&log, NULL, NULL, &p);
	is(&p, 9, PREDICT_CHANGES, &want);
	is(&p, 4, PREDICT_CHANGES, &want);
	says(&p, 4, "/boot/vmlinuz-1");
	is(&p, 7, PREDICT_SAME, &want);
}

static void grub_cannot_be_known(void **state)
{
	_cleanup_buf_ struct buf log = BUF_INIT(ELOG_MAX);
	_cleanup_free_ char *other = in_root("boot/vmlinuz-2"), *same = in_root("boot/vmlinuz-1");
	struct prediction p;

	grub_boot(&first, &log, true);
	put("boot/vmlinuz-2", "MZ", 2);
	predict(&log, NULL, &(struct predict_input){ .cmdline = "root=/dev/vdb" }, &p);
	is(&p, 8, PREDICT_UNKNOWN, NULL);
	says(&p, 8, "with another command line");
	predict(&log, NULL, &(struct predict_input){ .cmdline = first.cmdline, .kernel = same }, &p);
	is(&p, 8, PREDICT_SAME, NULL);
	{
		struct predict_params q = { .root_fd = root_fd, .bank = PCR_SHA256, .mask = 1 << 4, .cap_pcr = 15, .next = { .kernel = other } };

		assert_fails(predict_run(&q, &p, &_err), ERR_CONFIG, "predict-file");
	}
	put("boot/grub/grub.cfg", "another menu", 12);
	predict(&log, NULL, NULL, &p);
	is(&p, 8, PREDICT_UNKNOWN, NULL);
	is(&p, 9, PREDICT_UNKNOWN, NULL);
	says(&p, 9, "/boot/grub/grub.cfg changed");
	is(&p, 4, PREDICT_SAME, NULL);
	assert_int_equal(unlinkat(root_fd, "boot/efi/EFI/debian/grubx64.efi", 0), 0);
	predict(&log, NULL, NULL, &p);
	is(&p, 4, PREDICT_UNKNOWN, NULL);
	says(&p, 4, "is the EFI system partition mounted?");
}

static void next_uki(void **state)
{
	static const struct boot next = { "", "kernel two", "a longer initrd", "quiet next=1", NULL, "ID=other" };
	_cleanup_buf_ struct buf log = BUF_INIT(ELOG_MAX), after = BUF_INIT(ELOG_MAX);
	_cleanup_free_ char *file = in_root("new.d/next.efi");
	const struct predict_input in = { .uki = file };
	struct pcr_values live, want;
	struct prediction p;

	uki_boot(&first, &log, "boot/efi/EFI/Linux/test.efi");
	uki_boot(&next, &after, "new.d/next.efi");
	replay(&after, &want);
	replay(&log, &live);
	predict(&log, &live, &in, &p);
	for (unsigned int k = 0; k < 16; k++)
		is(&p, k, k == 4 || k == 9 || k == 11 || k == 12 ? PREDICT_CHANGES : PREDICT_SAME, &want);
	/* The machine that runs now has passed all phases; the next one unlocks in the initrd. */
	phase(&live, "enter-initrd");
	phase(&live, "leave-initrd");
	phase(&live, "sysinit");
	phase(&want, "enter-initrd");
	predict(&log, &live, &in, &p);
	assert_int_equal(p.phases, PHASES_MEASURED);
	is(&p, 11, PREDICT_CHANGES, &want);
	phase(&live, "ready");
	phase(&live, "something else");
	predict(&log, &live, NULL, &p);
	is(&p, 11, PREDICT_UNKNOWN, NULL);
	/* What the image alone decides is known all the same, but for the phase word. */
	predict(&log, &live, &in, &p);
	is(&p, 11, PREDICT_CHANGES, &want);
	assert_int_equal(p.phases, PHASES_UNKNOWN);
}

static void uki_without_a_log(void **state)
{
	_cleanup_buf_ struct buf after = BUF_INIT(ELOG_MAX);
	_cleanup_free_ char *file = in_root("new.d/next.efi");
	struct predict_params q = { .root_fd = root_fd, .bank = PCR_SHA256, .mask = 1 << 11 | 1 << 7, .cap_pcr = 15,
				    .no_log = "this boot has no event log", .next = { .uki = file } };
	struct pcr_values want, v;
	struct prediction p;

	uki_boot(&first, &after, "new.d/next.efi");
	replay(&after, &want);
	assert_ok(predict_run(&q, &p, &_err));
	assert_int_equal(p.phases, PHASES_UNKNOWN);
	assert_memory_equal(p.before_phase, want.value[11], 32);
	phase(&want, "enter-initrd");
	is(&p, 11, PREDICT_CHANGES, &want);
	is(&p, 7, PREDICT_UNKNOWN, NULL);
	assert_string_equal(p.pcr[7].why, "cannot be known: this boot has no event log");
	assert_ok(predict_values(&p, 1 << 11, &v, &_err));
	assert_memory_equal(v.value[11], want.value[11], 32);
	assert_fails(predict_values(&p, 1 << 11 | 1 << 7, &v, &_err), ERR_TPM, "predict-unknown");
	assert_fails(predict_values(&p, 1 << 4, &v, &_err), ERR_TPM, "predict-unknown");
}

static void loader_entry(void **state)
{
	struct boot next = first;
	_cleanup_buf_ struct buf log = BUF_INIT(ELOG_MAX), after = BUF_INIT(ELOG_MAX);
	_cleanup_free_ char *file = in_root("new.d/initrd"), *renamed = in_root("new.d/other");
	struct pcr_values want;
	struct prediction p;

	next.initrd = "initrd two";
	next.cmdline = "quiet";
	entry_boot(&first, &log, true);
	entry_boot(&next, &after, false);
	put("new.d/initrd", next.initrd, strlen(next.initrd));
	put("new.d/other", next.initrd, strlen(next.initrd));
	replay(&after, &want);
	predict(&log, NULL, &(struct predict_input){ .initrd = file, .cmdline = next.cmdline }, &p);
	is(&p, 9, PREDICT_CHANGES, &want);
	is(&p, 12, PREDICT_CHANGES, &want);
	is(&p, 4, PREDICT_SAME, &want);
	predict(&log, NULL, &(struct predict_input){ .initrd = renamed }, &p);
	is(&p, 12, PREDICT_UNKNOWN, NULL);
	put("efi/test/initrd", next.initrd, strlen(next.initrd));
	predict(&log, NULL, NULL, &p);
	is(&p, 9, PREDICT_CHANGES, NULL);
	says(&p, 9, "/efi/test/initrd");
}

static void only_what_the_log_explains(void **state)
{
	_cleanup_buf_ struct buf log = BUF_INIT(ELOG_MAX), capped = BUF_INIT(ELOG_MAX);
	struct pcr_values live;
	struct prediction p;

	grub_boot(&first, &log, true);
	replay(&log, &live);
	live.value[7][0] ^= 1;
	live.value[15][0] = 1; /* our own cap */
	predict(&log, &live, NULL, &p);
	is(&p, 7, PREDICT_UNKNOWN, NULL);
	says(&p, 7, "the event log does not lead to its present value");
	is(&p, 9, PREDICT_SAME, &live);
	is(&p, 15, PREDICT_SAME, NULL);
	assert_true(all_zero(p.pcr[15].value, 32));
	buf_append(&capped, log.data, log.len);
	elog_event(&capped, 15, EV_IPL, "x", 1);
	predict(&capped, NULL, NULL, &p);
	is(&p, 15, PREDICT_UNKNOWN, NULL);
}

static void logs_that_are_none(void **state)
{
	struct boot_log l;

	assert_int_equal(unlinkat(root_fd, BOOT_LOG_PATH, 0), 0);
	assert_fails(boot_log_load(root_fd, PCR_SHA256, &l, &_err), ERR_TPM, "event-log-absent");
	put(BOOT_LOG_PATH, "", 0);
	assert_fails(boot_log_load(root_fd, PCR_SHA256, &l, &_err), ERR_TPM, "event-log-absent");
	put(BOOT_LOG_PATH, "garbage", 7);
	assert_fails(boot_log_load(root_fd, PCR_SHA256, &l, &_err), ERR_TPM, "event-log");
	assert_fails(boot_log_load(root_fd, PCR_SHA1, &l, &_err), ERR_CONFIG, "pcr-bank");
}

static int make_root(void **state)
{
	(void)state;
	if (!mkdtemp(root))
		return -1;
	root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root_fd < 0 ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int remove_root(void **state)
{
	(void)state;
	close(root_fd);
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_changed),	    cmocka_unit_test(grub_files_changed), cmocka_unit_test(grub_cannot_be_known),
		cmocka_unit_test(next_uki),		    cmocka_unit_test(uki_without_a_log),  cmocka_unit_test(loader_entry),
		cmocka_unit_test(only_what_the_log_explains), cmocka_unit_test(logs_that_are_none),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
