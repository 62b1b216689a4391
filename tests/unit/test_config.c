/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The configuration over text: merging and templates. Refusals are test_config_rules's, files test_config_load's, output test_config_show's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "config/parse.h"
#include "tests/unit/config_text.h"

static void defaults(void **state)
{
	struct config *c = good(KBS ROOT);
	const struct config_volume *v = config_find_volume(c, "root");
	const struct config_kbs *k = config_find_kbs(c, "main");

	assert_int_equal(c->profile, PROFILE_CVM);
	assert_int_equal(c->deadline_ms, 600000);
	assert_int_equal(c->on_failure, ON_FAILURE_REBOOT);
	assert_int_equal(c->init_data, INIT_DATA_OPTIONAL);
	assert_int_equal(c->cap, CAP_AUTO);
	assert_string_equal(k->min_protocol, "0.2.0");
	assert_string_equal(k->key, "rsa-3072");
	assert_null(k->ca);
	assert_null(k->proxy);
	assert_null(k->server_names);
	assert_string_equal(k->file, "f");
	assert_int_equal(k->line, 1);
	assert_int_equal(v->mode, MODE_KBS);
	assert_int_equal(v->phase, PHASE_INITRD);
	assert_int_equal(v->header, HEADER_STRICT);
	assert_int_equal(v->integrity, CONF_INTEGRITY_ANY);
	assert_int_equal(v->form, CONF_FORM_AUTO);
	assert_true(v->required);
	assert_false(v->discard);
	assert_int_equal(v->wait_ms, 30000);
	assert_int_equal(v->keyslot, -1);
	assert_null(v->vk_id);
	assert_null(v->header_id);
	assert_int_equal(v->sector_size, 0);
	assert_string_equal(v->source_name, "main");
	assert_string_equal(v->path, "default/vm/root");
	assert_int_equal(v->line, 4);
	config_free(c);
	c = good("");
	assert_null(c->volumes[0]);
	assert_null(c->kbs[0]);
	assert_null(config_find_volume(c, "root"));
	config_free(c);
	config_free(NULL);
}

