"""Equations of the form ``z = u + b + sum_j w_j / (u - t_j)``, Im u > 0, and what is known about them.

=============================  ================  ============  ==================  ==================
law                            b                 w_j           t_j                 Stieltjes transform
=============================  ================  ============  ==================  ==================
sample covariance, ratio c     c sum h t         c h_j t_j^2   population atoms    (u/z) m_H(u)
its companion, and compound    c sum h t         c h_j t_j^2   population (jump)   -1/u
free Poisson of rate c                                         atoms
deformed Wigner                0                 var h_j       population atoms    m_H(u)
free power T of H              (T-1) mean        (T-1) k_j     zeros of m_H        m_H(u)
=============================  ================  ============  ==================  ==================

with ``-1/m_H(u) = u - mean - sum_j k_j / (u - s_j)``. The distribution function is a sum of angles: with "charges"
``nu_j`` at points ``p_j`` of the u-line, ``pi dN = Im d[A(u) - sum_j nu_j log(u - p_j)]``, so that the mass of a bulk
is the charge between its two critical points, and a charge that no bulk encloses is an atom.

Source: derived; V. A. Marchenko, L. A. Pastur, Math. USSR Sb. 1 (1967); L. A. Pastur, Theor. Math. Phys. 10 (1972);
A. Nica, R. Speicher, Lectures on the Combinatorics of Free Probability (2006), lecture 14 for free powers.
"""

from __future__ import annotations

import math

from .. import _validate
from ..measures.base import Measure
from .composition import CompositionEquation
from .operands import remark, stand_in
from .pastur_equation import PasturEquation as PasturEquation
from .pole_sums import transform_zeros


def covariance_equation(population: Measure, ratio: float) -> PasturEquation | CompositionEquation:
    """Generalised Marchenko-Pastur equation of ``X^T X / n``; population on [0, inf), ratio = p/n."""
    if population.edges.size:
        return _composed("covariance", population, ratio)
    at, mass = population.atoms
    return PasturEquation("covariance", population.atoms, ratio, at[at > 0.0], mass[at > 0.0])


def free_poisson_equation(jumps: Measure, rate: float) -> PasturEquation | CompositionEquation:
    """Compound free Poisson law: free cumulants ``kappa_k = rate int t^k H(dt)``."""
    if jumps.edges.size:
        return _composed("free poisson", jumps, rate)
    at, mass = jumps.atoms
    return PasturEquation("free poisson", jumps.atoms, rate, at[at != 0.0], mass[at != 0.0])


def deformed_wigner_equation(population: Measure, variance: float) -> PasturEquation | CompositionEquation:
    """Law of ``A + sqrt(variance) W``, spec(A) = H."""
    if population.edges.size:
        return _composed("deformed wigner", population, variance)
    return PasturEquation("deformed wigner", population.atoms, variance, *population.atoms)


def free_power_equation(population: Measure, exponent: float) -> PasturEquation | CompositionEquation:
    """Free convolution power ``H^{boxplus T}``, T > 1."""
    exponent = _validate.real(exponent, "exponent", low=1.0, open_low=True, remedy="the power 1 is H itself")
    if population.edges.size:
        return _composed("free power", population, exponent)
    at, mass = population.atoms
    zeros, residues = transform_zeros(at, mass)
    mean = math.fsum(at * mass)
    return PasturEquation("free power", population.atoms, exponent, zeros, residues, (exponent - 1.0) * mean)


def _composed(kind: str, population: Measure, scale: float) -> CompositionEquation:
    """The equation of a law that is not discrete."""
    equation = CompositionEquation(kind, stand_in(population), scale)
    equation.remarks = remark(population, "the population")
    return equation
