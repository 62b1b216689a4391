/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/testpki.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "tests/lib/testpki_int.h"

#define PEM_MAX 65536

static const char *const item_names[PKI_ITEMS] = { "ark",	 "ask",	   "asvk", "vcek", "vlek",
						   "intel-root", "pck-ca", "pck",  "att" };

void testpki_free(struct testpki *pki)
{
	if (!pki)
		return;
	for (size_t i = 0; i < PKI_ITEMS; i++) {
		EVP_PKEY_free(pki->key[i]);
		X509_free(pki->cert[i]);
	}
	free(pki->roots);
	free(pki);
}

void testpki_freep(struct testpki **pki)
{
	testpki_free(*pki);
	*pki = NULL;
}

const char *testpki_roots(const struct testpki *pki)
{
	return pki->roots;
}

/* --- creation --- */

static int issue_ca(struct testpki *pki, enum pki_item item, const char *cn, enum pki_item issuer, int pathlen,
		    struct err **err)
{
	bool intel = item >= PKI_INTEL_ROOT;
	const struct pki_cert c = {
		.subject = { .cn = cn, .intel = intel },
		.key = pki->key[item],
		.issuer = item == issuer ? NULL : pki->cert[issuer],
		.issuer_key = pki->key[issuer],
		.sig = intel ? SIG_ECDSA_SHA256 : SIG_PSS,
		.pathlen = pathlen,
		.not_before = PKI_NOT_BEFORE,
		.not_after = PKI_NOT_AFTER,
	};

	return pki_issue(&c, &pki->cert[item], err);
}

static int make_keys(struct testpki *pki, struct err **err)
{
	for (size_t i = 0; i < PKI_ITEMS; i++) {
		bool rsa = i <= PKI_ASVK;
		bool p384 = i == PKI_VCEK || i == PKI_VLEK;

		if ((rsa ? pki_key_rsa(4096, &pki->key[i], err) : pki_key_ec(p384 ? "P-384" : "P-256", &pki->key[i], err)) < 0)
			return err_wrap(err, "%s", item_names[i]);
	}
	return 0;
}

static int make_certs(struct testpki *pki, struct err **err)
{
	struct testpki_vek vcek, vlek;

	testpki_vek_template(pki, false, &vcek);
	testpki_vek_template(pki, true, &vlek);
	if (issue_ca(pki, PKI_ARK, "ARK-Milan", PKI_ARK, 1, err) < 0 ||
	    issue_ca(pki, PKI_ASK, "SEV-Milan", PKI_ARK, 0, err) < 0 ||
	    issue_ca(pki, PKI_ASVK, "SEV-VLEK-Milan", PKI_ARK, 0, err) < 0 ||
	    pki_amd_leaf(pki, &vcek, &pki->cert[PKI_VCEK], err) < 0 ||
	    pki_amd_leaf(pki, &vlek, &pki->cert[PKI_VLEK], err) < 0 ||
	    issue_ca(pki, PKI_INTEL_ROOT, "Intel SGX Root CA", PKI_INTEL_ROOT, 1, err) < 0 ||
	    issue_ca(pki, PKI_PCK_CA, "Intel SGX PCK Platform CA", PKI_INTEL_ROOT, 0, err) < 0)
		return -1;
	return pki_intel_leaf(pki, &pki->cert[PKI_PCK], err);
}

/* A key of its own where its size is not the PKI's. */
static int other_key(struct testpki *pki, enum pki_item item, int bits, EVP_PKEY **ret_made, struct err **err)
{
	if (EVP_PKEY_get_bits(pki->key[item]) == bits)
		return 0;
	if (pki_key_rsa(bits, ret_made, err) < 0)
		return -1;
	pki->key[item] = *ret_made;
	return 0;
}

int testpki_amd_chain(const struct testpki *pki, int ark_bits, int ask_bits, struct buf *ret_table, struct buf *ret_root, struct err **err)
{
	struct testpki other = *pki; /* borrows what it does not make anew */
	EVP_PKEY *ark = NULL, *ask = NULL;
	struct testpki_vek vcek;
	int r = -1;

	other.cert[PKI_ARK] = other.cert[PKI_ASK] = other.cert[PKI_VCEK] = NULL;
	testpki_vek_template(pki, false, &vcek);
	if (other_key(&other, PKI_ARK, ark_bits, &ark, err) == 0 && other_key(&other, PKI_ASK, ask_bits, &ask, err) == 0 &&
	    issue_ca(&other, PKI_ARK, "ARK-Milan", PKI_ARK, 1, err) == 0 && issue_ca(&other, PKI_ASK, "SEV-Milan", PKI_ARK, 0, err) == 0 &&
	    pki_amd_leaf(&other, &vcek, &other.cert[PKI_VCEK], err) == 0 && testpki_snp_certs(&other, false, ret_table, err) == 0)
		r = testpki_der(&other, "ark", ret_root, err);
	X509_free(other.cert[PKI_ARK]);
	X509_free(other.cert[PKI_ASK]);
	X509_free(other.cert[PKI_VCEK]);
	EVP_PKEY_free(ark);
	EVP_PKEY_free(ask);
	return r;
}

static int write_bio(int dirfd, const char *name, BIO *mem, mode_t mode, struct err **err)
{
	char *text;
	long len = BIO_get_mem_data(mem, &text);

	return file_write_atomic(dirfd, name, text, (size_t)len, mode, err);
}

