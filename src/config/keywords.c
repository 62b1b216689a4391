/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "config/keywords.h"

#include <string.h>

#include "config/config.h"

static const char *const profiles[] = { "cvm", "bare-metal", NULL };
static const char *const on_failures[] = { "reboot", "poweroff", "continue", "shell", NULL };
static const char *const init_datas[] = { "off", "optional", "required", NULL };
static const char *const openers[] = { "cryptattest", "crypttab", NULL };
static const char *const preflights[] = { "enforce", "warn", NULL };
static const char *const caps[] = { "auto", "required", "off", NULL };
static const char *const protocols[] = { "0.1.0", "0.1.1", "0.2.0", "0.4.0", NULL };
static const char *const keys[] = { "rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p521", "auto", NULL };
static const char *const modes[] = { "kbs", "vtpm", "kbs+vtpm", "kbs-or-vtpm", "manual", NULL };
static const char *const phases[] = { "initrd", "system", NULL };
static const char *const headers[] = { "strict", "compat", NULL };
static const char *const integrities[] = { "any", "none", "hmac-sha256", NULL };
static const char *const forms[] = { "auto", "raw", "document", NULL };
static const char *const sector_sizes[] = { "512", "4096", NULL };
static const char *const banks[] = { "sha256", "sha384", "sha1", NULL };
static const char *const bindings[] = { "auto", "azure", "svsm", "none", NULL };

#define NV_FIRST 0x01800000 /* the range that the TCG leaves to the owner */
#define NV_LAST 0x01BFFFFF
#define NV_ALLOWED "0x01800000 to 0x01BFFFFF"

#define AGENT(n, t, m, ...) { .scope = SCOPE_AGENT, .name = n, .type = t, .offset = offsetof(struct config, m), __VA_ARGS__ }
#define KBS(n, t, m, ...) { .scope = SCOPE_KBS, .name = n, .type = t, .offset = offsetof(struct config_kbs, m), __VA_ARGS__ }
#define VTPM(n, t, m, ...) { .scope = SCOPE_VTPM, .name = n, .type = t, .offset = offsetof(struct config_vtpm, m), __VA_ARGS__ }
#define PUSH(n, t, m, ...) { .scope = SCOPE_PUSH, .name = n, .type = t, .offset = offsetof(struct config_push, m), __VA_ARGS__ }
#define VOLUME(n, t, m, ...) \
	{ .scope = SCOPE_VOLUME, .name = n, .type = t, .offset = offsetof(struct config_volume, m), __VA_ARGS__ }

