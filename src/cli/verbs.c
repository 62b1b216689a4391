/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "base/cleanup.h"
#include "base/text.h"
#include "cli/cli.h"
#include "unlock/exitcode.h"

static const struct verb v_unlock = {
	"unlock", "[VOLUME...|--all]", "open volumes: key broker or TPM, checks, mapping, cap",
	"Copies and audits each volume's header before any packet leaves, proves this machine to the key broker, or has the\n"
	"TPM unseal, as the volume's mode says, opens the volume under a private name, reads the kernel's table back, closes the\n"
	"door (see cap), and only then publishes /dev/mapper/VOLUME.\n"
	"A volume that is open already and was opened by us in this boot is a success.\n\n"
	"  cryptattest unlock root --timings\n"
	"  cryptattest unlock --all --boot          what the initramfs calls",
	OPT_ALL | OPT_BOOT | OPT_PREPARE | OPT_STATUS_FD | OPT_TIMINGS | OPT_CONFIG, 0, -1, true, false, cmd_unlock
};
static const struct verb v_key = {
	"key", "VOLUME|--peer", "the passphrase to a pipe or socket, for crypttab and systemd",
	"The same acquisition and checks as unlock, but the passphrase goes to standard output and another program opens the\n"
	"volume. That program must be given the audited header that `unlock --prepare` left: crypttab's option\n"
	"header=/run/cryptattest/header/VOLUME. Secrets of the initrd phase are not given out once the boot phase is over.\n"
	"--peer: standard output is a socket of systemd-cryptsetup, whose name says which volume it asks for.\n\n"
	"  root UUID=... none luks,initramfs,header=/run/cryptattest/header/root,keyscript=/usr/lib/cryptattest/key",
	OPT_PEER | OPT_BOOT | OPT_STATUS_FD | OPT_TIMINGS | OPT_CONFIG, 0, 1, true, false, cmd_key
};
static const struct verb v_lock = { "lock", "VOLUME", "close a volume that we opened", "  cryptattest lock data", OPT_CONFIG, 1, 1,
				    false, false, cmd_lock };
static const struct verb v_recover = {
	"recover", "VOLUME", "open a volume by hand: a passphrase, or what an operator pushes",
	"The same checks as unlock, but the passphrase comes from standard input, the terminal or a key file. On a confidential VM the\n"
	"console belongs to the host: with profile = cvm nothing is asked for on it. Use a channel that you trust, such as ssh.\n\n"
	"--push instead waits for an operator, to whom this machine proves itself by its evidence and who signs the secret document\n"
	"with the key that [push] names: nothing passes over the console.\n\n"
	"  cryptattest recover root < passphrase\n"
	"  cryptattest recover root --key-file /root/escrow.key\n"
	"  cryptattest recover root --push",
	OPT_PUSH | OPT_KEY_FILE | OPT_STATUS_FD | OPT_TIMINGS | OPT_CONFIG, 1, 1, false, false, cmd_recover
};
static const struct verb v_cap = { "cap", "", "close the door behind the boot phase (idempotent)",
				   "Extends PCR 15 (cap-pcr) in all banks of the TPM, and RTMR 3 (cap-rtmr) where a TDX kernel offers it: until the next\n"
				   "boot nothing that was sealed can be unsealed. unlock does the same before it makes a volume public; the boot scripts\n"
				   "call this at their ends. Without such a register the record says \"none\", or \"absent\" where\n"
				   "the configuration counts on a TPM, and `cap = required` ends with exit code 12.\n"
				   "A configuration with a mistake keeps nothing open: the registers that it can mean are extended, and the exit code is 2.",
				   OPT_CONFIG, 0, 0, false, false, cmd_cap };
