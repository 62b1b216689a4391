/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The text of a value into the member that the table names. */
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/text.h"
#include "config/keywords.h"

#define LIST_MAX 64
#define HEX_MAX 64 /* bytes */

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
	uint8_t raw[HEX_MAX];

	if (hex_decode(value, strlen(value), raw, kw->max, NULL) < 0)
		return refuse(kw, value, err);
	return set_string(member, hex_encode_dup(raw, kw->max), err);
}

/* "7 9", "7+9", "7,9": numbers with one kind of separator between them or more. */
static int set_pcrs(const struct keyword *kw, uint32_t *member, const char *value, struct err **err)
{
	uint32_t mask = 0;

	for (const char *p = value + strspn(value, " ,+"); *p; p += strspn(p, " ,+")) {
		size_t n = strcspn(p, " ,+");
		char digits[4] = "";
		uint64_t pcr;

		if (n >= sizeof(digits))
			return refuse(kw, value, err);
		memcpy(digits, p, n);
		if (text_u64(digits, 0, kw->max, &pcr, NULL) < 0 || mask & 1u << pcr)
			return refuse(kw, value, err);
		mask |= 1u << pcr;
		p += n;
	}
	if (!mask)
		return refuse(kw, value, err);
	*member = mask;
	return 0;
}

/* 0x and hex digits, as tpm2-tools print handles. */
static int set_handle(const struct keyword *kw, uint32_t *member, const char *value, struct err **err)
{
	const char *digits = text_starts(value, "0x") ? value + 2 : "";
	unsigned long n = strspn(digits, "0123456789abcdefABCDEF") == 8 && !digits[8] ? strtoul(digits, NULL, 16) : 0;

	if (n < kw->min || n > kw->max)
		return refuse(kw, value, err);
	*member = (uint32_t)n;
	return 0;
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
	if (kw->type == KW_DURATION || kw->type == KW_COUNT)
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
	case KW_HEX:
		return set_hex(kw, member, value, err);
	case KW_PCRS:
		return set_pcrs(kw, member, value, err);
	case KW_HANDLE:
		return set_handle(kw, member, value, err);
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
	} else if (kw->type == KW_STRING || kw->type == KW_WORD || kw->type == KW_HEX) {
		free(*(char **)member);
		*(char **)member = NULL;
	}
}
