/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A secret in every form that it can be asked for; a document that parses prints and parses again. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "wire/document.h"

static void print_and_parse(const struct secret_document *doc)
{
	_cleanup_secret_ struct secret *text = NULL;
	struct secret_document again;

	if (secret_document_text(doc, &text, NULL) < 0 || secret_document_parse(text, FORM_AUTO, false, &again, NULL) < 0)
		abort();
	if (!again.is_document || strcmp(again.name, doc->name) != 0 || strcmp(again.vk_id, doc->vk_id) != 0 ||
	    again.keyslot != doc->keyslot || !secret_equal(again.passphrase, doc->passphrase) || again.may_reseal != doc->may_reseal ||
	    again.sealed_keyslot != doc->sealed_keyslot || !again.sealed_passphrase != !doc->sealed_passphrase)
		abort();
	secret_document_clear(&again);
}

static void try_form(const struct secret *text, enum secret_form form, bool provisioner)
{
	_cleanup_err_ struct err *e = NULL;
	struct secret_document doc;

	if (secret_document_parse(text, form, provisioner, &doc, &e) < 0) {
		if (err_class(e) != ERR_INTEGRITY)
			abort();
		return;
	}
	if (secret_len(doc.passphrase) < SECRET_PASSPHRASE_MIN)
		abort();
	if (doc.is_document)
		print_and_parse(&doc);
	secret_document_clear(&doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_secret_ struct secret *text = NULL;

	if (size > SECRET_DOCUMENT_MAX + 1)
		size = SECRET_DOCUMENT_MAX + 1;
	if (secret_from(data, size, &text, NULL) < 0)
		abort();
	try_form(text, FORM_AUTO, false);
	try_form(text, FORM_AUTO, true);
	try_form(text, FORM_DOCUMENT, false);
	try_form(text, FORM_RAW, false);
	return 0;
}