static void everything_set(void **state)
{
	struct config *c = good("# comment\n"
				"[agent]\nprofile = bare-metal\ndeadline = 0\non-failure = shell\ninit-data = required\ncap = required\nX-note = 1\n"
				"[X-mine]\nanything = goes\n"
				"[kbs a.b-1]\nurl = https://10.0.0.1\nurl = https://[2001:db8::1]:8080/prefix/\npin = " PIN "\n"
				"pin = sha256//BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=\nca = /etc/ca.pem\nserver-name = kbs.example\nserver-name = 10.0.0.1\n"
				"min-protocol = 0.1.1\nproxy = http://proxy:3128\nkey = auto\n"
				"[volume v]\ndevice = UUID=6f1c1d2e-aaaa-BBBB-cccc-0123456789ab\nsecret = a.b-1:default/${luks.uuid}/${smbios.uuid}-x\n"
				"phase = system\nheader = compat\nrequired = no\nwait = 1m30s\nkeyslot = 7\nvk-id = " HEX64 "\nheader-id = " HEX64 "\n"
				"sector-size = 4096\nintegrity = none\nform = document\ndiscard = yes\n"
				"[volume w]\ndevice = /dev/disk/by-id/x\nmode = manual\n");
	const struct config_kbs *k = config_find_kbs(c, "a.b-1");
	const struct config_volume *v = config_find_volume(c, "v");

	assert_int_equal(c->profile, PROFILE_BARE_METAL);
	assert_int_equal(c->deadline_ms, 0);
	assert_int_equal(c->on_failure, ON_FAILURE_SHELL);
	assert_int_equal(c->init_data, INIT_DATA_REQUIRED);
	assert_int_equal(c->cap, CAP_REQUIRED);
	assert_int_equal(strv_len(k->urls), 2);
	assert_string_equal(k->urls[0], "https://10.0.0.1");
	assert_string_equal(k->urls[1], "https://[2001:db8::1]:8080/prefix");
	assert_int_equal(strv_len(k->pins), 2);
	assert_int_equal(strv_len(k->server_names), 2);
	assert_string_equal(k->ca, "/etc/ca.pem");
	assert_string_equal(k->min_protocol, "0.1.1");
	assert_string_equal(k->proxy, "http://proxy:3128");
	assert_string_equal(k->key, "auto");
	assert_int_equal(v->phase, PHASE_SYSTEM);
	assert_int_equal(v->header, HEADER_COMPAT);
	assert_false(v->required);
	assert_int_equal(v->wait_ms, 90000);
	assert_int_equal(v->keyslot, 7);
	assert_string_equal(v->vk_id, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
	assert_string_equal(v->header_id, v->vk_id);
	assert_int_equal(v->sector_size, 4096);
	assert_int_equal(v->integrity, CONF_INTEGRITY_NONE);
	assert_int_equal(v->form, CONF_FORM_DOCUMENT);
	assert_true(v->discard);
	assert_int_equal(c->volumes[1]->mode, MODE_MANUAL);
	assert_null(c->volumes[1]->secret);
	assert_string_equal(config_mode_name(MODE_KBS_OR_VTPM), "kbs-or-vtpm");
	config_free(c);
}

/* The cap needs these without a section. */
static void vtpm_defaults(void **state)
{
	struct config *c = good("");

	assert_false(c->vtpm.present);
	assert_int_equal(c->vtpm.bank, CONF_BANK_SHA256);
	assert_int_equal(c->vtpm.pcrs, 0);
	assert_int_equal(c->vtpm.cap_pcr, 15);
	assert_int_equal(c->vtpm.cap_rtmr, 3);
	assert_int_equal(c->vtpm.signed_pcrs, 1 << 11);
	assert_int_equal(c->vtpm.fallback_after_ms, 60000);
	assert_int_equal(c->vtpm.binding, BINDING_AUTO);
	assert_null(c->vtpm.srk_name);
	assert_string_equal(config_pcr_signatures(c)[0], "/.extra/tpm2-pcr-signature.json");
	config_free(c);
}

static void vtpm_everything(void **state)
{
	struct config *c = good("[vtpm]\nbank = sha384\npcrs = 7,9 +4\ncap-pcr = 14\ncap-rtmr = 2\nsrk-name = 000B" HEX64 "\nbinding = none\n"
				"allow-untrusted-vtpm = yes\nvek = /v\nbinding-measurement = " HEX96 "\nsigner = /s\nsigned-pcrs = 11 12\n"
				"pcr-signature = /a\npcr-signature = /b\nversion-index = 0x01800001\npin-index = 0x01bfffff\n"
				"offline-index = 0x01800002\noffline-boots = 5\nfallback-after = 10s\ninsecure-pcrs = yes\n" KBS
				"[volume a]\ndevice = /dev/a\nmode = vtpm\nsealed = /a.sealed\n"
				"[volume b]\ndevice = /dev/b\nmode = kbs+vtpm\nsecret = main:a/b/c\nsealed = PARTLABEL=a:b:/x/b.sealed\npin = yes\n"
				"[volume c]\ndevice = /dev/c\nmode = kbs-or-vtpm\nsecret = main:a/b/c\nsealed = UUID=ABCD-0123:/c\n");
	const struct config_vtpm *t = &c->vtpm;

	assert_true(t->present);
	assert_int_equal(t->bank, CONF_BANK_SHA384);
	assert_int_equal(t->pcrs, 1 << 4 | 1 << 7 | 1 << 9);
	assert_int_equal(t->cap_pcr, 14);
	assert_int_equal(t->cap_rtmr, 2);
	assert_string_equal(t->srk_name, "000b00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
	assert_int_equal(t->binding, BINDING_NONE);
	assert_true(t->allow_untrusted);
	assert_string_equal(t->vek, "/v");
	assert_true(text_starts(t->binding_measurements[0], "00112233445566778899aabbccddeeff00112233445566778899aabb"));
	assert_string_equal(t->signer, "/s");
	assert_int_equal(t->signed_pcrs, 3 << 11);
	assert_string_equal(config_pcr_signatures(c)[1], "/b");
	assert_int_equal(t->version_index, 0x01800001);
	assert_int_equal(t->pin_index, 0x01bfffff);
	assert_int_equal(t->offline_index, 0x01800002);
	assert_int_equal(t->offline_boots, 5);
	assert_int_equal(t->fallback_after_ms, 10000);
	assert_true(t->insecure_pcrs);
	assert_int_equal(t->line, 1);
	assert_null(c->volumes[0]->sealed_device);
	assert_string_equal(c->volumes[0]->sealed_path, "/a.sealed");
	assert_null(c->volumes[0]->source_name);
	assert_false(c->volumes[0]->pin);
	assert_string_equal(c->volumes[1]->sealed_device, "PARTLABEL=a:b");
	assert_string_equal(c->volumes[1]->sealed_path, "/x/b.sealed");
	assert_true(c->volumes[1]->pin);
	assert_string_equal(c->volumes[2]->sealed_device, "UUID=ABCD-0123");
	config_free(c);
	/* An ordinary TPM: nothing else proves it than its name, and the list may be Secure Boot alone. */
	c = good("[agent]\nprofile = bare-metal\n[vtpm]\npcrs = 7\n[volume a]\ndevice = /dev/a\nmode = vtpm\ninterop-unsafe = yes\n");
	assert_int_equal(c->vtpm.binding, BINDING_NONE);
	assert_true(c->volumes[0]->interop_unsafe);
	config_free(c);
	/* With a signed policy over the UKI, Secure Boot alone is enough beside it, in either list. */
	config_free(good("[vtpm]\npcrs = 7\nsigner = /s\n"));
	config_free(good("[vtpm]\nsigner = /s\nsigned-pcrs = 7 11\n[volume a]\ndevice = /dev/a\nmode = vtpm\nsealed = /a\n"));
	config_free(good("[vtpm]\npcrs = 7\ninsecure-pcrs = yes\n"));
	config_free(good("[vtpm]\nsigner = /s\ninsecure-pcrs = yes\n"));
	/* A UKI is all in the loader's register. */
	config_free(good("[vtpm]\npcrs = 4\n"));
	config_free(good("[agent]\nprofile = bare-metal\n[vtpm]\nsigner = /s\n"));
}

static void resource_names(void **state)
{
	static const char *const ok[] = { "a/b/c", "kbs:///a/b/c", "kbs+provisioner:///a/b/c", "${init-data.secret}",
					  "a/x-${luks.uuid}.y/${smbios.uuid}" },
			  *const bad[] = { "", "a", "a/b", "a/b/c/d", "a//c", "/a/b/c", "a/b/..", "a/b/c d", "kbs://h/a/b/c", "kbs:///a",
					   "a/b/$c", "x${init-data.secret}", "${init-data.a}${init-data.b}" };
	char text[512];

	for (size_t i = 0; i < ARRAY_SIZE(ok); i++) {
		snprintf(text, sizeof(text), KBS "[volume a]\ndevice = /dev/x\nsecret = main:%s\n", ok[i]);
		config_free(good(text));
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_err_ struct err *e = NULL;

		snprintf(text, sizeof(text), KBS "[volume a]\ndevice = /dev/x\nsecret = main:%s\n", bad[i]);
		if (parse(text, false, &e))
			fail_msg("accepted %s", bad[i]);
		assert_true(text_starts(err_message(e), "f:6: secret = main:"));
	}
}

static void other_sources(void **state)
{
	struct config *c = good("[volume a]\ndevice = /dev/a\nphase = system\nsecret = file:/etc/keys/a:b\n"
				"[volume b]\ndevice = /dev/b\nsecret = prompt\n"
				"[volume c]\ndevice = /dev/c\nsecret = prompt:\nmode = manual\n"
				"[volume d]\ndevice = /dev/d\nsecret = file:/key\nmode = manual\n");

	assert_string_equal(c->volumes[0]->source_name, "file");
	assert_string_equal(c->volumes[0]->path, "/etc/keys/a:b");
	assert_string_equal(c->volumes[1]->source_name, "prompt");
	assert_string_equal(c->volumes[1]->path, "");
	config_free(c);
	c = good("[agent]\nprofile = bare-metal\n[volume a]\ndevice = /dev/a\nsecret = file:/etc/keys/a\n");
	config_free(c);
}

static void values(void **state)
{
	static const char *const urls[] = { "https://h", "https://h/", "https://h:1", "https://h:65535/a/b", "https://1.2.3.4",
					    "https://[::1]", "https://[::1]:443/x", "https://a-b.example" },
			  *const bad_urls[] = { "https://", "https://:1", "https://h:0", "https://h:65536", "https://h:", "https://h:1x",
						"https://u@h", "https://u:p@h", "https://h?x", "https://h#x", "https://h/a?b", "https://h/a//b",
						"https://h/../x", "https://[h]", "https://[::1", "https://::1", "https://h h", "HTTPS://h", "h",
						"https://-h", "https://h/%2e", "https://h\\x", "http://h" },
			  *const devices[] = { "/dev/vda", "UUID=6f1c1d2e-aaaa-bbbb-cccc-0123456789ab", "PARTUUID=6f1c1d2e-aaaa-bbbb-cccc-0123456789ab",
					       "PARTUUID=0123abCD-01", "PARTLABEL=a b", "LABEL=x" },
			  *const bad_devices[] = { "/", "vda", "UUID=", "UUID=x", "PARTUUID=0123abcd-1", "PARTUUID=0123abcd-0g", "PARTLABEL=", "LABEL=",
						   "ID=x", "uuid=6f1c1d2e-aaaa-bbbb-cccc-0123456789ab" };
	char longest[300];

	for (size_t i = 0; i < ARRAY_SIZE(urls); i++)
		if (!config_url_ok(urls[i], false))
			fail_msg("refused %s", urls[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad_urls); i++)
		if (config_url_ok(bad_urls[i], false))
			fail_msg("accepted %s", bad_urls[i]);
	assert_true(config_url_ok("http://h:8080", true));
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		if (!config_device_ok(devices[i]))
			fail_msg("refused %s", devices[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad_devices); i++)
		if (config_device_ok(bad_devices[i]))
			fail_msg("accepted %s", bad_devices[i]);
	memset(longest, 'h', sizeof(longest));
	assert_true(config_host_ok(longest, 253));
	assert_false(config_host_ok(longest, 254));
	assert_false(config_host_ok("", 0));
	assert_true(config_proxy_ok("http://p:3128/"));
	assert_false(config_proxy_ok("http://p:3128/x"));
	assert_false(config_proxy_ok("socks5://p:1"));
}

/* The test platform alone may speak http, and then needs no identity. */
static void plain_http(void **state)
{
	static const char text[] = "[kbs a]\nurl = http://127.0.0.1:1\n", mixed[] = "[kbs a]\nurl = http://127.0.0.1:1\nurl = https://h\n";
	_cleanup_err_ struct err *e = NULL;

	config_free(parse(text, true, &e));
	assert_null(e);
	assert_null(parse(text, false, &e));
	err_clear(&e);
	assert_null(parse(mixed, true, &e));
	assert_string_equal(err_message(e), "f:1: [kbs a] has neither pin nor ca: any server could answer for this broker");
}

static void add(struct config *c, unsigned int no, const char *text)
{
	_cleanup_err_ struct err *e = NULL;
	char file[8];

	snprintf(file, sizeof(file), "f%u", no);
	if (config_parse_text(c, file, no, text, strlen(text), &e) < 0)
		fail_msg("%s", err_message(e));
}

static void later_files(void **state)
{
	struct config *c = config_new();
	_cleanup_err_ struct err *e = NULL;

	add(c, 1, "[agent]\ndeadline = 1m\ncap = off\n" KBS ROOT "keyslot = 3\n");
	add(c, 2, "[agent]\ndeadline = 2m\n[kbs main]\nurl = https://kbs2.example\n[volume root]\nkeyslot = 4\n[volume data]\n"
		  "device = /dev/x\nsecret = main:a/b/c\n");
	add(c, 3, "[kbs main]\nurl =\nurl = https://kbs3.example\nurl = https://kbs4.example\n");
	assert_int_equal(config_validate(c, false, NULL), 0);
	assert_int_equal(c->deadline_ms, 120000);
	assert_int_equal(c->cap, CAP_OFF);
	assert_int_equal(config_find_volume(c, "root")->keyslot, 4);
	assert_string_equal(config_find_volume(c, "root")->file, "f1");
	assert_string_equal(config_find_volume(c, "data")->file, "f2");
	assert_string_equal(c->volumes[0]->name, "root");
	assert_string_equal(c->volumes[1]->name, "data");
	assert_int_equal(strv_len(c->kbs[0]->urls), 2);
	assert_string_equal(c->kbs[0]->urls[0], "https://kbs3.example");
	/* Provenance follows. */
	assert_int_equal(config_fail(c->sections[1], "url", 1, &e, "x"), -1);
	assert_string_equal(err_message(e), "f3:4: x");
	err_clear(&e);
	config_fail(c->sections[0], "deadline", 0, &e, "x");
	assert_string_equal(err_message(e), "f2:2: x");
	config_free(c);
}

static void list_limit(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(65536);
	_cleanup_err_ struct err *e = NULL;

	buf_puts(&b, "[kbs a]\n");
	for (int i = 0; i < 65; i++)
		buf_printf(&b, "url = https://h%d\n", i);
	assert_null(parse(buf_cstr(&b), false, &e));
	assert_string_equal(err_message(e), "f:66: url: more than 64 values");
}

static void section_limit(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(65536);
	_cleanup_err_ struct err *e = NULL;

	for (int i = 0; i < 1024; i++)
		buf_printf(&b, "[kbs k%d]\n", i);
	assert_null(parse(buf_cstr(&b), false, &e));
	assert_string_equal(err_message(e), "f:1024: more than 1024 sections");
}

static const char *lookup(void *ctx, const char *key)
{
	static const char *const known[][2] = { { "vm", "web-042" },   { "path", "kbs:///default/web-042/root" },
						{ "short", "kbs:///a" }, { "evil", "../x" },
						{ "slash", "a/b" },	 { "empty", "" },
						{ "other", "kbs+provisioner:///a/b/c" } };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(key, known[i][0]) == 0)
			return known[i][1];
	return NULL;
}

static void templates(void **state)
{
	static const struct {
		const char *path, *want;
		enum err_class cls;
	} t[] = { { "a/b/c", "a/b/c", 0 },
		  { "a/${luks.uuid}/c", "a/6f1c1d2e-aaaa-bbbb-cccc-0123456789ab/c", 0 },
		  { "a/${init-data.vm}/x-${init-data.vm}", "a/web-042/x-web-042", 0 },
		  { "${init-data.path}", "kbs:///default/web-042/root", 0 },
		  { "a/${init-data.path}/c", NULL, ERR_INTEGRITY },
		  { "${init-data.short}", NULL, ERR_INTEGRITY },
		  { "${init-data.vm}", NULL, ERR_INTEGRITY },
		  { "${init-data.other}", NULL, ERR_INTEGRITY },
		  { "a/${init-data.evil}/c", NULL, ERR_INTEGRITY },
		  { "a/${init-data.slash}/c", NULL, ERR_INTEGRITY },
		  { "a/${init-data.empty}/c", NULL, ERR_INTEGRITY },
		  { "a/${init-data.absent}/c", NULL, ERR_CONFIG },
		  { "a/${smbios.uuid}/c", NULL, ERR_CONFIG } };
	const struct config_facts f = { .luks_uuid = "6f1c1d2e-aaaa-bbbb-cccc-0123456789ab", .init_data = lookup };

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct config_volume v = { .source_name = (char *)"main", .path = (char *)t[i].path, .secret = (char *)t[i].path };
		_cleanup_err_ struct err *e = NULL;
		_cleanup_free_ char *got = NULL;

		if (t[i].want) {
			assert_int_equal(config_expand_path(&v, &f, &got, &e), 0);
			assert_string_equal(got, t[i].want);
		} else {
			assert_true(config_expand_path(&v, &f, &got, &e) < 0);
			assert_null(got);
			assert_int_equal(err_class(e), t[i].cls);
		}
	}
	{
		struct config_volume v = { .source_name = (char *)"file", .path = (char *)"/k", .secret = (char *)"file:/k" };
		_cleanup_free_ char *got = NULL;

		assert_int_equal(config_expand_path(&v, &f, &got, NULL), 0);
		assert_string_equal(got, "/k");
		v.path = (char *)"a/${init-data.vm}/${luks.uuid}";
		assert_true(config_path_uses(&v, "init-data."));
		assert_true(config_path_uses(&v, "luks."));
		assert_false(config_path_uses(&v, "smbios."));
		v.path = NULL;
		assert_false(config_path_uses(&v, "init-data."));
	}
}

