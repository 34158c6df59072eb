/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log files: format, rotation, a full disk, hostile names. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/unit/keeper/harness.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/time.h"

#define READ_MAX (16 << 20)

struct parsed {
	char *text; /* of all records, in order */
	size_t len;
	unsigned records, err_records;
	uint64_t dropped;
};

static char *log_path(const struct rig *r, const char *id, const char *name)
{
	return str_fmt("%s/containers/%s%s%s", r->in.state, id, name ? "/" : "", name ? name : "");
}

static void make_folder(const struct rig *r, const char *id)
{
	auto_free char *path = log_path(r, id, NULL);

	assert_int_equal(mkdir(path, 0700), 0);
}

static off_t log_size(const struct rig *r, const char *id, const char *name)
{
	auto_free char *path = log_path(r, id, name);
	struct stat st;

	return stat(path, &st) < 0 ? -1 : st.st_size;
}

/* Every byte of the file must belong to a whole record. */
static void parse(const struct rig *r, const char *id, const char *name, struct parsed *p)
{
	auto_free char *path = log_path(r, id, name);
	auto_free char *bytes = NULL;
	long n = file_read_at(AT_FDCWD, path, READ_MAX, &bytes, NULL), at = 0;
	uint64_t last = 0;

	assert_true(n >= 0);
	p->text = mem_realloc_n(p->text, p->len + (size_t)n + 1, 1);
	while (at < n) {
		struct log_record rec;

		assert_true(n - at > (long)sizeof(rec));
		memcpy(&rec, bytes + at, sizeof(rec));
		at += (long)sizeof(rec);
		assert_int_equal(rec.magic, LOG_RECORD_MAGIC);
		assert_true(rec.stream == 1 || rec.stream == 2);
		assert_in_range(rec.len, 1, SESSION_DATA);
		assert_true(at + rec.len <= n);
		assert_true(rec.time_ns >= last);
		last = rec.time_ns;
		memcpy(p->text + p->len, bytes + at, rec.len);
		p->len += rec.len;
		at += rec.len;
		p->records++;
		p->err_records += rec.stream == 2;
		p->dropped += rec.dropped;
	}
	p->text[p->len] = '\0';
}

static void run_to_end(struct rig *r, const char *id, const char *plan)
{
	int end, s = session_pair(&end);
	char *out = mem_alloc(READ_MAX);
	size_t n;

	rig_run(r, id, plan, end, 0);
	session_collect(s, out, READ_MAX, &n);
	rig_exit(r, id);
	free(out);
	close(s);
}

static void test_records(void **state)
{
	struct rig *r = *state;
	struct parsed p = { 0 };
	uint64_t before = time_real_ns();

	make_folder(r, ID(1));
	run_to_end(r, ID(1), "pipe 1000000\necho one; sleep 0.1; echo two >&2; sleep 0.1; echo three");
	parse(r, ID(1), "log", &p);
	assert_string_equal(p.text, "one\ntwo\nthree\n");
	assert_int_equal(p.records, 3);
	assert_int_equal(p.err_records, 1);
	assert_int_equal(p.dropped, 0);
	assert_true(time_real_ns() > before);
	/* The next run goes on in the same file. */
	rig_forget(r, ID(1));
	run_to_end(r, ID(1), "pipe 1000000\necho four");
	free(p.text);
	p = (struct parsed){ 0 };
	parse(r, ID(1), "log", &p);
	assert_string_equal(p.text, "one\ntwo\nthree\nfour\n");
	assert_int_equal(log_size(r, ID(1), "log.1"), -1);
	free(p.text);
}

static void test_console_is_logged(void **state)
{
	struct rig *r = *state;
	struct parsed p = { 0 };

	make_folder(r, ID(1));
	run_to_end(r, ID(1), "tty 1000000\necho on console");
	parse(r, ID(1), "log", &p);
	assert_string_equal(p.text, "on console\r\n");
	assert_int_equal(p.err_records, 0);
	free(p.text);
}

/* What is kept is the end of the output, without a hole, within log_max. */
static void test_rotation(void **state)
{
	struct rig *r = *state;
	struct parsed p = { 0 };
	char line[16];
	long first;

	make_folder(r, ID(1));
	run_to_end(r, ID(1),
		   "pipe 262144\ni=0; while [ $i -lt 100000 ]; do echo $((1000000 + i)); i=$((i + 1)); done");
	assert_in_range(log_size(r, ID(1), "log"), 1, 131072);
	assert_in_range(log_size(r, ID(1), "log.1"), 131072 - SESSION_DATA - 16, 131072);
	parse(r, ID(1), "log.1", &p);
	parse(r, ID(1), "log", &p);
	assert_int_equal(p.len % 8, 0);
	first = 1100000 - (long)p.len / 8;
	assert_true(first < 1100000 - 8000);
	for (size_t i = 0; i < p.len / 8; i++) {
		snprintf(line, sizeof(line), "%ld\n", first + (long)i);
		assert_memory_equal(p.text + i * 8, line, 8);
	}
	free(p.text);
}

