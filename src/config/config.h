/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What the administrator asked for (architecture.md 5, contracts.md 7): struct, defaults, merge order, validation with file:line
 * provenance. config/ includes base/ and wire/resource_uri.h. No device, no network. cli/ loads it, unlock/ reads it.
 *
 * Where the contracts are silent, this is how it is:
 * - A section stands once in a file; the same section in a later file adds to it and overrides it.
 * - A scalar key without a value is an error; only a list is emptied by `KEY =`.
 * - `[X-...]` sections are skipped like `X-` keys.
 * - `--config DIR` reads DIR/cryptattest.conf and DIR/conf.d/NAME.conf; without --config no file at all is an empty
 *   configuration (exit 3 later, not an error).
 */
#ifndef CRYPTATTEST_CONFIG_CONFIG_H
#define CRYPTATTEST_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum config_profile { PROFILE_CVM, PROFILE_BARE_METAL };
enum config_on_failure { ON_FAILURE_REBOOT, ON_FAILURE_POWEROFF, ON_FAILURE_CONTINUE, ON_FAILURE_SHELL };
enum config_init_data { INIT_DATA_OFF, INIT_DATA_OPTIONAL, INIT_DATA_REQUIRED };
enum config_opener { OPENER_CRYPTATTEST, OPENER_CRYPTTAB };
enum config_preflight { PREFLIGHT_ENFORCE, PREFLIGHT_WARN };
enum config_cap { CAP_AUTO, CAP_REQUIRED, CAP_OFF };
enum config_mode { MODE_KBS, MODE_VTPM, MODE_KBS_AND_VTPM, MODE_KBS_OR_VTPM, MODE_MANUAL };
enum config_phase { PHASE_INITRD, PHASE_SYSTEM };
enum config_header { HEADER_STRICT, HEADER_COMPAT };
enum config_integrity { CONF_INTEGRITY_ANY, CONF_INTEGRITY_NONE, CONF_INTEGRITY_HMAC_SHA256 };
enum config_bank { CONF_BANK_SHA256, CONF_BANK_SHA384, CONF_BANK_SHA1 /* for keyslots of clevis alone */ };
enum config_binding { BINDING_AUTO, BINDING_AZURE, BINDING_SVSM, BINDING_NONE };
enum config_form { CONF_FORM_AUTO, CONF_FORM_RAW, CONF_FORM_DOCUMENT };

/* Lists are NULL when empty. */
struct config_kbs {
	char *name;
	char **urls;	     /* https://host[:port][/prefix], no slash at the end */
	char **pins;	     /* sha256//BASE64 */
	char **server_names; /* accepted with ca; none = host of the URL, which is measured as well */
	char *ca;	     /* absolute path as written */
	char *ca_pem;	     /* its content, loaded at parse time */
	char *min_protocol;  /* "0.2.0" */
	char *proxy;	     /* http://host:port or NULL */
	char *key;	     /* "rsa-3072" ... "auto" */
	char *file;	     /* where the section first stands */
	unsigned int line;
};

/* Where a boot that failed is reported to besides its log: [agent] report-*. */
struct config_report {
	char *url;	     /* https://host[:port][/path]; NULL: nowhere */
	char *origin, *path; /* url, split; path "/" at least */
	char **pins, **server_names;
	char *ca, *ca_pem, *proxy;
};

/* What a sealed secret must depend on, and which vTPM is ours. Good for the cap without a [vtpm] section too: the defaults. */
struct config_vtpm {
	bool present; /* the section stands in a file */
	enum config_bank bank;
	uint32_t pcrs; /* mask; without cap_pcr */
	int cap_pcr, cap_rtmr;
	char *srk_name; /* lower-case hex; NULL: the binding must prove it */
	enum config_binding binding; /* BINDING_NONE on bare metal, whatever is written */
	bool allow_untrusted;
	char *vek; /* absolute path as written */
	uint8_t *vek_data; /* its content, loaded at parse time */
	size_t vek_len;
	char **binding_measurements; /* lower-case hex */
	char **min_tcb; /* wire/tcb_floor.h, one for each generation at most */
	char *signer;
	char *signer_pem; /* its content, loaded at parse time */
	uint32_t signed_pcrs;
	char **pcr_signatures; /* NULL: the usual places (config_pcr_signatures()) */
	uint32_t version_index, pin_index, offline_index; /* 0 = none */
	uint64_t offline_boots; /* 0 = no budget */
	uint64_t fallback_after_ms;
	bool insecure_pcrs;
	char *file;
	unsigned int line;
};

