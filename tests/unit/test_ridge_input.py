"""Ridge errors: bad input, shapes, printing and drawing."""

import numpy as np
import pytest

import rmtsolve as rmt

FEATURES = rmt.SpikedRandomFeatures("tanh", [1.5], [1.0], [1.0], alpha=2, beta=1)
GOOD = {"target": "sin(x)", "alignment": 0.8, "lam": 0.1}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lam", -0.1, "lam must be finite and real >= 0"),
        ("lam", np.nan, "lam must be"),
        ("alpha", 0.0, "alpha must be finite and real > 0"),
        ("alpha", [[1.0, 2.0], [0.5, -1.0]], "alpha must be"),
        ("alignment", 1.5, "alignment must be"),
        ("noise", -1.0, "noise must be"),
        ("p", 0.5, "p must be"),
        ("target", "exp(x**2)", "square integrable"),
        ("target", "sinn(x)", "sin"),
    ],
)
def test_refused(name, value, message):
    with pytest.raises(rmt.DomainError, match=message):
        rmt.ridge_errors(FEATURES, **{**GOOD, name: value})


def test_refused_together():
    with pytest.raises(rmt.DomainError, match="n >= 1 at p = 100"):
        rmt.ridge_errors(FEATURES, **GOOD, alpha=1e-3, p=100)
    with pytest.raises(rmt.DomainError, match="broadcasts"):
        rmt.ridge_errors(FEATURES, target="sin(x)", alignment=0.8, lam=[0.1, 0.2, 0.3], alpha=[1.0, 2.0])
    with pytest.raises(rmt.DomainError, match="features must be"):
        rmt.ridge_errors("tanh", **GOOD)
    square = rmt.RandomFeatures("relu", alpha=1, beta=1)
    with pytest.raises(rmt.DomainError, match="diverges where n = p"):
        rmt.ridge_errors(square, target="sin(x)", alignment=0.8, lam=0.0, noise=0.1)
    net = rmt.OneStepNetwork("tanh", "sin(x)", 1.0, 4, 1, readout=[1], fractions=[1])
    with pytest.raises(rmt.DomainError, match="alpha must be"):
        net.ridge_errors(alpha=0, lam=0.1)


def test_given_weights_refuse():
    w, theta = np.eye(4), np.ones(4)
    options = {"target": "sin(x)", "theta": theta, "alpha": 1, "lam": 0.1}
    for name, value, message in [
        ("theta", np.zeros(4), "theta must be"), ("theta", np.ones(3), "theta must be"), ("lam", 0.0, "lam must be"),
        ("alpha", 0.01, "n >= 1"), ("alpha", [1.0, 2.0, 3.0], None), ("direction", np.zeros(4), "direction must be"),
    ]:  # fmt: skip
        if message is not None:
            with pytest.raises(rmt.DomainError, match=message):
                rmt.ridge_errors_given(w, "tanh", **{**options, name: value})
    with pytest.raises(rmt.DomainError, match="d >= 3"):
        rmt.ridge_errors_given(np.eye(2), "tanh", **options)
    with pytest.raises(rmt.DomainError, match="broadcasts"):
        rmt.ridge_errors_given(w, "tanh", **{**options, "alpha": [1.0, 2.0], "lam": [0.1, 0.2, 0.3]})
    with pytest.raises(rmt.DomainError, match="not all along"):
        rmt.ridge_errors_given(np.ones((3, 4)), "tanh", **options, direction=np.ones(4))


def test_shapes_and_printing():
    alpha, lam = np.array([[0.5], [1.0], [2.0]]), np.array([0.01, 0.1])
    found = rmt.ridge_errors(FEATURES, **{**GOOD, "lam": lam}, alpha=alpha, p=300)
    assert found.test.shape == found.alpha.shape == found.lam.shape == found.degrees_of_freedom.shape == (3, 2)
    assert found.overlaps["mean"].shape == (3, 2, 1) and found.parts["input norm"].shape == (3, 2)
    one = rmt.ridge_errors(FEATURES, **GOOD, alpha=1.0, p=300)
    assert one.test.shape == () and abs(found.test[1, 1] - one.test) < 1e-13
    text = str(found)
    assert text.splitlines()[0] == "ridge regression of sin(x) on tanh(x) features, p = 300"
    assert len(text.splitlines()) == 8 and "learned direction" in text
    assert str(rmt.ridge_errors(FEATURES, **GOOD, alpha=np.linspace(1, 2, 30))).splitlines()[-1] == "... 6 more"
    with pytest.raises(ValueError, match="read-only"):
        found.test[0, 0] = 0
    assert 0 < found.fitted("learned direction").min() <= found.fitted("learned direction").max() < 1
    with pytest.raises(rmt.DomainError, match="part must be one of"):
        found.fitted("noise")


def test_picture():
    import matplotlib.pyplot as plt

    ax = rmt.ridge_errors(FEATURES, **GOOD, alpha=np.linspace(0.5, 3, 5)).plot()
    assert len(ax.lines) >= 2
    plt.close("all")


def test_network_methods():
    net = rmt.OneStepNetwork("x**2 - 1", "sin(x)", 1.0, 4, 1, readout=[1], fractions=[1])
    found = net.ridge_errors(alpha=[0.5, 1], lam=0.1)
    assert "no spike is learned" in str(found)
    plain = rmt.OneStepNetwork("tanh", "sin(x)", 1.0, 4, 1, readout=[1], fractions=[1], noise=0.5)
    lam = plain.optimal_lam(alpha=2.0)
    around = plain.ridge_errors(alpha=2.0, lam=lam * np.array([0.8, 1, 1.25])).test
    assert around.argmin() == 1


def test_failure_is_an_error_with_the_partial_answer(monkeypatch):
    """A kernel that gives up is reported with the points that failed, never as nan."""
    from rmtsolve._kernels import ridge as kernels

    def stop(*arguments):
        arguments[-3][:] = 1.0
        return 1

    monkeypatch.setattr(kernels, "ridge_points", stop)
    with pytest.raises(rmt.ConvergenceError) as caught:
        rmt.ridge_errors(FEATURES, **{**GOOD, "lam": [0.1, 0.2, 0.3]})
    assert (caught.value.solution.status != 0).sum() >= 1
