"""Where settings come from, and what is said about those that are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidecar import config, proxy

if TYPE_CHECKING:
    from pathlib import Path

NEEDED = ("--service", "shop/cart", "--instance", "cart-0")


def problems(*argv: str, environment: dict[str, str] | None = None) -> list[str]:
    found = config.read([*NEEDED, *argv], environment or {})
    assert isinstance(found, list)
    return found


def test_good_settings_have_no_problems() -> None:
    assert isinstance(config.read(NEEDED, {}), proxy.Settings)


def test_flags_win_over_environment_over_file(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.toml"
    file.write_text('http = "127.0.0.1:3"\noutbound = "127.0.0.1:3"\ninbound = "127.0.0.1:3"\n')
    environment = {"BREAKWATER_HTTP": "127.0.0.1:2", "BREAKWATER_OUTBOUND": "127.0.0.1:2"}
    given = config.gather(["--config", str(file), "--http", "127.0.0.1:1"], environment)
    assert [given.values[flag] for flag in ("http", "outbound", "inbound")] == [
        ["127.0.0.1:1"],
        ["127.0.0.1:2"],
        ["127.0.0.1:3"],
    ]


def test_a_repeatable_flag_adds_up() -> None:
    given = config.gather(["--app", "127.0.0.1:1", "--app=127.0.0.1:2@3"], {})
    assert given.values["app"] == ["127.0.0.1:1", "127.0.0.1:2@3"]


def test_a_repeatable_variable_is_split_at_commas() -> None:
    given = config.gather([], {"BREAKWATER_SERVICE": "shop/cart,shop/basket"})
    assert given.values["service"] == ["shop/cart", "shop/basket"]


def test_a_list_in_the_file_is_for_repeatable_settings(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.toml"
    file.write_text('service = ["shop/cart"]\nhttp = ["127.0.0.1:1", "127.0.0.1:2"]\ninsecure = true\n')
    given = config.gather([f"--config={file}"], {})
    assert given.values["service"] == ["shop/cart"]
    assert given.values["insecure"] == ["true"]
    assert len(given.problems) == 1


def test_instance_state_and_socket_follow_from_each_other() -> None:
    given = config.gather(["--inbound", "0.0.0.0:7000"], {"XDG_STATE_HOME": "/state"})
    (instance,) = given.values["instance"]
    assert instance.endswith("-7000")
    assert given.values["state-dir"] == [f"/state/breakwater/{instance}"]
    assert given.values["admin"] == [f"unix:/state/breakwater/{instance}/admin.sock"]


def test_every_problem_names_where_the_value_came_from(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.toml"
    file.write_text('outbound = "nowhere"\n')
    found = problems("--config", str(file), "--workers", "2", environment={"BREAKWATER_HTTP": "no"})
    assert [problem.rpartition(": expected")[0] for problem in found] == [
        "--workers",
        f"{file}: outbound",
        "BREAKWATER_HTTP",
    ]


def test_an_unreadable_file_is_a_problem(tmp_path: Path) -> None:
    assert len(problems("--config", str(tmp_path / "absent.toml"))) == 1


def test_a_mistyped_setting_in_the_file_gets_a_suggestion(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.toml"
    file.write_text('outbond = "127.0.0.1:1"\n')
    assert problems("--config", str(file)) == [f"{file}: there is no setting outbond; did you mean outbound?"]


def test_a_switch_is_true_or_false() -> None:
    assert problems("--insecure=maybe") == ['--insecure: expected true or false, found "maybe"']
