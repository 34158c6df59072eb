/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include "tests/unit/sandbox/fixture.h"

static void test_size(void **state)
{
	int master, slave;
	struct winsize w;

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(pty_set_size(master, 50, 132), 0);
	assert_int_equal(ioctl(slave, TIOCGWINSZ, &w), 0);
	assert_int_equal(w.ws_row, 50);
	assert_int_equal(w.ws_col, 132);
	close(slave);
	close(master);
	assert_int_equal(pty_set_size(master, 1, 1), -EBADF);
}

static void test_raw(void **state)
{
	struct termios before, saved, now;
	int master, slave, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(slave, &before), 0);
	assert_true(before.c_lflag & ECHO && before.c_lflag & ICANON);
	assert_int_equal(pty_make_raw(slave, &saved), 0);
	assert_int_equal(tcgetattr(slave, &now), 0);
	assert_int_equal(now.c_lflag & (ECHO | ICANON | ISIG | IEXTEN), 0);
	assert_int_equal(now.c_oflag & OPOST, 0);
	assert_int_equal(saved.c_lflag, before.c_lflag);
	assert_int_equal(pty_make_raw(slave, NULL), 0);
	assert_int_equal(pty_make_raw(null, &saved), -ENOTTY);
	close(null);
	close(slave);
	close(master);
}

static int take(void *arg)
{
	int master, slave;
	bool low = arg != NULL;

	if (low) {
		close(0);
		close(1);
		close(2);
	}
	CHECK(openpty(&master, &slave, NULL, NULL, NULL) == 0);
	if (low) { /* the slave itself is one of the three, and close-on-exec */
		CHECK(slave <= 2 && fcntl(slave, F_SETFD, FD_CLOEXEC) == 0);
		master = fcntl(master, F_DUPFD_CLOEXEC, 10);
	}
	CHECK(pty_take(slave, NULL) == 0);
	CHECK(getsid(0) == getpid());
	for (int fd = 0; fd <= 2; fd++) {
		CHECK(isatty(fd));
		CHECK(fcntl(fd, F_GETFD) == 0);
		CHECK(tcgetsid(fd) == getpid());
	}
	CHECK(open("/dev/tty", O_RDWR | O_CLOEXEC) >= 0);
	/* A leader already, as init is: no failure. */
	CHECK(pty_take(slave, NULL) == 0);
	return 0;
}

static int take_nothing(void *arg)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct error err = { 0 };

	(void)arg;
	CHECK(pty_take(null, &err) == -ENOTTY);
	CHECK(strstr(err.text, "terminal"));
	return 0;
}

static void test_take(void **state)
{
	(void)state;
	in_child(take, NULL);
	in_child(take, "low");
	in_child(take_nothing, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_raw),
		cmocka_unit_test(test_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
