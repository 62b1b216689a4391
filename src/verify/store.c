/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "verify/store.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/fileio.h"

#define KDS "https://kdsintf.amd.com/"

/* Chip id as the key server writes it: 128 hex digits, 16 on Turin. */
static void chip_text(const struct snp_report *r, char out[static 129])
{
	hex_encode(r->chip_id, r->turin_layout ? 8 : sizeof(r->chip_id), out);
}

void store_vcek_url(const struct snp_report *r, char out[static KDS_URL_MAX])
{
	const struct snp_tcb *t = &r->reported_tcb;
	char hwid[129], fmc[16] = "";

	chip_text(r, hwid);
	if (r->turin_layout)
		snprintf(fmc, sizeof(fmc), "fmcSPL=%02u&", t->fmc);
	snprintf(out, KDS_URL_MAX, KDS "vcek/v1/%s/%s?%sblSPL=%02u&teeSPL=%02u&snpSPL=%02u&ucodeSPL=%02u",
		 snp_generation_name(r->generation), hwid, fmc, t->bootloader, t->tee, t->snp, t->microcode);
}

void store_chain_url(const struct snp_report *r, char out[static KDS_URL_MAX])
{
	snprintf(out, KDS_URL_MAX, KDS "%s/v1/%s/cert_chain", snp_signing_key(r) == 1 ? "vlek" : "vcek",
		 snp_generation_name(r->generation));
}

/* 1: read, 0: not there. */
static int read_one(const char *dir, const char *name, struct cert_pool *out, struct err **err)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_err_ struct err *e = NULL;
	char path[PATH_MAX];
	size_t len;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return err_set(err, ERR_CONFIG, "store", "%s: path too long", dir);
	if (file_read_regular(AT_FDCWD, path, CERT_BUNDLE_MAX, ERR_CONFIG, &data, &len, &e) < 0) {
		if (err_errno(e) == ENOENT || err_errno(e) == ENOTDIR)
			return 0;
		return err_propagate(err, TAKE_PTR(e));
	}
	return cert_pool_add(out, data, len, path, ERR_CONFIG, err) < 0 ? -1 : 1;
}

int store_read_vcek(const char *dir, const struct snp_report *r, struct cert_pool *out, struct err **err)
{
	const struct snp_tcb *t = &r->reported_tcb;
	char hwid[129], fmc[16] = "", name[256];
	int found;

	chip_text(r, hwid);
	if (r->turin_layout)
		snprintf(fmc, sizeof(fmc), "_fmc%02u", t->fmc);
	snprintf(name, sizeof(name), "vcek/%s/bl%02u_tee%02u_snp%02u_ucode%02u%s_vcek.der", hwid, t->bootloader, t->tee, t->snp,
		 t->microcode, fmc);
	found = read_one(dir, name, out, err);
	if (found != 0)
		return found < 0 ? -1 : 0;
	snprintf(name, sizeof(name), "vcek/%s/vcek.der", hwid);
	return read_one(dir, name, out, err) < 0 ? -1 : 0;
}

int store_read_chain(const char *dir, const struct snp_report *r, struct cert_pool *out, struct err **err)
{
	static const char *const fixed[] = { "ask.pem", "ask.der", "asvk.pem", "asvk.der", "ark.pem", "ark.der" };
	const char *kind = snp_signing_key(r) == 1 ? "vlek" : "vcek", *gen = snp_generation_name(r->generation);
	char by_gen[3][64];

	snprintf(by_gen[0], sizeof(by_gen[0]), "%s/v1/%s/cert_chain", kind, gen);
	snprintf(by_gen[1], sizeof(by_gen[1]), "%s/%s/cert_chain", kind, gen);
	snprintf(by_gen[2], sizeof(by_gen[2]), "%s_ask_ark_asvk.pem", gen);
	by_gen[2][0] = (char)tolower((unsigned char)by_gen[2][0]);
	for (size_t i = 0; i < ARRAY_SIZE(by_gen); i++)
		if (read_one(dir, by_gen[i], out, err) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (read_one(dir, fixed[i], out, err) < 0)
			return -1;
	return 0;
}
