/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * systemd_token IMAGE TPM: opens a key slot by its systemd-tpm2 token, as systemd-cryptsetup does it (systemd's own plug-in, called by
 * libcryptsetup), with the TPM that the second argument names ("swtpm:path=SOCKET"). cryptsetup(8) cannot name one. Nothing is mapped.
 */
#include <libcryptsetup.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What the plug-in takes as its user pointer; systemd appends to it from release to release. */
struct plugin_params {
	uint32_t search_pcr_mask;
	const char *device, *signature_path, *later[6];
};

int main(int argc, char **argv)
{
	struct plugin_params params = { .search_pcr_mask = UINT32_MAX };
	struct crypt_device *cd = NULL;
	int rc;

	if (argc != 3) {
		fprintf(stderr, "usage: systemd_token IMAGE TPM\n");
		return 2;
	}
	params.device = argv[2];
	rc = crypt_init(&cd, argv[1]);
	if (rc == 0)
		rc = crypt_load(cd, CRYPT_LUKS2, NULL);
	if (rc == 0)
		rc = crypt_activate_by_token_pin(cd, NULL, "systemd-tpm2", CRYPT_ANY_TOKEN, NULL, 0, &params, 0);
	if (rc < 0)
		fprintf(stderr, "systemd_token: %s\n", strerror(-rc));
	crypt_free(cd);
	return rc < 0;
}
