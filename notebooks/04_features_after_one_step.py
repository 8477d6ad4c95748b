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
# # 4. What one giant gradient step does to the features of a network
#
# A two-layer network $f(x) = \frac1p \sum_i a_i\, \sigma(\langle w_i, x\rangle)$ with random first layer is a
# random-features model. One gradient step of size proportional to the width turns every neuron towards one direction
# $v$, by an amount $u_k$ that depends on its readout weight $a_i = a_k$ (arXiv 2410.18938). Afterwards neuron $i$ of
# class $k$ computes $\sigma(u_k \langle v, x\rangle + s_k \langle w_i^0, x\rangle)$: *spiked* random features. This
# notebook predicts their spectrum from the hyper-parameters and holds it against a network that is actually trained.

# %%
import matplotlib.pyplot as plt
import numpy as np

import rmtsolve as rmt

# %% [markdown]
# ## From hyper-parameters to spikes
# The target is $y = \tanh(\langle\theta, x\rangle) + $ noise, the batch has $n_0 = 10\,d$ samples, the activation is
# $x - \tanh(x)$, and half of the readout weights are 1, half are ½.

# %%
network = rmt.OneStepNetwork(
    activation="x - tanh(x)",
    target="tanh(x)",
    learning_rate=6,
    batch_ratio=10,
    width_ratio=1,  # p/d
    readout=[1, 0.5],
    fractions=[0.5, 0.5],
    noise=0.1,
)
print(network.equivalent())

# %% [markdown]
# ## Bulk and outlier
# `features(alpha)` is the equivalent ensemble at $n = \alpha d$ fresh samples; `features_before` the same network
# before the step. Compare finite networks with `finite(p)`, which has the ratios of the finite matrices.

# %%
alpha, p = 2.0, 500
before, after = network.features_before(alpha), network.features(alpha)
print("bulk before:", before.law().edges, " after:", after.law().edges)
for outlier in after.outliers(p=p):
    overlaps = np.round(outlier.overlap, 3)
    print(f"outlier at {outlier.location:.5g}, overlap with each class {overlaps}, order p^{outlier.order:.2f}")

# %%
eigenvalues = rmt.simulate_spectrum(network, size=p, trials=4, rng=np.random.default_rng(3), alpha=alpha)
comparison = rmt.compare(after.finite(p).law(), eigenvalues, after.finite(p).outliers(p=p))
print(comparison)

# %%
fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
bulk = eigenvalues[eigenvalues < 2 * after.law().edges[-1]]
bins = np.geomspace(before.law().edges[0] / 1.5, 1.3 * after.law().edges[-1], 50)
counts = np.histogram(bulk, bins)[0] / eigenvalues.size / np.diff(bins)
ax.stairs(counts, bins, fill=True, color="#0072B2", alpha=0.3, label="trained network")
for law, name, style in ((before.law(), "before", "--"), (after.law(), "after", "-")):
    x = np.geomspace(law.edges[0] * (1 + 1e-9), law.edges[-1] * (1 - 1e-9), 400)
    ax.plot(x, law.density(x), style, color="#D55E00" if name == "before" else "#0072B2", label=f"law {name} the step")
ax.set(xscale="log", yscale="log", ylim=(1e-3, 30), xlabel="eigenvalue", ylabel="density")
ax.set_title(f"p/n = {1 / alpha:g}, p/d = 1", fontsize=9)
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Which neurons carry which eigenvalues
# The density splits into classes: how much of an eigenvector at $x$ lives on the neurons of each class.

# %%
law = after.law()
x = np.geomspace(law.edges[0] * 1.001, law.edges[-1] * 0.999, 300)
classes = law.class_densities(x)
fig, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
for k, a in enumerate(network.readout):
    ax.semilogx(x, classes[k] / classes.sum(axis=0), label=f"neurons with $a$ = {a:g}")
ax.set(xlabel="eigenvalue", ylabel="share of the eigenvector", ylim=(0, 1))
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# The upper tail belongs to the neurons with the larger readout weight, which have moved further.
#
# ## The learning rate
# The larger the step, the heavier the tail of the bulk and the farther the outlier.

# %%
rates = np.array([0.0, 1.0, 2.0, 4.0, 6.0, 8.0])
tails, far = [], []
for rate in rates:
    one = rmt.OneStepNetwork("x - tanh(x)", "tanh(x)", rate, 10, 1, readout=[1, 0.5], fractions=[0.5, 0.5], noise=0.1)
    features = one.features(alpha)
    tails.append(features.law().edges[-1] / features.law().moment(1))
    far.append(max((o.location for o in features.outliers(p=p)), default=np.nan))
    print(f"rate {rate:3.0f}: right edge / mean {tails[-1]:6.3f}   outlier {far[-1]:8.4g}")

# %%
assert comparison.agrees
assert len(after.outliers(p=p)) == 1
assert np.allclose(classes.sum(axis=0), law.density(x), rtol=1e-9)
assert classes[0, -1] > classes[1, -1]
assert np.isnan(far[0])  # learning rate 0: nothing is learned
assert np.all(np.diff(tails) > 0)