const struct keyword config_keywords[] = {
	AGENT("profile", KW_ENUM, profile, .def = "cvm", .values = profiles, .allowed = "cvm, bare-metal",
	      .doc = "What kind of machine this is. On a confidential VM the host owns console and disk, so a key file in the "
		     "initramfs is refused."),
	AGENT("deadline", KW_DURATION, deadline_ms, .def = "10m", .max = UINT64_MAX,
	      .allowed = "a duration such as 90s or 10m; 0 waits for ever",
	      .doc = "How long one call may take in all, waiting for network and broker included."),
	AGENT("on-failure", KW_ENUM, on_failure, .def = "reboot", .values = on_failures,
	      .allowed = "reboot, poweroff, continue, shell",
	      .doc = "With unlock --boot: what to do when a required volume of the initrd phase stays closed. continue goes on without it, on a "
		     "confidential VM neither to a shell nor to a root file system that lies on no volume. shell gives whoever has "
		     "the console, on a confidential VM the host, a root shell in an initramfs that can attest. When it ends the boot goes on if "
		     "every required volume has been opened in it (recover); otherwise the machine restarts."),
	AGENT("init-data", KW_ENUM, init_data, .def = "optional", .values = init_datas, .allowed = "off, optional, required",
	      .doc = "Whether init-data given by the host are read. They are compared with the evidence; they carry no trust."),
	AGENT("cap", KW_ENUM, cap, .def = "auto", .values = caps, .allowed = "auto, required, off",
	      .doc = "Extending a run-time register after the last unlock, so that nothing later can attest as the initramfs. "
		     "auto records none where the machine has no such register, required makes that exit 12, and a TPM that nothing proves too."),
	AGENT("preflight", KW_ENUM, preflight, .def = "enforce", .values = preflights, .allowed = "enforce, warn",
	      .doc = "With unlock --boot on a confidential VM: whether a boot that leaves the host a way in (root= by label, a hibernation "
		     "image, injected credentials, a debug shell, a foreign volume group) ends before any evidence is taken."),
	AGENT("opener", KW_ENUM, opener, .def = "cryptattest", .values = openers, .allowed = "cryptattest, crypttab",
	      .doc = "Who maps the volumes of the initrd phase. With crypttab, unlock --boot leaves the audited headers, and stock tools ask for "
		     "the passphrases (keyscript, socket), see cryptattest-boot(7). That is the weaker way."),
	AGENT("report-url", KW_STRING, report.url, .allowed = "https://host[:port][/path]",
	      .doc = "With unlock --boot: a server of the owner's that is told of a failure, by one POST of at most 8 KiB of JSON without secrets. Unset, "
		     "nothing is sent. Needs report-pin or report-ca."),
	AGENT("report-pin", KW_LIST, report.pins, .allowed = "sha256//BASE64 of the SHA-256 of the server's public key (SPKI)",
	      .doc = "Public key that server must show. Nothing is sent to another one."),
	AGENT("report-ca", KW_STRING, report.ca, .allowed = "an absolute path to certificates in PEM",
	      .doc = "The only authorities trusted for that server."),
	AGENT("report-server-name", KW_LIST, report.server_names, .allowed = "a DNS name or an address",
	      .doc = "Names accepted in a certificate of report-ca. Default: the host of report-url."),
	AGENT("report-proxy", KW_STRING, report.proxy, .allowed = "http://host:port", .doc = "Tunnel to that server through this HTTP proxy."),

	KBS("url", KW_LIST, urls, .allowed = "https://host[:port][/prefix]",
	    .doc = "Address of the broker; several are tried in turn."),
	KBS("pin", KW_LIST, pins, .allowed = "sha256//BASE64 of the SHA-256 of the server's public key (SPKI)",
	    .doc = "Public key the server must show. Give the current and the next."),
	KBS("ca", KW_STRING, ca, .allowed = "an absolute path to certificates in PEM",
	    .doc = "The only authorities trusted for this broker; the system's store is never opened."),
	KBS("server-name", KW_LIST, server_names, .allowed = "a DNS name or an address",
	    .doc = "Names accepted in a certificate of ca. Default: the host of the URL."),
	KBS("min-protocol", KW_WORD, min_protocol, .def = "0.2.0", .values = protocols,
	    .allowed = "0.1.0, 0.1.1, 0.2.0, 0.4.0",
	    .doc = "Oldest KBS protocol to speak. Below 0.2.0 secrets are wrapped by RSA PKCS#1 v1.5."),
	KBS("proxy", KW_STRING, proxy, .allowed = "http://host:port",
	    .doc = "Tunnel through this HTTP proxy. Proxy variables of the environment are ignored."),
	KBS("key", KW_WORD, key, .def = "rsa-3072", .values = keys,
	    .allowed = "rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p521, auto",
	    .doc = "Ephemeral key that the broker encrypts to. auto: RSA when it is ready in time, else P-256."),

	VTPM("bank", KW_ENUM, bank, .def = "sha256", .values = banks, .allowed = "sha256, sha384, sha1",
	     .doc = "Bank of the PCRs that a sealed secret depends on. sha1, whose collisions can be made, is for keyslots of clevis alone "
		    "(interop-unsafe = yes, no sealed), which takes sha1 when it is given no bank."),
	VTPM("pcrs", KW_PCRS, pcrs, .max = 15, .allowed = "PCR numbers 0 to 15, such as 4 7 9",
	     .doc = "PCRs whose values at sealing time are demanded again. The cap register is demanded at zero besides, always. Needed by "
		    "every mode that uses the vTPM, unless signer is set. With profile = cvm these and signed-pcrs together must hold 4, 9 or "
		    "11, which measure an initramfs, and 4 or 7, which say what loader started it: 7 only where Secure Boot is on."),
	VTPM("cap-pcr", KW_INT, cap_pcr, .def = "15", .min = 8, .max = 15, .allowed = "8 to 15",
	     .doc = "PCR that the cap extends, here and on machines whose volumes use no sealed secret."),
	VTPM("cap-rtmr", KW_INT, cap_rtmr, .def = "3", .min = 2, .max = 3, .allowed = "2, 3",
	     .doc = "Run-time measurement register of a TDX machine that the cap extends, where the kernel offers it."),
	VTPM("srk-name", KW_HEX, srk_name, .max = 34, .allowed = "the Name of the storage primary: 000b and 64 hex digits",
	     .doc = "The storage primary to seal to. enroll prints it. Needed unless the hardware report proves which vTPM this is."),
	VTPM("binding", KW_ENUM, binding, .def = "auto", .values = bindings, .allowed = "auto, azure, svsm, none",
	     .doc = "How the hardware report proves that the vTPM is part of this confidential VM. auto tries all that there are. On a "
		    "bare-metal machine none is implied."),
	VTPM("allow-untrusted-vtpm", KW_BOOL, allow_untrusted, .def = "no", .allowed = "yes, no",
	     .doc = "On a confidential VM: use a vTPM that the host runs, and can therefore read. srk-name is then needed."),
	VTPM("vek", KW_STRING, vek, .allowed = "an absolute path to certificates in PEM or DER, or for TDX to an evidence object in JSON",
	     .doc = "Certificates of this chip's key, for the proof of the binding without a network. The chain ends in the built-in roots. On "
		    "Azure with TDX: a quote that was stored, with the report it is about (hcl_report, td_quote)."),
	VTPM("binding-measurement", KW_LIST, binding_measurements, .allowed = "96 hex digits",
	     .doc = "Launch measurement of the firmware that runs the vTPM. Without one, any that verifies is accepted."),
	VTPM("min-tcb", KW_LIST, min_tcb, .allowed = "a generation and all its components, such as milan bootloader:4 tee:0 snp:24 microcode:219",
	     .doc = "Lowest TCB of a SEV-SNP processor whose report may prove the vTPM, a line for each generation; a generation without one is "
		    "refused then, and so is TDX, whose quote says nothing that could be compared here. Without any, every TCB is accepted."),
	VTPM("signer", KW_STRING, signer, .allowed = "an absolute path to a public key in PEM",
	     .doc = "Who may sign PCR policies: updates of the PCRs in signed-pcrs then need no new sealing."),
	VTPM("signed-pcrs", KW_PCRS, signed_pcrs, .def = "11", .max = 15, .allowed = "PCR numbers 0 to 15",
	     .doc = "PCRs that the signed policy covers."),
	VTPM("pcr-signature", KW_LIST, pcr_signatures, .allowed = "an absolute path",
	     .doc = "Where signed policies are looked for. Default: tpm2-pcr-signature.json in /.extra, /etc/systemd, /run/systemd, "
		    "/usr/local/lib/systemd and /usr/lib/systemd."),
	VTPM("version-index", KW_HANDLE, version_index, .min = NV_FIRST, .max = NV_LAST, .allowed = NV_ALLOWED,
	     .doc = "NV counter of the TPM: a signed policy of an older version is refused."),
	VTPM("pin-index", KW_HANDLE, pin_index, .min = NV_FIRST, .max = NV_LAST, .allowed = NV_ALLOWED,
	     .doc = "NV index that names the sealed object and can be written before the cap alone: proof of where the object comes from."),
	VTPM("offline-index", KW_HANDLE, offline_index, .min = NV_FIRST, .max = NV_LAST, .allowed = NV_ALLOWED,
	     .doc = "NV counter of the boots that the vTPM alone unlocked. Housekeeping, no protection: a host can restore an old state of its vTPM."),
	VTPM("offline-boots", KW_COUNT, offline_boots, .min = 1, .max = 1000000, .allowed = "1 to 1000000",
	     .doc = "How many such boots a sealing allows. Needs offline-index."),
	VTPM("fallback-after", KW_DURATION, fallback_after_ms, .def = "1m", .min = 1, .max = UINT64_MAX,
	     .allowed = "a duration above 0 such as 1m, shorter than deadline",
	     .doc = "With mode = kbs-or-vtpm: how long the broker is tried before it counts as unreachable."),
	VTPM("insecure-pcrs", KW_BOOL, insecure_pcrs, .def = "no", .allowed = "yes, no",
	     .doc = "Accept a list of PCRs that does not cover what boots."),

	PUSH("listen", KW_STRING, listen, .def = "8444", .allowed = "a port from 1024 on, or address:port with [ ] around an IPv6 address (port 0: any that is free)",
	     .doc = "Where a machine that waits for an operator can be reached. Nothing listens while no volume waits."),
	PUSH("operator", KW_LIST, operators, .allowed = "sha256//BASE64 of the SHA-256 of the operator's public key (SPKI), a key on the curve P-256",
	     .doc = "Who may push a secret. cryptattest-kbs push --make-key prints the line."),
	PUSH("window", KW_DURATION, window_ms, .def = "10m", .min = 1, .max = UINT64_MAX, .allowed = "a duration above 0 such as 10m",
	     .doc = "How long an operator is waited for; deadline of [agent] ends it earlier. Where other volumes of the same boot have a broker only, their tries end early enough that window remains for the operator, but not before half of the time left (with deadline = 0: after window)."),
	PUSH("after", KW_DURATION, after_ms, .def = "2m", .min = 1, .max = UINT64_MAX, .allowed = "a duration above 0 such as 2m, shorter than deadline",
	     .doc = "For volumes with push = yes: how long the broker is tried before it counts as unreachable."),

	VOLUME("device", KW_STRING, device,
	       .allowed = "UUID=, PARTUUID=, PARTLABEL= or LABEL= with a value, or an absolute path",
	       .doc = "The encrypted block device. More than one match is an error."),
	VOLUME("secret", KW_STRING, secret,
	       .allowed = "SOURCE:PATH where SOURCE is a [kbs] section; prompt; push; or file:/absolute/path",
	       .doc = "Where the secret comes from. PATH may hold ${luks.uuid}, ${smbios.uuid} and ${init-data.KEY}, each one "
		      "path segment."),
	VOLUME("mode", KW_ENUM, mode, .def = "kbs", .values = modes, .allowed = "kbs, vtpm, kbs+vtpm, kbs-or-vtpm, manual",
	       .doc = "Which proof opens the volume. manual volumes are opened by recover only."),
	VOLUME("phase", KW_ENUM, phase, .def = "initrd", .values = phases, .allowed = "initrd, system",
	       .doc = "initrd volumes are opened before the cap, system volumes after it."),
	VOLUME("header", KW_ENUM, header, .def = "strict", .values = headers, .allowed = "strict, compat",
	       .doc = "Profile of the header audit."),
	VOLUME("required", KW_BOOL, required, .def = "yes", .allowed = "yes, no",
	       .doc = "Whether the boot may go on without this volume."),
	VOLUME("wait", KW_DURATION, wait_ms, .def = "30s", .min = 1, .max = UINT64_MAX, .allowed = "a duration above 0 such as 30s",
	       .doc = "How long to wait for the device of an optional volume (required = no)."),
	VOLUME("keyslot", KW_INT, keyslot, .max = 31, .allowed = "0 to 31",
	       .doc = "The only keyslot to use. Default: PBKDF2 slots before Argon2 slots."),
	VOLUME("vk-id", KW_HEX, vk_id, .max = 32, .allowed = "64 hex digits, as printed by cryptattest document",
	       .doc = "Pins the volume key itself."),
	VOLUME("header-id", KW_HEX, header_id, .max = 32, .allowed = "64 hex digits, as printed by cryptattest document",
	       .doc = "Pins segment, digest, configuration and the opening keyslot of the header."),
	VOLUME("sector-size", KW_SECTOR_SIZE, sector_size, .values = sector_sizes, .allowed = "512, 4096",
	       .doc = "Pins the encryption sector size."),
	VOLUME("integrity", KW_ENUM, integrity, .def = "any", .values = integrities, .allowed = "any, none, hmac-sha256",
	       .doc = "Pins whether sectors are authenticated. any accepts both and reports which."),
	VOLUME("form", KW_ENUM, form, .def = "auto", .values = forms, .allowed = "auto, raw, document",
	       .doc = "Form of the secret: a raw passphrase or a secret document."),
	VOLUME("discard", KW_BOOL, discard, .def = "no", .allowed = "yes, no",
	       .doc = "Pass discards down to the device, which tells the host which blocks are free. Needs integrity = none."),
	VOLUME("sealed", KW_STRING, sealed,
	       .allowed = "an absolute path, or one after PARTUUID=, PARTLABEL=, UUID= or LABEL= with a value and a colon",
	       .doc = "The file that holds the sealed secret, written by enroll. With a device: a file on that file system (vfat or ext4), "
		      "which is mounted just for the read."),
	VOLUME("pin", KW_BOOL, pin, .def = "no", .allowed = "yes, no",
	       .doc = "Ask for a PIN before the sealed secret is used. On a confidential VM it is not asked at boot: the console is the host's."),
	VOLUME("push", KW_BOOL, push, .def = "no", .allowed = "yes, no",
	       .doc = "With mode = kbs: wait for an operator, as [push] says, when no broker was reached; never after a refusal."),
	VOLUME("interop-unsafe", KW_BOOL, interop_unsafe, .def = "no", .allowed = "yes, no",
	       .doc = "Without sealed: open with what systemd-cryptenroll or clevis stored in the header, which other programs can open without "
		      "audit and cap. Needs profile = bare-metal, mode = vtpm or kbs-or-vtpm, header = compat and vk-id."),
	{ .name = NULL },
};

const char *config_scope_name(enum config_scope s)
{
	static const char *const names[] = { "agent", "kbs", "vtpm", "push", "volume" };

	return names[s];
}

const char *config_mode_name(enum config_mode m)
{
	return modes[m];
}

const struct keyword *keyword_find(enum config_scope scope, const char *name)
{
	for (const struct keyword *kw = config_keywords; kw->name; kw++)
		if (kw->scope == scope && strcmp(kw->name, name) == 0)
			return kw;
	return NULL;
}