static void test_no_log(void **state)
{
	struct rig *r = *state;

	/* Not wanted; wanted, but the folder is not there (any more). */
	make_folder(r, ID(1));
	run_to_end(r, ID(1), "pipe 0\necho text");
	assert_int_equal(log_size(r, ID(1), "log"), -1);
	run_to_end(r, ID(2), "pipe 100000\necho text");
	assert_int_equal(log_size(r, ID(2), "log"), -1);
}

static void test_hostile_names(void **state)
{
	struct rig *r = *state;
	auto_free char *victim = str_fmt("%s/victim", r->root);
	auto_free char *link = log_path(r, ID(1), "log");
	auto_free char *fifo = log_path(r, ID(2), "log");
	auto_free char *folder = log_path(r, ID(3), NULL);
	struct stat st;
	int fd = open(victim, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	close(fd);
	make_folder(r, ID(1));
	assert_int_equal(symlink(victim, link), 0);
	run_to_end(r, ID(1), "pipe 100000\necho text");
	make_folder(r, ID(2));
	assert_int_equal(mkfifo(fifo, 0600), 0);
	run_to_end(r, ID(2), "pipe 100000\necho text");
	assert_int_equal(symlink(r->root, folder), 0);
	run_to_end(r, ID(3), "pipe 100000\necho text");
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_size, 0);
	free(victim);
	victim = str_fmt("%s/log", r->root);
	assert_int_equal(stat(victim, &st), -1);
}

static void test_no_descriptor_stays(void **state)
{
	struct rig *r = *state;
	auto_free char *dir = str_fmt("/proc/%d/fd", r->keeper);
	char text[512], target[512];
	DIR *d;
	pid_t pid;
	int end, s = session_pair(&end);
	size_t n;
	ssize_t len;

	make_folder(r, ID(1));
	pid = rig_run(r, ID(1), "pipe 100000\necho text; exec sleep 600", end, 0);
	session_next(s, text, sizeof(text), &n);
	d = opendir(dir);
	assert_non_null(d);
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		len = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		assert_null(strstr(target, "/log"));
	}
	closedir(d);
	kill(pid, SIGKILL);
	rig_exit(r, ID(1));
	close(s);
}

/* The disk is full for a while: what was lost is counted, no record is cut, the program is not held up. */
static void test_disk_full(void **state)
{
	struct rig *r = *state;
	auto_free char *dir = log_path(r, "", NULL);
	auto_free char *filler = log_path(r, "filler", NULL);
	char block[4096] = { 0 }, text[64];
	struct parsed p = { 0 };
	int fd, end, s = session_pair(&end);
	size_t n;

	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("full", dir, "tmpfs", 0, "size=64k"), 0);
	make_folder(r, ID(1));
	fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (int i = 0; i < 12; i++)
		assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
	close(fd);
	rig_lock(r);
	rig_start(r);
	rig_connect(r, NULL);
	rig_run(r, ID(1),
		"pipe 10000000\necho begin; sleep 0.2; head -c 100000 /dev/zero; echo; read a; echo end", end,
		KP_JOB_STDIN);
	for (size_t total = 0; total < 6 + 100001; total += n) {
		static char out[SESSION_DATA + 1];

		assert_int_equal(session_next(s, out, sizeof(out), &n), SESSION_OUT);
	}
	unlink(filler);
	session_say(s, SESSION_IN, "\n", 1);
	assert_int_equal(session_collect(s, text, sizeof(text), &n).status, 0);
	parse(r, ID(1), "log", &p);
	assert_memory_equal(p.text, "begin\n", 6);
	assert_string_equal(p.text + p.len - 4, "end\n");
	assert_true(p.dropped > 0);
	assert_int_equal(p.len + p.dropped, 6 + 100001 + 4);
	free(p.text);
	close(s);
	rig_exit(r, ID(1));
	rig_disconnect(r);
	rig_kill_keeper(r);
	assert_int_equal(umount2(dir, MNT_DETACH), 0);
}

/* One floods: others are served all the same. */
static void test_flood(void **state)
{
	struct rig *r = *state;
	pid_t flood;
	uint64_t begin;

	make_folder(r, ID(1));
	flood = rig_run(r, ID(1), "pipe 1000000\nexec cat /dev/zero", -1, 0);
	usleep(300000);
	begin = time_mono_ms();
	for (int i = 0; i < 10; i++) {
		rig_run(r, ID(2), "pipe 0\nexit 0", -1, 0);
		rig_exit(r, ID(2));
		rig_forget(r, ID(2));
	}
	assert_true(time_mono_ms() - begin < 3000);
	assert_true(log_size(r, ID(1), "log") <= 500000);
	kill(flood, SIGKILL);
	assert_int_equal(rig_exit(r, ID(1)).status, SIGKILL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
		T(test_records),
		T(test_console_is_logged),
		T(test_rotation),
		T(test_no_log),
		T(test_hostile_names),
		T(test_no_descriptor_stays),
		T(test_flood),
		cmocka_unit_test_setup_teardown(test_disk_full, rig_setup_bare, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
