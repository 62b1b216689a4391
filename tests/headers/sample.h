/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* JSON of a plain LUKS2 header, written by hand: keyslot 0, PBKDF2, 4096-byte sectors. */
#ifndef CRYPTATTEST_TESTS_HEADERS_SAMPLE_H
#define CRYPTATTEST_TESTS_HEADERS_SAMPLE_H

#define SAMPLE_SALT "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define SAMPLE_DATA_OFFSET 16777216
#define SAMPLE_JSON                                                                                                           \
	"{\"keyslots\":{\"0\":{\"type\":\"luks2\",\"key_size\":64,\"af\":{\"type\":\"luks1\",\"stripes\":4000,\"hash\":"        \
	"\"sha256\"},\"area\":{\"type\":\"raw\",\"offset\":\"32768\",\"size\":\"258048\",\"encryption\":\"aes-xts-plain64\","   \
	"\"key_size\":64},\"kdf\":{\"type\":\"pbkdf2\",\"hash\":\"sha256\",\"iterations\":1000,\"salt\":\"" SAMPLE_SALT "\"}}}," \
	"\"tokens\":{},\"segments\":{\"0\":{\"type\":\"crypt\",\"offset\":\"16777216\",\"size\":\"dynamic\",\"iv_tweak\":"      \
	"\"0\",\"encryption\":\"aes-xts-plain64\",\"sector_size\":4096}},\"digests\":{\"0\":{\"type\":\"pbkdf2\","              \
	"\"keyslots\":[\"0\"],\"segments\":[\"0\"],\"hash\":\"sha256\",\"iterations\":1000,\"salt\":\"" SAMPLE_SALT             \
	"\",\"digest\":\"" SAMPLE_SALT "\"}},\"config\":{\"json_size\":\"12288\",\"keyslots_size\":\"16744448\"}}"

#endif
