"""Classes of callers."""

from controlplane.model.effective import CallerMatch
from controlplane.policy.target import Caller
from controlplane.snapshot.callers import ANY, classes, covers, rank

WEB = Caller("Service", "shop", "web")
ROBOT = Caller("ServiceAccount", "shop", "robot")
SHOP = Caller("Namespace", "shop", "shop")


def test_without_mentioned_callers_all_are_one_class() -> None:
    assert classes([]) == (ANY,)


def test_classes_go_from_the_most_specific_to_any_caller() -> None:
    assert classes([SHOP, ROBOT, WEB]) == (
        CallerMatch(namespace="shop", service="web", service_account="robot"),
        CallerMatch(namespace="shop", service="web"),
        CallerMatch(namespace="shop", service_account="robot"),
        CallerMatch(namespace="shop"),
        ANY,
    )


def test_a_namespace_nobody_mentions_is_no_class() -> None:
    assert classes([WEB]) == (CallerMatch(namespace="shop", service="web"), ANY)


def test_callers_of_two_namespaces_do_not_mix() -> None:
    assert classes([WEB, Caller("ServiceAccount", "ops", "robot")]) == (
        CallerMatch(namespace="shop", service="web"),
        CallerMatch(namespace="ops", service_account="robot"),
        ANY,
    )


def test_the_narrowest_mention_of_a_class_counts() -> None:
    both = CallerMatch(namespace="shop", service="web", service_account="robot")
    assert rank((), both) == 0
    assert rank((SHOP,), both) == 1
    assert rank((SHOP, ROBOT), both) == 2
    assert rank((SHOP, ROBOT, WEB), both) == 3
    assert rank((WEB,), ANY) is None
    assert rank((WEB,), CallerMatch(namespace="shop")) is None


def test_a_general_class_covers_the_special_ones() -> None:
    web = CallerMatch(namespace="shop", service="web")
    assert covers(ANY, web)
    assert covers(CallerMatch(namespace="shop"), web)
    assert not covers(CallerMatch(namespace="shop", service_account="robot"), web)
    assert not covers(web, ANY)
