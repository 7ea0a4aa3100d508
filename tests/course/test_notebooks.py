"""The notebooks of CS231n, assignment 2: their checks, with the numbers they print as expected.

Someone who did the course changes the import path and nothing else. Its numbers are printed with
eight decimals, and that is how well they can be met.
"""
import numpy as np
import pytest

from cs231n_fer.classifiers import FullyConnectedNet, ThreeLayerConvNet, TwoLayerNet
from cs231n_fer.fast_layers import (
    conv_backward_fast,
    conv_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
)
from cs231n_fer.gradient_check import (
    eval_numerical_gradient,
    eval_numerical_gradient_array,
    rel_error,
)
from cs231n_fer.layer_utils import (
    affine_relu_backward,
    affine_relu_forward,
    conv_relu_backward,
    conv_relu_forward,
    conv_relu_pool_backward,
    conv_relu_pool_forward,
)
from cs231n_fer.layers import (
    affine_backward,
    affine_forward,
    batchnorm_backward,
    batchnorm_backward_alt,
    batchnorm_forward,
    conv_backward_naive,
    conv_forward_naive,
    dropout_backward,
    dropout_forward,
    layernorm_forward,
    max_pool_backward_naive,
    max_pool_forward_naive,
    relu_forward,
    softmax_loss,
    spatial_batchnorm_forward,
    spatial_groupnorm_forward,
    svm_loss,
)
from cs231n_fer.optim import adam, rmsprop, sgd_momentum
from cs231n_fer.solver import Solver


def line(start, stop, *shape):
    """Return an evenly spaced, write-protected array, the input of most of the notebooks' checks.
    """
    array = np.linspace(start, stop, num=int(np.prod(shape))).reshape(shape)
    array.setflags(write=False)
    return array


def normal(*shape, seed=231):
    array = np.random.default_rng(seed).standard_normal(shape)
    array.setflags(write=False)
    return array


def test_affine_forward():
    out, _ = affine_forward(line(-0.1, 0.5, 2, 4, 5, 6), line(-0.2, 0.3, 120, 3),
                            line(-0.3, 0.1, 3))
    assert rel_error(out, [[1.49834967, 1.70660132, 1.91485297],
                           [3.25553199, 3.5141327, 3.77273342]]) < 1e-8


def test_relu_forward():
    out, _ = relu_forward(line(-0.5, 0.5, 3, 4))
    assert rel_error(out, [[0, 0, 0, 0], [0, 0, 0.04545455, 0.13636364],
                           [0.22727273, 0.31818182, 0.40909091, 0.5]]) < 5e-8


def test_conv_forward_naive():
    out, _ = conv_forward_naive(line(-0.1, 0.5, 2, 3, 4, 4), line(-0.2, 0.3, 3, 3, 4, 4),
                                line(-0.1, 0.2, 3), {"stride": 2, "pad": 1})
    assert rel_error(out, [[[[-0.08759809, -0.10987781], [-0.18387192, -0.2109216]],
                            [[0.21027089, 0.21661097], [0.22847626, 0.23004637]],
                            [[0.50813986, 0.54309974], [0.64082444, 0.67101435]]],
                           [[[-0.98053589, -1.03143541], [-1.19128892, -1.24695841]],
                            [[0.69108355, 0.66880383], [0.59480972, 0.56776003]],
                            [[2.36270298, 2.36904306], [2.38090835, 2.38247847]]]]) < 5e-8


def test_max_pool_forward_naive():
    out, _ = max_pool_forward_naive(line(-0.3, 0.4, 2, 3, 4, 4),
                                    {"pool_width": 2, "pool_height": 2, "stride": 2})
    assert rel_error(out, [[[[-0.26315789, -0.24842105], [-0.20421053, -0.18947368]],
                            [[-0.14526316, -0.13052632], [-0.08631579, -0.07157895]],
                            [[-0.02736842, -0.01263158], [0.03157895, 0.04631579]]],
                           [[[0.09052632, 0.10526316], [0.14947368, 0.16421053]],
                            [[0.20842105, 0.22315789], [0.26736842, 0.28210526]],
                            [[0.32631579, 0.34105263], [0.38526316, 0.4]]]]) < 2e-7


