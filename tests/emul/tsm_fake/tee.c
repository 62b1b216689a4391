/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * A TEE for test guests: registers with the kernel's own configfs-tsm as sev_guest or tdx_guest and has its reports
 * made by a program that serves /dev/tsm_fake. Everything above the driver is the real thing: instances, commit at close,
 * generations, cached reports, blocking.
 *
 * Faults follow the drivers that it stands in for (sev-guest, tdx-guest of Linux 6.12). As sev_guest, any failure that the
 * real driver answers by wiping the message key disables it (ENOTTY) until the module is loaded again. As tdx_guest, a wait
 * that ends early leaves the quote buffer in flight (EBUSY) until the host would have answered.
 *
 * Parameters in /sys/module/tsm_fake/parameters can be changed at any time; they take effect with the next request.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/tsm.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "tsm_fake.h"

static char *tee = "sev_guest";
module_param(tee, charp, 0444);
MODULE_PARM_DESC(tee, "provider to be: sev_guest or tdx_guest");

static unsigned int floor;
module_param(floor, uint, 0444);
MODULE_PARM_DESC(floor, "sev_guest: lowest privilege level (VMPL) this kernel may ask for");

static int fail_errno;
module_param(fail_errno, int, 0644);
MODULE_PARM_DESC(fail_errno, "errno to return instead of a report, 0 for none");

static int fail_count = -1;
module_param(fail_count, int, 0644);
MODULE_PARM_DESC(fail_count, "how many requests fail with fail_errno, -1 for all");

static unsigned int throttle_ms;
module_param(throttle_ms, uint, 0644);
MODULE_PARM_DESC(throttle_ms, "sev_guest: how long the host says busy; the driver asks again every 2 s and gives up after a minute");

static unsigned int delay_ms;
module_param(delay_ms, uint, 0644);
MODULE_PARM_DESC(delay_ms, "how long the host takes for a report");

static unsigned int patience_ms = 30000;
module_param(patience_ms, uint, 0644);
MODULE_PARM_DESC(patience_ms, "tdx_guest: how long the driver waits for a quote");

static unsigned int signer_ms = 10000;
module_param(signer_ms, uint, 0644);
MODULE_PARM_DESC(signer_ms, "how long to wait for the signer");

static unsigned int host_requests;
module_param(host_requests, uint, 0444);
MODULE_PARM_DESC(host_requests, "requests that the host has seen");

static bool working;
module_param(working, bool, 0444);
MODULE_PARM_DESC(working, "a request is being worked on");

static bool wiped;
module_param(wiped, bool, 0444);
MODULE_PARM_DESC(wiped, "sev_guest: the message key is gone");

static bool is_tdx;
static unsigned long in_flight_until; /* tdx_guest; jiffies, 0 for none */

/* ---- the signer ---- */

enum { IDLE, WAITING, TAKEN, ANSWERED };

static DEFINE_MUTEX(lock); /* all of the below */
static DECLARE_WAIT_QUEUE_HEAD(changed);
static int state;
static bool present; /* a signer has the device open */
static struct tsm_fake_request request;
static struct tsm_fake_answer answer;
static u8 *blobs; /* of the answer: out, aux, manifest */

static int fake_open(struct inode *inode, struct file *file)
{
	int rc = 0;

	mutex_lock(&lock);
	if (present)
		rc = -EBUSY;
	else
		present = true;
	mutex_unlock(&lock);
	return rc ? rc : stream_open(inode, file);
}

static int fake_release(struct inode *inode, struct file *file)
{
	mutex_lock(&lock);
	present = false;
	mutex_unlock(&lock);
	wake_up_all(&changed);
	return 0;
}

static ssize_t fake_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	int rc;

	if (len < sizeof(request))
		return -EINVAL;
	for (;;) {
		mutex_lock(&lock);
		if (state == WAITING)
			break;
		mutex_unlock(&lock);
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		rc = wait_event_interruptible(changed, READ_ONCE(state) == WAITING);
		if (rc)
			return rc;
	}
	rc = copy_to_user(buf, &request, sizeof(request)) ? -EFAULT : 0;
	if (!rc)
		state = TAKEN;
	mutex_unlock(&lock);
	return rc ? rc : sizeof(request);
}

