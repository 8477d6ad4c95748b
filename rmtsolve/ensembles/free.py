"""Free calculus: laws of sums, products and corners of matrices in general position.

If A and B are large matrices and B is turned by a Haar rotation, then ``A + B`` has the law `free_add`, ``A^(1/2) B
A^(1/2)`` the law `free_multiply`, ``i (A B - B A)`` the law `free_commutator`, and a corner of A of relative size tau
the law `free_compress`. The laws that come out are measures like any other and can go in again; ``law.series()`` makes
a cheap copy of one that is used many times.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _validate
from ..equations.composition import CompositionEquation
from ..equations.free_root import RootTransform
from ..equations.pastur import PasturEquation, deformed_wigner_equation, free_poisson_equation, free_power_equation
from ..equations.pastur_law import law_of
from ..equations.subordination import AdditiveEquation, MultiplicativeEquation
from ..equations.subordination_law import TwoFactorLaw
from ..errors import AccuracyWarning, DomainError
from ..measures.base import Measure
from ..measures.cumulants import law_free_cumulants, moments_from_free_cumulants
from ..measures.discrete import Discrete
from ..measures.stieltjes_law import StieltjesLaw, as_law

Law = Measure | Callable[[Any], Any]

_ORDERS = 12  # moments of a root whose signs are looked at
_NEGATIVE = 1e-7  # eigenvalue of a Hankel matrix that is not rounding
_SAMPLES = 0.5 - 0.5 * np.cos(np.pi * (np.arange(24) + 0.5) / 24)
_ROUGH = 1e-11  # tolerance of the coarser continuation
_PROMISE = 1e-8  # estimated relative error of a root from which a warning is given
_HOPELESS = 0.05  # from which it is none


def free_add(mu: Law, nu: Law, *more: Law) -> Measure:
    """Free additive convolution ``mu boxplus nu``: the law of ``A + B`` for free A and B.

    The subordination functions satisfy ``m(z) = m_mu(u) = m_nu(v)`` and ``u + v = z - 1/m(z)``. The law has an atom at
    ``a + b`` where the masses of a and b sum to more than one (the excess); free cumulants add.

    Parameters
    ----------
    mu, nu, *more : Measure or callable
        Laws of bounded support, or their Stieltjes transforms ``m(z)`` as functions of an array of points in the upper
        half-plane.

    Returns
    -------
    Measure

    Raises
    ------
    DomainError
        An argument is no law, has unbounded support, or is a function that is no Stieltjes transform.

    References
    ----------
    D. Voiculescu, J. Funct. Anal. 66 (1986) 323; H. Bercovici, D. Voiculescu, Regularity questions for free convolution
    (1998); S. Belinschi, H. Bercovici, J. Anal. Math. 101 (2007) 357.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> law = free_add(rmt.Discrete([0, 1, 3], [.4, .35, .25]), rmt.Discrete([-1, 2]))
    >>> law.edges.round(5), round(law.density(0.0), 12)
    (array([-0.99033,  1.50391,  2.02731,  2.96474,  3.07561,  4.9083 ]), 0.224743641878)
    """
    return _fold(_add_two, mu, nu, *more)


def free_multiply(mu: Law, nu: Law, *more: Law) -> Measure:
    """Free multiplicative convolution ``mu boxtimes nu``: the law of ``A^(1/2) B A^(1/2)`` for free A >= 0 and B.

    With ``psi = -1 - z m(z)`` and ``psi_mu(1/u) = psi_nu(1/v) = psi``, ``u v = z (1 + psi)/psi``. The atom at 0 has the
    larger of the two masses there; elsewhere there is an atom at ``a b`` where the masses sum to more than one;
    S-transforms multiply.

    Parameters
    ----------
    mu, nu, *more : Measure or callable
        Laws of bounded support, or Stieltjes transforms. All but one must live on [0, inf).

    Returns
    -------
    Measure

    Raises
    ------
    DomainError
        Two of the laws have mass on the negative axis (the product of two such matrices is not self-adjoint and has no
        self-adjoint form), or an argument is no law of bounded support.

    References
    ----------
    D. Voiculescu, J. Operator Theory 18 (1987) 223; S. Belinschi, Infin. Dimens. Anal. Quantum Probab. 6 (2003) 339.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> law = free_multiply(rmt.Discrete([0, 1], [.3, .7]), rmt.Discrete([0, 1], [.6, .4]))
    >>> law.edges.round(6), law.atoms.weights.round(6)                # two projections: Wachter's law
    (array([0.091001, 0.988999]), array([0.6, 0.1]))
    """
    laws = [_law(value, f"factor {i + 1}") for i, value in enumerate((mu, nu, *more))]
    signed = [law for law in laws if _ends(law)[0] < 0.0]
    if len(signed) > 1:
        _validate.fail(
            "nu", "a law on [0, inf) when mu is not", signed[1],
            "the product of two free matrices with negative eigenvalues has no self-adjoint form",
        )  # fmt: skip
    return _fold(_multiply_two, *[law for law in laws if law not in signed], *signed)


def free_power(mu: Law, exponent: float) -> Measure:
    """Free convolution power ``mu^(boxplus T)``: free cumulants are multiplied by T >= 1.

    For integers it is the law of a sum of T free copies. The solution of ``z = T u + (T - 1)/m_mu(u)`` gives
    ``m(z) = m_mu(u)``; an atom of mass h at a gives one of mass ``1 - T (1 - h)`` at ``T a`` if that is positive.

    Parameters
    ----------
    mu : Measure or callable
        Law of bounded support, or its Stieltjes transform.
    exponent : float
        T >= 1.

    Returns
    -------
    Measure

    Raises
    ------
    DomainError
        ``exponent < 1``.

    References
    ----------
    A. Nica, R. Speicher, Amer. J. Math. 118 (1996) 799; S. Belinschi, H. Bercovici, Math. Z. 248 (2004) 665.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> free_power(rmt.TwoPoint(-1, 1), 2.0).edges                   # the arcsine law
    array([-2.,  2.])
    """
    law = _law(mu, "mu")
    power = _validate.real(exponent, "exponent", low=0.0, open_low=True)
    if power < 1.0:
        _validate.fail(
            "exponent", ">= 1", power,
            "below 1 the free power of a law exists only for special laws (all those that are infinitely divisible); "
            "free_root tries it and checks the answer",
        )  # fmt: skip
    if power == 1.0:
        return law
    if _is_point(law):
        return law.scaled(power)
    return law_of(free_power_equation(law, power), f"free_power({law!r}, {power:g})")


def free_compress(mu: Law, tau: float) -> Measure:
    """Law of a corner of relative size tau of a matrix in general position: ``mu^(boxplus 1/tau)`` times tau.

    Parameters
    ----------
    mu : Measure or callable
        Law of bounded support, or its Stieltjes transform.
    tau : float
        In (0, 1].

    Returns
    -------
    Measure

    References
    ----------
    A. Nica, R. Speicher, Amer. J. Math. 118 (1996) 799.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> free_compress(rmt.TwoPoint(-1, 1), 0.5).edges
    array([-1.,  1.])
    """
    share = _validate.real(tau, "tau", low=0.0, high=1.0, open_low=True)
    return free_power(mu, 1.0 / share).scaled(share)


def free_root(mu: Law, exponent: float) -> Measure:
    """Attempt at a free convolution power with exponent T < 1: the law whose 1/T-th free power is mu, if there is one.

    Free cumulants are multiplied by T. Infinitely divisible families (semicircles, free Poisson laws), free powers,
    Kesten's laws, their affine images and free sums have their roots in closed form, or as sums of roots. For another
    law with one bulk, whose edges are square roots or inverse square roots, the equation of `free_power` is followed
    through the bulk by analytic continuation. The continuation loses digits with the distance from the bulk; the loss
    is estimated from a second, coarser one, and shown. What comes out is checked to be the Stieltjes transform of a
    positive law. For laws with more bulks nothing is tried, but for the signs of Hankel determinants.

    Parameters
    ----------
    mu : Measure or callable
        Law of bounded support, or its Stieltjes transform.
    exponent : float
        T in (0, 1).

    Returns
    -------
    Measure

    Raises
    ------
    DomainError
        No such law was found; the message says why.

    Warns
    -----
    AccuracyWarning
        The density of the root is only known to the error that is stated.

    References
    ----------
    A. Nica, R. Speicher, Amer. J. Math. 118 (1996) 799; H. Bercovici, V. Pata, Ann. of Math. 149 (1999) 1023.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> free_root(rmt.MarchenkoPastur(0.5), 0.5).moment(2)           # cumulants 1/2, 1/4, ...
    0.5
    """
    law = _law(mu, "mu")
    power = _validate.real(exponent, "exponent", low=0.0, high=1.0, open_low=True, open_high=True)
    known = _known_root(law, power)
    if known is not None:
        return known
    if law.edges.size == 0:
        remedy = "a law of atoms alone has no free root: free powers above 1 have a density"
        _validate.fail("mu", "a law with a density", law, remedy)
    order = _negative_moments(law, power)
    if order:
        _validate.fail(
            "exponent", f"such that {law!r} has a free root", power,
            f"the moments of the root up to order {order} would be those of no positive law",
        )  # fmt: skip
    return _continued_root(law, power)


def _negative_moments(law: Measure, power: float) -> int:
    """Order up to which the moments that belong to the multiplied cumulants are those of no law; 0 where they may be.

    The cumulants are those of the law moved to mean 0 and scaled to reach 1.
    """
    low, high = _ends(law)
    mean = law.moment(1)
    unit = max(high - mean, mean - low)
    kappas = power * law_free_cumulants(law, _ORDERS) / unit ** np.arange(1.0, _ORDERS + 1)
    kappas[0] = 0.0
    moments = [1.0, *moments_from_free_cumulants(kappas)]
    for size in range(2, _ORDERS // 2 + 2):
        hankel = np.array([moments[i : i + size] for i in range(size)])
        scale = np.sqrt(np.abs(np.diag(hankel)))
        if np.linalg.eigvalsh(hankel / scale / scale[:, None])[0] < -_NEGATIVE:
            return 2 * size - 2
    return 0


def _continued_root(law: Measure, power: float) -> Measure:
    remedy = "only then can the attempt be made"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)  # its error is looked at here
        series = law.series()
    if law.edges.size != 2 or law._in_bulk(law.atoms.locations).any():
        _validate.fail("mu", "a law with one bulk and no atoms in it", law, remedy)
    if series.error > 1e-10:
        _validate.fail("mu", "a law whose density is analytic between (inverse) square-root edges", law, remedy)
    try:
        root = StieltjesLaw(RootTransform(series, power))
    except DomainError as problem:
        raise DomainError(
            f"mu must have a free root of exponent {power:g}, got {law!r}; what the continuation gives is no "
            f"Stieltjes transform, or it cannot be continued: {problem}"
        ) from None
    places = [low + (high - low) * _SAMPLES for low, high in root.support]
    rough = RootTransform(series, power, _ROUGH)
    doubt = 0.0
    for x in places:
        z = x + 1e-8j * float(np.ptp(x))
        density = root._stieltjes(z).imag
        change = float(np.abs(rough(z).imag - density).max() / density.max())
        doubt = max(doubt, change if np.isfinite(change) else np.inf)
    if doubt > _HOPELESS:
        _validate.fail(
            "mu", f"a law that can be continued to its free root of exponent {power:g}", law,
            f"the continuation leaves no digits (relative error about {doubt:.1e}); give mu as the free power that "
            "it is, or a larger exponent",
        )  # fmt: skip
    if doubt > _PROMISE:
        warnings.warn(
            f"the density of the free root of exponent {power:g} of {law!r} is only accurate to about {doubt:.1e} of "
            "its largest value", AccuracyWarning, stacklevel=3,
        )  # fmt: skip
    return root


def _known_root(law: Measure, power: float) -> Measure | None:
    """Roots in closed form, and those of sums whose terms have them."""
    from ..measures.affine import Affine
    from ..measures.classical import FreePoisson, Kesten, MarchenkoPastur, Semicircle
    from ..measures.elementary import TwoPoint

    if _is_point(law):
        return law.scaled(power)
    if isinstance(law, Affine):
        base = _known_root(law.base, power)
        return None if base is None else base.scaled(law.factor).shifted(power * law.shift)
    if isinstance(law, Semicircle):
        return Semicircle(power * law.variance, power * law.mean)
    if isinstance(law, MarchenkoPastur):
        return FreePoisson(power / law.ratio, law.ratio * law.variance)
    if isinstance(law, FreePoisson):
        return FreePoisson(power * law.rate, law.jump)
    if isinstance(law, Kesten) and power * law.degree >= 1.0:  # the sum of that many laws on -1 and 1
        degree = power * law.degree
        return Kesten(degree) if degree > 2.0 else free_power(TwoPoint(-1.0, 1.0), degree)
    equation = getattr(law, "equation", None)
    if isinstance(equation, PasturEquation | CompositionEquation):
        total = equation.scale * power
        if equation.kind == "free poisson":
            return law_of(free_poisson_equation(_population(equation), total), f"free_root({law!r}, {power:g})")
        if equation.kind == "free power" and total >= 1.0:
            return free_power(_population(equation), total)
        if equation.kind == "deformed wigner":
            root = _known_root(_population(equation), power)
            return None if root is None else _add_two(Semicircle(total), root)
    if isinstance(equation, AdditiveEquation):
        roots = [_known_root(side.measure, power) for side in (equation.one, equation.two)]
        if roots[0] is not None and roots[1] is not None:
            return _add_two(roots[0], roots[1])
    return None


def _population(equation: PasturEquation | CompositionEquation) -> Measure:
    """The law that a scalar equation was built from."""
    return Discrete(*equation.population) if isinstance(equation, PasturEquation) else equation.population


def _add_two(mu: Measure, nu: Measure) -> Measure:
    from ..measures.classical import Semicircle

    for one, two in ((mu, nu), (nu, mu)):
        if _is_point(one):
            return two.shifted(float(one.atoms.locations[0]))
        if isinstance(one, Semicircle):  # one equation instead of two
            if isinstance(two, Semicircle):
                return Semicircle(one.variance + two.variance, one.mean + two.mean)
            equation = deformed_wigner_equation(two.shifted(one.mean), one.variance)
            return law_of(equation, f"free_add({mu!r}, {nu!r})")
    return TwoFactorLaw(AdditiveEquation(mu, nu), f"free_add({mu!r}, {nu!r})")


def _multiply_two(mu: Measure, nu: Measure) -> Measure:
    for one, two in ((mu, nu), (nu, mu)):
        if _is_point(one):
            return two.scaled(float(one.atoms.locations[0]))
    if _ends(nu)[1] <= 0.0:  # the mirror image of a product of laws on [0, inf)
        return _multiply_two(mu, nu.scaled(-1.0)).scaled(-1.0)
    return TwoFactorLaw(MultiplicativeEquation(mu, nu), f"free_multiply({mu!r}, {nu!r})")


def _fold(combine: Callable[[Measure, Measure], Measure], *values: Law) -> Measure:
    laws = [_law(value, f"law {i + 1}") for i, value in enumerate(values)]
    total = laws[0]
    for law in laws[1:]:
        total = combine(total, law)
    return total


def _law(value: Law, name: str) -> Measure:
    """A measure of bounded support; a Stieltjes transform is wrapped."""
    law = as_law(value, name)
    if not np.isfinite(_ends(law)).all():
        _validate.fail(name, "a law of bounded support", law)
    return law


def _ends(law: Measure) -> tuple[float, float]:
    ends = np.concatenate([law.edges, law.atoms.locations])
    return float(ends.min()), float(ends.max())


def _is_point(law: Measure) -> bool:
    return law.edges.size == 0 and law.atoms.locations.size == 1
