"""What a rollback may change, and what it leaves to whoever owns the files."""

from dataclasses import replace

from controlplane.history.record import Change
from controlplane.history.rollback import plan
from controlplane.model.document import Document
from tests.support.builders import policy
from tests.support.history import item, key

ADMIN = "admin"
FILE = "policies/cart.yaml"
APPLIED = replace(policy("timeouts: {}"), file=ADMIN)
IN_FILE = replace(policy("timeouts: {}"), file=FILE, lines={"": 7})
CART = APPLIED.key


def refusals(change: Change, *documents: Document) -> list[str]:
    found = plan([change], {document.key: document for document in documents}, ADMIN)
    assert bool(found.changes) != bool(found.refused)
    return [str(problem) for problem in found.refused]


def test_what_the_admin_api_owns_is_changed_created_and_deleted() -> None:
    before, after = item("now"), item("then")
    assert refusals(Change(key=CART, before=before, after=after), APPLIED) == []
    assert refusals(Change(key=CART, before=before), APPLIED) == []
    assert refusals(Change(key=CART, after=after)) == []


def test_what_a_file_defines_is_refused_with_its_place() -> None:
    change = Change(key=CART, before=item("now", source=FILE), after=item("then", source=FILE))
    assert refusals(change, IN_FILE) == [
        f"{FILE}:7: ResiliencePolicy shop/cart: defined in a file; put it back there"
    ]


def test_what_moved_into_a_file_since_is_refused() -> None:
    assert refusals(Change(key=CART, before=item("now", source=FILE), after=item("then")), IN_FILE) != []


def test_what_a_file_defined_then_is_refused_with_that_file() -> None:
    message = f"{FILE}: ResiliencePolicy shop/cart: was defined in this file; put it back there"
    gone = Change(key=CART, after=item("then", source=FILE))
    assert refusals(gone) == [message]
    assert refusals(replace(gone, before=item("now")), APPLIED) == [message]


def test_one_refusal_holds_up_no_other_object() -> None:
    changes = [
        Change(key=CART, before=item("now", source=FILE)),
        Change(key=key("other"), after=item("then")),
    ]
    found = plan(changes, {CART: IN_FILE}, ADMIN)
    assert ([change.key.name for change in found.changes], len(found.refused)) == (["other"], 1)