static const struct verb v_check = {
	"check", "[VOLUME|DEVICE|FILE]", "audit a LUKS2 header; no root, no network",
	"Prints every check that fails: its id, the place in the header, what was found, what is allowed, and which switch\n"
	"would accept it. Without an argument: all configured volumes.\n\n"
	"  cryptattest check disk.img\n"
	"  cryptattest check root --json",
	OPT_JSON | OPT_PROFILE | OPT_CONFIG, 0, 1, false, false, cmd_check
};
static const struct verb v_document = {
	"document", "DEVICE|FILE --name NAME", "make the secret document for the key broker",
	"Audits the header, opens the volume in memory and prints the document that binds the passphrase to this volume and\n"
	"header. It holds the passphrase: standard output must not be a terminal. --pins prints only the public lines for the\n"
	"configuration.\n\n"
	"  cryptattest document disk.img --name root --key-file pass |\n"
	"      cryptattest-kbs resource add --document default/web-042/root",
	OPT_NAME | OPT_KEY_FILE | OPT_PINS | OPT_KEYSLOT | OPT_PROFILE | OPT_CONFIG, 1, 1, false, false, cmd_document
};
static const struct verb v_enroll = {
	"enroll", "VOLUME --source=kbs|vtpm|--from=systemd-tpm2|clevis", "a new keyslot with a fresh secret",
	"Opens the volume in memory with an existing passphrase (standard input, --key-file or the terminal) and adds a keyslot for 32\n"
	"random bytes. kbs: gives out the secret document, which is on the disk before the header changes. vtpm: seals the secret to this\n"
	"machine's TPM, for the PCRs that [vtpm] names as they are now, with the cap register at zero. The change is made in a copy of the\n"
	"audited header, audited again, compared and written so that a power cut never loses a keyslot. The volume may be in use.\n"
	"--from alone prints what the token of systemd-cryptenroll or clevis says, as lines of our configuration; with --source, the\n"
	"keyslot that it describes is unsealed and authorizes the new one.\n\n"
	"  cryptattest enroll root --source=kbs --key-file pass --output root.json\n"
	"  cryptattest enroll root --source=kbs < pass | cryptattest-kbs resource add --document default/web-042/root\n"
	"  cryptattest enroll root --source=vtpm --key-file pass\n"
	"  cryptattest enroll root --from=clevis\n"
	"  cryptattest enroll root --from=clevis --source=vtpm\n"
	"  cryptattest enroll root --source=vtpm --key-file pass --predicted --initrd /boot/initrd.img-new",
	OPT_ENROLL_SOURCE | OPT_SEALING | OPT_PREDICTED | OPT_NEXT | OPT_KEY_FILE | OPT_OUTPUT | OPT_KEYSLOT | OPT_FORCE | OPT_CONFIG, 1, 1, false, false, cmd_enroll
};
static const struct verb v_wipe = {
	"wipe", "VOLUME --keyslot N|--source=vtpm", "remove a keyslot",
	"Needs a passphrase of a keyslot that stays, as a proof that one opens, and never removes the last one. With --source=vtpm the\n"
	"keyslot is the one that the sealed file names, and the file goes too.\n\n"
	"  cryptattest wipe root --keyslot 0 --key-file new-pass\n"
	"  cryptattest wipe root --source=vtpm --key-file pass",
	OPT_ENROLL_SOURCE | OPT_NV | OPT_KEY_FILE | OPT_KEYSLOT | OPT_FORCE | OPT_CONFIG, 1, 1, false, false, cmd_wipe
};
static const struct verb v_attest = { "attest", "", "handshake with the key broker, no secret",
				      "Shows whether the broker accepts this machine, the claims of its token (not verified here) and the time\n"
				      "each phase took.\n\n  cryptattest attest --source main",
				      OPT_SOURCE | OPT_JSON | OPT_TIMINGS | OPT_STATUS_FD | OPT_CONFIG, 0, 0, true, false, cmd_attest };
static const struct verb v_evidence = {
	"evidence", "[--decode FILE|--verify FILE ...]", "fetch, decode or verify a report or quote",
	"Without --decode and --verify: asks this machine's TEE. FILE is a raw SNP report, a raw TDX quote or a Trustee\n"
	"evidence object; --decode also reads the HCL report of an Azure vTPM. --verify takes the options of `cryptattest-kbs verify` (--tee, --vek, --ca, --test-root, ...).\n\n"
	"  cryptattest evidence --decode report.bin --json\n"
	"  cryptattest evidence --verify report.bin --vek vcek.der --ca ask_ark.pem",
	OPT_DECODE | OPT_VERIFY | OPT_JSON | OPT_FORMAT | OPT_REPORT_DATA | OPT_OUTPUT | OPT_TIMINGS | OPT_CONFIG, 0, 0, false, true, cmd_evidence
};
static const struct verb v_explain = { "explain", "VOLUME", "what unlock would do, and why", "  cryptattest explain root\n  cryptattest explain root --remits",
				       OPT_REMITS | OPT_JSON | OPT_CONFIG, 1, 1, false, false, cmd_explain };
