/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Every rule of the configuration, with its message word for word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "tests/unit/config_text.h"

static const struct {
	const char *text, *want; /* want: the whole message */
} refused[] = {
	/* sections */
	{ "[agnet]\n", "f:1: unknown section [agnet], did you mean [agent]?" },
	{ "[volumes root]\n", "f:1: unknown section [volumes root], did you mean [volume NAME]?" },
	{ "[disk root]\n", "f:1: unknown section [disk root]; allowed: [agent], [kbs NAME], [volume NAME], [X-anything]" },
	{ "[agent x]\n", "f:1: [agent] takes no name" },
	{ "[volume]\n", "f:1: [volume]: a name of 1 to 63 characters A-Z a-z 0-9 _ . - is needed, the first a letter or digit" },
	{ "[volume a/b]\n", "f:1: [volume a/b]: a name of 1 to 63 characters A-Z a-z 0-9 _ . - is needed, the first a letter or digit" },
	{ "[volume a b]\n", "f:1: [volume a b]: a name of 1 to 63 characters A-Z a-z 0-9 _ . - is needed, the first a letter or digit" },
	{ "[kbs prompt]\n", "f:1: [kbs prompt]: this name is reserved for a source of secrets" },
	{ "[kbs file]\n", "f:1: [kbs file]: this name is reserved for a source of secrets" },
	{ KBS ROOT ROOT, "f:7: section [volume root] stands twice in this file" },
	{ "[agent]\n[agent]\n", "f:2: section [agent] stands twice in this file" },
	{ "key = 1\n", "f:1: a key before the first [section]" },
	/* keys */
	{ "[agent]\ndeadlin = 1\n", "f:2: unknown key \"deadlin\" in [agent], did you mean \"deadline\"?" },
	{ "[volume a]\nvkid = 1\n", "f:2: unknown key \"vkid\" in [volume], did you mean \"vk-id\"?" },
	{ "[agent]\npassphrase = 1\n", "f:2: unknown key \"passphrase\" in [agent]" },
	{ "[agent]\nurl = https://a\n", "f:2: key \"url\" belongs into a [kbs] section" },
	{ "[agent]\nDeadline = 1\n", "f:2: unknown key \"Deadline\" in [agent], did you mean \"deadline\"?" },
	{ "[agent]\ncap = auto\ndeadline = 1m\ncap = off\n", "f:4: cap is set twice in this file, first in line 2" },
	{ "[agent]\ncap =\n", "f:2: cap has no value; allowed: auto, required, off" },
	/* values */
	{ "[agent]\nprofile = vm\n", "f:2: profile = vm: did you mean cvm? Allowed: cvm, bare-metal" },
	{ "[agent]\ndeadline = 10 m\n", "f:2: deadline = 10 m: allowed: a duration such as 90s or 10m; 0 waits for ever" },
	{ "[agent]\ndeadline = -1\n", "f:2: deadline = -1: allowed: a duration such as 90s or 10m; 0 waits for ever" },
	{ "[agent]\non-failure = panic\n", "f:2: on-failure = panic: allowed: reboot, poweroff, continue, shell" },
	{ "[agent]\ninit-data = yes\n", "f:2: init-data = yes: allowed: off, optional, required" },
	{ "[agent]\ncap = best-effort\n", "f:2: cap = best-effort: allowed: auto, required, off" },
	{ KBS "key = rsa-1024\n", "f:4: key = rsa-1024: allowed: rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p521, auto" },
	{ KBS "min-protocol = 0.3.0\n", "f:4: min-protocol = 0.3.0: did you mean 0.1.0? Allowed: 0.1.0, 0.1.1, 0.2.0, 0.4.0" },
	{ KBS ROOT "phase = initramfs\n", "f:7: phase = initramfs: allowed: initrd, system" },
	{ KBS ROOT "header = lax\n", "f:7: header = lax: allowed: strict, compat" },
	{ KBS ROOT "required = maybe\n", "f:7: required = maybe: allowed: yes, no" },
	{ KBS ROOT "keyslot = 32\n", "f:7: keyslot = 32: allowed: 0 to 31" },
	{ KBS ROOT "keyslot = -1\n", "f:7: keyslot = -1: allowed: 0 to 31" },
	{ KBS ROOT "vk-id = 0011\n", "f:7: vk-id = 0011: allowed: 64 hex digits, as printed by cryptattest document" },
	{ KBS ROOT "header-id = " HEX64 "0\n",
	  "f:7: header-id = " HEX64 "0: allowed: 64 hex digits, as printed by cryptattest document" },
	{ KBS ROOT "sector-size = 1024\n", "f:7: sector-size = 1024: allowed: 512, 4096" },
	{ KBS ROOT "integrity = yes\n", "f:7: integrity = yes: allowed: any, none, hmac-sha256" },
	{ KBS ROOT "form = json\n", "f:7: form = json: allowed: auto, raw, document" },
	{ KBS ROOT "required = no\nwait = 0\n", "f:8: wait = 0: allowed: a duration above 0 such as 30s" },
	/* brokers */
	{ "[kbs a]\npin = " PIN "\n", "f:1: [kbs a] has no url" },
	{ "[kbs a]\nurl = https://h\nurl =\npin = " PIN "\n", "f:1: [kbs a] has no url" },
	{ "[kbs a]\nurl = https://h\n", "f:1: [kbs a] has neither pin nor ca: any server could answer for this broker" },
	{ "[kbs a]\nurl = https://h\nurl = http://h\npin = " PIN "\n", "f:3: url = http://h: plain http would let anyone answer; use https://" },
	{ "[kbs a]\nurl = ftp://h\npin = " PIN "\n", "f:2: url = ftp://h: https://host[:port][/prefix] is wanted" },
	{ "[kbs a]\nurl = https://h\npin = sha256//AAAA\n", "f:3: pin = sha256//AAAA: sha256// and the base64 of 32 bytes is wanted" },
	{ "[kbs a]\nurl = https://h\npin = " PIN "\npin = sha1//x\n", "f:4: pin = sha1//x: sha256// and the base64 of 32 bytes is wanted" },
	{ KBS "ca = ca.pem\n", "f:4: ca = ca.pem: an absolute path is wanted" },
	{ KBS "server-name = h\n", "f:4: server-name needs ca: a pin already names the one key accepted" },
	{ KBS "ca = /c\nserver-name = a b\n", "f:5: server-name = a b: a DNS name or an address is wanted" },
	{ KBS "proxy = https://p\n", "f:4: proxy = https://p: http://host:port is wanted" },
	/* volumes */
	{ KBS "[volume a]\nsecret = main:a/b/c\n", "f:4: [volume a] has no device" },
	{ KBS "[volume a]\ndevice = /dev/x\n", "f:4: [volume a] has no secret" },
	{ KBS "[volume a]\ndevice = sda\nsecret = main:a/b/c\n",
	  "f:5: device = sda: UUID=, PARTUUID=, PARTLABEL= or LABEL= with a value, or an absolute path is wanted" },
	{ KBS "[volume a]\ndevice = /dev/x\nsecret = main\n", "f:6: secret = main: SOURCE:PATH is wanted, such as main:default/vm1/root" },
	{ KBS "[volume a]\ndevice = /dev/x\nsecret = mian:a/b/c\n", "f:6: secret = mian:a/b/c: there is no [kbs mian], did you mean main?" },
	{ KBS "[volume a]\ndevice = /dev/x\nsecret = tang:a/b/c\n", "f:6: secret = tang:a/b/c: there is no [kbs tang]" },
	{ KBS "[volume a]\ndevice = /dev/x\nsecret = prompt:x\n", "f:6: secret = prompt:x: prompt takes no path" },
	{ KBS "[volume a]\ndevice = /dev/x\nsecret = file:key\n", "f:6: secret = file:key: file: takes an absolute path" },
	{ KBS "[volume a]\ndevice = /dev/x\nphase = system\nsecret = file:/${luks.uuid}\n",
	  "f:7: secret = file:/${luks.uuid}: templates select resources of a broker, not files" },
	{ KBS "[volume a]\ndevice = /dev/x\nsecret = file:/key\n",
	  "f:6: secret = file:/key: a key file inside the initramfs can be read by the host" },
	{ KBS "[volume a]\ndevice = /dev/x\nsecret = main:a/${luks.uid}/c\n",
	  "f:6: secret = main:a/${luks.uid}/c: unknown variable ${luks.uid}, did you mean ${luks.uuid}?" },
	{ KBS "[volume a]\ndevice = /dev/x\nsecret = main:a/${hostname}/c\n",
	  "f:6: secret = main:a/${hostname}/c: unknown variable ${hostname}; allowed: luks.uuid, smbios.uuid, init-data.KEY" },
	{ KBS "[volume a]\ndevice = /dev/x\nsecret = main:a/${init-data.}/c\n",
	  "f:6: secret = main:a/${init-data.}/c: unknown variable ${init-data.}, did you mean ${init-data.KEY}?" },
	{ KBS "[volume a]\ndevice = /dev/x\nsecret = main:a/${luks.uuid/c\n",
	  "f:6: secret = main:a/${luks.uuid/c: ${ without } in \"${luks.uuid/c\"" },
	{ "[agent]\ninit-data = off\n" KBS "[volume a]\ndevice = /dev/x\nsecret = main:a/${init-data.vm}/c\n",
	  "f:8: secret = main:a/${init-data.vm}/c uses init-data, but [agent] says init-data = off" },
	{ KBS ROOT "mode = vtpm\n", "f:7: mode = vtpm: this build has no vTPM support; allowed: kbs, manual" },
	{ KBS ROOT "mode = kbs+vtpm\n", "f:7: mode = kbs+vtpm: this build has no vTPM support; allowed: kbs, manual" },
	{ KBS ROOT "mode = kbs-or-vtpm\n", "f:7: mode = kbs-or-vtpm: this build has no vTPM support; allowed: kbs, manual" },
	{ KBS ROOT "phase = system\nmode = vtpm\n", "f:8: mode = vtpm cannot be combined with phase = system: the cap comes first" },
	{ KBS ROOT "discard = yes\n", "f:7: discard = yes needs integrity = none: authenticated sectors cannot be discarded" },
	{ KBS ROOT "discard = yes\nintegrity = hmac-sha256\n",
	  "f:7: discard = yes needs integrity = none: authenticated sectors cannot be discarded" },
	{ KBS "[volume cryptattest-0123456789abcdef]\n", "f:4: [volume cryptattest-0123456789abcdef]: names that begin with cryptattest- are taken" },
	{ KBS ROOT "wait = 10s\n",
	  "f:7: wait is for optional volumes (required = no); this one is waited for until the deadline" },
};

static void refusals(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		_cleanup_err_ struct err *e = NULL;
		struct config *c = parse(refused[i].text, false, &e);

		if (c)
			fail_msg("accepted:\n%s", refused[i].text);
		assert_int_equal(err_class(e), ERR_CONFIG);
		assert_string_equal(err_message(e), refused[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(refusals) };

	log_init("test", LOGL_ERROR, false);
	return cmocka_run_group_tests_name("config_rules", tests, NULL, NULL);
}
