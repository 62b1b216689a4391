/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tee/detect.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum { EAX, EBX, ECX, EDX };

#define MSR_SEV_STATUS 0xC0010131
#define BIT(r, n) (((r) >> (n)) & 1)

static void leaf(const struct cpu_source *src, uint32_t n, uint32_t r[static 4])
{
	memset(r, 0, 4 * sizeof(*r));
	src->cpuid(src->ctx, n, 0, r);
}

static bool signature(uint32_t a, uint32_t b, uint32_t c, const char text[static 12])
{
	uint32_t v[3] = { a, b, c };

	return memcmp(v, text, 12) == 0;
}

/* Azure hides the SEV and TDX leaves behind a paravisor and shows Hyper-V's isolation leaf instead. */
static enum cpu_verdict hyperv(const struct cpu_source *src)
{
	uint32_t r[4];

	leaf(src, 0x40000000, r);
	if (!signature(r[EBX], r[ECX], r[EDX], "Microsoft Hv") || r[EAX] < 0x40000005 || r[EAX] > 0x4000FFFF)
		return CPU_PLAIN_VM;
	leaf(src, 0x40000003, r);
	if (!BIT(r[EBX], 22) || BIT(r[EBX], 12)) /* isolation; not the root partition */
		return CPU_PLAIN_VM;
	leaf(src, 0x4000000C, r);
	switch (r[EBX] & 0xF) {
	case 1:
		return CPU_HYPERV_VBS;
	case 2:
		return CPU_HYPERV_SNP;
	case 3:
		return CPU_HYPERV_TDX;
	default:
		return CPU_PLAIN_VM;
	}
}

static enum cpu_verdict amd(const struct cpu_source *src)
{
	uint32_t r[4];
	uint64_t status;

	leaf(src, 0x80000000, r);
	if (r[EAX] < 0x8000001F)
		return hyperv(src);
	leaf(src, 0x8000001F, r);
	if (!BIT(r[EAX], 1))
		return hyperv(src);
	if (src->msr(src->ctx, MSR_SEV_STATUS, &status) < 0)
		return CPU_SEV_HIDDEN;
	if (BIT(status, 2))
		return CPU_SNP;
	return BIT(status, 0) ? CPU_SEV : hyperv(src);
}

static enum cpu_verdict intel(const struct cpu_source *src, uint32_t max)
{
	uint32_t r[4];

	if (max >= 0x21) {
		leaf(src, 0x21, r);
		if (signature(r[EBX], r[EDX], r[ECX], "IntelTDX    "))
			return CPU_TDX;
	}
	return hyperv(src);
}

enum cpu_verdict detect_cpu(const struct cpu_source *src)
{
	uint32_t r[4], max;

	leaf(src, 1, r);
	if (!BIT(r[ECX], 31))
		return CPU_BARE_METAL;
	leaf(src, 0, r);
	max = r[EAX];
	if (signature(r[EBX], r[EDX], r[ECX], "AuthenticAMD"))
		return amd(src);
	if (signature(r[EBX], r[EDX], r[ECX], "GenuineIntel"))
		return intel(src, max);
	return CPU_PLAIN_VM;
}

#if defined(__x86_64__)
static void real_cpuid(void *ctx, uint32_t n, uint32_t sub, uint32_t r[static 4])
{
	__cpuid_count(n, sub, r[EAX], r[EBX], r[ECX], r[EDX]);
}

static int real_msr(void *ctx, uint32_t number, uint64_t *ret)
{
	_cleanup_close_ int fd = openat(*(int *)ctx, "dev/cpu/0/msr", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && pread(fd, ret, sizeof(*ret), number) == (ssize_t)sizeof(*ret) ? 0 : -1;
}
#endif

enum cpu_verdict detect_this_cpu(int root_fd)
{
#if defined(__x86_64__)
	struct cpu_source src = { .cpuid = real_cpuid, .msr = real_msr, .ctx = &root_fd };

	return detect_cpu(&src);
#else
	return CPU_UNKNOWN;
#endif
}

const char *detect_text(enum cpu_verdict v)
{
	switch (v) {
	case CPU_BARE_METAL:
		return "the processor shows no hypervisor: bare metal";
	case CPU_PLAIN_VM:
		return "the processor shows an ordinary virtual machine";
	case CPU_SEV:
		return "the processor shows SEV or SEV-ES without SNP, which has no attestation reports";
	case CPU_SEV_HIDDEN:
		return "the processor shows SEV, whether SNP is on cannot be read";
	case CPU_SNP:
		return "the processor shows SEV-SNP";
	case CPU_TDX:
		return "the processor shows TDX";
	case CPU_HYPERV_VBS:
		return "the processor shows a Hyper-V VBS isolated machine";
	case CPU_HYPERV_SNP:
		return "the processor shows SEV-SNP behind a Hyper-V paravisor";
	case CPU_HYPERV_TDX:
		return "the processor shows TDX behind a Hyper-V paravisor";
	case CPU_UNKNOWN:
		break;
	}
	return "the processor tells nothing about a TEE";
}

static bool exists(const struct tee_env *env, const char *path)
{
	return faccessat(env->root_fd, path, F_OK, 0) == 0;
}

const char *detect_hint(const struct tee_env *env, enum cpu_verdict v)
{
	if (exists(env, "dev/tdx_guest") || exists(env, "sys/devices/virtual/misc/tdx_guest"))
		return "the module tdx-guest is loaded: quotes need a kernel with configfs-tsm (6.7 or later, CONFIG_TSM_REPORTS) "
		       "and the module configfs";
	if (v == CPU_TDX)
		return "load the module tdx-guest (kernel option CONFIG_TDX_GUEST_DRIVER, quotes from kernel 6.7 on) and put it, with "
		       "configfs, into the initramfs";
	if (v == CPU_SNP || v == CPU_SEV_HIDDEN || exists(env, "sys/devices/platform/sev-guest") ||
	    exists(env, "sys/devices/system/cpu/sev/vmpl"))
		return "load the module sev-guest (kernel option CONFIG_SEV_GUEST; Debian 12's 6.1 cloud kernel is built without it, its "
		       "6.12 kernels have it) and put it, with configfs, into the initramfs";
	if (v == CPU_HYPERV_SNP || v == CPU_HYPERV_TDX)
		return "a machine behind a Hyper-V paravisor (Azure) gives evidence through its vTPM only, which this version does not "
		       "collect";
	return "this is not a confidential virtual machine as far as can be seen: was it started with SEV-SNP or TDX?";
}
