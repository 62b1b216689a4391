/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Where certificates of AMD's key server are when nobody sent them: its URLs, and an offline store in Trustee's naming.
 * Private to verify/. */
#ifndef CRYPTATTEST_VERIFY_STORE_H
#define CRYPTATTEST_VERIFY_STORE_H

#include "verify/certs.h"

#define KDS_URL_MAX 320

void store_vcek_url(const struct snp_report *r, char out[static KDS_URL_MAX]);
void store_chain_url(const struct snp_report *r, char out[static KDS_URL_MAX]);
/* DIR/vcek/HWID/bl.._tee.._snp.._ucode..[_fmc..]_vcek.der, then DIR/vcek/HWID/vcek.der. Absent files are no error; one
 * that is there but no certificate is ERR_CONFIG. */
int store_read_vcek(const char *dir, const struct snp_report *r, struct cert_pool *out, struct err **err);
/* DIR/{vcek|vlek}/[v1/]GEN/cert_chain (as fetched from the key server), DIR/gen_ask_ark_asvk.pem (Trustee's bundle),
 * DIR/{ask|asvk|ark}.{pem|der}: all that are there. */
int store_read_chain(const char *dir, const struct snp_report *r, struct cert_pool *out, struct err **err);

#endif
