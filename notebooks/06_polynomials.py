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
# # 6. Polynomials in random matrices
#
# What is the spectrum of $XY + YX$, or of $XYX$, when $X$ and $Y$ are independent large random matrices? Every
# polynomial is a corner of a *linear* pencil in larger matrices, whose mean resolvent solves a matrix Dyson equation.
# `polynomial_law` reads the polynomial, linearises it, and solves.

# %%
import matplotlib.pyplot as plt
import numpy as np

import rmtsolve as rmt

# %% [markdown]
# ## The anticommutator
# Its transform is algebraic, $z m^3 - m^2 - z m - 1 = 0$, and the edge is $\sqrt{(11 + 5\sqrt 5)/2}$.

# %%
X, Y = rmt.Wigner(), rmt.Wigner()
anticommutator = rmt.polynomial_law("X*Y + Y*X", X=X, Y=Y)
edge = np.sqrt((11 + 5 * np.sqrt(5)) / 2)
print("edges", anticommutator.edges, " closed form", edge)
m = anticommutator.stieltjes(1 + 1j)
z = 1 + 1j
print("residual of the algebraic equation:", abs(z * m**3 - m**2 - z * m - 1))

# %% [markdown]
# A finite sample of the same polynomial, side by side. The model behind the law has a sampler, as every ensemble.

# %%
model = rmt.MatrixPolynomial("X*Y + Y*X", X=X, Y=Y)
eigenvalues = rmt.simulate_spectrum(model, size=300, trials=3, rng=np.random.default_rng(2))
verdict = rmt.compare(anticommutator, eigenvalues)
print(verdict)
anticommutator.plot(eigenvalues=eigenvalues)
plt.show()

# %% [markdown]
# ## Letters of other kinds
# A letter may be a Wigner matrix, a sample covariance at any ratio, a rectangular matrix, or (once) a deterministic
# matrix given by its spectrum.

# %%
covariance = rmt.SampleCovariance(rmt.Discrete([1.0]), ratio=0.5)
laws = {
    "X*A*X, A = diag(-1, 1)": rmt.polynomial_law("X*A*X", X=X, A=rmt.Discrete([-1.0, 1.0])),
    "X*S + S*X, S sample covariance": rmt.polynomial_law("X*S + S*X", X=X, S=covariance),
    "X**2 + Y**2": rmt.polynomial_law("X**2 + Y**2", X=X, Y=Y),
}
fig, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
for ax, (name, law) in zip(axes, laws.items(), strict=True):
    for left, right in law.support:
        x = left + (right - left) * np.sin(np.linspace(0.02, np.pi / 2 - 0.02, 200)) ** 2
        ax.plot(x, law.density(x), color="#0072B2")
    ax.set(title=name, xlabel="eigenvalue", ylabel="density")
    ax.set_ylim(0, min(1.0, ax.get_ylim()[1]))
plt.show()

# %% [markdown]
# ## Sums and products in general position
# When only the spectra of two matrices are known, and nothing relates their eigenvectors, sum and product have the
# laws of free convolution.

# %%
coins = rmt.TwoPoint(-1, 1)
arcsine = rmt.free_add(coins, coins)
print("two fair coins:", arcsine.edges, " density at 0:", arcsine.density(0.0), " 1/(2 pi):", 1 / (2 * np.pi))
product = rmt.free_multiply(rmt.MarchenkoPastur(1.0), rmt.MarchenkoPastur(1.0))
print("product of two Wishart matrices:", product.edges, " closed form: 0, 27/4")

# %%
assert abs(anticommutator.edges[-1] - edge) < 1e-9
assert abs(z * m**3 - m**2 - z * m - 1) < 1e-12
assert verdict.agrees
assert abs(laws["X**2 + Y**2"].moment(1) - 2) < 1e-8
assert abs(laws["X*A*X, A = diag(-1, 1)"].moment(1)) < 1e-8
assert abs(arcsine.density(0.0) - 1 / (2 * np.pi)) < 1e-10
assert abs(product.edges[-1] - 27 / 4) < 1e-9
