"""Rehearsals as people read them."""

from __future__ import annotations

from typing import Any

from controlplane.cli import figures


def row(rules: dict[str, Any]) -> list[str]:
    """A rehearsal: what it does to which share of the calls, until when, and where it is stated."""
    policy = rules["policy"]
    effects = {
        "delay": figures.span(rules.get("delay")) if rules.get("delay") else "",
        "abort": (rules.get("abort") or {}).get("status"),
        "bandwidth": (rules.get("bandwidth") or {}).get("bytesPerSecond"),
    }
    said = ", ".join(f"{name} {figure}" for name, figure in effects.items() if figure)
    shadow = " in shadow" if rules["isShadow"] else ""
    figure = f"{rules['percent']:g} %{shadow}: {said}, until {rules['until']}{_merge(rules)}"
    stated = figures.policy(policy) + figures.scope(rules.get("scope"))
    return [f"fault {policy['namespace']}/{policy['name']}", figure, stated]


def _merge(rules: dict[str, Any]) -> str:
    """How it combines with others, as written, where that is said."""
    word = str(rules.get("merge") or "").removeprefix("POLICY_MERGE_")
    return "" if word in {"", "UNSPECIFIED", "PATCH_DEFAULTS"} else f", merge {word.title().replace('_', '')}"
