"""Decisions of whoever follows a resource of the API server."""

from controlplane.kubernetes.reflection import (
    FIRST_DELAY_SECONDS,
    LONGEST_DELAY_SECONDS,
    RESUMES,
    STEADY_SECONDS,
    Phase,
    Progress,
    delay_seconds,
    ended,
    failed,
    heard,
    paged,
)

WATCHING = Progress(phase=Phase.WATCH, version="7", has_listed=True)


def test_pages_are_asked_for_until_the_last_then_the_watch_begins_at_their_version() -> None:
    first = paged(Progress(), version="7", next_page="more")
    assert (first.phase, first.next_page) == (Phase.LIST, "more")
    assert paged(first, version="7", next_page="") == WATCHING


def test_a_bookmark_moves_on_where_a_watch_is_resumed() -> None:
    moved = heard(WATCHING, "9")
    assert failed(moved, 0) == Progress(phase=Phase.WATCH, version="9", has_listed=True, failures=1)


def test_a_version_that_is_gone_is_listed_anew() -> None:
    assert failed(WATCHING, 410).phase is Phase.LIST


def test_a_server_whose_lists_are_outdated_at_once_is_asked_for_ever_fewer() -> None:
    progress, delays = WATCHING, []
    for _ in range(12):
        progress = failed(progress, 410)
        delays.append(delay_seconds(progress, 0, 1))
        progress = paged(progress, version="7", next_page="")
        assert progress.phase is Phase.WATCH
    assert delays == sorted(delays)
    assert (delays[0], delays[-1]) == (FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS)
    sound = paged(failed(heard(progress, "8"), 410), version="9", next_page="")
    assert delay_seconds(failed(sound, 410), 0, 1) == 2 * FIRST_DELAY_SECONDS


def test_a_watch_that_fails_at_once_again_and_again_is_listed_anew() -> None:
    progress = WATCHING
    for _ in range(RESUMES - 1):
        progress = failed(progress, 500)
        assert progress.phase is Phase.WATCH
    assert failed(progress, 500).phase is Phase.LIST


def test_a_watch_that_lived_for_a_while_may_be_dropped_any_number_of_times() -> None:
    progress = WATCHING
    for _ in range(10 * RESUMES):
        progress = failed(progress, 0, lasted_seconds=STEADY_SECONDS)
        assert (progress.phase, progress.failures) == (Phase.WATCH, 1)


def test_a_failure_between_two_pages_begins_with_the_first_again() -> None:
    between = paged(Progress(), version="7", next_page="more")
    assert failed(between, 410) == Progress(failures=1)


def test_a_watch_that_the_server_ends_is_resumed_at_once_unless_it_had_hardly_begun() -> None:
    assert ended(WATCHING, lasted_seconds=300) == WATCHING
    assert ended(WATCHING, lasted_seconds=0).failures == 1


def test_a_resource_is_absent_once_asked_for_often_enough_and_never_after_it_was_listed() -> None:
    progress = Progress()
    for _ in range(RESUMES):
        assert not progress.is_absent
        progress = failed(progress, 404)
    assert progress.is_absent
    listed = WATCHING
    for _ in range(2 * RESUMES):
        listed = failed(listed, 404)
    assert not listed.is_absent


def test_delays_grow_up_to_a_bound_and_are_drawn() -> None:
    first, later, latest = (Progress(failures=count) for count in (1, 4, 90))
    assert delay_seconds(first, 0, 0) < delay_seconds(first, 0, 1) < delay_seconds(later, 0, 0)
    assert delay_seconds(latest, 0, 1) == LONGEST_DELAY_SECONDS


def test_a_server_that_says_how_long_to_stay_away_is_obeyed() -> None:
    assert delay_seconds(Progress(failures=1), 5, 0) > 5
