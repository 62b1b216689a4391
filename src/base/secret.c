/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Layout of one mapping: guard page | slack, then the bytes up to the very end of the last data page | guard page.
 * So an overrun by one byte faults; an underrun faults once it leaves the slack. The data pages are locked, left out
 * of core dumps, and read as zero in a forked child: the transport child is forked before any secret exists, and no
 * other child of ours has a use for one.
 */
#include "base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"

#define SECRET_MAX (1024 * 1024)

struct secret {
	uint8_t *map;
	size_t map_len;
	uint8_t *pages;
	size_t pages_len;
	uint8_t *data;
	size_t len, cap;
	bool locked;
};

static void lock_pages(struct secret *s)
{
	static bool told;

	s->locked = mlock(s->pages, s->pages_len) == 0;
	if (!s->locked && !__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
		log_warning("memory: cannot lock key material: %s (raise the memlock limit)", strerror(errno));
	/* Both are refinements that an old kernel may not know; main() has disabled core dumps already. */
	(void)madvise(s->pages, s->pages_len, MADV_DONTDUMP);
	(void)madvise(s->pages, s->pages_len, MADV_WIPEONFORK);
}

int secret_new(size_t cap, struct secret **ret, struct err **err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct secret *s;

	if (cap == 0 || cap > SECRET_MAX)
		return err_set(err, ERR_INTERNAL, "secret-size", "secret of %zu bytes", cap);
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_nomem(err);
	s->pages_len = (cap + page - 1) / page * page;
	s->map_len = s->pages_len + 2 * page;
	s->map = mmap(NULL, s->map_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->map == MAP_FAILED) {
		free(s);
		return err_nomem(err);
	}
	s->pages = s->map + page;
	if (mprotect(s->pages, s->pages_len, PROT_READ | PROT_WRITE) < 0) {
		munmap(s->map, s->map_len);
		free(s);
		return err_nomem(err);
	}
	lock_pages(s);
	s->data = s->pages + s->pages_len - cap;
	s->cap = cap;
	*ret = s;
	return 0;
}

int secret_from(const void *data, size_t len, struct secret **ret, struct err **err)
{
	struct secret *s = NULL;
	int r = secret_new(len ? len : 1, &s, err);

	if (r < 0)
		return r;
	if (len)
		memcpy(s->data, data, len);
	s->len = len;
	*ret = s;
	return 0;
}

void secret_free(struct secret *s)
{
	if (!s)
		return;
	wipe(s->pages, s->pages_len);
	munmap(s->map, s->map_len); /* unlocks as well */
	free(s);
}

void secret_freep(struct secret **s)
{
	secret_free(*s);
	*s = NULL;
}

uint8_t *secret_data(struct secret *s)
{
	return s->data;
}

const uint8_t *secret_cdata(const struct secret *s)
{
	return s->data;
}

size_t secret_len(const struct secret *s)
{
	return s->len;
}

size_t secret_cap(const struct secret *s)
{
	return s->cap;
}

void secret_set_len(struct secret *s, size_t len)
{
	if (len > s->cap)
		abort(); /* the caller has already written past its own mapping */
	wipe(s->data + len, s->cap - len);
	s->len = len;
}

int secret_append(struct secret *s, const void *data, size_t len, struct err **err)
{
	if (len > s->cap - s->len)
		return err_set(err, ERR_INTERNAL, "secret-size", "secret of more than %zu bytes", s->cap);
	if (len)
		memcpy(s->data + s->len, data, len);
	s->len += len;
	return 0;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int differ = ct_memcmp(a->data, b->data, n);

	return a->len == b->len && !differ;
}

int secret_read_fd(int fd, size_t max, struct secret **ret, struct err **err)
{
	_cleanup_secret_ struct secret *s = NULL;
	size_t got = 0;

	/* One byte more than allowed tells "too long" from "just fits". */
	if (max >= SECRET_MAX)
		return err_set(err, ERR_INTERNAL, "secret-size", "secret of %zu bytes", max);
	if (secret_new(max + 1, &s, err) < 0)
		return -1;
	while (got <= max) {
		ssize_t n = read(fd, s->data + got, max + 1 - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, ERR_CONFIG, "secret-read", errno, "cannot read the secret");
		if (n == 0)
			break;
		got += (size_t)n;
	}
	if (got > max)
		return err_set(err, ERR_CONFIG, "secret-too-long", "the secret is longer than %zu bytes", max);
	secret_set_len(s, got);
	*ret = s;
	s = NULL;
	return 0;
}

void wipe(void *p, size_t len)
{
	if (len)
		explicit_bzero(p, len);
}

int ct_memcmp(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t differ = 0;

	for (size_t i = 0; i < len; i++)
		differ |= x[i] ^ y[i];
	return differ;
}
