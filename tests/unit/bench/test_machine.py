"""CPU clocks and the machine's occupation are read as the kernel means them."""

import os
import time

from tests.bench.machine import Occupation, Usage, resident_kib, usage


def test_the_share_outside_the_kernel_comes_from_the_ticks() -> None:
    assert Usage(cpu_ns=0, user_ticks=30, kernel_ticks=10).user_share == 0.75


def test_a_process_without_a_tick_yet_counts_as_kernel_only() -> None:
    assert Usage(cpu_ns=900, user_ticks=0, kernel_ticks=0).user_share == 0


def test_usage_since_an_earlier_reading_is_the_difference_of_each_clock() -> None:
    later = Usage(cpu_ns=10, user_ticks=7, kernel_ticks=5)
    assert later.since(Usage(cpu_ns=4, user_ticks=3, kernel_ticks=2)) == Usage(
        cpu_ns=6, user_ticks=4, kernel_ticks=3
    )


def test_what_we_used_ourselves_is_not_foreign() -> None:
    before = Occupation(everybody=100.0, ours=10.0)
    assert Occupation(everybody=103.0, ours=12.5).foreign_since(before) == 0.5


def test_coarse_ticks_never_make_foreign_use_negative() -> None:
    before = Occupation(everybody=100.0, ours=10.0)
    assert Occupation(everybody=102.99, ours=13.0).foreign_since(before) == 0


def test_the_clock_of_this_process_is_the_one_that_it_reads_itself() -> None:
    own = time.process_time_ns()
    assert own <= usage(os.getpid()).cpu_ns <= time.process_time_ns()


def test_resident_memory_of_an_interpreter_is_a_few_megabytes() -> None:
    assert 5_000 < resident_kib(os.getpid()) < 2_000_000