/* Who may push a secret to this machine while it waits (wire/push.h). Without the section nothing ever listens. */
struct config_push {
	bool present;
	char *listen;	 /* as written; split below */
	char *host;	 /* an address or NULL: all */
	unsigned int port; /* 0 = any */
	char **operators; /* sha256//BASE64 */
	uint64_t window_ms, after_ms;
	char *file;
	unsigned int line;
};

struct config_volume {
	char *name;
	char *device;
	char *secret;	   /* as written (NULL only with mode manual or vtpm); source_name + path split below */
	char *source_name; /* "main", "prompt", "file", "push"; NULL without secret */
	char *path;	   /* template not expanded; "" with prompt and push, an absolute path with file */
	enum config_mode mode;
	enum config_phase phase;
	enum config_header header;
	enum config_integrity integrity;
	enum config_form form;
	bool required, discard;
	uint64_t wait_ms;	  /* optional volumes; never 0 */
	int keyslot;		  /* -1 = not pinned */
	char *vk_id, *header_id;  /* lower-case hex or NULL */
	unsigned int sector_size; /* 0 = not pinned */
	char *sealed;		  /* as written or NULL; split below */
	char *sealed_device;	  /* "PARTUUID=..." or NULL: a file below our root */
	char *sealed_path;	  /* absolute */
	bool pin, interop_unsafe;
	bool push; /* when no broker is reached */
	char *file;
	unsigned int line;
};

struct config_section; /* provenance, config/parse.h */

struct config {
	enum config_profile profile;
	unsigned int files;   /* that it was read from; 0: this computer has none, and all is default */
	uint64_t deadline_ms; /* 0 = never */
	enum config_on_failure on_failure;
	enum config_init_data init_data;
	enum config_cap cap;
	enum config_preflight preflight;
	enum config_opener opener;
	struct config_report report;
	struct config_vtpm vtpm;
	struct config_push push;
	struct config_kbs **kbs; /* NULL-terminated, config order */
	struct config_volume **volumes;
	struct config_section **sections;
};

struct config_options {
	int root_fd;	  /* prefixes every absolute path, those written in the files too */
	const char *path; /* --config FILE|DIR instead of the usual places (a relative one starts at the working directory); NULL */
	bool allow_http;  /* the test platform only: http:// URLs, which then need neither pin nor ca */
};

/* Vendor defaults (VENDORCONFDIR/cryptattest.conf), then SYSCONFDIR/cryptattest/cryptattest.conf and conf.d/NAME.conf in name
 * order. ERR_CONFIG with file:line; warnings go to log. */
int config_load(const struct config_options *options, struct config **ret, struct err **err);
/* For the cap alone, when config_load() failed: defaults, [vtpm] cap-rtmr as far as it can be read, and in *ret_cap_pcrs every cap-pcr that
 * stands anywhere in the same files, or the default one when none does or one is not readable. What is shut by mistake opens at the next
 * boot; what is left open by mistake does not. ERR_NOMEM. */
int config_salvage(const struct config_options *options, struct config **ret, uint32_t *ret_cap_pcrs, struct err **err);
void config_free(struct config *c); /* takes NULL */
const struct config_volume *config_find_volume(const struct config *c, const char *name);
/* ERR_CONFIG "volume-unknown", with the nearest name. */
int config_need_volume(const struct config *c, const char *name, const struct config_volume **ret, struct err **err);
const struct config_kbs *config_find_kbs(const struct config *c, const char *name); /* name may be NULL: none */
/* Effective configuration as INI that parses to the same again, each line with `; FILE:LINE` above (or `; default`); as JSON
 * {"version":1,"agent":{"origin","settings":{KEY:{"value","origin"}}},"kbs":[{"name",...}],"vtpm":{...} or null,"push":{...} or null,"volume":[...]}, a list key has an array. */
int config_show(const struct config *c, bool json, struct buf *out, struct err **err);

/* Template values for `secret =`: luks.uuid, init-data.KEY, smbios.uuid (contracts.md 7). */
struct config_facts {
	const char *luks_uuid;
	const char *smbios_uuid;
	const char *(*init_data)(void *ctx, const char *key); /* NULL: none */
	void *init_data_ctx;
};
bool config_path_uses(const struct config_volume *v, const char *variable_prefix); /* "init-data." */
/* ERR_CONFIG: a variable has no value here. ERR_INTEGRITY: the value is not one path segment. Id "template". */
int config_expand_path(const struct config_volume *v, const struct config_facts *f, char **ret, struct err **err);

const char *config_mode_name(enum config_mode m);
bool config_mode_uses_kbs(enum config_mode m);
bool config_mode_uses_vtpm(enum config_mode m);
/* Where signed PCR policies are looked for, in order; NULL-terminated. */
const char *const *config_pcr_signatures(const struct config *c);

#endif
