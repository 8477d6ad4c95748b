"""Upper bounds of a concave function between its nodes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..measures.base import Real

Flags = NDArray[np.bool_]

_SAME = 1e-12  # of t


def highest(t: Real, h: Real, regular: Flags) -> Real:
    """Upper bound of ``h >= 0`` between the second and the third of four nodes.

    Parameters
    ----------
    t, h : Real
        Nodes and values, shape (4, n), t increasing; nan where there is none. Nodes that rounding hardly tells apart
        count as one.
    regular : Flags
        Shape (3, n): is h concave between neighbouring nodes? Where it is not between the two in the middle, it falls
        to 0 somewhere there and is concave on both sides of that.

    Returns
    -------
    Real
        inf where nothing is known.
    """
    with np.errstate(all="ignore"):
        width, low, high = t[2] - t[1], h[1], h[2]
        rise, fall = (h[1] - h[0]) / (t[1] - t[0]), (h[3] - h[2]) / (t[3] - t[2])  # chords; continued they lie above h
        apart = np.diff(t, axis=0) > _SAME * np.maximum(np.abs(t[1:]), np.abs(t[:-1]))
        before, after = regular[0] & apart[0], regular[2] & apart[2]
        meet = np.clip((high - low - fall * width) / (rise - fall), 0.0, width)
        top = np.where(after, high - fall * width, np.inf)
        top = np.where(before, low + rise * np.where(after, meet, width), top)
        falls, rises = before & (rise <= 0.0), after & (fall >= 0.0)
        top = np.where(falls, low, np.where(rises, high, top))
        top = np.where(regular[1], np.where(apart[1], top, 0.0), np.where(falls & rises, 0.0, np.inf))
        top = np.maximum(top, np.maximum(low, high))
    return np.where(np.isfinite(top), top, np.inf)


def windows(values: Real) -> Real:
    """The four nodes around every interval of every row, shape (4, rows, nodes - 1); nan beyond the ends."""
    padded = np.pad(values, ((0, 0), (1, 1)), constant_values=np.nan)
    count = values.shape[1] - 1
    return np.stack([padded[:, i : i + count] for i in range(4)])
