/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The part of pcr.h that needs no TPM. */
#include "vtpm/pcr.h"

#include <stdio.h>
#include <string.h>
#include <tss2/tss2_tpm2_types.h>

#include "base/cleanup.h"
#include "crypto/digest.h"

static const struct {
	const char *name;
	uint16_t alg;
	uint8_t size;
	enum digest_alg digest;
} banks[PCR_BANKS] = {
	[PCR_SHA1] = { "sha1", TPM2_ALG_SHA1, 20, DIGEST_SHA1 },
	[PCR_SHA256] = { "sha256", TPM2_ALG_SHA256, 32, DIGEST_SHA256 },
	[PCR_SHA384] = { "sha384", TPM2_ALG_SHA384, 48, DIGEST_SHA384 },
	[PCR_SHA512] = { "sha512", TPM2_ALG_SHA512, 64, DIGEST_SHA512 },
	[PCR_SM3_256] = { "sm3_256", TPM2_ALG_SM3_256, 32, DIGEST_SM3 },
	[PCR_SHA3_256] = { "sha3_256", TPM2_ALG_SHA3_256, 32, DIGEST_SHA3_256 },
	[PCR_SHA3_384] = { "sha3_384", TPM2_ALG_SHA3_384, 48, DIGEST_SHA3_384 },
	[PCR_SHA3_512] = { "sha3_512", TPM2_ALG_SHA3_512, 64, DIGEST_SHA3_512 },
};

const char *pcr_bank_name(enum pcr_bank b)
{
	return banks[b].name;
}

size_t pcr_bank_size(enum pcr_bank b)
{
	return banks[b].size;
}

uint16_t pcr_bank_alg(enum pcr_bank b)
{
	return banks[b].alg;
}

int pcr_bank_by_name(const char *name, enum pcr_bank *ret, struct err **err)
{
	for (size_t i = 0; i < PCR_BANKS; i++) {
		if (strcmp(name, banks[i].name) != 0)
			continue;
		*ret = (enum pcr_bank)i;
		return 0;
	}
	return err_set(err, ERR_CONFIG, "pcr-bank", "unknown PCR bank \"%.20s\"", name);
}

bool pcr_list_take(const json_t *list, uint32_t *ret)
{
	uint32_t mask = 0;
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		json_int_t n = json_is_integer(item) ? json_integer_value(item) : -1;

		if (n < 0 || n >= PCR_COUNT || mask & UINT32_C(1) << n)
			return false;
		mask |= UINT32_C(1) << n;
	}
	*ret = mask;
	return true;
}

/* One or two digits; -1 = something else. */
static int number(const char **p)
{
	int n = 0, digits = 0;

	for (; **p >= '0' && **p <= '9'; (*p)++, digits++)
		n = digits < 3 ? n * 10 + **p - '0' : n;
	return digits > 0 && digits < 3 ? n : -1;
}

int pcr_mask_parse(const char *text, uint32_t *ret, struct err **err)
{
	const char *p = text + strspn(text, " \t");
	uint32_t mask = 0;

	while (*p) {
		const int n = number(&p);

		if (n < 0 || n >= PCR_COUNT || (*p && !strchr(" \t+,", *p)))
			return err_set(err, ERR_CONFIG, "pcrs", "\"%.60s\" is no list of PCRs (0 to %d, as in \"4 7 9\")", text, PCR_COUNT - 1);
		if (n == 16 || n == 23)
			return err_set(err, ERR_CONFIG, "pcrs", "PCR %d protects nothing: every program can reset it", n);
		mask |= UINT32_C(1) << n;
		p += strspn(p, " \t");
		if (*p == '+' || *p == ',') {
			p++;
			p += strspn(p, " \t");
			if (!*p)
				return err_set(err, ERR_CONFIG, "pcrs", "\"%.60s\" ends in a separator", text);
		}
	}
	if (mask == 0)
		return err_set(err, ERR_CONFIG, "pcrs", "the list of PCRs is empty");
	*ret = mask;
	return 0;
}

void pcr_mask_text(uint32_t mask, char *out, size_t cap)
{
	size_t len = 0;

	if (cap > 0)
		out[0] = 0;
	for (unsigned int i = 0; i < PCR_COUNT && len < cap; i++)
		if (mask >> i & 1)
			len += (size_t)snprintf(out + len, cap - len, "%s%u", len > 0 ? " " : "", i);
}

int pcr_event_digest(enum pcr_bank bank, const void *event, size_t len, uint8_t *out, struct err **err)
{
	uint8_t digest[DIGEST_MAX];

	if (digest_bytes(banks[bank].digest, event, len, digest, err) < 0)
		return -1;
	memcpy(out, digest, banks[bank].size);
	return 0;
}

int pcr_extend_value(enum pcr_bank bank, const uint8_t *old, const void *event, size_t len, uint8_t *out, struct err **err)
{
	uint8_t digest[DIGEST_MAX], extended[DIGEST_MAX];
	const struct digest_piece pieces[] = { { old, banks[bank].size }, { digest, banks[bank].size } };

	if (pcr_event_digest(bank, event, len, digest, err) < 0 ||
	    digest_pieces(banks[bank].digest, pieces, ARRAY_SIZE(pieces), extended, err) < 0)
		return -1;
	memcpy(out, extended, banks[bank].size);
	return 0;
}

static bool all_bytes(const uint8_t *p, size_t n, uint8_t value)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != value)
			return false;
	return true;
}

bool pcr_unmeasured(const struct pcr_values *v, uint32_t mask)
{
	for (unsigned int i = 0; i < PCR_COUNT; i++)
		if (mask & v->mask & UINT32_C(1) << i && !all_bytes(v->value[i], banks[v->bank].size, 0) &&
		    !all_bytes(v->value[i], banks[v->bank].size, 0xff))
			return false;
	return true;
}

bool pcr_is_reset(const struct pcr_values *v, unsigned int pcr)
{
	return pcr < PCR_COUNT && v->mask >> pcr & 1 && all_bytes(v->value[pcr], banks[v->bank].size, 0);
}
