/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "config/keywords.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "config/config.h"

#define LIST_MAX 64

static const char *const profiles[] = { "cvm", "bare-metal", NULL };
static const char *const on_failures[] = { "reboot", "poweroff", "continue", "shell", NULL };
static const char *const init_datas[] = { "off", "optional", "required", NULL };
static const char *const caps[] = { "auto", "required", "off", NULL };
static const char *const protocols[] = { "0.1.0", "0.1.1", "0.2.0", "0.4.0", NULL };
static const char *const keys[] = { "rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p521", "auto", NULL };
static const char *const modes[] = { "kbs", "vtpm", "kbs+vtpm", "kbs-or-vtpm", "manual", NULL };
static const char *const phases[] = { "initrd", "system", NULL };
static const char *const headers[] = { "strict", "compat", NULL };
static const char *const integrities[] = { "any", "none", "hmac-sha256", NULL };
static const char *const forms[] = { "auto", "raw", "document", NULL };
static const char *const sector_sizes[] = { "512", "4096", NULL };

#define AGENT(n, t, m, ...) { .scope = SCOPE_AGENT, .name = n, .type = t, .offset = offsetof(struct config, m), __VA_ARGS__ }
#define KBS(n, t, m, ...) { .scope = SCOPE_KBS, .name = n, .type = t, .offset = offsetof(struct config_kbs, m), __VA_ARGS__ }
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
	      .doc = "With unlock --boot: what to do when a required volume of the initrd phase stays closed. shell gives whoever has "
		     "the console, on a confidential VM the host, a root shell in an initramfs that can attest."),
	AGENT("init-data", KW_ENUM, init_data, .def = "optional", .values = init_datas, .allowed = "off, optional, required",
	      .doc = "Whether init-data given by the host are read. They are compared with the evidence; they carry no trust."),
	AGENT("cap", KW_ENUM, cap, .def = "auto", .values = caps, .allowed = "auto, required, off",
	      .doc = "Extending a run-time register after the last unlock, so that nothing later can attest as the initramfs. "
		     "auto records none where the machine has no such register, required makes that exit 12."),

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

	VOLUME("device", KW_STRING, device,
	       .allowed = "UUID=, PARTUUID=, PARTLABEL= or LABEL= with a value, or an absolute path",
	       .doc = "The encrypted block device. More than one match is an error."),
	VOLUME("secret", KW_STRING, secret,
	       .allowed = "SOURCE:PATH where SOURCE is a [kbs] section; prompt; or file:/absolute/path",
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
	VOLUME("keyslot", KW_SLOT, keyslot, .max = 31, .allowed = "0 to 31",
	       .doc = "The only keyslot to use. Default: PBKDF2 slots before Argon2 slots."),
	VOLUME("vk-id", KW_HEX64, vk_id, .allowed = "64 hex digits, as printed by cryptattest document",
	       .doc = "Pins the volume key itself."),
	VOLUME("header-id", KW_HEX64, header_id, .allowed = "64 hex digits, as printed by cryptattest document",
	       .doc = "Pins segment, digest, configuration and the opening keyslot of the header."),
	VOLUME("sector-size", KW_SECTOR_SIZE, sector_size, .values = sector_sizes, .allowed = "512, 4096",
	       .doc = "Pins the encryption sector size."),
	VOLUME("integrity", KW_ENUM, integrity, .def = "any", .values = integrities, .allowed = "any, none, hmac-sha256",
	       .doc = "Pins whether sectors are authenticated. any accepts both and reports which."),
	VOLUME("form", KW_ENUM, form, .def = "auto", .values = forms, .allowed = "auto, raw, document",
	       .doc = "Form of the secret: a raw passphrase or a secret document."),
	VOLUME("discard", KW_BOOL, discard, .def = "no", .allowed = "yes, no",
	       .doc = "Pass discards down to the device, which tells the host which blocks are free. Needs integrity = none."),
	{ .name = NULL },
};

