/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/loopback/faultkbs.h"

static const char *const where_names[] = {
	[WHERE_ACCEPT] = "accept", [WHERE_AUTH] = "auth",	[WHERE_ATTEST] = "attest",
	[WHERE_GET] = "get",	   [WHERE_CONNECT] = "connect", [WHERE_REPORT] = "report",
};

/* Actions by place; "" ends the list. Those for a request of any kind come first. */
static const char *const any_request[] = { "ok",   "error", "status", "body",	  "redirect", "stall",	 "half",    "drip",
					   "close", "cut",  "huge",   "declared", "headers",  "garbage", "trickle", NULL };
static const char *const special[WHERE_N][12] = {
	[WHERE_ACCEPT] = { "ok", "reset", "silent", "plain" },
	[WHERE_AUTH] = { "hash", "same-nonce", "nonce", "no-cookie", "version", "old-version" },
	[WHERE_ATTEST] = { "no-token", "long-token", "unread" },
	[WHERE_GET] = { "jwe-alg", "jwe-enc", "jwe-tag", "jwe-epk", "jwe-key", "jwe-short", "plain" },
	[WHERE_CONNECT] = { "ok" },
};

static bool known(enum fault_where w, const char *action)
{
	for (size_t i = 0; special[w][i]; i++) {
		if (strcmp(special[w][i], action) == 0)
			return true;
	}
	for (size_t i = 0; w != WHERE_ACCEPT && any_request[i]; i++) {
		if (strcmp(any_request[i], action) == 0)
			return true;
	}
	return false;
}

static void die(const char *line)
{
	fprintf(stderr, "faultkbs: script line not understood: %s\n", line);
	abort();
}

static void add(struct fault_queue *queues, const char *where, const struct fault_step *step, const char *line)
{
	char name[16] = "";
	unsigned int times = 1;

	if (sscanf(where, "%15[a-z]*%u", name, &times) < 1)
		die(line);
	for (int w = 0; w < WHERE_N; w++) {
		if (strcmp(where_names[w], name) != 0)
			continue;
		if (!known((enum fault_where)w, step->action) || queues[w].n + times > FAULT_STEPS_MAX)
			die(line);
		while (times--)
			queues[w].step[queues[w].n++] = *step;
		return;
	}
	die(line);
}

void fault_script_parse(const char *text, struct fault_queue queues[WHERE_N])
{
	char *copy = strdup(text ? text : ""), *save = NULL;

	memset(queues, 0, WHERE_N * sizeof(*queues));
	for (char *line = strtok_r(copy, ";\n", &save); line; line = strtok_r(NULL, ";\n", &save)) {
		struct fault_step step = { 0 };
		char where[24] = "";
		int n = 0;

		if (line[strspn(line, " \t")] == 0)
			continue;
		if (sscanf(line, " %23s %23s %n", where, step.action, &n) < 2)
			die(line);
		snprintf(step.arg, sizeof(step.arg), "%s", n ? line + n : "");
		add(queues, where, &step, line);
	}
	free(copy);
}

const struct fault_step *fault_script_next(struct fault_queue *q)
{
	static const struct fault_step ok = { .action = "ok" };

	if (q->n == 0)
		return &ok;
	if (q->next < q->n - 1)
		return &q->step[q->next++];
	return &q->step[q->n - 1];
}
