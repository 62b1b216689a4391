/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A crypttab line of a managed volume is a second door: every form that could open or prompt must be found (C2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/crypttab.h"

static struct config_volume root = { .name = (char *)"root", .device = (char *)"PARTLABEL=root-crypt" }, data = { .name = (char *)"data" };
static struct config_volume *volumes[] = { &root, &data, NULL };
static struct config_kbs *no_kbs[] = { NULL };
static struct config config = { .volumes = volumes, .kbs = no_kbs };

static int check(const char *text, char *out, size_t cap)
{
	_cleanup_buf_ struct buf problems = BUF_INIT(65536);
	_cleanup_err_ struct err *err = NULL;
	int rc = crypttab_check("tab", text, strlen(text), &config, &problems, &err);

	if (rc < 0)
		assert_int_equal(err_class(err), ERR_CONFIG);
	snprintf(out, cap, "%s", problems.len ? buf_cstr(&problems) : "");
	return rc;
}

static void accepts(const char *text)
{
	char out[2048];

	assert_int_equal(check(text, out, sizeof(out)), 0);
	assert_string_equal(out, "");
}

static void refuses(const char *text, const char *part)
{
	char out[2048];

	assert_int_equal(check(text, out, sizeof(out)), -1);
	assert_non_null(strstr(out, part));
}

static void test_good(void **state)
{
	accepts("");
	accepts("# root UUID=x none luks\n");
	accepts("other /dev/vdb /etc/key luks\n");
	accepts("root UUID=x none luks,initramfs,keyscript=" REFUSE_KEYSCRIPT "\n");
	accepts("other PARTLABEL=root-crypt2 none luks\n");
	accepts("root\tUUID=x\t-\tkeyscript=" REFUSE_KEYSCRIPT ",luks");
}

static void test_bad(void **state)
{
	refuses("root UUID=x none luks\n", "tab:1: \"root\"");
	refuses("root UUID=x none\n", "keyscript=" REFUSE_KEYSCRIPT);
	refuses("root\n", "tab:1");
	refuses("# c\n\nroot UUID=x none luks,keyscript=/bin/true\n", "tab:3: \"root\" is opened by cryptattest, but this line has keyscript=/bin/true");
	refuses("root UUID=x /etc/key luks,keyscript=" REFUSE_KEYSCRIPT "\n", "has key file /etc/key");
	/* the last option wins, as in the stock parser */
	refuses("root UUID=x none keyscript=" REFUSE_KEYSCRIPT ",keyscript=/x\n", "keyscript=/x");
	refuses("root UUID=x none xkeyscript=" REFUSE_KEYSCRIPT "\n", "add keyscript=");
	refuses("  root UUID=x none luks\n", "tab:1");
	/* our device under another name */
	refuses("other PARTLABEL=root-crypt none luks\n", "tab:1: \"other\"");
	refuses("other /dev/disk/by-partlabel/root-crypt none luks\n", "tab:1: \"other\"");
	refuses("other a none luks\ndata UUID=x none luks", "tab:2: \"data\"");
}

#define HEADER "header=/run/cryptattest/header/root"

/* The audited header, and a passphrase from us: by the keyscript, by the socket's path, or by systemd's lookup in an initramfs. */
static void test_opener(void **state)
{
	static const char *const good[] = {
		"root UUID=x none luks,initramfs," HEADER ",keyscript=" KEY_KEYSCRIPT,
		"root UUID=x " KEY_SOCKET " " HEADER ",tries=1",
		"root UUID=x none " HEADER ",tries=1,x-initrd.attach",
		"root UUID=x - x-initrd.attach," HEADER,
		"other UUID=x none luks",
	};
	static const struct {
		const char *line, *part;
	} bad[] = {
		{ "root UUID=x none x-initrd.attach", "would be opened by the header on the disk" },
		{ "root UUID=x " KEY_SOCKET " tries=1,header=/dev/vdb", "would be opened by the header on the disk" },
		{ "root UUID=x none " HEADER, "gets its passphrase from somebody else" },
		{ "root UUID=x none " HEADER ",x-initrd.attach2", "gets its passphrase from somebody else" },
		{ "root UUID=x /etc/key " HEADER ",x-initrd.attach", "gets its passphrase from somebody else" },
		{ "root UUID=x none " HEADER ",x-initrd.attach,keyscript=/bin/true", "gets its passphrase from somebody else" },
		{ "data UUID=x " KEY_SOCKET " header=/run/cryptattest/header/data", "to do: remove the line" },
		{ "data UUID=x none luks,keyscript=" REFUSE_KEYSCRIPT, "whatever keyscript= it has; to do: remove the line" },
	};

	config.opener = OPENER_CRYPTTAB;
	data.phase = PHASE_SYSTEM;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		accepts(good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(bad[i].line, bad[i].part);
	config.opener = OPENER_CRYPTATTEST;
	refuses("data UUID=x none luks,keyscript=" REFUSE_KEYSCRIPT, "to do: remove the line");
	data.phase = PHASE_INITRD;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_opener),
	};

	return cmocka_run_group_tests_name("crypttab", tests, NULL, NULL);
}
