/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* PCR 11 as systemd-stub makes it: for each section in its fixed order, the name with its zero, then the content (systemd-stub(7)). */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "unlock/predict_impl.h"

#define SECTION_TEXT_MAX (256 * 1024)

bool predict_uki_used(const struct predictor *c)
{
	return c->uki.bytes && pe_find(&c->uki_pe, ".linux");
}

int predict_extend(const struct predictor *c, uint8_t pcr[static PCR_DIGEST_MAX], const uint8_t *digest, struct err **err)
{
	const struct digest_piece pieces[] = { { pcr, c->size }, { digest, c->size } };
	uint8_t out[DIGEST_MAX];

	if (digest_pieces(c->hash, pieces, ARRAY_SIZE(pieces), out, err) < 0)
		return -1;
	memcpy(pcr, out, c->size);
	return 0;
}

int predict_extend_data(const struct predictor *c, uint8_t pcr[static PCR_DIGEST_MAX], const void *data, size_t len, struct err **err)
{
	uint8_t digest[DIGEST_MAX];

	if (digest_bytes(c->hash, data, len, digest, err) < 0)
		return -1;
	return predict_extend(c, pcr, digest, err);
}

/* .sdmagic: "#### LoaderInfo: systemd-stub 252.39-1 ####". 0: no such section. */
static unsigned int stub_version(const struct pe_image *pe)
{
	static const char word[] = "systemd-stub ";
	const struct pe_section *s = pe_find(pe, ".sdmagic");
	struct pe_content c;
	unsigned int v = 0;

	if (!s || pe_content(pe, s, &c, NULL) < 0)
		return 0;
	for (size_t i = 0; i + sizeof(word) - 1 < c.len; i++) {
		if (memcmp(c.bytes + i, word, sizeof(word) - 1) != 0)
			continue;
		for (i += sizeof(word) - 1; i < c.len && c.bytes[i] >= '0' && c.bytes[i] <= '9' && v < 100000; i++)
			v = v * 10 + (unsigned int)(c.bytes[i] - '0');
		return v;
	}
	return 0;
}

static int unknown(struct err **err, const char *path, const char *why)
{
	return err_set(err, ERR_TPM, "predict-unknown", "%.180s %s", path, why);
}

static int extend_section(const struct predictor *c, const struct pe_section *s, uint8_t *pcr, struct err **err)
{
	uint8_t digest[DIGEST_MAX];
	struct pe_content content;

	if (pe_content(&c->uki_pe, s, &content, err) < 0 || pe_content_digest(&content, c->hash, digest, err) < 0)
		return -1;
	if (predict_extend_data(c, pcr, s->name, strlen(s->name) + 1, err) < 0)
		return -1;
	return predict_extend(c, pcr, digest, err);
}

int predict_uki_sections(const struct predictor *c, uint8_t pcr[static PCR_DIGEST_MAX], struct err **err)
{
	/* .pcrsig is left out: it holds the signature of the result. */
	static const char *const order[] = { ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat", ".pcrpkey" };
	/* Which of several profiles or device trees is taken is decided at boot. */
	static const char *const at_boot[] = { ".profile", ".dtbauto", ".hwids", ".efifw" };
	const unsigned int version = stub_version(&c->uki_pe);

	if (!version)
		return unknown(err, c->uki.path, "does not say which systemd-stub it begins with (.sdmagic)");
	for (size_t i = 0; i < ARRAY_SIZE(at_boot); i++)
		if (pe_find(&c->uki_pe, at_boot[i]))
			return unknown(err, c->uki.path, "has sections that are chosen at boot");
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		const struct pe_section *s = pe_find(&c->uki_pe, order[i]);
		bool later = text_eq(order[i], ".uname") || text_eq(order[i], ".sbat");

		/* An empty section is not measured. Measured since 254, seen not to be measured by 252. */
		if (!s || !s->mem_size || (later && version <= 252))
			continue;
		if (later && version == 253)
			return unknown(err, c->uki.path, "begins with systemd-stub 253, whose list of measured sections is not known here");
		if (extend_section(c, s, pcr, err) < 0)
			return -1;
	}
	return 0;
}

static int section_text(const struct predict_file *f, const char *section, char **ret, struct err **err)
{
	const struct pe_section *s;
	struct pe_content c;
	struct pe_image pe;
	size_t n;

	if (pe_parse((const uint8_t *)f->bytes, f->len, &pe, err) < 0)
		return -1;
	s = pe_find(&pe, section);
	if (!s)
		return 0;
	if (pe_content(&pe, s, &c, err) < 0)
		return -1;
	if (c.len > SECTION_TEXT_MAX)
		return err_set(err, ERR_CONFIG, "predict-file", "its %s section is too long", section);
	n = strnlen((const char *)c.bytes, c.len);
	while (n && strchr(" \n\r\t", c.bytes[n - 1]))
		n--;
	*ret = strndup((const char *)c.bytes, n);
	return *ret ? 0 : err_nomem(err);
}

int predict_uki_text(const char *path, const char *section, char **ret, struct err **err)
{
	_cleanup_err_ struct err *e = NULL;
	struct predict_file f = { 0 };
	int rc;

	*ret = NULL;
	rc = predict_load(AT_FDCWD, path, &f, &e);
	if (rc == 0)
		rc = section_text(&f, section, ret, &e);
	predict_file_clear(&f);
	return rc < 0 ? err_set(err, ERR_CONFIG, "predict-file", "%s: %s", path, err_message(e)) : 0;
}
