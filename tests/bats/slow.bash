# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
# The test host is emulated, and everything takes ten times as long there (ARNIA_SLOW, tests/vm/guest-job). What is done for each word of a
# long list, or a hundred times, is done for some of them there.

SLOW=${ARNIA_SLOW:-1}
words_seen=0 # numbers below 64 in a mixed order, each once

# taken: at the beginning of a loop over words; on the test host true for the first and about one of eight, the same ones each time.
# In a mixed order: of a list in a list, each eighth could be the same word for ever.
taken() {
  ((SLOW == 1 || (words_seen = (words_seen * 5 + 3) % 64) < 8))
}
# rounds N: a word for each of N rounds, for loops that try again and again; on the test host fewer.
rounds() {
  seq $((SLOW == 1 ? $1 : 1 + $1 / (4 * SLOW)))
}
