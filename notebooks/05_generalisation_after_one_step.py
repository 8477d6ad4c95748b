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
# # 5. How well the learned features generalise
#
# After the giant step of notebook 4 the readout is trained by ridge regression on $n = \alpha d$ fresh samples, $\hat
# a = (\Phi^\top\Phi/p + \lambda)^{-1}\Phi^\top y/\sqrt p$. Its train and test errors have exact limits (arXiv
# 2402.04980 for one class of neurons). They come from the hyper-parameters alone: no matrix is drawn, no weight
# matrix is diagonalised.

# %%
import matplotlib.pyplot as plt
import numpy as np

import rmtsolve as rmt

# %%
network = rmt.OneStepNetwork(
    "tanh", "sin(x)", learning_rate=3, batch_ratio=4, width_ratio=1, readout=[1], fractions=[1], noise=0.2
)
alpha = np.linspace(0.2, 3, 60)
learned = network.ridge_errors(alpha, lam=0.1)
print(learned)

# %% [markdown]
# ## What the step has bought
# The same network without the step is a random-features model: it can only fit what is linear in $x$, plus noise.

# %%
frozen = rmt.OneStepNetwork(
    "tanh", "sin(x)", learning_rate=0, batch_ratio=4, width_ratio=1, readout=[1], fractions=[1], noise=0.2
)
random = frozen.ridge_errors(alpha, lam=0.1)

sample = rmt.simulate_ridge(network, size=250, alpha=[0.5, 1.5, 2.5], lam=[0.1], trials=6, rng=np.random.default_rng(5))
finite = network.ridge_errors(sample.alpha, lam=0.1, p=250)
deviation = (sample.test_mean[:, 0] - finite.test) / sample.test_error[:, 0]
print("simulated:", sample.test_mean[:, 0], "+-", sample.test_error[:, 0])
print("predicted:", finite.test, " deviation in standard errors:", deviation)

# %%
fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
ax.plot(alpha, random.test, "--", color="#D55E00", label="random features")
ax.plot(alpha, learned.test, "-", color="#0072B2", label="after one giant step")
ax.errorbar(
    sample.alpha,
    sample.test_mean[:, 0],
    sample.test_error[:, 0],
    fmt="o",
    color="#0072B2",
    mfc="white",
    capsize=2,
    label="trained networks, p = 250",
)
ax.axhline(0.2**2, color="#9A9A9A", lw=0.8, label="label noise")
ax.set(xlabel=r"$\alpha = n/d$", ylabel="test error", ylim=(0, None), title="p/d = 1, lam = 0.1")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Where the error comes from
# `parts` sum to the test error: what is missed of the target along the learned direction, what is missed of its
# linear part elsewhere, what no function of these features can reach, the fluctuation of the readout, and the label
# noise.

# %%
fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
ax.stackplot(alpha, *learned.parts.values(), labels=list(learned.parts), alpha=0.8)
ax.set(xlabel=r"$\alpha = n/d$", ylabel="test error", ylim=(0, 0.26))
ax.legend(frameon=False, fontsize=8, ncols=2)
plt.show()

# %% [markdown]
# ## Double descent, and the best ridge
# Without ridge the error of random features explodes at $n = p$, here $\alpha = 1$. The optimal ridge removes the
# peak.

# %%
peak = np.sort(np.append(np.linspace(0.3, 2, 36), 1.0))
small = frozen.ridge_errors(peak, lam=1e-6)
best = frozen.optimal_lam(peak)
tuned = frozen.ridge_errors(peak, lam=best)
fig, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
ax.semilogy(peak, small.test, color="#D55E00", label="lam = 1e-6")
ax.semilogy(peak, tuned.test, color="#0072B2", label="optimal lam")
ax.set(xlabel=r"$\alpha = n/d$", ylabel="test error", title="p/d = 1")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Arrays of both
# `alpha` and `lam` broadcast: a whole phase diagram is one call.

# %%
table = network.ridge_errors(np.linspace(0.3, 3, 12)[:, None], np.geomspace(1e-3, 10, 15)[None, :])
print("shape", table.test.shape, " best test error", table.test.min())

# %%
assert np.all(learned.test < random.test)
assert np.allclose(sum(learned.parts.values()), learned.test, rtol=1e-9)
assert np.all(np.abs(deviation) < 4 + 10 / 250 * finite.test / sample.test_error[:, 0])
assert peak[small.test.argmax()] == 1.0
assert small.test.max() > 10 * tuned.test.max()
assert np.all(tuned.test <= small.test + 1e-9)
assert table.test.shape == (12, 15)
