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
# # 3. Hermite expansions of activations
#
# Everything that a wide network's features know about Gaussian inputs is in the Hermite coefficients of its
# activation, $\sigma = \sum_k c_k h_k$ with $c_k = E[\sigma(g)\,h_k(g)]$ and the orthonormal $h_k = He_k/\sqrt{k!}$.
# (Papers that write $\mu_k = E[\sigma(g) He_k(g)]$ differ by $\sqrt{k!}$.)

# %%
import matplotlib.pyplot as plt
import numpy as np
import sympy as sp

import rmtsolve as rmt

# %%
relu = rmt.activation("relu")
print(relu)
relu.plot()
plt.show()

# %% [markdown]
# ## Exact where a closed form exists
# With a symbol for $k$ the answer is a formula with its parities written out; with a number it is exact.

# %%
k = sp.Symbol("k", integer=True, nonnegative=True)
print(sp.latex(relu.symbolic_coefficient(k)))
print([relu.symbolic_coefficient(j) for j in range(7)])

# %% [markdown]
# ## Certified where none does
# `tanh` has no closed form. The number comes with a bound on its error; the text is parsed by a whitelist, and any
# expression made of known functions will do.

# %%
mixed = rmt.activation("tanh(x) + x**2/2")
values, bound = mixed.coefficients_with_error(6)
for j, (value, error) in enumerate(zip(values, bound, strict=True)):
    print(f"c_{j} = {value:+.15f}   error below {error:.1e}")

# %% [markdown]
# Gauss–Hermite quadrature, which many notebooks use, converges like $1/N$ for activations with a kink:

# %%
exact = float(relu.symbolic_coefficient(6))
for n in (50, 100, 200):
    nodes, weights = np.polynomial.hermite_e.hermegauss(n)
    weights /= weights.sum()
    h6 = np.polynomial.hermite_e.hermeval(nodes, [0] * 6 + [1]) / np.sqrt(720)
    gauss = float((weights * np.maximum(nodes, 0) * h6).sum())
    print(f"Gauss-Hermite, {n} nodes: error {abs(gauss - exact):.1e}")
print(f"rmtsolve:                error {abs(relu.coefficients(6)[6] - exact):.1e}")

# %% [markdown]
# ## Conditional coefficients
# After a gradient step a neuron computes $\sigma(u\kappa + s g)$: the projection $\kappa$ shifts the argument, the
# rest scales it. `conditional` gives the coefficients for arrays of shifts and scales at once.

# %%
kappa = np.linspace(-3, 3, 121)
table = relu.conditional(shift=1.5 * kappa, scale=1.0, order=2)
rest = relu.residual_energy(shift=1.5 * kappa, scale=1.0, order=1)
fig, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
ax.plot(kappa, table[..., 0], label="mean")
ax.plot(kappa, table[..., 1], label="linear part")
ax.plot(kappa, rest, label="energy of the rest")
ax.set(xlabel=r"$\kappa$", title="relu(1.5 kappa + g)")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# ## The dual activation
# $\kappa(\rho) = E[\sigma(u)\sigma(v)]$ for correlation $\rho$ is $\sum_k c_k^2 \rho^k$: the kernel of the infinitely
# wide network. For relu it is the arc-cosine kernel.

# %%
rho = np.linspace(-1, 1, 9)
arc_cosine = (np.sqrt(1 - rho**2) + rho * (np.pi - np.arccos(rho))) / (2 * np.pi)
print(np.abs(relu.dual(rho) - arc_cosine).max())

# %% [markdown]
# ## Targets of several directions
# The same for $g: R^r \to R$: tensors of coefficients, energy by degree, and the information exponent, the lowest
# degree that a gradient step can see.

# %%
target = rmt.target("z1*z2 + z1**3 - 3*z1")
print(target)
print("information exponent:", target.information_exponent())

# %%
assert relu.symbolic_coefficient(4) == -sp.sqrt(3) / (12 * sp.sqrt(sp.pi))
assert abs(exact - 0.04460310290382) < 1e-13
assert abs(relu.coefficients(6)[6] - exact) < 1e-15
assert abs(values[1] - 0.6057055096021588) < 1e-13
assert np.abs(relu.dual(rho) - arc_cosine).max() < 1e-14
assert (rest >= 0).all()
assert target.information_exponent() == 2
