"""Every layer, loss and update rule against PyTorch in float64: `pip install -e ".[oracle]"`, else
these tests skip.

PyTorch's conventions that differ, and how they are mapped:

    batchnorm       its momentum is the share of the new value, ours that of the old one; its
                    running variance divides by n - 1, ours, the course's, by n
    dropout         its p is the probability to drop a number, ours, the course's, to keep it
    affine          its weights are (M, D), ours (D, M)
    group norm      its gamma and beta are (C,), ours, the course's, (1, C, 1, 1)
    svm_loss        its multi_margin_loss divides by the number of classes, too
    smoothing       its loss is the cross-entropy of the targets, ours their divergence: smoothing *
                    log C less
    momentum        its buffer is a sum of gradients, our velocity one of steps: velocity =
                    -learning rate * buffer
    adagrad         its epsilon is 1e-10 unless told, ours 1e-8; rmsprop, adam and adamw agree, also
                    in that epsilon is added to the root
"""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs231n_fer import layers as L
from cs231n_fer.fast_layers import COMPILED
from cs231n_fer.gradient_check import gradient_error
from cs231n_fer.gradient_check.cases import CASES
from cs231n_fer.gradient_check.verdicts import analytic_gradients
from cs231n_fer.optim import DEFAULTS, UPDATE_RULES

torch = pytest.importorskip("torch")
F = torch.nn.functional
LIMIT = 1e-10
PROBLEMS = 40 if COMPILED else 8
ERRORS = []  # one for every comparison; experiments/checks/oracle.py reports the largest


def agree(got, expected, tiny=1e-4):
    """Whether an array is PyTorch's tensor or array to within LIMIT of the largest number of both,
    or of tiny."""
    ERRORS.append(gradient_error(got, np.asarray(expected), tiny))
    return ERRORS[-1] <= LIMIT


def conv(x, w, b, p):
    return F.conv2d(x, w, b, p["stride"], p["pad"])


def window(pool):
    return lambda x, p: pool(x, (p["pool_height"], p["pool_width"]), p["stride"])


def batchnorm(x, gamma, beta, p):
    # F.batch_norm would refuse a single sample.
    averages = [torch.tensor(p[key]) if p["mode"] == "test" else None
                for key in ("running_mean", "running_var")]
    return torch.batch_norm(x, gamma, beta, *averages, p["mode"] == "train", 0.1, p["eps"], False)


def softmax(x, y, weights=None):
    return F.cross_entropy(x, torch.tensor(y), None if weights is None else torch.tensor(weights))


def l2_svm(x, y):
    return torch.clamp(1 - (2 * F.one_hot(torch.tensor(y), x.shape[1]) - 1) * x,
                       min=0).square().sum(1).mean()


def distillation(x, y, teacher, alpha, T):
    divergence = F.kl_div(F.log_softmax(x / T, 1), torch.tensor(teacher), reduction="batchmean")
    return alpha * softmax(x, y) + (1 - alpha) * T ** 2 * divergence


def smoothed(x, y):
    return F.cross_entropy(x, torch.tensor(y), label_smoothing=0.1) - 0.1 * np.log(x.shape[1])


def dropout(x, p):
    return x * torch.tensor((np.random.default_rng(p["seed"]).random(tuple(x.shape))
                             < p["p"]) / p["p"])


def conv_bn(x, w, b, gamma, beta, conv_param, bn_param):
    return F.relu(batchnorm(conv(x, w, b, conv_param), gamma, beta, bn_param))


ORACLE = {
    "affine": lambda x, w, b: F.linear(x.flatten(1), w.T, b),
    "conv": conv,
    "grouped_conv": lambda x, w, b, p, groups: F.conv2d(x, w, b, p["stride"], p["pad"],
                                                        groups=groups),
    "pad": lambda x, pad, value: F.pad(x, (pad,) * 4, value=value),
    "avg_pool": window(F.avg_pool2d),
    "max_pool": window(F.max_pool2d),
    "global_avg_pool": lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1),
    "dropout, fixed mask": dropout,
    "batchnorm": batchnorm, "batchnorm, test mode": batchnorm, "spatial_batchnorm": batchnorm,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "layernorm": lambda x, gamma, beta, p: F.layer_norm(x, gamma.shape, gamma, beta, p["eps"]),
    "spatial_groupnorm":
        lambda x, gamma, beta, G, p: F.group_norm(x, G, gamma.flatten(), beta.flatten(), p["eps"]),
    "softmax_loss": softmax, "softmax_loss, class weights": softmax,
    "svm_loss": lambda x, y: x.shape[1] * F.multi_margin_loss(x, torch.tensor(y)),
    "l2_svm_loss": l2_svm,
    "distillation_loss": distillation,
    "smoothed_softmax_loss": smoothed,
    "l2_loss": lambda x, reg: 0.5 * reg * x.square().sum(),
    "affine_relu": lambda x, w, b: F.relu(F.linear(x.flatten(1), w.T, b)),
    "conv_relu": lambda x, w, b, p: F.relu(conv(x, w, b, p)),
    "conv_bn_relu": conv_bn,
    "conv_relu_pool": lambda x, w, b, p, pool: window(F.max_pool2d)(F.relu(conv(x, w, b, p)), pool),
    "conv_bn_relu_pool":
        lambda *arguments: window(F.max_pool2d)(conv_bn(*arguments[:-1]), arguments[-1]),
}
LAYERS = [case for case in CASES if "Net" not in case.layer]


