/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The system's libcurl, loaded when curl_global_init() is called and not before: that is in the transport process, and only when a key
 * broker is asked. A distribution's libcurl brings two dozen libraries with it; the process that holds keys has none of them, and an image
 * whose volumes need no broker need not hold them. Every function here is the one of curl.h and hands over to the library's.
 *
 * Linked instead of libcurl; not with --with-curl=PREFIX.
 */
#define curl_url_get curl_url_get_of_the_header /* const or not, by version */
#include <curl/curl.h>
#undef curl_url_get
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/dlopen_note.h"

#define SONAME "libcurl.so.4"

DLOPEN_NOTE(curl_note, "kbs", "Asking a key broker for the secrets of volumes", "recommended", SONAME);

/* Macros that check the types of arguments: in the files that include curl.h, not here. */
#undef curl_easy_getinfo
#undef curl_easy_setopt

CURLUcode curl_url_get(CURLU *u, CURLUPart part, char **ret, unsigned int flags);

#define FUNCTIONS(F)                                                                                                              \
	F(curl_easy_cleanup)                                                                                                      \
	F(curl_easy_getinfo)                                                                                                      \
	F(curl_easy_init)                                                                                                         \
	F(curl_easy_setopt)                                                                                                       \
	F(curl_easy_strerror)                                                                                                     \
	F(curl_free)                                                                                                              \
	F(curl_global_init)                                                                                                       \
	F(curl_multi_add_handle)                                                                                                  \
	F(curl_multi_cleanup)                                                                                                     \
	F(curl_multi_info_read)                                                                                                   \
	F(curl_multi_init)                                                                                                        \
	F(curl_multi_perform)                                                                                                     \
	F(curl_multi_poll)                                                                                                        \
	F(curl_multi_remove_handle)                                                                                               \
	F(curl_slist_append)                                                                                                      \
	F(curl_slist_free_all)                                                                                                    \
	F(curl_url)                                                                                                               \
	F(curl_url_cleanup)                                                                                                       \
	F(curl_url_get)                                                                                                           \
	F(curl_url_set)

static struct {
#define FIELD(name) __typeof__(name) *name;
	FUNCTIONS(FIELD)
} lib;

static char why[200]; /* it is not loaded */

static const struct {
	const char *name;
	void *field;
} table[] = {
#define ROW(name) { #name, &lib.name },
	FUNCTIONS(ROW)
};

static CURLcode failed(void)
{
	const char *text = dlerror();

	snprintf(why, sizeof(why), "%s", text ? text : "cannot load " SONAME);
	return CURLE_FAILED_INIT;
}

static CURLcode load(void)
{
	void *so = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);

	if (!so)
		return failed();
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		void *f = dlsym(so, table[i].name);

		if (!f)
			return failed();
		memcpy(table[i].field, &f, sizeof(f)); /* as POSIX has it: a pointer to a function is one to void */
	}
	why[0] = 0;
	return CURLE_OK;
}

CURLcode curl_global_init(long flags)
{
	return load() == CURLE_OK ? lib.curl_global_init(flags) : CURLE_FAILED_INIT;
}

const char *curl_easy_strerror(CURLcode code)
{
	return why[0] ? why : lib.curl_easy_strerror(code);
}

CURL *curl_easy_init(void)
{
	return lib.curl_easy_init();
}

void curl_easy_cleanup(CURL *easy)
{
	lib.curl_easy_cleanup(easy);
}

/* The option's number says what its value is (curl.h). */
CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
	CURLcode rc;
	va_list ap;

	va_start(ap, option);
	if ((long)option >= CURLOPTTYPE_OFF_T && (long)option < CURLOPTTYPE_BLOB)
		rc = lib.curl_easy_setopt(easy, option, va_arg(ap, curl_off_t));
	else if ((long)option >= CURLOPTTYPE_OBJECTPOINT)
		rc = lib.curl_easy_setopt(easy, option, va_arg(ap, void *));
	else
		rc = lib.curl_easy_setopt(easy, option, va_arg(ap, long));
	va_end(ap);
	return rc;
}

/* Always a pointer. */
CURLcode curl_easy_getinfo(CURL *easy, CURLINFO info, ...)
{
	CURLcode rc;
	va_list ap;

	va_start(ap, info);
	rc = lib.curl_easy_getinfo(easy, info, va_arg(ap, void *));
	va_end(ap);
	return rc;
}

void curl_free(void *p)
{
	lib.curl_free(p);
}

CURLM *curl_multi_init(void)
{
	return lib.curl_multi_init();
}

CURLMcode curl_multi_cleanup(CURLM *multi)
{
	return lib.curl_multi_cleanup(multi);
}

CURLMcode curl_multi_add_handle(CURLM *multi, CURL *easy)
{
	return lib.curl_multi_add_handle(multi, easy);
}

CURLMcode curl_multi_remove_handle(CURLM *multi, CURL *easy)
{
	return lib.curl_multi_remove_handle(multi, easy);
}

CURLMcode curl_multi_perform(CURLM *multi, int *running)
{
	return lib.curl_multi_perform(multi, running);
}

CURLMcode curl_multi_poll(CURLM *multi, struct curl_waitfd fds[], unsigned int n, int ms, int *ret)
{
	return lib.curl_multi_poll(multi, fds, n, ms, ret);
}

CURLMsg *curl_multi_info_read(CURLM *multi, int *left)
{
	return lib.curl_multi_info_read(multi, left);
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *line)
{
	return lib.curl_slist_append(list, line);
}

void curl_slist_free_all(struct curl_slist *list)
{
	lib.curl_slist_free_all(list);
}

CURLU *curl_url(void)
{
	return lib.curl_url();
}

void curl_url_cleanup(CURLU *u)
{
	lib.curl_url_cleanup(u);
}

CURLUcode curl_url_get(CURLU *u, CURLUPart part, char **ret, unsigned int flags)
{
	return lib.curl_url_get(u, part, ret, flags);
}

CURLUcode curl_url_set(CURLU *u, CURLUPart part, const char *text, unsigned int flags)
{
	return lib.curl_url_set(u, part, text, flags);
}