const char *config_scope_name(enum config_scope s)
{
	static const char *const names[] = { "agent", "kbs", "volume" };

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

static int refuse(const struct keyword *kw, const char *value, struct err **err)
{
	const char *near = kw->values ? text_nearest(value, kw->values) : NULL;

	if (near)
		return err_set(err, ERR_CONFIG, "config-value", "%s = %.80s: did you mean %s? Allowed: %s", kw->name, value, near,
			       kw->allowed);
	return err_set(err, ERR_CONFIG, "config-value", "%s = %.80s: allowed: %s", kw->name, value, kw->allowed);
}

static int value_index(const struct keyword *kw, const char *value)
{
	for (int i = 0; kw->values[i]; i++)
		if (strcmp(kw->values[i], value) == 0)
			return i;
	return -1;
}

static int set_string(char **member, char *fresh, struct err **err)
{
	if (!fresh)
		return err_nomem(err);
	free(*member);
	*member = fresh;
	return 0;
}

static int set_hex(const struct keyword *kw, char **member, const char *value, struct err **err)
{
	uint8_t raw[32];

	if (hex_decode(value, strlen(value), raw, sizeof(raw), NULL) < 0)
		return refuse(kw, value, err);
	return set_string(member, hex_encode_dup(raw, sizeof(raw)), err);
}

static int set_list(char ***member, const char *value, struct err **err)
{
	bool failed = false;

	if (*value == '\0') {
		strv_free(*member);
		*member = NULL;
		return 0;
	}
	if (strv_len(*member) >= LIST_MAX)
		return err_set(err, ERR_CONFIG, "config-value", "more than %d values", LIST_MAX);
	*member = strv_append(*member, value, &failed);
	return failed ? err_nomem(err) : 0;
}

static int set_number(const struct keyword *kw, void *member, const char *value, struct err **err)
{
	uint64_t v;

	if (kw->type == KW_DURATION ? text_duration_ms(value, &v, NULL) < 0 || v < kw->min || v > kw->max :
				      text_u64(value, kw->min, kw->max, &v, NULL) < 0)
		return refuse(kw, value, err);
	if (kw->type == KW_DURATION)
		*(uint64_t *)member = v;
	else
		*(int *)member = (int)v;
	return 0;
}

int keyword_set(const struct keyword *kw, void *target, const char *value, struct err **err)
{
	void *member = (char *)target + kw->offset;
	int i;

	if (kw->type == KW_LIST)
		return set_list(member, value, err);
	if (*value == '\0')
		return err_set(err, ERR_CONFIG, "config-value", "%s has no value; allowed: %s", kw->name, kw->allowed);
	switch (kw->type) {
	case KW_ENUM:
		i = value_index(kw, value);
		if (i < 0)
			return refuse(kw, value, err);
		*(int *)member = i;
		return 0;
	case KW_WORD:
		return value_index(kw, value) < 0 ? refuse(kw, value, err) : set_string(member, text_dup(value), err);
	case KW_SECTOR_SIZE:
		if (value_index(kw, value) < 0)
			return refuse(kw, value, err);
		*(unsigned int *)member = (unsigned int)strtoul(value, NULL, 10);
		return 0;
	case KW_BOOL:
		return text_bool(value, member, NULL) < 0 ? refuse(kw, value, err) : 0;
	case KW_STRING:
		return set_string(member, text_dup(value), err);
	case KW_HEX64:
		return set_hex(kw, member, value, err);
	default:
		return set_number(kw, member, value, err);
	}
}

void keyword_clear(const struct keyword *kw, void *target)
{
	void *member = (char *)target + kw->offset;

	if (kw->type == KW_LIST) {
		strv_free(*(char ***)member);
		*(char ***)member = NULL;
	} else if (kw->type == KW_STRING || kw->type == KW_WORD || kw->type == KW_HEX64) {
		free(*(char **)member);
		*(char **)member = NULL;
	}
}