static ssize_t fake_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	struct tsm_fake_answer a;
	size_t blob_len;
	u8 *b;

	if (len < sizeof(a) || copy_from_user(&a, buf, sizeof(a)))
		return -EINVAL;
	blob_len = (size_t)a.out_len + a.aux_len + a.manifest_len;
	if (a.out_len > TSM_FAKE_BLOB_MAX || a.aux_len > TSM_FAKE_BLOB_MAX || a.manifest_len > TSM_FAKE_BLOB_MAX || len != sizeof(a) + blob_len ||
	    a.error < 0 || a.error > MAX_ERRNO)
		return -EINVAL;
	b = kvmalloc(blob_len + 1, GFP_KERNEL);
	if (!b)
		return -ENOMEM;
	if (copy_from_user(b, buf + sizeof(a), blob_len)) {
		kvfree(b);
		return -EFAULT;
	}
	mutex_lock(&lock);
	if (state != TAKEN || a.serial != request.serial) {
		mutex_unlock(&lock);
		kvfree(b);
		return -ESTALE;
	}
	kvfree(blobs);
	blobs = b;
	answer = a;
	state = ANSWERED;
	mutex_unlock(&lock);
	wake_up_all(&changed);
	return len;
}

static __poll_t fake_poll(struct file *file, poll_table *wait)
{
	poll_wait(file, &changed, wait);
	return READ_ONCE(state) == WAITING ? EPOLLIN | EPOLLRDNORM : 0;
}

static const struct file_operations fake_fops = {
	.owner = THIS_MODULE,
	.open = fake_open,
	.release = fake_release,
	.read = fake_read,
	.write = fake_write,
	.poll = fake_poll,
};

static struct miscdevice fake_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "tsm_fake",
	.fops = &fake_fops,
	.mode = 0600,
};

/* NULL for no bytes, unless it is the report, which an empty answer replaces by an empty one. */
static int take_blob(u8 **to, size_t *to_len, const u8 **from, size_t len, bool always)
{
	u8 *b = NULL;

	if (len || always) {
		b = kvzalloc(len + 1, GFP_KERNEL);
		if (!b)
			return -ENOMEM;
		memcpy(b, *from, len);
	}
	*to = b;
	*to_len = len;
	*from += len;
	return 0;
}

static int take_blobs(struct tsm_report *report)
{
	const u8 *from = blobs;
	u8 *out = NULL, *aux = NULL;
	size_t n;

	if (take_blob(&out, &n, &from, answer.out_len, true) || take_blob(&aux, &n, &from, answer.aux_len, false) ||
	    take_blob(&report->manifestblob, &report->manifestblob_len, &from, answer.manifest_len, false)) {
		kvfree(out);
		kvfree(aux);
		return -ENOMEM;
	}
	report->outblob = out;
	report->outblob_len = answer.out_len;
	report->auxblob = aux;
	report->auxblob_len = answer.aux_len;
	return 0;
}

static int ask_signer(struct tsm_report *report)
{
	int rc;

	mutex_lock(&lock);
	if (!present) {
		mutex_unlock(&lock);
		pr_warn("nobody serves " TSM_FAKE_DEVICE "\n");
		return -ENXIO;
	}
	request.serial++;
	request.privlevel = report->desc.privlevel;
	request.service = report->desc.service_provider ? 1 : 0;
	export_guid(request.guid, &report->desc.service_guid);
	memcpy(request.inblob, report->desc.inblob, sizeof(request.inblob));
	state = WAITING;
	mutex_unlock(&lock);
	wake_up_all(&changed);

	wait_event_timeout(changed, READ_ONCE(state) == ANSWERED || !READ_ONCE(present), msecs_to_jiffies(signer_ms));

	mutex_lock(&lock);
	if (state == ANSWERED)
		rc = answer.error ? -answer.error : take_blobs(report);
	else
		rc = -ENXIO;
	state = IDLE;
	mutex_unlock(&lock);
	return rc;
}

/* ---- the driver ---- */

/* The real driver's pause ends at once for a dying caller, which then hammers the host: visible in host_requests. */
static int snp_host(void)
{
	unsigned long begin = jiffies, free_at = begin + msecs_to_jiffies(throttle_ms);

	if (wiped)
		return -ENOTTY;
	host_requests++;
	while (time_before(jiffies, free_at)) {
		if (time_after(jiffies, begin + 60 * HZ))
			return -ETIMEDOUT;
		schedule_timeout_killable(2 * HZ);
		cond_resched();
		host_requests++;
	}
	if (delay_ms)
		msleep(delay_ms);
	return 0;
}

