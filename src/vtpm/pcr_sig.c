/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/pcr_sig.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "wire/json.h"
#include "wire/wire_err.h"

#define WHERE "entry"

static int bad(struct err **err, const char *why)
{
	return err_set(err, ERR_INTEGRITY, "pcr-signature", "%s", why);
}

void pcr_sigs_clear(struct pcr_sigs *s)
{
	free(s->entry);
	memset(s, 0, sizeof(*s));
}

static int take_pcrs(const json_t *obj, struct pcr_sig *e, struct err **err)
{
	json_t *list;

	if (json_get_arr(obj, WHERE, "pcrs", &list, err) < 0)
		return -1;
	if (!pcr_list_take(list, &e->pcrs))
		return bad(err, "pcrs is not a list of different PCRs");
	return e->pcrs ? 0 : bad(err, "pcrs is empty");
}

static int take_digest(const json_t *obj, const char *key, uint8_t out[static 32], struct err **err)
{
	const char *hex;

	if (json_get_str(obj, WHERE, key, &hex, err) < 0)
		return -1;
	if (hex_decode(hex, strlen(hex), out, 32, NULL) < 0)
		return err_set(err, ERR_INTEGRITY, "pcr-signature", "%s is not 64 hex digits", key);
	return 0;
}

static int take_signature(const json_t *obj, struct pcr_sig *e, struct err **err)
{
	const char *text;

	if (json_get_str(obj, WHERE, "sig", &text, err) < 0)
		return -1;
	if (strlen(text) > b64_encoded_len(B64_STD, PCR_SIG_MAX))
		return bad(err, "sig is too long");
	if (b64_decode(B64_STD, text, strlen(text), e->sig, sizeof(e->sig), &e->sig_len, err) < 0)
		return err_wrap(err, "sig");
	return e->sig_len ? 0 : bad(err, "sig is empty");
}

static int take_entry(const json_t *obj, struct pcr_sig *e, struct err **err)
{
	if (!json_is_object(obj))
		return bad(err, "an entry is not an object");
	if (take_pcrs(obj, e, err) < 0 || take_digest(obj, "pkfp", e->fingerprint, err) < 0 ||
	    take_digest(obj, "pol", e->policy, err) < 0 || take_signature(obj, e, err) < 0)
		return -1;
	e->has_version = json_object_get(obj, "version") != NULL;
	return e->has_version ? json_get_u64(obj, WHERE, "version", 0, INT64_MAX, &e->version, err) : 0;
}

static int take_bank(const json_t *list, struct pcr_sigs *s, struct err **err)
{
	json_t *item;
	size_t i;

	if (!json_is_array(list))
		return bad(err, "a bank is not an array");
	if (json_array_size(list) > PCR_SIG_ENTRIES_MAX)
		return bad(err, "a bank has too many entries");
	if (json_array_size(list) == 0)
		return 0;
	s->entry = calloc(json_array_size(list), sizeof(*s->entry));
	if (!s->entry)
		return err_nomem(err);
	json_array_foreach(list, i, item)
		if (take_entry(item, &s->entry[s->n++], err) < 0)
			return -1;
	return 0;
}

static int take_file(const json_t *obj, enum pcr_bank bank, struct pcr_sigs *ret, struct err **err)
{
	const char *name;
	json_t *list;

	if (!json_is_object(obj))
		return bad(err, "not an object");
	json_object_foreach((json_t *)obj, name, list) {
		struct pcr_sigs s = { 0 };
		enum pcr_bank b;

		if (pcr_bank_by_name(name, &b, NULL) < 0)
			return bad(err, "a member is not the name of a PCR bank");
		if (take_bank(list, &s, err) < 0) {
			pcr_sigs_clear(&s);
			return -1;
		}
		if (b == bank)
			*ret = s;
		else
			pcr_sigs_clear(&s);
	}
	return 0;
}

int pcr_sigs_parse(const char *text, size_t len, enum pcr_bank bank, struct pcr_sigs *ret, struct err **err)
{
	_cleanup_json_ json_t *obj = NULL;
	struct pcr_sigs s = { 0 };
	struct err *cause = NULL;

	if (json_parse(text, len, PCR_SIG_FILE_MAX, true, &obj, &cause) < 0 || take_file(obj, bank, &s, &cause) < 0) {
		pcr_sigs_clear(&s);
		return wire_err(err, "pcr-signature", cause, "PCR signature file");
	}
	*ret = s;
	return 0;
}
