/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Handing a passphrase to another program (C12): crypttab's keyscript=, systemd's key-file socket. Second class, because that program
 * reads a header and derives the key by itself; so it must be given the header that we audited (`unlock --prepare` leaves a copy,
 * crypttab's header= names it), and the passphrase only follows once the volume key was proved and the door is closed.
 */
#ifndef CRYPTATTEST_UNLOCK_HANDOUT_H
#define CRYPTATTEST_UNLOCK_HANDOUT_H

#include "unlock/job.h"

#define HANDOUT_HEADER_DIR STATE_DIR "/header"

/* `unlock --prepare`: the sealed copy of an audited job as HANDOUT_HEADER_DIR/NAME, 0600, sparse, as long as the header is. */
void handout_prepare(struct run *run, struct job *job);
/* `key`: before anything is asked for. ERR_CONFIG "key-terminal" (stdout is no pipe or socket), "key-several" (a sealed secret and more
 * than one initrd volume: the cap would come too early for the others); ERR_INTEGRITY "key-header" (no copy, or not the header that the
 * disk has now, or with --peer one that is not read by who asks); ERR_CAP "capped" (an initrd volume after the boot phase). */
int handout_check(struct run *run, struct job *job, struct err **err);
/* `key`: closes the door where a sealed secret was used, then writes the passphrase to stdout, nothing else. */
void handout_give(struct run *run, struct job *job);

/* The volume's name from what systemd-cryptsetup binds its end of the socket to: NUL, hex digits, "/cryptsetup/NAME". Pure.
 * ERR_INTEGRITY "key-peer". */
int handout_peer_name(const char *path, size_t len, char out[static 64], struct err **err);
/* The same for the socket on fd; its peer must be root (or the user that we run as). */
int handout_peer(int fd, char out[static 64], struct err **err);
/* Does a program with this command line (/proc/PID/cmdline: each argument ends with NUL) read our copy of the volume's header? It does when it
 * is `systemd-cryptsetup attach VOLUME DEVICE KEY OPTIONS`, and the options of crypttab name the copy. Pure. */
bool handout_reads_copy(const char *cmdline, size_t len, const char *volume);
/* The same for the peer of the socket on fd. ERR_INTEGRITY "key-header". */
int handout_peer_header(int fd, const char *volume, struct err **err);

#endif