static int write_item(int dirfd, const struct testpki *pki, enum pki_item i, struct err **err)
{
	BIO *key = BIO_new(BIO_s_mem()), *cert = BIO_new(BIO_s_mem());
	char name[32];
	int r = -1;

	if (!key || !cert || !PEM_write_bio_PrivateKey(key, pki->key[i], NULL, NULL, 0, NULL, NULL) ||
	    (pki->cert[i] && !PEM_write_bio_X509(cert, pki->cert[i]))) {
		pki_fail(err, item_names[i]);
		goto out;
	}
	snprintf(name, sizeof(name), "%s.key", item_names[i]);
	if (write_bio(dirfd, name, key, 0600, err) < 0)
		goto out;
	snprintf(name, sizeof(name), "%s.pem", item_names[i]);
	r = pki->cert[i] ? write_bio(dirfd, name, cert, 0644, err) : 0;
out:
	BIO_free(key);
	BIO_free(cert);
	return r;
}

static int write_roots(int dirfd, const struct testpki *pki, struct err **err)
{
	BIO *mem = BIO_new(BIO_s_mem());
	int r = -1;

	if (mem && PEM_write_bio_X509(mem, pki->cert[PKI_ARK]) && PEM_write_bio_X509(mem, pki->cert[PKI_INTEL_ROOT]))
		r = write_bio(dirfd, "roots.pem", mem, 0644, err);
	else
		pki_fail(err, "roots");
	BIO_free(mem);
	return r;
}

static void remove_dir(const char *path)
{
	int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[32];

	for (size_t i = 0; dirfd >= 0 && i < PKI_ITEMS; i++) {
		snprintf(name, sizeof(name), "%s.key", item_names[i]);
		unlinkat(dirfd, name, 0);
		snprintf(name, sizeof(name), "%s.pem", item_names[i]);
		unlinkat(dirfd, name, 0);
	}
	if (dirfd >= 0) {
		unlinkat(dirfd, "roots.pem", 0);
		close(dirfd);
	}
	rmdir(path);
}

/* Into a directory of our own, then renamed: whoever comes second finds the first one's and drops its own. */
static int create_in(const char *dir, struct err **err)
{
	_cleanup_testpki_ struct testpki *pki = calloc(1, sizeof(*pki));
	_cleanup_close_ int dirfd = -1;
	char tmp[PATH_MAX];
	int r = 0;

	if (!pki)
		return err_nomem(err);
	if (make_keys(pki, err) < 0 || make_certs(pki, err) < 0)
		return -1;
	snprintf(tmp, sizeof(tmp), "%s.%ld", dir, (long)getpid());
	if (dir_make(AT_FDCWD, tmp, 0700, err) < 0)
		return -1;
	dirfd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return err_set_errno(err, ERR_CONFIG, "testpki", errno, "%s", tmp);
	for (size_t i = 0; r == 0 && i < PKI_ITEMS; i++)
		r = write_item(dirfd, pki, i, err);
	if (r == 0)
		r = write_roots(dirfd, pki, err);
	if (r == 0 && rename(tmp, dir) < 0 && errno != EEXIST && errno != ENOTEMPTY)
		r = err_set_errno(err, ERR_CONFIG, "testpki", errno, "%s: rename", dir);
	remove_dir(tmp);
	return r;
}

/* --- loading --- */

static int read_pem(int dirfd, const char *item, const char *suffix, BIO **ret, struct err **err)
{
	_cleanup_free_ char *text = NULL;
	char name[32];
	size_t len;

	snprintf(name, sizeof(name), "%s.%s", item, suffix);
	if (file_read(dirfd, name, PEM_MAX, ERR_CONFIG, &text, &len, err) < 0)
		return -1;
	*ret = BIO_new(BIO_s_mem());
	if (!*ret || BIO_write(*ret, text, (int)len) != (int)len)
		return pki_fail(err, name);
	return 0;
}

static int load_item(int dirfd, struct testpki *pki, enum pki_item i, struct err **err)
{
	BIO *key = NULL, *cert = NULL;
	int r = -1;

	if (read_pem(dirfd, item_names[i], "key", &key, err) < 0 ||
	    (i != PKI_ATT && read_pem(dirfd, item_names[i], "pem", &cert, err) < 0))
		goto out;
	pki->key[i] = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
	if (cert)
		pki->cert[i] = PEM_read_bio_X509(cert, NULL, NULL, NULL);
	r = pki->key[i] && (!cert || pki->cert[i]) ? 0 : pki_fail(err, item_names[i]);
out:
	BIO_free(key);
	BIO_free(cert);
	return r;
}

static int load_from(int dirfd, struct testpki **ret, struct err **err)
{
	_cleanup_testpki_ struct testpki *pki = calloc(1, sizeof(*pki));
	size_t len;

	if (!pki)
		return err_nomem(err);
	for (size_t i = 0; i < PKI_ITEMS; i++)
		if (load_item(dirfd, pki, i, err) < 0)
			return -1;
	if (file_read(dirfd, "roots.pem", PEM_MAX, ERR_CONFIG, &pki->roots, &len, err) < 0)
		return -1;
	*ret = TAKE_PTR(pki);
	return 0;
}

int testpki_open(const char *dir, struct testpki **ret, struct err **err)
{
	const char *top = getenv("TOP_BUILDDIR");
	_cleanup_close_ int dirfd = -1;
	char path[PATH_MAX - 64], last[PATH_MAX];

	if (dir)
		snprintf(path, sizeof(path), "%s", dir);
	else
		snprintf(path, sizeof(path), "%s/tests/pki", top && *top ? top : ".");
	snprintf(last, sizeof(last), "%s/roots.pem", path);
	if (access(last, F_OK) < 0 && create_in(path, err) < 0)
		return -1;
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return err_set_errno(err, ERR_CONFIG, "testpki", errno, "%s", path);
	if (load_from(dirfd, ret, err) < 0)
		return err_wrap(err, "%s", path);
	return 0;
}
