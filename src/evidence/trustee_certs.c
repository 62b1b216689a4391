/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "evidence/trustee_snp.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "evidence/cert_table.h"

/* 8-4-4-4-12 digits of a GUID that the table stores in printed order. */
static void uuid_text(const uint8_t guid[static 16], char out[static 37])
{
	static const size_t group[] = { 4, 2, 2, 2, 6 };

	for (size_t i = 0; i < ARRAY_SIZE(group); i++) {
		hex_encode(guid, group[i], out);
		guid += group[i];
		out += 2 * group[i];
		*out++ = i + 1 < ARRAY_SIZE(group) ? '-' : 0;
	}
}

static int uuid_parse(const char *s, uint8_t guid[static 16], struct err **err)
{
	char digits[32], again[37];
	size_t n = 0;

	for (size_t i = 0; s[i] && n < sizeof(digits); i++)
		if (s[i] != '-')
			digits[n++] = s[i];
	if (hex_decode(digits, n, guid, 16, err) < 0)
		return err_wrap(err, "certificate type");
	uuid_text(guid, again);
	if (strcasecmp(again, s) != 0)
		return err_set(err, ERR_INTEGRITY, "snp-json", "SNP evidence: cert_type OTHER is not a UUID");
	return 0;
}

static void write_cert(const struct cert_entry *e, struct buf *out)
{
	char uuid[37];

	if (e->kind == CERT_OTHER) {
		uuid_text(e->guid, uuid);
		buf_printf(out, "{\"cert_type\":{\"OTHER\":\"%s\"},\"data\":", uuid);
	} else {
		buf_printf(out, "{\"cert_type\":\"%s\",\"data\":", cert_kind_name(e->kind));
	}
	trustee_bytes_write(e->der, e->der_len, out);
	buf_putc(out, '}');
}

/* A chain without a VCEK or VLEK is an error to Trustee, while null makes it look for the VCEK itself. */
int trustee_certs_write(const uint8_t *table, size_t len, struct buf *out, struct err **err)
{
	struct cert_entry certs[CERT_TABLE_ENTRIES_MAX];
	bool have_vek = false;
	size_t n;

	if (cert_table_decode(table, len, certs, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		have_vek = have_vek || certs[i].kind == CERT_VCEK || certs[i].kind == CERT_VLEK;
	if (!have_vek) {
		buf_puts(out, "null");
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		buf_putc(out, i ? ',' : '[');
		write_cert(&certs[i], out);
	}
	buf_putc(out, ']');
	return 0;
}

static int read_kind(const json_t *v, struct cert_entry *e, bool *ret_empty, struct err **err)
{
	static const enum cert_kind known[] = { CERT_ARK, CERT_ASK, CERT_VCEK, CERT_VLEK, CERT_CRL };
	const char *name = json_string_value(v);
	const char *other = json_string_value(json_object_get(v, "OTHER"));

	*ret_empty = name && strcmp(name, "Empty") == 0;
	if (*ret_empty)
		return 0;
	if (other) {
		e->kind = CERT_OTHER;
		return uuid_parse(other, e->guid, err);
	}
	for (size_t i = 0; name && i < ARRAY_SIZE(known); i++) {
		if (strcmp(name, cert_kind_name(known[i])) == 0) {
			e->kind = known[i];
			return 0;
		}
	}
	return err_set(err, ERR_INTEGRITY, "snp-json", "SNP evidence: unknown cert_type in cert_chain");
}

/* Reads one element into e, its bytes to the end of der. */
static int read_cert(const json_t *v, struct cert_entry *e, bool *ret_empty, uint8_t *der, size_t *der_len, struct err **err)
{
	const json_t *data = json_object_get(v, "data");
	size_t n = trustee_bytes_count(data);

	if (read_kind(json_object_get(v, "cert_type"), e, ret_empty, err) < 0)
		return -1;
	if (*ret_empty)
		return 0;
	if (n == 0 || n > CERT_TABLE_MAX - *der_len)
		return err_set(err, ERR_INTEGRITY, "snp-json", "SNP evidence: cert_chain: %s of %zu bytes", n ? "more than 16 KiB with one" : "one", n);
	if (trustee_bytes_read(data, "data", der + *der_len, n, err) < 0)
		return -1;
	e->der = der + *der_len;
	e->der_len = n;
	*der_len += n;
	return 0;
}

int trustee_certs_read(const json_t *chain, uint8_t **ret, size_t *ret_len, struct err **err)
{
	struct cert_entry certs[CERT_TABLE_ENTRIES_MAX];
	_cleanup_free_ uint8_t *der = NULL;
	_cleanup_buf_ struct buf table = BUF_INIT(CERT_TABLE_MAX);
	size_t n = 0, der_len = 0;

	*ret = NULL;
	*ret_len = 0;
	if (!chain || json_is_null(chain))
		return 0;
	if (!json_is_array(chain) || json_array_size(chain) > CERT_TABLE_ENTRIES_MAX)
		return err_set(err, ERR_INTEGRITY, "snp-json", "SNP evidence: cert_chain is not a list of at most %d",
			       CERT_TABLE_ENTRIES_MAX);
	der = malloc(CERT_TABLE_MAX);
	if (!der)
		return err_nomem(err);
	for (size_t i = 0; i < json_array_size(chain); i++) {
		bool empty = false;

		certs[n] = (struct cert_entry){ 0 };
		if (read_cert(json_array_get(chain, i), &certs[n], &empty, der, &der_len, err) < 0)
			return -1;
		n += !empty;
	}
	if (n == 0)
		return 0;
	if (cert_table_encode(certs, n, &table, err) < 0)
		return -1;
	*ret_len = table.len;
	*ret = (uint8_t *)buf_take_str(&table);
	return *ret ? 0 : err_nomem(err);
}
