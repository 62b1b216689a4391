// SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
/*
 * The run-time measurement registers of a TDX guest as Linux offers them since 6.16 (Documentation/ABI/testing/
 * sysfs-devices-virtual-misc-tdx_guest): the misc device tdx_guest with measurements/rtmrN:sha384. A read gives the register, a write of
 * exactly 48 bytes extends it. 0 and 1 are the firmware's: read-only.
 */
#include <crypto/hash.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sysfs.h>

#include "tsm_fake.h"

#define RTMRS 4
#define RTMR_LEN 48

static int rtmr_errno;
module_param(rtmr_errno, int, 0644);
MODULE_PARM_DESC(rtmr_errno, "tdx_guest: errno of a write to a measurement register, 0 for none");

static bool rtmr_deaf;
module_param(rtmr_deaf, bool, 0644);
MODULE_PARM_DESC(rtmr_deaf, "tdx_guest: writes to a measurement register succeed and change nothing");

static DEFINE_MUTEX(rtmr_lock);
static u8 rtmr[RTMRS][RTMR_LEN];

static ssize_t rtmr_read(struct file *file, struct kobject *kobj, struct bin_attribute *attr, char *buf, loff_t off, size_t count)
{
	ssize_t rc;

	mutex_lock(&rtmr_lock);
	rc = memory_read_from_buffer(buf, count, &off, attr->private, RTMR_LEN);
	mutex_unlock(&rtmr_lock);
	return rc;
}

static ssize_t rtmr_write(struct file *file, struct kobject *kobj, struct bin_attribute *attr, char *buf, loff_t off, size_t count)
{
	struct crypto_shash *sha;
	ssize_t rc;

	if (off || count != RTMR_LEN)
		return -EINVAL;
	if (rtmr_errno)
		return -rtmr_errno;
	if (rtmr_deaf)
		return count;
	sha = crypto_alloc_shash("sha384", 0, 0);
	if (IS_ERR(sha))
		return PTR_ERR(sha);
	mutex_lock(&rtmr_lock);
	{
		SHASH_DESC_ON_STACK(desc, sha);

		desc->tfm = sha;
		rc = crypto_shash_init(desc) ?: crypto_shash_update(desc, attr->private, RTMR_LEN) ?:
		     crypto_shash_finup(desc, buf, RTMR_LEN, attr->private);
	}
	mutex_unlock(&rtmr_lock);
	crypto_free_shash(sha);
	return rc ?: count;
}

#define RTMR(n, how, m) \
	static struct bin_attribute rtmr##n = { \
		.attr = { .name = "rtmr" #n ":sha384", .mode = m }, .size = RTMR_LEN, .private = rtmr[n], .read = rtmr_read, .write = how \
	}
RTMR(0, NULL, 0444);
RTMR(1, NULL, 0444);
RTMR(2, rtmr_write, 0644);
RTMR(3, rtmr_write, 0644);

static struct bin_attribute *attrs[] = { &rtmr0, &rtmr1, &rtmr2, &rtmr3, NULL };
static const struct attribute_group group = { .name = "measurements", .bin_attrs = attrs };
static const struct attribute_group *groups[] = { &group, NULL };
static const struct file_operations fops = { .owner = THIS_MODULE };
static struct miscdevice device = { .minor = MISC_DYNAMIC_MINOR, .name = "tdx_guest", .fops = &fops, .mode = 0600, .groups = groups };

int tsm_fake_rtmr_register(void)
{
	return misc_register(&device);
}

void tsm_fake_rtmr_unregister(void)
{
	misc_deregister(&device);
}
