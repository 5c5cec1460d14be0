"""Namespaces and the accounts in them, as they come and go."""

import pickle

from controlplane.kubernetes.index import Index
from controlplane.kubernetes.namespaces import NamespaceIndex
from controlplane.kubernetes.objects import Key, Meta, Object


def key(name: str, namespace: str = "") -> Key:
    return Key(namespace, name)


def there(name: str) -> Object:
    return Object(metadata=Meta(name=name))


def test_accounts_are_there_with_their_namespace_whichever_comes_first() -> None:
    index = NamespaceIndex()
    index.take_accounts({key("web", "shop"): there("web")})
    assert index.update(None) == {}
    index.take_namespaces({key("shop"): there("shop"), key("bank"): there("bank")})
    known = index.update({})
    assert known == {"shop": {"web"}, "bank": set()}
    index.take_accounts({key("web", "shop"): None, key("till", "bank"): there("till")})
    assert index.update(known) == {"shop": set(), "bank": {"till"}}


def test_a_namespace_takes_its_accounts_with_it() -> None:
    index = NamespaceIndex()
    index.take_namespaces({key("shop"): there("shop")})
    index.take_accounts({key("web", "shop"): there("web")})
    known = index.update(None)
    index.take_namespaces({key("shop"): None})
    assert index.update(known) == {}


def test_namespaces_that_are_gone_take_no_room() -> None:
    index, pods = NamespaceIndex(), Index()
    before = pickle.dumps(index), pickle.dumps(pods)
    for there_or_not in (there("web"), None):
        index.take_namespaces({key("shop"): there_or_not})
        index.take_accounts({key("web", "shop"): there_or_not})
        pods.take_pods({key("web-0", "shop"): there_or_not})
    index.update(None)
    pods.update({})
    assert (pickle.dumps(index), pickle.dumps(pods)) == before


def test_what_is_still_there_is_no_news() -> None:
    index = NamespaceIndex()
    index.take_namespaces({key("shop"): there("shop")})
    known = index.update(None)
    index.take_namespaces({key("shop"): there("shop"), key("lost"): None})
    assert not index.is_stale
    assert index.update(known) is known
