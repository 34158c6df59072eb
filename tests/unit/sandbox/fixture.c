/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/sandbox/fixture.h"

void in_child(int (*fn)(void *arg), void *arg)
{
	int status, fds[2], line = 0;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		line = fn(arg);
		_exit(write(fds[1], &line, sizeof(line)) != sizeof(line));
	}
	assert_true(pid > 0);
	close(fds[1]);
	if (read(fds[0], &line, sizeof(line)) != sizeof(line))
		line = -1;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (line == -1)
		fail_msg("the child ended with status %#x", status);
	if (line)
		fail_msg("the child failed in line %d", line);
}

void need_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("only root can do this\n");
	skip();
}

int hide_openat2(void)
{
	static const char json[] =
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"openat2\"],"
		"\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}]}";
	struct seccomp_input in = { .json = json, .json_len = sizeof(json) - 1 };
	struct sandbox_config c = { .no_new_privs = true };
	void *code;
	int r = seccomp_compile(&in, &code, &c.seccomp_size, NULL);

	if (r < 0)
		return r;
	c.seccomp = code;
	r = no_new_privs_apply(&c, NULL);
	return r < 0 ? r : filter_load(&c, NULL);
}

const char *status_field(const char *name, char *buf)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	size_t n = strlen(name);

	buf[0] = '\0';
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, n) != 0 || line[n] != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(buf, 128, "%.127s", line + n + 1 + strspn(line + n + 1, "\t "));
	}
	if (f)
		fclose(f);
	return buf;
}

char *folder_make(void)
{
	char name[] = "/tmp/arnia-unit-XXXXXX";

	assert_non_null(mkdtemp(name));
	return str_dup(name);
}

void folder_remove(char *path)
{
	assert_int_equal(path_rmtree_at(AT_FDCWD, path), 0);
	free(path);
}

void file_make(const char *dir, const char *name, const char *text)
{
	auto_free char *path = str_fmt("%s/%s", dir, name);
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}
