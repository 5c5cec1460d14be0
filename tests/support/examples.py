"""How many examples a pure machine is shown: a thousand, or many with `HYPOTHESIS_PROFILE=thorough`."""

import os

from hypothesis import settings

IS_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


def thousands(count: int = 1) -> settings:
    """Settings that show so many thousand examples, thoroughly a hundred times as many."""
    return settings(max_examples=1_000 * count * (100 if IS_THOROUGH else 1), deadline=None)
