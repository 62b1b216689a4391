/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/slot_mac.h"

#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "crypto/digest.h"

#define MAC_LEN 64

int slot_mac(const struct secret *volume_key, const struct luks_header *h, int slot, const char *name, char out[static 65], struct err **err)
{
	char id[65], text[256];
	uint8_t mac[32];
	int n;

	if (luks_header_id(h, slot, id, err) < 0)
		return -1;
	n = snprintf(text, sizeof(text), "cryptattest:sealed-slot:v1:%s:%s", name, id);
	if (n < 0 || (size_t)n >= sizeof(text))
		return err_set(err, ERR_INTERNAL, "slot-mac", "volume name of %zu characters", strlen(name));
	if (hmac_sha256(volume_key, text, (size_t)n, mac, err) < 0)
		return -1;
	hex_encode(mac, sizeof(mac), out);
	return 0;
}

static bool same_digits(const char *a, const char *b)
{
	unsigned char differ = 0;

	for (size_t i = 0; i < MAC_LEN; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	return differ == 0;
}

bool slot_mac_holds(const struct secret *volume_key, const struct luks_header *h, int slot, const char *name, const char *mac)
{
	char right[MAC_LEN + 1];

	return strlen(mac) == MAC_LEN && slot_mac(volume_key, h, slot, name, right, NULL) == 0 && same_digits(right, mac);
}
