/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The test platform's mapper (contracts.md 9): records instead of mapping. A mapping is a file in a directory, so it outlives the
 * process; what it holds is the kernel table that a right activation would give, made from the crypt_device alone, so that K6
 * has something true to compare with. The volume key is checked against the header's digest as the real activation does; it is
 * never written.
 *
 * Files: NAME per mapping ("uuid", "dev", "open", "ro", "flags", "target" lines; a test may edit them), ".log" with one line per
 * call, ".fault" with words that make the next activations lie (same words as below), for tests that run another process.
 */
#ifndef CRYPTATTEST_TESTS_MAPPER_RECORDER_H
#define CRYPTATTEST_TESTS_MAPPER_RECORDER_H

#include "luks/mapper.h"

enum recorder_fault {
	RECORDER_WRONG_CIPHER = 1 << 0,	  /* wrong-cipher: cipher_null-ecb */
	RECORDER_WRONG_OFFSET = 1 << 1,	  /* wrong-offset */
	RECORDER_WRONG_DEVICE = 1 << 2,	  /* wrong-device */
	RECORDER_WRONG_IV = 1 << 3,	  /* wrong-iv */
	RECORDER_NO_KEY = 1 << 4,	  /* no-key: "-" */
	RECORDER_EXTRA_OPTION = 1 << 5,	  /* extra-option: same_cpu_crypt */
	RECORDER_TWO_TARGETS = 1 << 6,	  /* two-targets: a linear one behind */
	RECORDER_SHORT = 1 << 7,	  /* short: half the length */
	RECORDER_WRONG_UUID = 1 << 8,	  /* wrong-uuid */
	RECORDER_FAIL_ACTIVATE = 1 << 9,  /* fail-activate */
	RECORDER_FAIL_DEACTIVATE = 1 << 10, /* fail-deactivate */
	RECORDER_READ_ONLY = 1 << 11,	  /* read-only: although not asked for */
	RECORDER_RECALCULATE = 1 << 12,	  /* recalculate: integrity option */
	RECORDER_NO_TAGS = 1 << 13,	  /* no-tags: integrity tag size 0 */
	RECORDER_DIRECT = 1 << 14,	  /* direct: crypt beside integrity instead of above it */
	RECORDER_HEX_KEY = 1 << 15,	  /* hex-key: not a fault, the table without keyring */
	RECORDER_OTHER_KEY = 1 << 16,	  /* other-key: hex of another key */
};

struct mapper_recorder {
	char dir[256];
	unsigned int faults; /* or of the above; joined with those of .fault */
};

/* dir must exist. */
void mapper_recorder_init(struct mapper_recorder *r, const char *dir);
/* ctx is r: keep it. */
struct mapper mapper_recorder_get(struct mapper_recorder *r);

#endif
