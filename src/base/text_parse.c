/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Values from people: numbers, booleans, durations, dates. Nothing is guessed, rounded or cut. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* Long enough for every purpose, and its nanoseconds still fit in 64 bits. */
#define DURATION_MAX_MS (UINT64_C(100) * 366 * 24 * 3600 * 1000)

/* Reads decimal digits at *p; false when there are none or they overflow. */
static bool digits(const char **p, uint64_t *ret)
{
	uint64_t v = 0;
	const char *s = *p;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		unsigned int d = (unsigned int)(*s - '0');

		if (v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*p = s;
	*ret = v;
	return true;
}

int text_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret, struct err **err)
{
	const char *p = s;
	uint64_t v;

	if (!digits(&p, &v) || *p || v < min || v > max)
		return err_set(err, ERR_CONFIG, "number", "\"%.64s\" is not a decimal number from %llu to %llu", s,
			       (unsigned long long)min, (unsigned long long)max);
	*ret = v;
	return 0;
}

int text_bool(const char *s, bool *ret, struct err **err)
{
	static const char *const words[][2] = { { "yes", "no" }, { "true", "false" }, { "on", "off" }, { "1", "0" } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(s, words[i][0]) == 0 || strcmp(s, words[i][1]) == 0) {
			*ret = strcmp(s, words[i][0]) == 0;
			return 0;
		}
	}
	return err_set(err, ERR_CONFIG, "boolean", "\"%.64s\" is neither yes nor no", s);
}

/* Unit at *p in milliseconds, 0 when unknown; advances. */
static uint64_t duration_unit(const char **p)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 3600 * 1000 } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (text_starts(*p, units[i].name)) {
			*p += strlen(units[i].name);
			return units[i].ms;
		}
	}
	return 0;
}

static bool duration(const char *s, uint64_t *ret)
{
	uint64_t total = 0, last = UINT64_MAX, v, unit;
	const char *p = s;

	do {
		if (!digits(&p, &v))
			return false;
		if (*p == '\0' && last == UINT64_MAX)
			unit = 1000; /* a bare number counts seconds */
		else
			unit = duration_unit(&p);
		/* Largest unit first, each once: "30s1m" and "1m2m" are slips of the pen. */
		if (unit == 0 || unit >= last || v > DURATION_MAX_MS / unit)
			return false;
		last = unit;
		total += v * unit;
	} while (*p && total <= DURATION_MAX_MS);
	*ret = total;
	return total <= DURATION_MAX_MS;
}

int text_duration_ms(const char *s, uint64_t *ret, struct err **err)
{
	uint64_t v;

	if (!duration(s, &v))
		return err_set(err, ERR_CONFIG, "duration",
			       "\"%.64s\" is not a duration such as 90, 90s, 10m, 1m30s, 2h or 500ms", s);
	*ret = v;
	return 0;
}

/* Days since 1970-01-01 of a Gregorian date, by counting days of 400-year eras that start on 1 March. */
static int64_t days_from_date(int64_t y, unsigned int m, unsigned int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (int64_t)(m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool fixed(const char **p, size_t n, unsigned int min, unsigned int max, unsigned int *ret)
{
	unsigned int v = 0;

	for (size_t i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		v = v * 10 + (unsigned int)(**p - '0');
	}
	*ret = v;
	return v >= min && v <= max;
}

static bool expect(const char **p, const char *set)
{
	if (**p == '\0' || !strchr(set, **p))
		return false;
	(*p)++;
	return true;
}

static unsigned int days_in_month(unsigned int y, unsigned int m)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);

	return days[m - 1] + (m == 2 && leap);
}

/* RFC 3339 5.6: offset as Z or +hh:mm; a fraction is accepted and dropped. */
static bool time_of_day(const char *p, int64_t *ret)
{
	unsigned int h, m, s, oh, om;
	int64_t offset = 0;

	if (!expect(&p, "Tt ") || !fixed(&p, 2, 0, 23, &h) || !expect(&p, ":") || !fixed(&p, 2, 0, 59, &m) ||
	    !expect(&p, ":") || !fixed(&p, 2, 0, 60, &s))
		return false;
	if (*p == '.') {
		size_t n = strspn(p + 1, "0123456789");

		if (n == 0)
			return false;
		p += n + 1;
	}
	if (*p == '+' || *p == '-') {
		int sign = *p++ == '-' ? -1 : 1;

		if (!fixed(&p, 2, 0, 23, &oh) || !expect(&p, ":") || !fixed(&p, 2, 0, 59, &om))
			return false;
		offset = sign * (int64_t)(oh * 3600 + om * 60);
	} else if (!expect(&p, "Zz")) {
		return false;
	}
	*ret = (int64_t)h * 3600 + m * 60 + s - offset;
	return *p == '\0';
}

int text_time(const char *s, int64_t *ret, struct err **err)
{
	unsigned int y, m, d;
	const char *p = s;
	int64_t seconds = 0;

	if (!fixed(&p, 4, 1970, 9999, &y) || !expect(&p, "-") || !fixed(&p, 2, 1, 12, &m) || !expect(&p, "-") ||
	    !fixed(&p, 2, 1, days_in_month(y, m), &d) || (*p && !time_of_day(p, &seconds)))
		return err_set(err, ERR_CONFIG, "time", "\"%.64s\" is not a date such as 2026-01-31 or 2026-01-31T12:00:00Z", s);
	*ret = days_from_date(y, m, d) * 86400 + seconds;
	return 0;
}

void text_format_time(int64_t t, char out[static 21])
{
	const int64_t first = 0, last = INT64_C(253402300799); /* 9999-12-31T23:59:59Z */
	int64_t clamped = t < first ? first : t > last ? last : t;
	int64_t days = clamped / 86400, rest = clamped % 86400;
	unsigned int y = 1970, m = 1;

	for (;; y++) {
		int64_t n = days_in_month(y, 2) == 29 ? 366 : 365;

		if (days < n)
			break;
		days -= n;
	}
	for (; days >= (int64_t)days_in_month(y, m); m++)
		days -= days_in_month(y, m);
	snprintf(out, 21, "%04u-%02u-%02uT%02u:%02u:%02uZ", y % 10000, m % 100, (unsigned int)(days + 1) % 100,
		 (unsigned int)(rest / 3600) % 100, (unsigned int)(rest / 60 % 60), (unsigned int)(rest % 60));
}