def test_sgd_momentum():
    config = {"learning_rate": 1e-3, "velocity": line(0.6, 0.9, 4, 5)}
    next_w, config = sgd_momentum(line(-0.4, 0.6, 4, 5), line(-0.6, 0.4, 4, 5), config)
    assert rel_error(next_w, [[0.1406, 0.20738947, 0.27417895, 0.34096842, 0.40775789],
                              [0.47454737, 0.54133684, 0.60812632, 0.67491579, 0.74170526],
                              [0.80849474, 0.87528421, 0.94207368, 1.00886316, 1.07565263],
                              [1.14244211, 1.20923158, 1.27602105, 1.34281053, 1.4096]]) < 1e-8
    assert rel_error(config["velocity"], [[0.5406, 0.55475789, 0.56891579, 0.58307368, 0.59723158],
                                          [0.61138947, 0.62554737, 0.63970526, 0.65386316,
                                           0.66802105],
                                          [0.68217895, 0.69633684, 0.71049474, 0.72465263,
                                           0.73881053],
                                          [0.75296842, 0.76712632, 0.78128421, 0.79544211,
                                           0.8096]]) < 1e-8


def test_rmsprop():
    config = {"learning_rate": 1e-2, "cache": line(0.6, 0.9, 4, 5)}
    next_w, config = rmsprop(line(-0.4, 0.6, 4, 5), line(-0.6, 0.4, 4, 5), config)
    assert rel_error(next_w, [[-0.39223849, -0.34037513, -0.28849239, -0.23659121, -0.18467247],
                              [-0.132737, -0.08078555, -0.02881884, 0.02316247, 0.07515774],
                              [0.12716641, 0.17918792, 0.23122175, 0.28326742, 0.33532447],
                              [0.38739248, 0.43947102, 0.49155973, 0.54365823, 0.59576619]]) < 1e-7
    assert rel_error(config["cache"], [[0.5976, 0.6126277, 0.6277108, 0.64284931, 0.65804321],
                                       [0.67329252, 0.68859723, 0.70395734, 0.71937285, 0.73484377],
                                       [0.75037008, 0.7659518, 0.78158892, 0.79728144, 0.81302936],
                                       [0.82883269, 0.84469141, 0.86060554, 0.87657507,
                                        0.8926]]) < 1e-8


def test_adam():
    config = {"learning_rate": 1e-2, "m": line(0.6, 0.9, 4, 5), "v": line(0.7, 0.5, 4, 5), "t": 5}
    next_w, config = adam(line(-0.4, 0.6, 4, 5), line(-0.6, 0.4, 4, 5), config)
    assert rel_error(next_w, [[-0.40094747, -0.34836187, -0.29577703, -0.24319299, -0.19060977],
                              [-0.1380274, -0.08544591, -0.03286534, 0.01971428, 0.0722929],
                              [0.1248705, 0.17744702, 0.23002243, 0.28259667, 0.33516969],
                              [0.38774145, 0.44031188, 0.49288093, 0.54544852, 0.59801459]]) < 2e-7
    assert rel_error(config["v"], [[0.69966, 0.68908382, 0.67851319, 0.66794809, 0.65738853],
                                   [0.64683452, 0.63628604, 0.6257431, 0.61520571, 0.60467385],
                                   [0.59414753, 0.58362676, 0.57311152, 0.56260183, 0.55209767],
                                   [0.54159906, 0.53110598, 0.52061845, 0.51013645,
                                    0.49966]]) < 1e-8
    assert rel_error(config["m"], [[0.48, 0.49947368, 0.51894737, 0.53842105, 0.55789474],
                                   [0.57736842, 0.59684211, 0.61631579, 0.63578947, 0.65526316],
                                   [0.67473684, 0.69421053, 0.71368421, 0.73315789, 0.75263158],
                                   [0.77210526, 0.79157895, 0.81105263, 0.83052632, 0.85]]) < 1e-8
    assert config["t"] == 6