static int tdx_host(void)
{
	unsigned long answer_at = jiffies + msecs_to_jiffies(delay_ms);
	unsigned int left;

	if (in_flight_until && time_before(jiffies, in_flight_until))
		return -EBUSY;
	in_flight_until = 0;
	host_requests++;
	left = msleep_interruptible(min(delay_ms, patience_ms));
	if (left || delay_ms > patience_ms)
		in_flight_until = answer_at ? answer_at : 1;
	if (left)
		return -EINTR;
	return delay_ms > patience_ms ? -ETIMEDOUT : 0;
}

static int fault(void)
{
	if (!fail_errno || !fail_count)
		return 0;
	if (fail_count > 0)
		fail_count--;
	return -fail_errno;
}

static bool wipes(int rc)
{
	switch (rc) {
	case 0:
	case -ENOTTY:
	case -EINVAL:
	case -ENXIO:
	case -ENOMEM:
	case -EBUSY:
	case -EINTR:
		return false;
	default:
		return true;
	}
}

static int fake_report_new(struct tsm_report *report, void *data)
{
	int rc;

	if (report->desc.inblob_len != sizeof(request.inblob))
		return -EINVAL;
	/* The SVSM answers: neither the firmware's message key nor the host are in it. */
	if (report->desc.service_provider)
		return strcmp(report->desc.service_provider, "svsm") || report->desc.service_manifest_version ? -EINVAL :
														     ask_signer(report);
	working = true;
	rc = is_tdx ? tdx_host() : snp_host();
	if (!rc)
		rc = fault();
	if (!rc)
		rc = ask_signer(report);
	if (!is_tdx && wipes(rc)) {
		pr_warn("message key wiped after error %d\n", rc);
		wiped = true;
	}
	working = false;
	return rc;
}

static bool attr_visible(int n)
{
	switch (n) {
	case TSM_REPORT_GENERATION:
	case TSM_REPORT_PROVIDER:
		return true;
	case TSM_REPORT_PRIVLEVEL:
	case TSM_REPORT_PRIVLEVEL_FLOOR:
		return !is_tdx;
	case TSM_REPORT_SERVICE_PROVIDER:
	case TSM_REPORT_SERVICE_GUID:
	case TSM_REPORT_SERVICE_MANIFEST_VER:
		return !is_tdx && floor > 0;
	default:
		return false;
	}
}

static bool bin_attr_visible(int n)
{
	switch (n) {
	case TSM_REPORT_INBLOB:
	case TSM_REPORT_OUTBLOB:
		return true;
	case TSM_REPORT_AUXBLOB:
		return !is_tdx;
	case TSM_REPORT_MANIFESTBLOB:
		return !is_tdx && floor > 0;
	default:
		return false;
	}
}

static struct tsm_ops fake_ops = {
	.report_new = fake_report_new,
	.report_attr_visible = attr_visible,
	.report_bin_attr_visible = bin_attr_visible,
};

static int __init fake_init(void)
{
	int rc;

	is_tdx = !strcmp(tee, "tdx_guest");
	if (!is_tdx && strcmp(tee, "sev_guest"))
		return -EINVAL;
	fake_ops.name = tee;
	fake_ops.privlevel_floor = floor;
	rc = misc_register(&fake_device);
	if (rc)
		return rc;
	rc = is_tdx ? tsm_fake_rtmr_register() : 0;
	if (rc)
		goto out_device;
	rc = tsm_register(&fake_ops, NULL);
	if (rc)
		goto out_rtmr;
	return 0;
out_rtmr:
	if (is_tdx)
		tsm_fake_rtmr_unregister();
out_device:
	misc_deregister(&fake_device);
	return rc;
}

static void __exit fake_exit(void)
{
	tsm_unregister(&fake_ops);
	if (is_tdx)
		tsm_fake_rtmr_unregister();
	misc_deregister(&fake_device);
	kvfree(blobs);
}

module_init(fake_init);
module_exit(fake_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("cryptattest test TEE behind configfs-tsm");
