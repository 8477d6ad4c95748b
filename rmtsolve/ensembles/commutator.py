"""The free commutator: law of ``i (A B - B A)`` for matrices A and B in general position."""

from __future__ import annotations

import numpy as np

from ..equations.commutator import CommutatorEquation
from ..equations.commutator_law import CommutatorLaw
from ..equations.even import SymmetricRoot, is_even, square_of
from ..equations.pastur import free_poisson_equation
from ..equations.pastur_law import law_of
from ..equations.projections import ProjectionsLaw
from ..measures.base import Measure
from ..measures.discrete import Discrete
from .free import Law, _is_point, _law, free_add, free_multiply, free_power

_CRITICAL = 1e-9  # distance of a mass from 1/2 at which the edges of the even route are lost


def free_commutator(mu: Law, nu: Law) -> Measure:
    """Law of ``i (A B - B A)`` for free A and B with laws mu and nu.

    It depends on the even free cumulants only. If A and B take two values each, they are projections P, Q but for a
    shift and a scale, and ``(i (P Q - Q P))^2`` is ``x (1 - x)`` for the eigenvalues x of P Q P, twice for each that is
    neither 0 nor 1. If only B takes two values, with equal weights, half their distance times ``A - A'`` has the law,
    A' a free copy of A. For laws that are even up to a shift, ``A B`` is R-diagonal, and the
    commutator has the law ``tau boxplus tau`` where tau is the even law with ``tau^2 = mu^2 boxtimes nu^2`` (the laws
    of the squares). Free Poisson laws are replaced by the even compound free Poisson laws with the same even
    cumulants. For any other pair five equations are solved (`CommutatorEquation`). The atom at 0 has the mass
    ``2 w - 1`` where w is the largest mass of a point under mu or nu, if that is positive; there is no other.

    Parameters
    ----------
    mu, nu : Measure or callable
        Laws of bounded support, or Stieltjes transforms.

    Returns
    -------
    Measure

    Raises
    ------
    DomainError
        An argument is no law of bounded support.
    ConvergenceError
        From the methods of the law, for pairs of the last kind: points that could not be solved.

    References
    ----------
    A. Nica, R. Speicher, Duke Math. J. 92 (1998) 553; for projections P. R. Halmos, Two subspaces, Trans. Amer. Math.
    Soc. 144 (1969) 381: in the frame of a 2 x 2 block with angle t, ``P Q - Q P`` is ``sin t cos t`` times a rotation.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> law = free_commutator(rmt.TwoPoint(-1, 1), rmt.TwoPoint(-1, 1))
    >>> law.edges                                                    # the arcsine law
    array([-2.,  2.])
    >>> law = free_commutator(rmt.Discrete([0, 1], [.3, .7]), rmt.Discrete([-1, 2, 3], [.3, .3, .4]))
    >>> law.edges.round(6), law.atoms.weights.round(6)
    (array([-1.940491, -0.322792,  0.322792,  1.940491]), array([0.4]))
    """
    one, two = _law(mu, "mu"), _law(nu, "nu")
    if _is_point(one) or _is_point(two):
        return Discrete([0.0])
    if _takes_two(one) and _takes_two(two):
        return _of_projections(one, two)
    for signs, other in ((one, two), (two, one)):
        if isinstance(signs, Discrete) and signs.locations.size == 2 and signs.weights[0] == signs.weights[1]:
            half = 0.5 * float(signs.locations[1] - signs.locations[0])
            return free_add(other.scaled(half), other.scaled(-half))
    first, second = _even_part(one), _even_part(two)
    title = f"free_commutator({one!r}, {two!r})"
    if first is None or second is None or _critical(first) or _critical(second):
        return CommutatorLaw(CommutatorEquation(one, two), title)
    return free_power(SymmetricRoot(free_multiply(square_of(first), square_of(second))), 2.0)


def _takes_two(law: Measure) -> bool:
    return law.edges.size == 0 and law.atoms.locations.size == 2


def _of_projections(one: Measure, two: Measure) -> Measure:
    factor = float(np.prod([np.diff(law.atoms.locations) for law in (one, two)]))
    return ProjectionsLaw(*(float(law.atoms.weights[1]) for law in (one, two))).scaled(factor)


def _critical(law: Measure) -> bool:
    """Whether the mass at 0 is 1/2, to rounding."""
    at, mass = law.atoms
    return abs(float(mass[at == 0.0].sum()) - 0.5) <= _CRITICAL


def _even_part(law: Measure) -> Measure | None:
    """An even law with the same even free cumulants, or None where none is known."""
    from ..measures.classical import FreePoisson, MarchenkoPastur

    if isinstance(law, MarchenkoPastur):
        law = FreePoisson(1.0 / law.ratio, law.ratio * law.variance)
    if isinstance(law, FreePoisson):
        jumps = Discrete([-law.jump, law.jump])
        return law_of(free_poisson_equation(jumps, law.rate), f"the even part of {law!r}")
    centred = law.shifted(-law.moment(1))
    if isinstance(law, Discrete):  # symmetric to the last digit
        at, mass = centred.atoms
        centred = Discrete(0.5 * (at - at[::-1]), mass) if is_even(centred) else centred
    return centred if is_even(centred) else None
