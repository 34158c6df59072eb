/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_FAILAT_H
#define ARNIA_BASE_FAILAT_H
/*
 * Fault injection for test builds. `fail_at("step-name")` stands at the start of a step:
 *     int r = fail_at("overlay");
 *     if (r < 0)
 *             return err_sys(err, r, "mount overlay");
 * The environment variable ARNIA_FAIL_AT, or else the file $ARNIA_ROOT/fail-at, chooses one step and what happens there:
 *     STEP:kill          SIGKILL to itself; by the file once only, which is gone then
 *     STEP:errno:EIO     returns -EIO (any name of errno(3))
 *     STEP:hang          sleeps until killed
 * Without ARNIA_TEST_HOOKS (release builds) it is a constant 0 and nothing is read.
 */
#ifdef ARNIA_TEST_HOOKS
int fail_at(const char *step);
/* Take the file's word into the environment, for steps of a child that will not see the file any more. */
void fail_at_carry(void);
/* "ARNIA_FAIL_AT=..." as it stands in the environment, for one that is made anew; or NULL. */
const char *fail_at_setting(void);
#else
static inline int fail_at(const char *step)
{
	(void)step;
	return 0;
}
static inline void fail_at_carry(void)
{
}
static inline const char *fail_at_setting(void)
{
	return (const char *)0;
}
#endif

#endif