def test_every_layer_of_the_gradient_table_has_an_oracle():
    assert {case.layer for case in LAYERS} == set(ORACLE)


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
def test_outputs_and_gradients_are_those_of_pytorch(case):
    rng = np.random.default_rng([7, *case.name.encode()])
    for _ in range(PROBLEMS):
        drawn, rest = case.draw(rng)
        arrays = list(drawn.values())
        tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
        expected = ORACLE[case.layer](*tensors, *rest)
        dout = rng.standard_normal(expected.shape)
        expected.backward(torch.tensor(dout))
        out = np.asarray(case.forward(*arrays, *rest)[0])
        assert agree(out, expected.detach(), tiny=1.0)
        # The exact gradient of a bias before batchnorm is 0, a sum of many dout; its error is then
        # measured relative to dout.
        size = float(np.max(np.abs(dout)))
        for got, tensor in zip(analytic_gradients(case, arrays, rest, dout), tensors, strict=True):
            assert got.dtype == np.float64 and agree(got, tensor.grad, size)


@pytest.mark.parametrize("forward",
                         [L.spatial_batchnorm_forward, L.spatial_batchnorm_forward_naive])
def test_running_averages_are_those_of_pytorch_but_for_the_n_of_the_variance(forward):
    rng = np.random.default_rng(0)
    C = 3
    bn_param = {"mode": "train", "momentum": 0.8}
    mean = torch.zeros(C).double()
    var = torch.zeros(C).double()
    for n in (4, 7):
        x = rng.standard_normal((2, C, n, 5))
        forward(x, np.ones(C), np.zeros(C), bn_param)
        before = var.clone()
        count = 2 * n * 5
        F.batch_norm(torch.tensor(x), mean, var, training=True, momentum=1 - 0.8)
        var = 0.8 * before + (var - 0.8 * before) * (count - 1) / count
        assert agree(bn_param["running_mean"], mean) and agree(bn_param["running_var"], var)


@pytest.mark.parametrize("keep", [0.3, 0.5, 0.9])
def test_dropout_scales_what_pytorch_keeps_as_pytorch_does(keep):
    x = torch.tensor(np.random.default_rng(0).standard_normal((4, 5, 6)), requires_grad=True)
    torch.manual_seed(0)
    expected = F.dropout(x, 1 - keep)
    expected.sum().backward()

    class Masked:  # returns draws that keep what PyTorch kept
        def random(self, shape):
            return np.where(expected.detach().numpy() != 0, 0.0, 1.0).reshape(shape)
    out, cache = L.dropout_forward(x.detach().numpy(),
                                   {"p": keep, "mode": "train", "rng": Masked()})
    assert agree(out, expected.detach())
    assert agree(L.dropout_backward(np.ones_like(out), cache), x.grad)


def adams(h):
    return {"lr": h["learning_rate"], "betas": (h["beta1"], h["beta2"]), "eps": h["epsilon"]}


# For every rule: PyTorch's optimizer, its arguments from our hyper-parameters, and its name and
# factor for each of our states.
RULES = {
    "sgd": (torch.optim.SGD, lambda h: {"lr": h["learning_rate"]}, {}),
    "sgd_momentum": (torch.optim.SGD,
                     lambda h: {"lr": h["learning_rate"], "momentum": h["momentum"]},
                     {"velocity": ("momentum_buffer", lambda h: -h["learning_rate"])}),
    "nesterov": (torch.optim.SGD,
                 lambda h: {"lr": h["learning_rate"], "momentum": h["momentum"], "nesterov": True},
                 {"velocity": ("momentum_buffer", lambda h: -h["learning_rate"])}),
    "adagrad": (torch.optim.Adagrad, lambda h: {"lr": h["learning_rate"], "eps": h["epsilon"]},
                {"cache": ("sum", lambda h: 1)}),
    "rmsprop": (torch.optim.RMSprop,
                lambda h: {"lr": h["learning_rate"], "alpha": h["decay_rate"], "eps": h["epsilon"]},
                {"cache": ("square_avg", lambda h: 1)}),
    "adam": (torch.optim.Adam, adams,
             {"m": ("exp_avg", lambda h: 1), "v": ("exp_avg_sq", lambda h: 1)}),
    "adamw": (torch.optim.AdamW, lambda h: {**adams(h), "weight_decay": h["weight_decay"]},
              {"m": ("exp_avg", lambda h: 1), "v": ("exp_avg_sq", lambda h: 1)}),
}


def test_every_update_rule_has_an_oracle():
    assert RULES.keys() == UPDATE_RULES.keys()


RATES = {"learning_rate": st.floats(1e-5, 1.0), "weight_decay": st.floats(0, 0.5),
         "epsilon": st.floats(1e-10, 1e-2)}


@pytest.mark.parametrize("rung", ["numpy", "fast"])
@pytest.mark.parametrize("rule", sorted(RULES))
@settings(max_examples=20, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2 ** 32 - 1), steps=st.integers(1, 12))
def test_weights_and_states_after_some_steps_are_those_of_pytorch(rule, rung, data, seed, steps):
    hyper = {key: data.draw(RATES.get(key, st.floats(0.01, 0.999)), key) for key in DEFAULTS[rule]}
    make, options, states = RULES[rule]
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((3, 5))
    config = dict(hyper)
    tensor = torch.tensor(w, requires_grad=True)
    optimizer = make([tensor], **options(hyper))
    for _ in range(steps):
        dw = rng.standard_normal(w.shape)
        w, config = UPDATE_RULES[rule](w, dw, config, rung)
        tensor.grad = torch.tensor(dw)
        optimizer.step()
    assert agree(w, tensor.detach())
    for key, (name, factor) in states.items():
        assert agree(config[key], factor(hyper) * optimizer.state[tensor][name])