def test_two_layer_net():
    model = TwoLayerNet(input_dim=5, hidden_dim=50, num_classes=7, weight_scale=1e-3, seed=0)
    assert abs(model.params["W1"].std() - 1e-3) < 1e-4
    assert abs(model.params["W2"].std() - 1e-3) < 1e-4
    assert not model.params["b1"].any() and not model.params["b2"].any()
    model.params.update(W1=line(-0.7, 0.3, 5, 50), b1=line(-0.1, 0.9, 50),
                        W2=line(-0.3, 0.4, 50, 7), b2=line(-0.9, 0.1, 7))
    X = line(-5.5, 4.5, 5, 3).T
    y = np.array([0, 5, 1])
    correct = [[11.53165108, 12.2917344, 13.05181771, 13.81190102, 14.57198434, 15.33206765,
                16.09215096],
               [12.05769098, 12.74614105, 13.43459113, 14.1230412, 14.81149128, 15.49994135,
                16.18839143],
               [12.58373087, 13.20054771, 13.81736455, 14.43418138, 15.05099822, 15.66781506,
                16.2846319]]
    assert np.abs(model.loss(X) - correct).sum() < 1e-6
    assert abs(model.loss(X, y)[0] - 3.4702243556) < 1e-10
    model.reg = 1.0
    assert abs(model.loss(X, y)[0] - 26.5948426952) < 1e-10


def assert_right_gradients(model, X, y):
    """Hold each of the model's gradients against a numerical one; h = 1e-6 leaves errors below 1e-9
    in both ways.

    Not the notebook's relative error alone: a bias before batchnorm has the gradient 0, of which no
    digit can be right.
    """
    _, grads = model.loss(X, y)
    assert grads.keys() == model.params.keys()
    for name, array in model.params.items():
        numerical = eval_numerical_gradient(lambda _: model.loss(X, y)[0], array, verbose=False,
                                            h=1e-6)
        np.testing.assert_allclose(grads[name], numerical, rtol=1e-5, atol=2e-8, err_msg=name)


@pytest.mark.parametrize("reg", [0.0, 3.14])
@pytest.mark.parametrize("options",
                         [{}, {"normalization": "batchnorm"}, {"normalization": "layernorm"},
                                     {"dropout_keep_ratio": 0.75}], ids=str)
def test_fully_connected_net_starts_near_log_10_and_has_the_right_gradients(options, reg):
    model = FullyConnectedNet([20, 30], input_dim=15, num_classes=10, reg=reg, weight_scale=5e-2,
                              dtype=np.float64, seed=123, **options)
    X = normal(6, 15)
    y = np.array([3, 7, 1, 2, 9, 0])
    weights = sum(0.5 * reg * float((w ** 2).sum())
                  for name, w in model.params.items() if name.startswith("W"))
    assert abs(model.loss(X, y)[0] - weights - np.log(10)) < 0.25
    expected = {f"{kind}{i}" for i in (1, 2, 3) for kind in "Wb"}
    if "normalization" in options:
        expected |= {f"{kind}{i}" for i in (1, 2) for kind in ("gamma", "beta")}
    assert model.params.keys() == expected
    assert_right_gradients(model, X, y)


def test_three_layer_conv_net_starts_at_log_10_and_regularisation_adds_to_it():
    X = normal(50, 3, 32, 32)
    y = np.random.default_rng(0).integers(10, size=50)
    model = ThreeLayerConvNet(weight_scale=0.001, hidden_dim=100, reg=0.0, seed=0)
    loss = model.loss(X, y)[0]
    assert abs(loss - np.log(10)) < 1e-3
    model.reg = 0.5
    assert loss + 0.01 < model.loss(X, y)[0] < loss + 1


def test_three_layer_conv_net_has_the_right_gradients():
    model = ThreeLayerConvNet(num_filters=3, filter_size=3, input_dim=(3, 8, 8), hidden_dim=7,
                              reg=0.1, weight_scale=0.1, dtype=np.float64, seed=1)
    assert model.params.keys() == {"W1", "b1", "W2", "b2", "W3", "b3"}
    assert_right_gradients(model, normal(2, 3, 8, 8), np.array([1, 8]))


