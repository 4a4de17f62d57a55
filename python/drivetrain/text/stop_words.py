"""Words that say little about what a text is about."""

from __future__ import annotations

_ENGLISH = """
a about above after again against all also am an and any are as at be because been before being below
between both but by can could did do does doing down during each either few for from further had has have
having he her here hers herself him himself his how i if in into is it its itself just me more most my
myself neither nor of off on once only or other our ours ourselves out over own per shall she should so
some such than that the their theirs them themselves then there these they this those through to too under
until up upon us very was we were what when where whether which while who whom whose why will with would
you your yours yourself yourselves
"""
ENGLISH = frozenset(_ENGLISH.split())
"""English function words without negations, which matter to the mood of a text."""
