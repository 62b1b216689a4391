/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Pieces of configuration text, and parsing without files. */
#ifndef CRYPTATTEST_TESTS_CONFIG_TEXT_H
#define CRYPTATTEST_TESTS_CONFIG_TEXT_H

#include <string.h>

#include "base/cleanup.h"
#include "config/parse.h"

#define PIN "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KBS "[kbs main]\nurl = https://kbs1.example:8443\npin = " PIN "\n"
#define ROOT "[volume root]\ndevice = PARTLABEL=root-crypt\nsecret = main:default/vm/root\n"
#define VTPM "[vtpm]\npcrs = 4 7 9\nsrk-name = 000b" HEX64 "\n"
#define SEALED "sealed = /boot/cryptattest/root.sealed\n"
#define HEX96 "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"
#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static inline struct config *parse(const char *text, bool http, struct err **err)
{
	struct config *c = config_new();

	assert_non_null(c);
	if (config_parse_text(c, "f", 1, text, strlen(text), err) == 0 && config_validate(c, http, err) == 0)
		return c;
	config_free(c);
	return NULL;
}

/* A configuration that must be right. */
static inline struct config *good(const char *text)
{
	_cleanup_err_ struct err *e = NULL;
	struct config *c = parse(text, false, &e);

	if (!c)
		fail_msg("%s\n%s", err_message(e), text);
	return c;
}

#endif
