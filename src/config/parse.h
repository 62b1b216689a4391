/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Inside config/ only: provenance of every value, and the steps of config_load() that are pure. */
#ifndef CRYPTATTEST_CONFIG_PARSE_H
#define CRYPTATTEST_CONFIG_PARSE_H

#include "config/config.h"
#include "config/keywords.h"

struct config_setting {
	const struct keyword *kw;
	char *value; /* as written */
	char *file;
	unsigned int line, file_no;
};

struct config_section {
	enum config_scope scope;
	char *name;   /* NULL for [agent], [vtpm] and [push] */
	void *target; /* struct config, config_kbs, config_vtpm, config_push or config_volume */
	char *file;   /* where it first stands; NULL for an [agent] of defaults alone */
	unsigned int line, last_file_no;
	struct config_setting *settings;
	size_t n_settings;
};

/* An empty configuration of defaults; NULL on OOM. */
struct config *config_new(void);
/* Adds one file's text; file_no counts files from 1. ERR_CONFIG with file:line. */
int config_parse_text(struct config *c, const char *file, unsigned int file_no, const char *text, size_t len, struct err **err);
/* salvage.c: one file's share of config_salvage(). */
void config_salvage_text(struct config *c, const char *text, size_t len, uint32_t *cap_pcrs);
/* Everything that needs the whole configuration: what is missing, what does not go together. Splits `secret`. */
int config_validate(struct config *c, bool allow_http, struct err **err);

/* validate_vtpm.c: its part of config_validate(). The section first, then the volumes. */
int config_check_vtpm(struct config *c, const struct config_section *s, struct err **err);
int config_check_sealed(const struct config *c, const struct config_section *s, struct config_volume *v, struct err **err);

/* validate_push.c: the same. */
int config_check_push(struct config *c, const struct config_section *s, struct err **err);
int config_check_pushed(const struct config *c, const struct config_section *s, const struct config_volume *v, struct err **err);

/* Last setting of a key, NULL when it is the default. index: which element of a list. */
const struct config_setting *config_setting_of(const struct config_section *s, const char *key, size_t index);
/* ERR_CONFIG "FILE:LINE: ..." at the setting of key, or at the section when the key is not set. */
int config_fail(const struct config_section *s, const char *key, size_t index, struct err **err, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Pure checks of values. */
bool config_url_ok(const char *url, bool allow_http);
bool config_pin_ok(const char *pin);
bool config_host_ok(const char *host, size_t len);
bool config_device_ok(const char *spec);
bool config_fs_device_ok(const char *spec); /* TAG=value of a file system or partition */
bool config_proxy_ok(const char *url);
/* Variables known, braces closed, and a good resource name whatever the values. ERR_CONFIG. */
int config_template_check(const char *path, struct err **err);

#endif
