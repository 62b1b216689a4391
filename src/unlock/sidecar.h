/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The file that holds a volume's sealed secret: `sealed =` of its section (C10). A plain path lies below our root; DEVICE:PATH lies on
 * a vfat or ext4 file system, which is mounted for the length of the call alone, nowhere in the tree (a detached mount of our own),
 * read-only but for the rewriting. Whatever is read is the host's to choose; vtpm/blob.h parses it.
 */
#ifndef CRYPTATTEST_UNLOCK_SIDECAR_H
#define CRYPTATTEST_UNLOCK_SIDECAR_H

#include "unlock/unlock.h"

/* At most SEALED_FILE_MAX bytes, caller frees. ERR_TPM "sealed-absent" (no such file or device, or none configured), "sealed-unreadable".
 * A device that is not there yet is waited for, until d. */
int sidecar_read(const struct unlock_env *env, const struct config_volume *v, struct deadline d, char **ret, size_t *ret_len,
		 struct err **err);
/* Replaces the file as a whole, on the disk before this returns; missing directories are made; what a power cut left of an earlier writing
 * goes. The caller holds the lock of state/state.h. ERR_TPM "sealed-write". */
int sidecar_write(const struct unlock_env *env, const struct config_volume *v, const char *text, struct err **err);
/* The same, and with the file; one that is not there is fine. ERR_TPM "sealed-write". */
int sidecar_remove(const struct unlock_env *env, const struct config_volume *v, struct err **err);

#endif