static const struct verb v_doctor = {
	"doctor", "", "is everything there that an unlock needs?",
	"Configuration, clock, TEE, TPM, sealed files, event log, network from the link to the broker's first answer, and inside an\n"
	"initramfs the image itself: one line each, with what to do. Asks for no secret and shows no evidence. The exit code is that\n"
	"of the first failure.\n\n  cryptattest doctor",
	OPT_JSON | OPT_CONFIG, 0, 0, true, false, cmd_doctor
};
static const struct verb v_predict = {
	"predict", "", "PCR values of the next boot, before the cap",
	"Starts from this boot's event log, where it leads to the TPM's present values, and computes anew what comes from a file:\n"
	"boot loader, kernel, initrd, unified kernel image, command line. What cannot be known is said with the reason, and the\n"
	"exit code is 8 then. With --sign: a signed policy over signed-pcrs for these values, as `signer` accepts it.\n\n"
	"  cryptattest predict\n"
	"  cryptattest predict --initrd /boot/initrd.img.new\n"
	"  cryptattest predict --uki new.efi --sign pcr.key --version 7 --output tpm2-pcr-signature.json",
	OPT_NEXT | OPT_SIGN | OPT_OUTPUT | OPT_JSON | OPT_CONFIG, 0, 0, false, false, cmd_predict
};
static const struct verb v_next_boot = {
	"next-boot", "", "will the next boot unlock?",
	"For every volume of the initrd phase: configuration, command line, device and header, the broker's identity and protocol, and\n"
	"whether the sealed file fits the PCR values that the next boot will have. Then what covers the initrd, or NOTHING. The last line\n"
	"is yes, no, or cannot be known; what is not proved is said. Exit code 0 for yes, else that of the first failing check (see the\n"
	"table of cryptattest(8)); without a failure, 8 when PCR values cannot be known, as with predict.\n\n"
	"  cryptattest next-boot\n"
	"  cryptattest next-boot --initrd /boot/initrd.img.new || echo do not reboot",
	OPT_NEXT | OPT_JSON | OPT_CONFIG, 0, 0, true, false, cmd_next_boot
};
static const struct verb v_status = {
	"status", "", "how volumes were opened in this boot",
	"Configured volumes that no run has tried yet are listed as such. --metrics prints OpenMetrics text for a collector, --svg draws\n"
	"when each phase began and ended.\n\n"
	"  cryptattest status --json\n"
	"  cryptattest status --metrics > /var/lib/prometheus/node-exporter/cryptattest.prom\n"
	"  cryptattest status --svg boot.svg",
	OPT_JSON | OPT_TELL | OPT_CONFIG, 0, 0, false, false, cmd_status
};
static const struct verb v_config = { "config", "[--check|--show]", "check or show the configuration",
				      "  cryptattest config --check --crypttab /etc/crypttab\n  cryptattest config --show",
				      OPT_CHECK | OPT_SHOW | OPT_CRYPTTAB | OPT_JSON | OPT_CONFIG, 0, 0, false, false, cmd_config };

const struct verb *const verbs[] = { &v_unlock, &v_key,    &v_lock,   &v_recover, &v_cap,	 &v_check,  &v_document,
				     &v_enroll, &v_wipe,   &v_attest, &v_evidence, &v_explain, &v_doctor, &v_predict, &v_next_boot, &v_status, &v_config, NULL };

const struct verb *verb_find(const char *name)
{
	for (const struct verb *const *v = verbs; *v; v++)
		if (text_eq((*v)->name, name))
			return *v;
	return NULL;
}

#define HELP_COLUMN 45

void cli_help(FILE *out)
{
	fprintf(out, "cryptattest unlocks the encrypted disks of confidential virtual machines.\n\n");
	for (const struct verb *const *v = verbs; *v; v++) {
		int n = fprintf(out, "  %s %s", (*v)->name, (*v)->args);

		/* A form that is longer than the column has its summary on the next line. */
		fprintf(out, "%s%*s%s\n", n < HELP_COLUMN ? "" : "\n", n < HELP_COLUMN ? HELP_COLUMN - n : HELP_COLUMN, "", (*v)->summary);
	}
	fprintf(out, "\n`cryptattest help COMMAND` explains one. A first look at a machine:\n\n"
		     "  cryptattest config --check         is the configuration sound?\n"
		     "  cryptattest check                  are the volumes' headers what they should be?\n"
		     "  cryptattest attest --timings       does the key broker accept this machine?\n"
		     "  cryptattest explain root           what will the next boot do?\n\nExit codes:\n");
	for (int i = 0; exit_code_text(i); i++)
		fprintf(out, "  %2d  %s\n", i, exit_code_text(i));
	fprintf(out, "\nManual: cryptattest(8), cryptattest.conf(5)\n");
}
