# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 7. Property-test a solver, yours or ours
#
# A solver of a self-consistent equation that returns numbers has proved nothing. But the numbers must obey laws that
# need no reference solution: the imaginary part is positive above the axis (Herglotz), the Pick matrix of any set of
# points is positive semidefinite, $m(z) \approx -1/z$ far away (mass one), $m(\bar z) = \overline{m(z)}$. And where
# the model is known, finite matrices can be sampled. `check_solver` searches for a counter-example to every such law
# and names the smallest that it finds.
#
# This needs hypothesis, which comes with `pip install 'rmtsolve[test]'`.

# %%
import numpy as np

import rmtsolve as rmt
from rmtsolve.testing import check_solver

# %% [markdown]
# ## A solver as people write it
# Marchenko–Pastur with a population of two atoms, by damped iteration at a point that is pushed off the axis "for
# stability". It looks right on a plot.

# %%
H = rmt.Discrete([1.0, 4.0], [0.5, 0.5])
model = rmt.SampleCovariance(H, ratio=0.5)


def published(z, ratio=0.5, shift=1e-3j):
    z = np.asarray(z, dtype=complex)
    upper = np.where(z.imag < 0, z.conj(), z) + shift
    m = -1 / upper
    for _ in range(400):
        inner = 1 - ratio - ratio * upper * m
        m = 0.5 * m + 0.5 * (0.5 / (1.0 * inner - upper) + 0.5 / (4.0 * inner - upper))
    return np.where(z.imag < 0, m.conj(), m)


# %%
def verdict(solver, **model):
    """The sentence with which the check fails, or 'passes'."""
    try:
        check_solver(solver, **model)
    except AssertionError as error:
        return str(error)
    return "passes"


biased = verdict(published, ensemble=model)
print(biased)

# %% [markdown]
# The shift by $10^{-3} i$ is found: the numbers belong to another law, one blurred by a Cauchy kernel. Without the
# shift the same iteration passes.

# %%
repaired = verdict(lambda z: published(z, shift=0), ensemble=model)
print(repaired)

# %% [markdown]
# ## Four more mistakes
# The ratio upside down; mass that is lost; a square root on the wrong branch; the sign of another convention.

# %%
law = rmt.MarchenkoPastur(0.5)
white = rmt.SampleCovariance(rmt.Discrete([1.0]), ratio=0.5)


def wrong_branch(z, c=0.5):
    z = np.asarray(z, dtype=complex)
    return (1 - c - z + np.sqrt((z - 1 - c) ** 2 - 4 * c)) / (2 * c * z)


mistakes = {
    "p/n and n/p exchanged": rmt.MarchenkoPastur(2.0).stieltjes,
    "mass 0.999": lambda z: 0.999 * law.stieltjes(z),
    "wrong branch": wrong_branch,
    "G instead of m": lambda z: -law.stieltjes(z),
}
found = {name: verdict(solver, ensemble=white) for name, solver in mistakes.items()}
for name, sentence in found.items():
    print(f"{name}:\n    {sentence}\n")

# %% [markdown]
# ## Without a model
# No ensemble is needed for the laws that every Stieltjes transform obeys.

# %%
print(verdict(rmt.Semicircle().stieltjes))
print(verdict(mistakes["mass 0.999"]))

# %% [markdown]
# ## As a test of yours
# Inside pytest it is one line, `check_solver(my_solver, ensemble=my_model)`; `check_measure`, `check_equation`,
# `check_ensemble` and `check_activation` do the same for the other nouns, and `rmtsolve.testing` has the Hypothesis
# strategies to draw them.

# %%
assert repaired == "passes"
assert biased != "passes"
assert all(sentence != "passes" for sentence in found.values())
assert verdict(rmt.Semicircle().stieltjes) == "passes"
