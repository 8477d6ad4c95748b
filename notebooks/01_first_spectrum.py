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
# # 1. A first spectrum in five minutes
#
# You have $n$ samples of $p$ features and look at the eigenvalues of the sample covariance $S = X^\top X / n$. When
# $p$ and $n$ are of the same size, they are not the eigenvalues of the population: noise alone spreads them over an
# interval. What follows says over which, exactly.
#
# Conventions, used everywhere: the **aspect ratio** is $p/n$ (features over samples); the **Stieltjes transform** is
# $m(z) = \int \mu(dx)/(x - z)$, so that $\operatorname{Im} m > 0$ above the real axis and the density is
# $\operatorname{Im} m(x + i0)/\pi$. Papers that use $G(z) = -m(z)$ or $n/p$ differ by these signs and inversions
# only.

# %%
import matplotlib.pyplot as plt
import numpy as np

import rmtsolve as rmt

# %% [markdown]
# ## White noise: the null case
# Population covariance one, $p/n = 1/2$. The law is Marchenko and Pastur's, and one finite matrix already follows it.

# %%
null = rmt.SampleCovariance(rmt.Discrete([1.0]), ratio=0.5)
rng = np.random.default_rng(1)  # randomness is explicit: no result depends on a hidden seed
eigenvalues = rmt.simulate_spectrum(null, size=400, trials=2, rng=rng)
print(rmt.compare(null.law(), eigenvalues))

# %%
null.law().plot(eigenvalues=eigenvalues)
plt.show()

# %% [markdown]
# Eigenvalues repel each other, so the empirical distribution of $p$ of them stays within $O(\log p / p)$ of its law:
# much closer than that of $p$ independent points. `compare` knows how close, which makes it a sharp test: a law at
# $p/n = 0.52$ in place of $0.5$ is told apart with these matrices.

# %%
print(rmt.compare(rmt.MarchenkoPastur(0.52), eigenvalues).verdict)

# %% [markdown]
# ## Fewer samples than features
# With $p/n = 2$ at least half of the eigenvalues are exactly zero. The law has an **atom** there, and its
# distribution function counts it: it starts at $1/2$.

# %%
wide = rmt.MarchenkoPastur(2.0)
print("atom at", wide.atoms.locations, "of mass", wide.atoms.weights)
print("cdf just below, at, and far above zero:", wide.cdf(-1e-9), wide.cdf(0.0), wide.cdf(100.0))

# %%
ax = wide.plot(eigenvalues=rmt.simulate_spectrum(rmt.SampleCovariance(rmt.Discrete([1.0]), ratio=2.0), 400, 1, rng))
plt.show()

# %% [markdown]
# ## The right branch
# The closed form of the transform has a square root, and the principal branch of `np.sqrt` is wrong on half of the
# plane. Its typical symptom is a density that is right on the upper half of the bulk and negative, or zero, on the
# lower half. A check that needs no reference: the imaginary part must be positive everywhere above the axis.

# %%
c = 0.5
z = np.linspace(0.05, 3.2, 9) + 0.05j
naive = (1 - c - z + np.sqrt((z - 1 - c) ** 2 - 4 * c)) / (2 * c * z)  # the formula as found in many notebooks
right = rmt.MarchenkoPastur(c).stieltjes(z)
print("points of the naive formula with Im m < 0:", int((naive.imag < 0).sum()), "of", z.size)
print("ours:                                     ", int((right.imag < 0).sum()), "of", z.size)

# %% [markdown]
# ## A population with structure
# Half of the features have variance 1, half have variance 8. With ten samples a feature there are two bulks, one
# around each population eigenvalue, each holding half of the eigenvalues.

# %%
population = rmt.Discrete([1.0, 8.0], [0.5, 0.5])
model = rmt.SampleCovariance(population, ratio=0.1)
law = model.law()
print("bulks:\n", law.support)
print("mass of the lower bulk:", law.cdf(law.edges[1]))
law.plot(eigenvalues=rmt.simulate_spectrum(model, size=400, trials=2, rng=rng))
plt.show()

# %% [markdown]
# The law is a value with everything a law has. Near an edge, give the distance to it instead of the point, and no
# digit is lost: the density falls like the square root of the distance.

# %%
offsets = np.array([1e-14, 1e-12, 1e-10, 1e-8])
rho = law.density(offset=offsets, edge=0)
print("density / sqrt(offset):", rho / np.sqrt(offsets))
print("median:", law.quantile(0.5), " mean:", law.moment(1), " E log:", law.expect(np.log))

# %% [markdown]
# ## Merging bulks
# At which $p/n$ do the two bulks touch? Bisect on the number of bulks; the answer is a cusp, where the density has a
# cube root in place of a square root.

# %%
low, high = 0.1, 1.0
for _ in range(50):
    middle = (low + high) / 2
    if len(rmt.SampleCovariance(population, ratio=middle).law().support) == 2:
        low = middle
    else:
        high = middle
known = 7.0**2 / (0.5 ** (1 / 3) + (0.5 * 64) ** (1 / 3)) ** 3  # two atoms: (t2 - t1)^2 / ((h1 t1^2)^(1/3) + ...)^3
print(f"the bulks merge at p/n = {low:.10f}; closed form {known:.10f}")

# %% [markdown]
# What this notebook claims, as assertions:

# %%
assert rmt.compare(null.law(), eigenvalues).agrees
assert not rmt.compare(rmt.MarchenkoPastur(0.52), eigenvalues).agrees
assert wide.cdf(0.0) == 0.5
assert wide.cdf(-1e-9) == 0.0
assert (right.imag > 0).all()
assert (naive.imag < 0).any()
assert abs(law.cdf(law.edges[1]) - 0.5) < 1e-12
assert np.ptp(rho / np.sqrt(offsets)) < 1e-6 * rho[0] / np.sqrt(offsets[0])
assert abs(low - known) < 1e-10
