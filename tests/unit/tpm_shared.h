/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A connection to a TPM that two use in turn: whoever relays commands can put its own between them. */
#ifndef CRYPTATTEST_TESTS_TPM_SHARED_H
#define CRYPTATTEST_TESTS_TPM_SHARED_H

#include "vtpm/tpm.h"

/* Gives away the connection that it opens: swtpm has but one, and whoever relays uses it between two commands of ours. */
struct shared_access {
	struct tpm_access access;
	const struct tpm_access *inner;
	void *tcti;
};

static inline int shared_open(const struct tpm_access *self, int root_fd, void **ret, struct err **err)
{
	struct shared_access *s = (struct shared_access *)self;

	if (s->inner->open(s->inner, root_fd, &s->tcti, err) < 0)
		return -1;
	*ret = s->tcti;
	return 0;
}

static inline int shared_again(const struct tpm_access *self, int root_fd, void **ret, struct err **err)
{
	*ret = ((const struct shared_access *)self)->tcti;
	return 0;
}

static inline void shared_keep(void *tcti)
{
}

static inline void share(struct shared_access *s, const struct tpm_access *inner)
{
	*s = (struct shared_access){ .access = *inner, .inner = inner };
	s->access.open = shared_open;
}

/* A second user of the connection that s holds. */
static inline struct tpm_access borrowed(const struct shared_access *s)
{
	struct tpm_access a = s->access;

	a.open = shared_again;
	a.close = shared_keep;
	return a;
}

#endif
