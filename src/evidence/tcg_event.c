/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "evidence/tcg_event.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

/* Linux EFI stub: event ids in TCG_PCClientTaggedEvent (drivers/firmware/efi/libstub). systemd's: src/fundamental/tpm2-pcr.h. */
#define TAG_LOAD_OPTIONS 0x8F3B22EDU
#define TAG_INITRD 0x8F3B22ECU
#define TAG_LOADER_CONF 0xF5BC582AU
#define TAG_DEVICETREE_ADDON 0x6C46F751U
#define TAG_INITRD_ADDON 0x49DFFE0FU
#define TAG_UCODE_ADDON 0xDAC08E1AU

static void text_of(struct boot_event_info *i, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void text_of(struct boot_event_info *i, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(i->text, sizeof(i->text), fmt, ap);
	va_end(ap);
}

/* UCS-2 to printable ASCII; stops at the first NUL. */
static void from_utf16(const uint8_t *p, size_t len, char *out, size_t cap)
{
	char raw[BOOT_NAME_MAX];
	size_t n = 0;

	for (size_t i = 0; i + 1 < len && n < sizeof(raw); i += 2) {
		uint16_t c = (uint16_t)(p[i] | p[i + 1] << 8);

		if (!c)
			break;
		raw[n++] = c < 0x80 ? (char)c : '?';
	}
	text_sanitise(raw, n, out, cap);
}

static size_t string_len(const uint8_t *p, size_t len)
{
	const uint8_t *nul = memchr(p, 0, len);

	return nul ? (size_t)(nul - p) : len;
}

static bool looks_utf16(const uint8_t *p, size_t len)
{
	return len >= 4 && len % 2 == 0 && p[0] && !p[1];
}

static void any_text(const struct tcg_event *ev, char *out, size_t cap)
{
	if (looks_utf16(ev->data, ev->len))
		from_utf16(ev->data, ev->len, out, cap);
	else
		text_sanitise((const char *)ev->data, string_len(ev->data, ev->len), out, cap);
}

/* File path nodes of a device path (UEFI 10.3.5.4), joined; "" when there is none. *inner: systemd-stub's own vendor node. */
static void device_path(const uint8_t *p, size_t len, char *out, size_t cap, bool *inner)
{
	static const uint8_t stub_guid[16] = { 0xF8, 0xD1, 0xC5, 0x55, 0xCD, 0x04, 0xB5, 0x46, 0x8A, 0x20, 0xE5, 0x6C, 0xBB, 0x30, 0x52, 0xD0 };
	struct rd r = RD_INIT(p, len);

	*out = 0;
	while (rd_left(&r) >= 4) {
		uint8_t type = rd_u8(&r), sub = rd_u8(&r);
		uint16_t size = rd_u16le(&r);
		const uint8_t *body = size >= 4 ? rd_ref(&r, size - 4U) : NULL;
		size_t used = strlen(out);

		if (!body || type == 0x7F)
			return;
		if (type == 4 && sub == 3 && size == 20 && memcmp(body, stub_guid, 16) == 0)
			*inner = true;
		if (type != 4 || sub != 4 || used + 2 >= cap)
			continue;
		if (used && out[used - 1] != '\\' && !(size > 5 && body[0] == '\\'))
			out[used++] = '\\';
		from_utf16(body, size - 4U, out + used, cap - used);
	}
}

/* UEFI_IMAGE_LOAD_EVENT: address, length, link address (u64 each), length of the device path, device path. */
static void describe_image(const struct tcg_event *ev, struct boot_event_info *i)
{
	struct rd r = RD_INIT(ev->data, ev->len);
	bool inner = false;
	const uint8_t *path;
	uint64_t n;

	rd_skip(&r, 24);
	n = rd_u64le(&r);
	path = !r.bad && n <= rd_left(&r) ? rd_ref(&r, (size_t)n) : NULL;
	if (path)
		device_path(path, (size_t)n, i->name, sizeof(i->name), &inner);
	i->kind = ev->type != EV_EFI_BOOT_SERVICES_APPLICATION ? BOOT_FIRMWARE : inner ? BOOT_INNER_IMAGE : BOOT_IMAGE;
	if (i->kind == BOOT_FIRMWARE)
		text_of(i, "firmware driver %.150s", i->name);
	else if (inner)
		text_of(i, "kernel inside a unified kernel image");
	else if (*i->name)
		text_of(i, "boot loader or kernel %.150s", i->name);
	else
		text_of(i, "boot loader or kernel that another loader checked (path not told)");
}

/* UEFI_VARIABLE_DATA: GUID, u64 characters, u64 bytes, name in UCS-2, data. */
static void describe_variable(const struct tcg_event *ev, struct boot_event_info *i)
{
	struct rd r = RD_INIT(ev->data, ev->len);
	const uint8_t *name, *data;
	uint64_t chars, bytes;
	bool order;

	rd_skip(&r, 16);
	chars = rd_u64le(&r);
	bytes = rd_u64le(&r);
	name = !r.bad && chars <= rd_left(&r) / 2 ? rd_ref(&r, (size_t)chars * 2) : NULL;
	if (name)
		from_utf16(name, (size_t)chars * 2, i->name, sizeof(i->name));
	data = name && bytes <= rd_left(&r) ? rd_ref(&r, (size_t)bytes) : NULL;
	order = ev->type == EV_EFI_VARIABLE_BOOT || ev->type == EV_EFI_VARIABLE_BOOT2;
	i->kind = order ? text_starts(i->name, "Boot") ? BOOT_ORDER : BOOT_PLATFORM_CONFIG : BOOT_SECURE_BOOT;
	if (ev->type == EV_EFI_VARIABLE_AUTHORITY)
		text_of(i, "Secure Boot: certificate or level used, from variable %.100s", *i->name ? i->name : "without a name");
	else if (order)
		text_of(i, "boot variable %.150s", i->name);
	else if (data && bytes == 1 && text_eq(i->name, "SecureBoot"))
		text_of(i, "Secure Boot variable SecureBoot (%s)", *data ? "on" : "off");
	else
		text_of(i, "Secure Boot variable %.100s (%llu bytes)", i->name, (unsigned long long)bytes);
}

static void describe_tag(const struct tcg_event *ev, struct boot_event_info *i)
{
	struct rd r = RD_INIT(ev->data, ev->len);
	uint32_t id = rd_u32le(&r), size = rd_u32le(&r);
	const uint8_t *p = !r.bad && size <= rd_left(&r) ? rd_ref(&r, size) : NULL;
	struct tcg_event inner = { .data = p, .len = p ? size : 0 };

	if (p)
		any_text(&inner, i->name, sizeof(i->name));
	i->kind = BOOT_LOADER_CONFIG;
	switch (id) {
	case TAG_LOAD_OPTIONS:
		i->kind = BOOT_LOAD_OPTIONS;
		text_of(i, "kernel command line, measured by the kernel's EFI stub");
		return;
	case TAG_INITRD:
		i->kind = BOOT_INITRD;
		text_of(i, "initrd, measured by the kernel's EFI stub");
		return;
	case TAG_LOADER_CONF:
		text_of(i, "systemd-boot configuration %.120s", i->name);
		return;
	case TAG_DEVICETREE_ADDON:
	case TAG_INITRD_ADDON:
	case TAG_UCODE_ADDON:
		text_of(i, "%s add-on %.120s",
			id == TAG_DEVICETREE_ADDON ? "device tree" :
			id == TAG_INITRD_ADDON	   ? "initrd" :
						     "microcode",
			i->name);
		return;
	default:
		i->kind = BOOT_OTHER;
		text_of(i, "tagged event %08x %.120s", id, i->name);
	}
}

static void describe_ipl(const struct tcg_event *ev, struct boot_event_info *i)
{
	static const struct {
		const char *prefix, *text;
		enum boot_event_kind kind;
	} grub[] = { { "grub_cmd: ", "GRUB command ", BOOT_GRUB_COMMAND },
		     { "kernel_cmdline: ", "kernel command line given by GRUB: ", BOOT_GRUB_CMDLINE },
		     { "module_cmdline: ", "module command line given by GRUB: ", BOOT_GRUB_CMDLINE } };
	char all[BOOT_NAME_MAX];

	any_text(ev, all, sizeof(all));
	snprintf(i->name, sizeof(i->name), "%s", all);
	for (size_t k = 0; k < ARRAY_SIZE(grub); k++) {
		if (!text_starts(all, grub[k].prefix))
			continue;
		i->kind = grub[k].kind;
		snprintf(i->name, sizeof(i->name), "%s", all + strlen(grub[k].prefix));
		text_of(i, "%s%.150s", grub[k].text, i->name);
		return;
	}
	if (looks_utf16(ev->data, ev->len) && ev->mr == 11) {
		i->kind = BOOT_UKI_SECTION;
		text_of(i, "section %.100s of the unified kernel image", i->name);
	} else if (looks_utf16(ev->data, ev->len)) {
		i->kind = ev->mr == 12 || ev->mr == 8 ? BOOT_LOADER_CMDLINE : BOOT_LOADER_CONFIG;
		text_of(i, "systemd-boot or stub: %.150s", i->name);
	} else if (ev->mr == 14) {
		i->kind = BOOT_SHIM_MOK;
		text_of(i, "shim's list of machine owner keys %.100s", i->name);
	} else if (ev->mr == 9) {
		i->kind = BOOT_GRUB_FILE;
		text_of(i, "file read by GRUB: %.150s", i->name);
	} else {
		text_of(i, "boot loader: %.150s", i->name);
	}
}

static void describe_rest(const struct tcg_event *ev, struct boot_event_info *i)
{
	static const struct {
		int type;
		enum boot_event_kind kind;
		const char *text;
	} plain[] = {
		{ EV_POST_CODE, BOOT_FIRMWARE, "firmware code" },
		{ EV_NO_ACTION, BOOT_OTHER, "note that extends nothing" },
		{ EV_S_CRTM_CONTENTS, BOOT_FIRMWARE, "firmware's root of trust" },
		{ EV_S_CRTM_VERSION, BOOT_FIRMWARE, "firmware version" },
		{ EV_CPU_MICROCODE, BOOT_FIRMWARE, "processor microcode" },
		{ EV_TABLE_OF_DEVICES, BOOT_PLATFORM_CONFIG, "table of devices" },
		{ EV_COMPACT_HASH, BOOT_OTHER, "hash without a name" },
		{ EV_IPL_PARTITION_DATA, BOOT_PARTITIONS, "partition data" },
		{ EV_NONHOST_CODE, BOOT_FIRMWARE, "code of a management controller" },
		{ EV_NONHOST_CONFIG, BOOT_PLATFORM_CONFIG, "configuration of a management controller" },
		{ EV_OMIT_BOOT_DEVICE_EVENTS, BOOT_OTHER, "boot device events are left out" },
		{ EV_EFI_GPT_EVENT, BOOT_PARTITIONS, "partition table (GPT)" },
		{ EV_EFI_GPT_EVENT2, BOOT_PARTITIONS, "partition table (GPT)" },
		{ EV_EFI_PLATFORM_FIRMWARE_BLOB, BOOT_FIRMWARE, "firmware volume" },
		{ EV_EFI_PLATFORM_FIRMWARE_BLOB2, BOOT_FIRMWARE, "firmware volume" },
		{ EV_EFI_HANDOFF_TABLES, BOOT_PLATFORM_CONFIG, "tables handed over by the firmware (SMBIOS, ACPI)" },
		{ EV_EFI_HANDOFF_TABLES2, BOOT_PLATFORM_CONFIG, "tables handed over by the firmware (SMBIOS, ACPI)" },
		{ EV_EFI_HCRTM_EVENT, BOOT_FIRMWARE, "hardware root of trust" },
	};

	for (size_t k = 0; k < ARRAY_SIZE(plain); k++) {
		if (plain[k].type != ev->type)
			continue;
		i->kind = plain[k].kind;
		text_of(i, "%s", plain[k].text);
		return;
	}
	text_of(i, "event of type 0x%08x, %zu bytes", (unsigned int)ev->type, ev->len);
}

void tcg_event_describe(const struct tcg_event *ev, struct boot_event_info *ret)
{
	*ret = (struct boot_event_info){ .kind = BOOT_OTHER };
	switch (ev->type) {
	case EV_EFI_BOOT_SERVICES_APPLICATION:
	case EV_EFI_BOOT_SERVICES_DRIVER:
	case EV_EFI_RUNTIME_SERVICES_DRIVER:
		describe_image(ev, ret);
		return;
	case EV_EFI_VARIABLE_DRIVER_CONFIG:
	case EV_EFI_VARIABLE_AUTHORITY:
	case EV_EFI_VARIABLE_BOOT:
	case EV_EFI_VARIABLE_BOOT2:
		describe_variable(ev, ret);
		return;
	case EV_EVENT_TAG:
		describe_tag(ev, ret);
		return;
	case EV_IPL:
		describe_ipl(ev, ret);
		return;
	case EV_SEPARATOR:
		ret->kind = BOOT_SEPARATOR;
		text_of(ret, "separator%s", ev->len == 4 && !all_zero(ev->data, 4) && ev->data[0] != 0xFF ? " (an error of the firmware)" : "");
		return;
	case EV_ACTION:
	case EV_EFI_ACTION:
		ret->kind = BOOT_ACTION;
		any_text(ev, ret->name, sizeof(ret->name));
		text_of(ret, "firmware: %.150s", ret->name);
		return;
	default:
		describe_rest(ev, ret);
	}
}
