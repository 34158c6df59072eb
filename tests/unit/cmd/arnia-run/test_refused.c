/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is refused, jobs that make no sense, and images. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/unit/cmd/arnia-run/keeper.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"

static void expect_failure(struct plan *p, enum err_kind kind, const char *text)
{
	struct fake_worker w;
	struct answer a;

	worker_start(&w, NULL);
	job_do(&w, p, NULL, &a);
	assert_int_equal(a.res.error.kind, kind);
	assert_text(a.res.error.text, text);
	assert_int_equal(a.res.pid, 0);
	assert_false(a.res.left);
	assert_clean(p, &a);
	answer_done(&a);
	assert_int_equal(worker_end(&w), 0);
	plan_free(p);
}

static void test_cannot_run(void **state)
{
	struct plan *p;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000ab", "");
	plan_argv(p, (const char *const[]){ "no-such-program", NULL });
	expect_failure(p, ERR_NO_COMMAND, "no-such-program");
	p = plan_container("00000000000000ab", "");
	plan_argv(p, (const char *const[]){ "/srv/script", NULL });
	expect_failure(p, ERR_NO_COMMAND, "run /srv/script: No such file");
	p = plan_container("00000000000000ab", "");
	plan_argv(p, (const char *const[]){ "/srv/plain", NULL });
	expect_failure(p, ERR_CANNOT_RUN, "/srv/plain");
	p = plan_container("00000000000000ab", "");
	plan_argv(p, (const char *const[]){ "/srv", NULL });
	expect_failure(p, ERR_CANNOT_RUN, "/srv");
	p = plan_container("00000000000000ab", "");
	p->process.user = "4294967296";
	expect_failure(p, ERR_USAGE, "4294967296");
	p = plan_container("00000000000000ab", "");
	p->process.cwd = "/proc/self/fd/4";
	expect_failure(p, ERR_FAILED, "/proc/self/fd/4");
	p = plan_container("00000000000000ab", "");
	strv_push(&p->arena, &p->rootfs.lower, "/no/such/layer");
	expect_failure(p, ERR_FAILED, "rootfs: layer /no/such/layer");
}

/* A cgroup of that name is somebody else's: it is not taken away. */
static void test_taken(void **state)
{
	struct fake_worker w;
	struct answer a;
	struct plan *p;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000ac", "true");
	worker_start(&w, NULL);
	mkdirat(world.cgroup, world.branch, 0755);
	assert_int_equal(mkdirat(world.cgroup, p->cgroup.path, 0755), 0);
	job_do(&w, p, NULL, &a);
	assert_int_equal(a.res.error.kind, ERR_STATE);
	assert_false(a.adopted);
	assert_int_equal(unlinkat(world.cgroup, p->cgroup.path, AT_REMOVEDIR), 0);
	answer_done(&a);
	assert_int_equal(worker_end(&w), 0);
	plan_free(p);
}

static void test_bad_jobs(void **state)
{
	static const char id[] = "00000000000000ad";
	struct kp_job head = { .kind = PLAN_START, .fds = KP_FD_PLAN };
	struct fake_worker w;
	struct answer a;
	struct plan *p;
	int fd;

	(void)state;
	NEED_WORLD();
	p = plan_container(id, "true");
	strcpy(head.id, id);
	worker_start(&w, NULL);
	job_raw(&w, &head, NULL, 0, &a);
	assert_int_equal(a.res.error.code, -EPROTO);
	assert_string_equal(a.res.id, id);
	answer_done(&a);
	/* Not sealed. */
	fd = open("/bin/busybox", O_RDONLY);
	job_raw(&w, &head, &fd, 1, &a);
	assert_true(a.res.error.code < 0);
	answer_done(&a);
	close(fd);
	/* Another kind than announced. */
	fd = plan_write(p, NULL);
	head.kind = PLAN_DESTROY;
	job_raw(&w, &head, &fd, 1, &a);
	assert_int_equal(a.res.error.code, -EPROTO);
	answer_done(&a);
	/* More descriptors than announced. */
	head.kind = PLAN_START;
	job_raw(&w, &head, (int[]){ fd, fd }, 2, &a);
	assert_int_equal(a.res.error.code, -EPROTO);
	answer_done(&a);
	close(fd);
	/* It still works. */
	job_do(&w, p, NULL, &a);
	assert_success(&a);
	assert_int_equal(adopted_wait(&a), 0);
	answer_done(&a);
	p->kind = PLAN_DESTROY;
	job_do(&w, p, NULL, &a);
	assert_success(&a);
	assert_clean(p, &a);
	answer_done(&a);
	assert_int_equal(worker_end(&w), 0);
	plan_free(p);
}

static void write_file(const char *dir, const char *name, const char *text, size_t n, mode_t mode)
{
	auto_fd int fd = -1;

	assert_true(mkdir(dir, 0755) == 0 || errno == EEXIST);
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(file_write_atomic_at(fd, name, text, n, mode, false, NULL), 0);
}

/* In the host's mount namespace, so it is a worker's last job. */
static void test_template(void **state)
{
	static const char description[] = "{\"source\": \"busybox\"}";
	struct plan *p;
	struct fake_worker w;
	struct answer a;
	char *dir, *box, *path;
	long n;

	(void)state;
	NEED_WORLD();
	dir = str_fmt("%s/templates", world.dir);
	assert_int_equal(mkdir(dir, 0755), 0);
	free(dir);
	dir = str_fmt("%s/templates/tiny", world.dir);
	write_file(dir, "template.json", description, strlen(description), 0644);
	free(dir);
	dir = str_fmt("%s/templates/busybox", world.dir);
	n = file_read_at(AT_FDCWD, "/bin/busybox", 8 << 20, &box, NULL);
	assert_true(n > 0);
	write_file(dir, "busybox", box, (size_t)n, 0755);
	free(dir);
	free(box);
	path = str_fmt("%s/templates/tiny/rootfs/bin/sh", world.state);
	p = plan_new(PLAN_TEMPLATE_BUILD, NULL);
	p->template = "tiny";
	for (int i = 0; i < 2; i++) {
		p->kind = i == 0 ? PLAN_TEMPLATE_BUILD : PLAN_TEMPLATE_REMOVE;
		worker_start(&w, NULL);
		job_do(&w, p, NULL, &a);
		assert_success(&a);
		assert_false(a.res.again);
		assert_int_equal(faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW), i == 0 ? 0 : -1);
		answer_done(&a);
		assert_int_equal(worker_end(&w), 0);
	}
	worker_start(&w, NULL);
	job_do(&w, p, NULL, &a);
	assert_int_equal(a.res.error.kind, ERR_NOT_FOUND);
	answer_done(&a);
	assert_int_equal(worker_end(&w), 0);
	plan_free(p);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cannot_run),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_bad_jobs),
		cmocka_unit_test(test_template),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
