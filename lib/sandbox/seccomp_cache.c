/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The public side of the profile compiler, with and without the folder of finished programs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "lib/base/file.h"
#include "lib/sandbox/sandbox.h"
#include "lib/sandbox/seccomp_internal.h"
#include "lib/base/sha256.h"

/* A cached file: this, then the instructions. */
struct head {
	char magic[8];
	uint32_t version, n;
	uint8_t digest[SHA256_SIZE]; /* of the instructions */
};
static const char magic[8] = "arnbpf\n";

#define NAME_SIZE (2 * SHA256_SIZE + 1)

static int compile(const struct seccomp_input *in, struct sock_filter **ret, size_t *ret_n, struct error *err)
{
	struct sc_profile profile;
	struct sc_program program;
	struct sc_host host;
	int r = sc_profile_parse(in->json, in->json_len, sc_host_probe(&host, in->caps, in->oci), &profile, err);

	if (r < 0)
		return r;
	sc_program_make(&profile, &program);
	r = sc_bpf_compile(&program, ret, ret_n);
	sc_profile_done(&profile);
	return r < 0 ? err_set_kind(err, r, ERR_USAGE, "%s: too large for one filter", in->oci ? "linux.seccomp" : "seccomp profile") : 0;
}

int seccomp_compile(const struct seccomp_input *in, void **ret, size_t *ret_size, struct error *err)
{
	struct sock_filter *code;
	size_t n;
	int r = compile(in, &code, &n, err);

	if (r < 0)
		return r;
	*ret = code;
	*ret_size = n * sizeof(*code);
	return 0;
}

int seccomp_flags(const struct seccomp_input *in, uint32_t *ret, struct error *err)
{
	struct sc_profile profile;
	struct sc_host host;
	int r = sc_profile_parse(in->json, in->json_len, sc_host_probe(&host, in->caps, in->oci), &profile, err);

	if (r < 0)
		return r;
	*ret = profile.flags;
	sc_profile_done(&profile);
	return 0;
}

/* Everything the program depends on. */
static void make_name(const struct seccomp_input *in, char name[NAME_SIZE])
{
	uint8_t digest[SHA256_SIZE];
	struct sc_host host;
	struct sha256 s;
	char version[32], key[160];
	int n;

	sc_library_version(version, sizeof(version));
	sc_host_probe(&host, in->caps, in->oci);
	n = snprintf(key, sizeof(key), "%d %s %s %x %llx%s\n", SC_COMPILER_VERSION, version, host.scmp_arch,
		     host.kernel, (unsigned long long)in->caps, in->oci ? " oci" : "");
	sha256_init(&s);
	sha256_add(&s, key, (size_t)n);
	sha256_add(&s, in->json, in->json_len);
	sha256_final(&s, digest);
	for (size_t i = 0; i < SHA256_SIZE; i++)
		snprintf(name + 2 * i, 3, "%02x", digest[i]);
}

static void digest_of(const void *p, size_t n, uint8_t out[SHA256_SIZE])
{
	struct sha256 s;

	sha256_init(&s);
	sha256_add(&s, p, n);
	sha256_final(&s, out);
}

static int read_cached(int dir, const char *name, void **ret, size_t *ret_size)
{
	auto_free char *text = NULL;
	uint8_t digest[SHA256_SIZE];
	struct head h;
	long n = file_read_at(dir, name, sizeof(h) + BPF_MAXINSNS * sizeof(struct sock_filter), &text, NULL);

	if (n < 0)
		return (int)n;
	if ((size_t)n < sizeof(h))
		return -EBADMSG;
	memcpy(&h, text, sizeof(h));
	if (memcmp(h.magic, magic, sizeof(magic)) != 0 || h.version != SC_COMPILER_VERSION || h.n == 0 ||
	    (size_t)n - sizeof(h) != (uint64_t)h.n * sizeof(struct sock_filter))
		return -EBADMSG;
	digest_of(text + sizeof(h), (size_t)n - sizeof(h), digest);
	if (memcmp(digest, h.digest, sizeof(digest)) != 0)
		return -EBADMSG;
	*ret_size = (size_t)n - sizeof(h);
	*ret = mem_dup(text + sizeof(h), *ret_size);
	return 0;
}

static void write_cached(int dir, const char *name, const void *p, size_t size)
{
	struct head h = { .version = SC_COMPILER_VERSION,
			  .n = (uint32_t)(size / sizeof(struct sock_filter)) };
	auto_free char *file = mem_alloc(sizeof(h) + size);

	memcpy(h.magic, magic, sizeof(magic));
	digest_of(p, size, h.digest);
	memcpy(file, &h, sizeof(h));
	memcpy(file + sizeof(h), p, size);
	/* A cache that cannot be written costs time only. */
	file_write_atomic_at(dir, name, file, sizeof(h) + size, 0600, false, NULL);
}

int seccomp_compile_cached(const struct seccomp_input *in, int cache_dir, void **ret, size_t *ret_size,
			   struct error *err)
{
	char name[NAME_SIZE];
	int r;

	if (cache_dir < 0)
		return seccomp_compile(in, ret, ret_size, err);
	make_name(in, name);
	if (read_cached(cache_dir, name, ret, ret_size) == 0)
		return 0;
	r = seccomp_compile(in, ret, ret_size, err);
	if (r == 0)
		write_cached(cache_dir, name, *ret, *ret_size);
	return r;
}
