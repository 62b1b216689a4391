/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "cli/crypttab.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"

struct line {
	char *name, *source, *key, *options;
};

/* Fields are separated by blanks; missing ones are NULL. text is cut up in place. */
static struct line split(char *text)
{
	struct line l = { 0 };
	char *save = NULL;

	l.name = strtok_r(text, " \t", &save);
	l.source = strtok_r(NULL, " \t", &save);
	l.key = strtok_r(NULL, " \t", &save);
	l.options = strtok_r(NULL, " \t", &save);
	return l;
}

/* Value of the last `option=` in the comma list, or NULL. */
static char *option_value(const char *options, const char *option, bool *failed)
{
	size_t n = strlen(option);
	char *value = NULL;

	for (const char *p = options; p && *p;) {
		size_t len = strcspn(p, ",");

		if (len > n && strncmp(p, option, n) == 0 && p[n] == '=') {
			free(value);
			value = strndup(p + n + 1, len - n - 1);
			*failed |= !value;
		}
		p += len + (p[len] == ',');
	}
	return value;
}

/* UUID=x and /dev/disk/by-uuid/x are one. Other names of the same disk cannot be known here. */
static bool same_source(const char *source, const char *device)
{
	static const struct {
		const char *key, *dir;
	} forms[] = { { "UUID=", "/dev/disk/by-uuid/" },
		      { "LABEL=", "/dev/disk/by-label/" },
		      { "PARTUUID=", "/dev/disk/by-partuuid/" },
		      { "PARTLABEL=", "/dev/disk/by-partlabel/" } };

	if (strcasecmp(source, device) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (text_starts(device, forms[i].key) && text_starts(source, forms[i].dir))
			return strcasecmp(source + strlen(forms[i].dir), device + strlen(forms[i].key)) == 0;
	return false;
}

/* By its name, or another name for its device: that would open it as well. */
static const struct config_volume *find_managed(const struct config *config, const struct line *l)
{
	const struct config_volume *v = config_find_volume(config, l->name);

	for (struct config_volume **p = config->volumes; !v && l->source && *p; p++)
		if ((*p)->device && same_source(l->source, (*p)->device))
			v = *p;
	return v;
}

/* We open it: whoever asks crypttab is refused. */
static void check_refusing_line(const char *file, unsigned int number, const struct line *l, struct buf *problems, bool *failed)
{
	_cleanup_free_ char *keyscript = option_value(l->options, "keyscript", failed);

	if (!keyscript)
		buf_printf(problems,
			   "%s:%u: \"%s\" is opened by cryptattest, but this line lets stock tools prompt for it or open it; to do: "
			   "add keyscript=%s to its options\n",
			   file, number, l->name, REFUSE_KEYSCRIPT);
	else if (!text_eq(keyscript, REFUSE_KEYSCRIPT))
		buf_printf(problems,
			   "%s:%u: \"%s\" is opened by cryptattest, but this line has keyscript=%s; to do: make it keyscript=%s\n",
			   file, number, l->name, keyscript, REFUSE_KEYSCRIPT);
	if (l->key && !text_eq(l->key, "none") && !text_eq(l->key, "-"))
		buf_printf(problems, "%s:%u: \"%s\" has key file %s, which opens it without our checks; to do: make it \"none\"\n", file,
			   number, l->name, l->key);
}

/* In an initramfs with systemd: without a key file it looks for one by the volume's name, and there our module puts the socket. */
static bool is_looked_up(const struct line *l)
{
	static const char word[] = "x-initrd.attach";

	if (l->key && !text_eq(l->key, "none") && !text_eq(l->key, "-"))
		return false;
	for (const char *p = l->options; p && *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") == strlen(word) && strncmp(p, word, strlen(word)) == 0)
			return true;
	return false;
}

/* opener = crypttab (C12): the audited header, and a passphrase from us alone. */
static void check_opener_line(const char *file, unsigned int number, const struct line *l, struct buf *problems, bool *failed)
{
	_cleanup_free_ char *keyscript = option_value(l->options, "keyscript", failed);
	_cleanup_free_ char *header = option_value(l->options, "header", failed);
	_cleanup_free_ char *wanted = text_printf("/run/cryptattest/header/%s", l->name);

	if (!wanted) {
		*failed = true;
		return;
	}
	if (!header || !text_eq(header, wanted))
		buf_printf(problems, "%s:%u: \"%s\" would be opened by the header on the disk, which nobody has checked; to do: add header=%s to its "
				     "options\n",
			   file, number, l->name, wanted);
	/* Without a keyscript the key field is systemd's socket. */
	if (keyscript ? !text_eq(keyscript, KEY_KEYSCRIPT) : !(l->key && text_eq(l->key, KEY_SOCKET)) && !is_looked_up(l))
		buf_printf(problems, "%s:%u: \"%s\" gets its passphrase from somebody else; to do: keyscript=%s (initramfs-tools), or %s in the third "
				     "field (systemd; with x-initrd.attach it may be \"none\")\n",
			   file, number, l->name, KEY_KEYSCRIPT, KEY_SOCKET);
}

/* systemd reads the line and no keyscript= in it: it would ask on the console. */
static void check_system_line(const char *file, unsigned int number, const struct line *l, struct buf *problems)
{
	buf_printf(problems,
		   "%s:%u: \"%s\" is opened by cryptattest in the running system, but by this line systemd asks for a passphrase on the console, "
		   "whatever keyscript= it has; to do: remove the line\n",
		   file, number, l->name);
}

static void check_line(const char *file, unsigned int number, char *text, const struct config *config, struct buf *problems,
		       bool *failed)
{
	const struct config_volume *v;
	struct line l = split(text);

	if (!l.name || *l.name == '#')
		return;
	v = find_managed(config, &l);
	if (!v)
		return;
	if (v->phase == PHASE_SYSTEM)
		check_system_line(file, number, &l, problems);
	else if (config->opener == OPENER_CRYPTTAB)
		check_opener_line(file, number, &l, problems, failed);
	else
		check_refusing_line(file, number, &l, problems, failed);
}

int crypttab_check(const char *file, const char *text, size_t len, const struct config *config, struct buf *problems,
		   struct err **err)
{
	const char *end = text + len;
	size_t before = problems->len;
	bool failed = false;
	unsigned int number = 0;

	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((nl ? nl : end) - text);
		_cleanup_free_ char *line = strndup(text, n);

		if (!line)
			return err_nomem(err);
		check_line(file, ++number, line, config, problems, &failed);
		text += n + (nl ? 1 : 0);
	}
	if (failed)
		return err_nomem(err);
	if (buf_check(problems, err) < 0)
		return -1;
	if (problems->len == before)
		return 0;
	return err_set(err, ERR_CONFIG, "crypttab", "%s leaves a door open beside cryptattest", file);
}
