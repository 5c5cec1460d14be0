"""How hard the property tests look: moderately, or thoroughly with `HYPOTHESIS_PROFILE=thorough`."""

import os

from hypothesis import settings

settings.register_profile("moderate", max_examples=150, stateful_step_count=40, deadline=None)
settings.register_profile("thorough", max_examples=1_000, stateful_step_count=60, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "moderate"))
