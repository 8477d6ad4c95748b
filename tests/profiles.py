"""How many examples a costly property draws: few in the quick profile, all of them in a deeper one."""

from hypothesis import settings

QUICK = 50  # examples of the `ci` profile, see conftest.py


def quick(examples: int) -> settings:
    """Settings with so many examples in the `ci` profile, and the number of the profile in any other."""
    profile = settings.default.max_examples
    return settings(max_examples=examples if profile <= QUICK else profile)
