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
# # 2. Solve your own self-consistent equation
#
# Most limiting spectra are not closed forms but solutions of an equation $m = T(z, m)$. The usual recipe, iterate ten
# thousand times at $z = x + 10^{-3} i$ and hope, has three faults: the imaginary part smears the density by an amount
# nobody states, the number of iterations says nothing about the error, and nothing tells the physical solution from
# another one. `solve` needs the same function and has none of them.

# %%
import matplotlib.pyplot as plt
import numpy as np

import rmtsolve as rmt

# %% [markdown]
# ## A function is enough
# The semicircle law: $m = -1/(z + m)$. The map gets all points at once and returns its value at each.

# %%
equation = rmt.Equation(lambda z, m: -1 / (z + m), name="semicircle")
x = np.linspace(-3, 3, 200)
solution = rmt.solve(equation, x + 1e-3j)
print(solution.explain())

# %% [markdown]
# `certificate()` computes afresh everything that can be checked about the numbers: residual, sign of the imaginary
# part, contraction, error bound, and the Pick matrix, which is positive semidefinite exactly for values of a
# Stieltjes transform.

# %%
print(solution.certificate())
exact = (-solution.z + np.sqrt(solution.z - 2) * np.sqrt(solution.z + 2)) / 2
print("true error:", np.abs(solution.m - exact).max(), " bound:", np.nanmax(solution.error_bound))

# %% [markdown]
# ## On the real axis
# Nothing forces you to stay at $10^{-3}$. On the axis itself the answer is the density, and `SolvedMeasure` makes a
# law of the equation: edges, distribution function, moments.

# %%
law = rmt.SolvedMeasure(equation)
print("edges:", law.edges, " density at 1:", law.density(1.0), " exact:", np.sqrt(3) / (2 * np.pi))

naive = np.full(x.shape, 1j)
for _ in range(10_000):
    naive = -1 / (x + 1e-3j + naive)
inside = np.abs(x) < 2
truth = np.where(inside, np.sqrt(np.maximum(4 - x**2, 0)) / (2 * np.pi), 0)
ours = np.zeros_like(x)
ours[inside] = law.density(x[inside])
fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.semilogy(
    x, np.abs(naive.imag / np.pi - truth) + 1e-18, label="10 000 iterations at $z = x + 10^{-3}i$", color="#D55E00"
)
ax.semilogy(x, np.abs(ours - truth) + 1e-18, label="solve, on the axis", color="#0072B2")
ax.set(xlabel="x", ylabel="error of the density")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# ## When the map is wrong, you are told
# A sign error: $m = +1/(z + m)$ has no solution in the upper half-plane that is a Stieltjes transform.

# %%
try:
    rmt.solve(rmt.Equation(lambda z, m: 1 / (z + m), name="sign error"), x + 1e-3j)
except rmt.RMTError as error:
    message = str(error)
print(message)

# %% [markdown]
# ## Many unknowns
# Unknowns may be vectors or matrices. Two groups of rows with different variances (a *variance profile*): $-1/m_i = z
# + \sum_j S_{ij} m_j$, and the transform of the whole is the average over the groups.

# %%
fractions = np.array([0.6, 0.4])
S = np.array([[0.5, 2.0], [2.0, 0.3]]) * fractions
profile = rmt.Equation(
    lambda z, m: -1 / (z[:, None] + m @ S.T), readout=lambda z, m: m @ fractions, shape=(2,), name="two groups"
)
two = rmt.solve(profile, np.array([1.0 + 0j]))  # on the real axis
print("density at 1:", two.m.imag / np.pi)

# %% [markdown]
# ## Compiled maps
# With `rmtsolve.step` the map is written for one point and compiled; the answers are the same.


# %%
@rmt.step
def semicircle(z, m):
    return -1 / (z + m)


compiled = rmt.solve(rmt.Equation(semicircle), x + 1e-3j)
print("largest difference:", np.abs(compiled.m - solution.m).max())

# %% [markdown]
# ## Fifty digits
# `HighPrecision` solves the same equation again with mpmath, from the float solution.

# %%
precise = rmt.solve(equation, 1.0 + 0.5j, method=rmt.HighPrecision(digits=50))
import mpmath

print(mpmath.nstr(precise.precise_m[()], 50))

# %%
assert solution.ok
assert np.abs(solution.m - exact).max() <= np.nanmax(solution.error_bound)
assert np.abs(law.edges - [-2, 2]).max() < 1e-9
assert np.abs(ours - truth)[inside].max() < 1e-9
assert "sign" in message or "half-plane" in message
assert abs(two.m.imag[0] / np.pi - 0.25601727405113706) < 1e-10
assert np.abs(compiled.m - solution.m).max() < 1e-10