SANDWICHES = {
    "conv": (conv_forward_naive, conv_backward_naive, [(4, 3, 5, 5), (2, 3, 3, 3), (2,)],
             [{"stride": 1, "pad": 1}]),
    "max_pool": (max_pool_forward_naive, max_pool_backward_naive, [(3, 2, 8, 8)],
                 [{"pool_height": 2, "pool_width": 2, "stride": 2}]),
    "affine": (affine_forward, affine_backward, [(10, 2, 3), (6, 5), (5,)], []),
    "affine_relu": (affine_relu_forward, affine_relu_backward, [(2, 3, 4), (12, 10), (10,)], []),
    "conv_relu": (conv_relu_forward, conv_relu_backward, [(2, 3, 8, 8), (3, 3, 3, 3), (3,)],
                  [{"stride": 1, "pad": 1}]),
    "conv_relu_pool": (conv_relu_pool_forward, conv_relu_pool_backward,
                       [(2, 3, 8, 8), (3, 3, 3, 3), (3,)],
                       [{"stride": 1, "pad": 1}, {"pool_height": 2, "pool_width": 2, "stride": 2}]),
    "batchnorm": (batchnorm_forward, batchnorm_backward, [(4, 5), (5,), (5,)], [{"mode": "train"}]),
    "batchnorm alt": (batchnorm_forward, batchnorm_backward_alt, [(4, 5), (5,), (5,)],
                      [{"mode": "train"}]),
    "dropout": (dropout_forward, dropout_backward, [(10, 10)],
                [{"mode": "train", "p": 0.2, "seed": 123}]),
}


@pytest.mark.parametrize("name", SANDWICHES)
def test_the_notebooks_gradient_check(name):
    forward, backward, shapes, params = SANDWICHES[name]
    arrays = [normal(*shape, seed=i) for i, shape in enumerate(shapes)]
    out, cache = forward(*arrays, *params)
    dout = normal(*out.shape, seed=9)
    grads = backward(dout, cache)
    for i, grad in enumerate(grads if isinstance(grads, tuple) else (grads,)):
        numerical = eval_numerical_gradient_array(
            lambda a, i=i: forward(*arrays[:i], a, *arrays[i + 1:], *params)[0], arrays[i], dout)
        np.testing.assert_allclose(grad, numerical, rtol=1e-6, atol=1e-8)


def test_fast_layers_agree_with_the_naive_ones():
    x = normal(10, 3, 31, 31)
    w = normal(5, 3, 3, 3)
    b = normal(5)
    conv_param = {"stride": 2, "pad": 1}
    pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
    for args, functions in [((x, w, b, conv_param), (conv_forward_naive, conv_backward_naive,
                                                     conv_forward_fast, conv_backward_fast)),
                            ((normal(4, 3, 32, 32), pool_param),
                             (max_pool_forward_naive, max_pool_backward_naive,
                              max_pool_forward_fast, max_pool_backward_fast))]:
        out, cache = functions[0](*args)
        fast, fast_cache = functions[2](*args)
        np.testing.assert_allclose(fast, out, rtol=1e-9, atol=1e-11)
        for grads in zip(*(g if isinstance(g, tuple) else (g,) for g in (
                functions[1](normal(*out.shape), cache),
                functions[3](normal(*out.shape), fast_cache))), strict=True):
            np.testing.assert_allclose(*grads, rtol=1e-9, atol=1e-11)


def test_losses_of_small_random_scores():
    x = 0.001 * normal(50, 10)
    y = np.random.default_rng(0).integers(10, size=50)
    assert abs(svm_loss(x, y)[0] - 9) < 0.01 and abs(softmax_loss(x, y)[0] - 2.3) < 0.01
    for loss in (svm_loss, softmax_loss):
        numerical = eval_numerical_gradient(lambda x, loss=loss: loss(x, y)[0], x, verbose=False)
        assert rel_error(numerical, loss(x, y)[1]) < 1e-6


gamma = np.array([1.0, 2.0, 3.0])
beta = np.array([11.0, 12.0, 13.0])


def test_batchnorm_moves_means_to_beta_and_deviations_to_gamma():
    x = 4 * normal(200, 3) + 10
    out, _ = batchnorm_forward(x, gamma, beta, {"mode": "train"})
    np.testing.assert_allclose((out.mean(axis=0), out.std(axis=0)), (beta, gamma), rtol=1e-5)
    images = (4 * normal(2, 3, 4, 5) + 10).transpose(0, 1, 3, 2)
    out, _ = spatial_batchnorm_forward(images, gamma, beta, {"mode": "train"})
    np.testing.assert_allclose((out.mean(axis=(0, 2, 3)), out.std(axis=(0, 2, 3))), (beta, gamma),
                               rtol=1e-5)


