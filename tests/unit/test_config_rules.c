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

#define PUSH "[push]\noperator = " PIN "\n"
#define LISTEN_WANTED "a port from 1024 on, or address:port with [ ] around an IPv6 address (port 0: any that is free) is wanted"

static const struct {
	const char *text, *want; /* want: the whole message */
} refused[] = {
	/* sections */
	{ "[agnet]\n", "f:1: unknown section [agnet], did you mean [agent]?" },
	{ "[volumes root]\n", "f:1: unknown section [volumes root], did you mean [volume NAME]?" },
	{ "[disk root]\n", "f:1: unknown section [disk root]; allowed: [agent], [kbs NAME], [vtpm], [push], [volume NAME], [X-anything]" },
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
	/* the vTPM: the section */
	{ "[kbs push]\n", "f:1: [kbs push]: this name is reserved for a source of secrets" },
	{ "[push x]\n", "f:1: [push] takes no name" },
	{ "[puch]\n", "f:1: unknown section [puch], did you mean [push]?" },
	{ "[push]\n", "f:1: [push] names no operator: nobody could push a secret" },
	{ "[push]\noperator = sha256//AAAA\n", "f:2: operator = sha256//AAAA: sha256// and the base64 of 32 bytes is wanted" },
	{ PUSH "listen = 443\n", "f:3: listen = 443: " LISTEN_WANTED },
	{ PUSH "listen = 65536\n", "f:3: listen = 65536: " LISTEN_WANTED },
	{ PUSH "listen = kbs.example:8444\n", "f:3: listen = kbs.example:8444: " LISTEN_WANTED },
	{ PUSH "listen = ::1:8444\n", "f:3: listen = ::1:8444: " LISTEN_WANTED },
	{ PUSH "listen = [::1]\n", "f:3: listen = [::1]: " LISTEN_WANTED },
	{ PUSH "window = 0\n", "f:3: window = 0: allowed: a duration above 0 such as 10m" },
	{ PUSH "after = 10m\n", "f:3: after is not shorter than deadline: no operator would ever be waited for" },
	{ "[volume a]\ndevice = /dev/x\nsecret = push\n", "f:3: secret = push needs a [push] section, which names the operator" },
	{ PUSH "[volume a]\ndevice = /dev/x\nsecret = push:x\n", "f:5: secret = push:x: push takes no path" },
	{ PUSH "[volume a]\ndevice = /dev/x\nsecret = push\npush = yes\n",
	  "f:6: push = yes is for mode = kbs and a secret from a key broker: it says what to do without one" },
	{ "[agent]\ndeadline = 1m\n" KBS PUSH "[volume a]\ndevice = /dev/x\nsecret = main:default/a/b\npush = yes\n",
	  "f:6: after is not shorter than deadline: no operator would ever be waited for" },
	{ KBS "[volume a]\ndevice = /dev/x\nsecret = main:default/a/b\npush = yes\n", "f:7: push = yes needs a [push] section, which names the operator" },
	{ "[vtpm x]\n", "f:1: [vtpm] takes no name" },
	{ "[vtpn]\n", "f:1: unknown section [vtpn], did you mean [vtpm]?" },
	{ "[vtpm]\n[vtpm]\n", "f:2: section [vtpm] stands twice in this file" },
	{ "[agent]\npcrs = 7\n", "f:2: key \"pcrs\" belongs into a [vtpm] section" },
	{ "[vtpm]\nbank = md5\n", "f:2: bank = md5: allowed: sha256, sha384, sha1" },
	{ "[agent]\nprofile = bare-metal\n[vtpm]\npcrs = 7\nbank = sha1\n[volume a]\ndevice = /dev/a\nmode = vtpm\nsealed = /a\n",
	  "f:5: bank = sha1 is for what clevis bound, with interop-unsafe = yes and without sealed: collisions of SHA-1 can be made" },
	{ "[vtpm]\npcrs = 4 16\n", "f:2: pcrs = 4 16: allowed: PCR numbers 0 to 15, such as 4 7 9" },
	{ "[vtpm]\npcrs = 4 4\n", "f:2: pcrs = 4 4: allowed: PCR numbers 0 to 15, such as 4 7 9" },
	{ "[vtpm]\npcrs = 4;7\n", "f:2: pcrs = 4;7: allowed: PCR numbers 0 to 15, such as 4 7 9" },
	{ "[vtpm]\npcrs = +\n", "f:2: pcrs = +: allowed: PCR numbers 0 to 15, such as 4 7 9" },
	{ "[vtpm]\npcrs =\n", "f:2: pcrs has no value; allowed: PCR numbers 0 to 15, such as 4 7 9" },
	{ "[vtpm]\ncap-pcr = 16\n", "f:2: cap-pcr = 16: allowed: 8 to 15" },
	{ "[vtpm]\ncap-pcr = 23\n", "f:2: cap-pcr = 23: allowed: 8 to 15" },
	{ "[vtpm]\ncap-pcr = 7\n", "f:2: cap-pcr = 7: allowed: 8 to 15" },
	{ "[vtpm]\ncap-rtmr = 1\n", "f:2: cap-rtmr = 1: allowed: 2, 3" },
	{ "[vtpm]\nsrk-name = 000b00\n", "f:2: srk-name = 000b00: allowed: the Name of the storage primary: 000b and 64 hex digits" },
	{ "[vtpm]\npcrs = 4\nsrk-name = 000c" HEX64 "\n",
	  "f:3: srk-name = 000c00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff: allowed: the Name of the storage primary: "
	  "000b and 64 hex digits" },
	{ "[vtpm]\nversion-index = 0x01000000\n", "f:2: version-index = 0x01000000: allowed: 0x01800000 to 0x01BFFFFF" },
	{ "[vtpm]\npin-index = 0x01c00000\n", "f:2: pin-index = 0x01c00000: allowed: 0x01800000 to 0x01BFFFFF" },
	{ "[vtpm]\npin-index = 25165824\n", "f:2: pin-index = 25165824: allowed: 0x01800000 to 0x01BFFFFF" },
	{ "[vtpm]\noffline-index = 0x018000000\n", "f:2: offline-index = 0x018000000: allowed: 0x01800000 to 0x01BFFFFF" },
	{ "[vtpm]\noffline-boots = 0\n", "f:2: offline-boots = 0: allowed: 1 to 1000000" },
	{ "[vtpm]\nfallback-after = 0\n", "f:2: fallback-after = 0: allowed: a duration above 0 such as 1m, shorter than deadline" },
	{ "[vtpm]\npcrs = 4 15\n", "f:2: pcrs holds 15, the cap register: it is always demanded, at zero" },
	{ "[vtpm]\ncap-pcr = 12\npcrs = 4 12\n", "f:3: pcrs holds 12, the cap register: it is always demanded, at zero" },
	{ "[vtpm]\npcrs = 7\n", "f:2: pcrs = 7: none of them measures the initramfs, which a host can edit on its disk" },
	{ "[vtpm]\npcrs = 0 2 7 14\n", "f:2: pcrs = 0 2 7 14: none of them measures the initramfs, which a host can edit on its disk" },
	{ "[vtpm]\npcrs = 1,3+5 6\n", "f:2: pcrs = 1,3+5 6: the host chooses the values of all of them" },
	/* Words of grub, and overrides that need not be there: no initramfs in them. */
	{ "[vtpm]\npcrs = 7 8\n", "f:2: pcrs = 7 8: none of them measures the initramfs, which a host can edit on its disk" },
	{ "[vtpm]\npcrs = 7 12 14\n", "f:2: pcrs = 7 12 14: none of them measures the initramfs, which a host can edit on its disk" },
	/* What a loader measures, without the loader: the host's own extends them to the same values. */
	{ "[vtpm]\npcrs = 9\n", "f:2: pcrs = 9: neither 4 nor 7 is among them: a boot loader of the host's gives the others any value" },
	{ "[vtpm]\npcrs = 0 2 8 9 11 12\n",
	  "f:2: pcrs = 0 2 8 9 11 12: neither 4 nor 7 is among them: a boot loader of the host's gives the others any value" },
	/* With a signer the signed ones count, whether pcrs is there or not. */
	{ "[vtpm]\nsigner = /k\n", "f:1: signed-pcrs = 11: neither 4 nor 7 is among them: a boot loader of the host's gives the others any value" },
	{ "[vtpm]\nsigner = /k\nsigned-pcrs = 7\n",
	  "f:3: signed-pcrs = 7: none of them measures the initramfs, which a host can edit on its disk" },
	{ "[agent]\nprofile = bare-metal\n[vtpm]\nsigner = /k\nsigned-pcrs = 1\n",
	  "f:5: signed-pcrs = 1: the host chooses the values of all of them" },
	{ "[vtpm]\npcrs = 7\nsigner = /k\nsigned-pcrs = 10\n", "f:4: signed-pcrs = 10: PCR 10 changes with every file that IMA measures" },
	{ "[agent]\nprofile = bare-metal\n[vtpm]\npcrs = 1\n", "f:4: pcrs = 1: the host chooses the values of all of them" },
	{ "[vtpm]\npcrs = 4 10\n", "f:2: pcrs = 4 10: PCR 10 changes with every file that IMA measures" },
	{ "[vtpm]\npcrs = 4\nsigned-pcrs = 11\n", "f:3: signed-pcrs needs signer, the key of the signatures" },
	{ "[vtpm]\npcrs = 4\npcr-signature = /x\n", "f:3: pcr-signature needs signer, the key of the signatures" },
	{ "[vtpm]\npcrs = 4\nversion-index = 0x01800001\n", "f:3: version-index needs signer, the key of the signatures" },
	{ "[vtpm]\nsigner = key.pem\npcrs = 7\n", "f:2: signer = key.pem: an absolute path is wanted" },
	{ "[vtpm]\nsigner = /k\npcr-signature = x\npcrs = 7\n", "f:3: pcr-signature = x: an absolute path is wanted" },
	{ "[vtpm]\nsigner = /k\npcrs = 11\n", "f:1: a PCR stands in signed-pcrs and in pcrs or cap-pcr" },
	{ "[vtpm]\nsigner = /k\nsigned-pcrs = 11 15\n", "f:3: a PCR stands in signed-pcrs and in pcrs or cap-pcr" },
	{ "[vtpm]\npcrs = 4\noffline-index = 0x01800001\n", "f:3: offline-index and offline-boots need each other" },
	{ "[vtpm]\npcrs = 4\noffline-boots = 5\n", "f:3: offline-index and offline-boots need each other" },
	{ "[vtpm]\npcrs = 4\noffline-boots = 5\noffline-index = 0x01800001\npin-index = 0x01800001\n", "f:5: pin-index is the index of another key too" },
	{ "[vtpm]\nsigner = /k\noffline-boots = 5\noffline-index = 0x01800001\nversion-index = 0x01800001\npcrs = 7\n",
	  "f:5: version-index and offline-index are the same" },
	{ "[vtpm]\npcrs = 4\nmin-tcb = rome bootloader:4\n", "f:3: min-tcb = rome bootloader:4: allowed: milan, genoa, turin or venice with its components" },
	{ "[vtpm]\npcrs = 4\nmin-tcb = milan bootloader:4 tee:0 snp:24\n", "f:3: min-tcb = milan bootloader:4 tee:0 snp:24: allowed: bootloader, tee, snp and microcode, each NAME:0..255" },
	{ "[vtpm]\npcrs = 4\nmin-tcb = turin bootloader:4 tee:0 snp:24 microcode:1\n", "f:3: min-tcb = turin bootloader:4 tee:0 snp:24 microcode:1: allowed: fmc, bootloader, tee, snp and microcode, each NAME:0..255" },
	{ "[vtpm]\npcrs = 4\nmin-tcb = milan bootloader:4 tee:0 snp:24 microcode:256\n", "f:3: min-tcb = milan bootloader:4 tee:0 snp:24 microcode:256: allowed: bootloader, tee, snp and microcode, each NAME:0..255" },
	{ "[vtpm]\npcrs = 4\nmin-tcb = milan bootloader:4 tee:0 snp:24 microcode:1\nmin-tcb = milan bootloader:4 tee:0 snp:25 microcode:1\n",
	  "f:4: min-tcb for milan stands twice" },
	{ "[vtpm]\npcrs = 4\nbinding-measurement = 00\n", "f:3: binding-measurement = 00: 96 hex digits are wanted" },
	{ "[vtpm]\npcrs = 4\nvek = vcek.der\n", "f:3: vek = vcek.der: an absolute path is wanted" },
	{ "[vtpm]\npcrs = 4\nbinding = none\n",
	  "f:3: binding = none on a confidential VM: nothing would prove that the host does not run the vTPM" },
	{ "[agent]\nprofile = bare-metal\n[vtpm]\nbinding = azure\n",
	  "f:4: binding proves the vTPM of a confidential VM; profile = bare-metal has an ordinary TPM" },
	/* the vTPM: volumes */
	{ KBS ROOT "mode = kbs+vtpm\n", "f:7: mode = kbs+vtpm needs a [vtpm] section, which says what a sealed secret depends on" },
	{ KBS VTPM ROOT "mode = kbs-or-vtpm\n", "f:10: mode = kbs-or-vtpm needs sealed, the file of the sealed secret" },
	{ VTPM "[volume a]\ndevice = /dev/x\nmode = vtpm\n", "f:6: mode = vtpm needs sealed, the file of the sealed secret" },
	{ KBS VTPM ROOT SEALED "mode = vtpm\n", "f:9: secret is for modes with a key broker; with mode = vtpm it comes from sealed" },
	{ VTPM "[volume a]\ndevice = /dev/x\n" SEALED "mode = kbs+vtpm\n", "f:4: [volume a] has no secret" },
	{ VTPM "[volume a]\ndevice = /dev/x\n" SEALED "mode = kbs-or-vtpm\nsecret = prompt\n",
	  "f:8: secret = prompt: mode = kbs-or-vtpm needs a key broker" },
	{ KBS VTPM ROOT SEALED "phase = system\nmode = kbs+vtpm\n",
	  "f:12: mode = kbs+vtpm cannot be combined with phase = system: the cap comes first" },
	{ "[vtpm]\n[volume a]\ndevice = /dev/x\n" SEALED "mode = vtpm\n",
	  "f:1: [vtpm] has neither pcrs nor signer: a secret sealed without PCRs opens for any system" },
	{ KBS VTPM "fallback-after = 10m\n" ROOT SEALED "mode = kbs-or-vtpm\n",
	  "f:7: fallback-after is not shorter than deadline: the vTPM would never be reached" },
	{ "[agent]\ndeadline = 30s\n" KBS VTPM ROOT SEALED "mode = kbs-or-vtpm\n",
	  "f:6: fallback-after is not shorter than deadline: the vTPM would never be reached" },
	{ "[agent]\nopener = crypttab\n" KBS VTPM ROOT SEALED "mode = kbs-or-vtpm\n[volume b]\ndevice = /dev/y\nsecret = main:b\n",
	  "f:13: mode = kbs-or-vtpm with opener = crypttab and several volumes in the initrd phase: the cap after this one would shut out the others" },
	{ KBS VTPM ROOT SEALED "mode = kbs-or-vtpm\nkeyslot = 1\n",
	  "f:12: keyslot pins one keyslot, mode = kbs-or-vtpm uses two: pin vk-id" },
	{ KBS VTPM ROOT SEALED "mode = kbs-or-vtpm\nheader-id = " HEX64 "\n",
	  "f:12: header-id pins one keyslot, mode = kbs-or-vtpm uses two: pin vk-id" },
	{ KBS ROOT "sealed = root.sealed\n",
	  "f:7: sealed = root.sealed: an absolute path, or one after PARTUUID=, PARTLABEL=, UUID= or LABEL= with a value and a colon is wanted" },
	{ KBS ROOT "sealed = /a/../b\n",
	  "f:7: sealed = /a/../b: an absolute path, or one after PARTUUID=, PARTLABEL=, UUID= or LABEL= with a value and a colon is wanted" },
	{ KBS ROOT "sealed = /a/..\n",
	  "f:7: sealed = /a/..: an absolute path, or one after PARTUUID=, PARTLABEL=, UUID= or LABEL= with a value and a colon is wanted" },
	{ KBS ROOT "sealed = UUID=12:/a\n",
	  "f:7: sealed = UUID=12:/a: an absolute path, or one after PARTUUID=, PARTLABEL=, UUID= or LABEL= with a value and a colon is wanted" },
	{ VTPM "[volume a]\ndevice = /dev/x\n" SEALED "mode = vtpm\ninterop-unsafe = yes\n",
	  "f:8: interop-unsafe = yes on a confidential VM: other programs would open the volume without audit and cap" },
	{ "[agent]\nprofile = bare-metal\n" KBS VTPM ROOT SEALED "mode = kbs+vtpm\ninterop-unsafe = yes\n",
	  "f:14: interop-unsafe = yes needs mode = vtpm or kbs-or-vtpm: with kbs+vtpm the header must hold nothing that opens the volume alone" },
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