/* A value as long as it gets cannot push the name over its limit unseen. */
static void long_names(void **state)
{
	char segment[65], path[600] = "";
	struct config_volume v = { .source_name = (char *)"main", .path = path, .secret = path };
	const struct config_facts f = { .luks_uuid = segment };
	_cleanup_err_ struct err *e = NULL;
	char *got = NULL;

	memset(segment, 'a', 64);
	segment[64] = 0;
	strcpy(path, "a/${luks.uuid}/c");
	assert_int_equal(config_expand_path(&v, &f, &got, NULL), 0);
	free(got);
	got = NULL;
	strcpy(path, "a/${luks.uuid}x/c");
	assert_true(config_expand_path(&v, &f, &got, &e) < 0);
	assert_int_equal(err_class(e), ERR_INTEGRITY);
	assert_null(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),	cmocka_unit_test(everything_set),
		cmocka_unit_test(vtpm_defaults), cmocka_unit_test(vtpm_everything), cmocka_unit_test(resource_names), cmocka_unit_test(other_sources), cmocka_unit_test(values),
		cmocka_unit_test(plain_http),	cmocka_unit_test(later_files),	  cmocka_unit_test(list_limit),
		cmocka_unit_test(section_limit), cmocka_unit_test(templates),	  cmocka_unit_test(long_names),
	};

	log_init("test", LOGL_ERROR, false);
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