def test_batchnorm_at_test_time_uses_the_averages_that_training_updated_in_place():
    mean = np.zeros(3)
    var = np.zeros(3)
    bn_param = {"mode": "train", "running_mean": mean, "running_var": var, "momentum": 0.9}
    for step in range(60):
        batch = 4 * normal(200, 3, seed=step) + 10
        before = 0.9 * mean + 0.1 * batch.mean(axis=0), 0.9 * var + 0.1 * batch.var(axis=0)
        batchnorm_forward(batch, np.ones(3), np.zeros(3), bn_param)
        np.testing.assert_allclose((mean, var), before)
    bn_param["mode"] = "test"
    x = 4 * normal(500, 3, seed=99) + 10
    out, _ = batchnorm_forward(x, np.ones(3), np.zeros(3), bn_param)
    np.testing.assert_allclose(out, (x - mean) / np.sqrt(var + 1e-5))
    assert np.abs(out.mean(axis=0)).max() < 0.2 and np.abs(out.std(axis=0) - 1).max() < 0.1
    np.testing.assert_array_equal(batchnorm_forward(x[:1], np.ones(3), np.zeros(3), bn_param)[0],
                                  out[:1])


def test_layernorm_and_groupnorm_normalise_within_a_sample():
    out, _ = layernorm_forward(4 * normal(4, 3) + 10, np.ones(3), np.zeros(3), {})
    np.testing.assert_allclose((out.mean(axis=1), out.std(axis=1)), (np.zeros(4), np.ones(4)),
                               atol=1e-4)
    x = 4 * normal(2, 6, 4, 5) + 10
    one = np.ones((1, 6, 1, 1))
    groups = spatial_groupnorm_forward(x, one, 0 * one, 2, {})[0].reshape(4, -1)
    np.testing.assert_allclose((groups.mean(axis=1), groups.std(axis=1)), (np.zeros(4), np.ones(4)),
                               atol=1e-5)
    flat, _ = layernorm_forward(x.reshape(2, -1), np.ones(120), np.zeros(120), {})
    np.testing.assert_allclose(spatial_groupnorm_forward(x, one, 0 * one, 1, {})[0].reshape(2, -1),
                               flat)


@pytest.mark.parametrize("p", [0.25, 0.4, 0.7])
def test_dropout_keeps_the_fraction_p_and_the_mean(p):
    x = normal(500, 500) + 10
    rng = np.random.default_rng(7)
    out, mask = dropout_forward(x, {"mode": "train", "p": p, "rng": rng, "seed": 1})
    # Six standard deviations of the mean of 250,000 numbers; the mean of x ** 2 is about 101.
    assert abs((out == 0).mean() - (1 - p)) < 6 * (p * (1 - p) / x.size) ** 0.5
    assert abs(out.mean() - x.mean()) < 6 * (101 * (1 - p) / p / x.size) ** 0.5
    np.testing.assert_array_equal(mask, dropout_forward(x, {"mode": "train", "p": p, "seed": 7})[1])
    assert not np.array_equal(mask, dropout_forward(x, {"mode": "train", "p": p, "rng": rng})[1])
    np.testing.assert_array_equal(dropout_forward(x, {"mode": "test", "p": p})[0], x)


def test_the_solver_overfits_a_small_set_as_in_the_notebook():
    X = normal(50, 12)
    y = np.random.default_rng(0).integers(10, size=50)
    model = FullyConnectedNet([100, 100], input_dim=12, weight_scale=1e-1, dtype=np.float64, seed=0)
    solver = Solver(model, {"X_train": X, "y_train": y, "X_val": X, "y_val": y}, print_every=10,
                    num_epochs=60,
                    batch_size=25, update_rule="adam", optim_config={"learning_rate": 3e-3},
                    verbose=False)
    solver.train()
    assert solver.train_acc_history[-1] == 1.0
    assert solver.loss_history[-1] < solver.loss_history[0] / 10
    assert solver.check_accuracy(X, y) == 1.0 == solver.best_val_acc
