"""Whether a map has a law at all: the branch that is ``-1/z`` far away, tested on the whole upper half-plane.

Where no domain is known that T maps into itself nothing says that the branch can be continued everywhere: a wrong map
has branch points above the axis. Let m be that branch, followed straight down to every point of the line Im z = eta. By
Herglotz's theorem m is the transform of a law above the line if and only if ``Im m > 0`` and

    m(w) = int f(x) dx / (x + i eta - w),    f(x) = Im m(x + i eta) / pi,    for all w above the line.

A branch point at zb above the line makes m jump across the cut from zb to the line, and the two sides differ by the
integral of ``jump / (w - z)`` along the cut. They are compared at many w, which includes mass, mean and variance as
seen from large w. What lies below the line, at a height h, changes them by the order of ``h^(3/2)`` only.

The integral is taken in theta, ``x = centre + scale tan(theta/2)``, over panels that are divided until a Gauss-Kronrod
rule and its Gauss rule agree and the last Legendre coefficients are small. Every panel has an anchor at a height of its
own width; branches go from the anchor of a panel to the anchors of its pieces and down to its nodes, so that no path is
long in the hyperbolic metric.

Source: derived.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..status import Status
from .base import Complex, Equation, Real
from .branch import descend
from .domains import Domain
from .maps import FlatMap
from .paths import follow
from .probe import Profile, gauged, profile

_HEIGHTS_OF_LINE = (1e-6, 1e-3)  # in widths of the law; the second where the map has no digits left on the first
_PANELS, _PIECES = 16, 4
_ROUNDS = 24  # of divisions; 4^-24 of the width is below rounding
_PANEL_ERROR = 1e-10  # difference of the two rules, times unknowns squared, that is no reason to divide a panel
_MISMATCH = 3e-8  # of the two sides, relative, that is no branch point
_BUDGET = 6e6  # evaluations of the map
# test points, in widths from the centre: near the law at several heights, and far away
_OFFSETS = np.array([-2.7, -1.7, -0.9, -0.31, 0.17, 0.73, 1.4, 2.2, 3.1, -8.0, 0.0, 9.0, -1.2, 0.4, 1.9, 0.05])
_HEIGHTS = np.array([0.3, 0.1, 0.2, 0.05, 0.4, 0.1, 0.05, 0.2, 0.3, 3.0, 30.0, 2.0, 0.02, 0.02, 0.02, 1.0])
# Gauss (7) and Kronrod (15) on [-1, 1]. Source: QUADPACK, Piessens et al. 1983, routine QK15
_NODES = np.array([
    0.991455371120812639206854697526329, 0.949107912342758524526189684047851, 0.864864423359769072789712788640926,
    0.741531185599394439863864773280788, 0.586087235467691130294144691693013, 0.405845151377397166906606412076961,
    0.207784955007898467600689403773245, 0.0,
])  # fmt: skip
_KRONROD = np.array([
    0.022935322010529224963732008058970, 0.063092092629978553290700663189204, 0.104790010322250183839876322541518,
    0.140653259715525918745189590510238, 0.169004726639267902826583426598550, 0.190350578064785409913256402421014,
    0.204432940075298892414161999234649, 0.209482141084727828012999174891714,
])  # fmt: skip
_GAUSS = np.array([
    0.0, 0.129484966168869693270611432679082, 0.0, 0.279705391489276667901467771423780,
    0.0, 0.381830050505118944950369775488975, 0.0, 0.417959183673469387755102040816327,
])  # fmt: skip


class Whole(NamedTuple):
    """Outcome of the test: `doubt` in words (empty: the map is that of a law), and m at the test points."""

    doubt: str
    z: Complex
    m: Complex


class _Lost(NamedTuple):
    """A point that was not reached, and whether the map has values there at all."""

    z: complex
    has_values: bool


class _Line(NamedTuple):
    """The place of the law."""

    centre: float
    scale: float

    def x(self, theta: Real) -> Real:
        return np.asarray(self.centre + self.scale * np.tan(0.5 * theta))

    def speed(self, theta: Real) -> Real:
        return np.asarray(0.5 * self.scale / np.cos(0.5 * theta) ** 2)


def whole(tmap: FlatMap, facts: Profile) -> Whole:
    """The test of an equation, done at the first call and kept with the equation."""
    kept: Whole | None = tmap.equation.__dict__.get("_whole")
    if kept is None:
        kept = _test(tmap, facts)
        object.__setattr__(tmap.equation, "_whole", kept)
    return kept


def against(tmap: FlatMap, facts: Profile, domain: Domain) -> str:
    """What speaks against an equation as a whole where its map keeps `domain`; empty if nothing does."""
    built_in = type(tmap.equation).sweep is not Equation.sweep  # its law exists by a theorem
    if facts.remark or domain is not Domain.NONE or built_in:
        return facts.remark
    return whole(tmap, facts).doubt


def holds_everywhere(equation: Equation) -> bool:
    """Whether a map is that of a law, tested even where it seems to keep a domain; true for those never in question.

    Maps that solves refuse in words anyway are left to these.
    """
    if type(equation).sweep is not Equation.sweep or profile(equation).domain is Domain.NONE:
        return True
    tmap, facts = gauged(equation), profile(equation)
    return bool(facts.remark) or not whole(tmap, facts).doubt


def found_against(equation: Equation) -> str:
    """What earlier solves found to speak against an equation as a whole."""
    facts, kept = equation.__dict__.get("_profile"), equation.__dict__.get("_whole")
    return (facts.remark if facts is not None else "") or (kept.doubt if kept is not None else "")


def _test(tmap: FlatMap, facts: Profile) -> Whole:
    line = _Line(facts.centre, facts.scale)
    w = np.asarray(line.centre + line.scale * (_OFFSETS + 1j * _HEIGHTS), dtype=np.complex128)
    found = descend(tmap, facts, Domain.NONE, w, ratio=0.25, tol=1e-12, max_steps=500)
    good = found.status == Status.CONVERGED
    values = tmap.readout(w[good], found.state[good])
    if not good.all():
        return Whole(_lost(w[~good][0]), w[good], values)
    low, high = _HEIGHTS_OF_LINE
    integral, error, lost = _integral(tmap, facts, line, low * line.scale, w)
    if lost is not None:
        integral, error, lost = _integral(tmap, facts, line, high * line.scale, w)
    if lost is not None:
        return Whole(_lost(lost.z) if lost.has_values else "", w, values)
    size = 1.0 / (line.scale + np.abs(w - line.centre))
    gap = np.abs(integral - values) / size
    worst = int(np.argmax(gap - 4.0 * error / size))
    doubt = ""
    if gap[worst] > _MISMATCH + 4.0 * error[worst] / size[worst]:
        doubt = (
            f"the branch that is -1/z far away is not analytic in the upper half-plane: its density gives m = "
            f"{integral[worst]:.6g} at z={w[worst]:.4g}, the branch itself {values[worst]:.6g}; the map is not the map "
            "of a law"
        )
    return Whole(doubt, w, values)


def _lost(z: complex) -> str:
    return (
        f"the branch cannot be followed from large Im z to z={z:.4g}, where the transform of a law is analytic: the "
        "map is not the map of a law"
    )


def _integral(tmap: FlatMap, facts: Profile, line: _Line, eta: float, w: Complex) -> tuple[Complex, Real, _Lost | None]:
    """(right side of the identity at w, its error, a point that was not reached)."""
    nodes = np.concatenate([-_NODES[:-1], _NODES[::-1]])
    kronrod = np.concatenate([_KRONROD[:-1], _KRONROD[::-1]])
    gauss = np.concatenate([_GAUSS[:-1], _GAUSS[::-1]])
    highest = np.linalg.inv(np.polynomial.legendre.legvander(nodes, nodes.size - 1))[-2:]
    half = np.full(_PANELS, np.pi / _PANELS)
    theta = -np.pi + half * (2.0 * np.arange(_PANELS) + 1.0)
    anchor = np.asarray(line.x(theta) + 1j * np.maximum(line.speed(theta) * half, eta), dtype=np.complex128)
    first = descend(tmap, facts, Domain.NONE, anchor, ratio=0.25, tol=1e-12, max_steps=500)
    state = first.state
    if not (first.status == Status.CONVERGED).all():
        return w, np.abs(w), _first_lost(tmap, anchor, first.status == Status.CONVERGED)
    total, error = np.zeros(w.size, dtype=np.complex128), np.zeros(w.size)
    spent = 0
    for _ in range(_ROUNDS):
        angle = theta[:, None] + half[:, None] * nodes
        z = np.asarray((line.x(angle) + 1j * eta).ravel(), dtype=np.complex128)
        down = _follow(tmap, facts, np.repeat(anchor, nodes.size), np.repeat(state, nodes.size, axis=0), z)
        spent += int(down[2])
        if not down[1].all():
            return w, np.abs(w), _first_lost(tmap, z, down[1])
        density = (tmap.readout(z, down[0]).imag / np.pi).reshape(angle.shape) * line.speed(angle) * half[:, None]
        kernel = density[:, :, None] / (z.reshape(angle.shape)[:, :, None] - w)
        fine = np.einsum("pnw,n->pw", kernel, kronrod)
        # the two rules may agree by chance where an edge is inside a panel, the last two coefficients do not as well
        gap = np.abs(fine - np.einsum("pnw,n->pw", kernel, gauss))
        gap = np.maximum(gap, np.abs(np.einsum("pnw,cn->pcw", kernel, highest)).max(axis=1))
        bad = (gap * line.scale).max(axis=1) > min(_PANEL_ERROR * tmap.size**2, 1e-7)
        bad &= line.speed(theta) * half > 0.1 * eta
        if spent > _BUDGET:
            bad[:] = False
        total += fine[~bad].sum(axis=0)
        error += gap[~bad].sum(axis=0)
        if not bad.any():
            break
        shift = (2.0 * np.arange(_PIECES) + 1.0) / _PIECES - 1.0
        pieces = (theta[bad, None] + half[bad, None] * shift).ravel()
        half = np.repeat(half[bad] / _PIECES, _PIECES)
        lower = np.asarray(line.x(pieces) + 1j * np.maximum(line.speed(pieces) * half, eta), dtype=np.complex128)
        start = np.repeat(anchor[bad], _PIECES), np.repeat(state[bad], _PIECES, axis=0)
        step = _follow(tmap, facts, *start, lower)
        spent += int(step[2])
        if not step[1].all():
            return w, np.abs(w), _first_lost(tmap, lower, step[1])
        theta, anchor, state = pieces, lower, step[0]
    return total, error, None


def _first_lost(tmap: FlatMap, z: Complex, reached: NDArray[np.bool_]) -> _Lost:
    """The first point that was not reached."""
    at = z[~reached][:1]
    return _Lost(complex(at[0]), bool(np.isfinite(tmap(at, tmap.start(at + 1j * tmap.gauge.width))).all()))


def _follow(
    tmap: FlatMap, facts: Profile, z_from: Complex, start: Complex, z_to: Complex
) -> tuple[Complex, NDArray[np.bool_], int]:
    """(states, reached, evaluations); what a path loses is tried again from far away."""
    path = follow(tmap, Domain.NONE, z_from, start, z_to, floor=1e-9 * facts.scale, ratio=0.1, tol=1e-12, max_steps=400)
    state, good, spent = path.state, path.status == Status.CONVERGED, int(path.n_steps.sum())
    rest = np.flatnonzero(~good)
    if rest.size:
        again = descend(tmap, facts, Domain.NONE, z_to[rest], ratio=0.25, tol=1e-12, max_steps=500)
        state[rest], good[rest] = again.state, again.status == Status.CONVERGED
        spent += int(again.n_steps.sum())
    return state, good, spent
