"""Imported files compute what ONNX Runtime computes from them, and are networks like all others."""
import warnings

import numpy as np
import pytest
from onnx_graphs import assert_near, helper, model_of, node, onnx, run, saved

from cs231n_fer.exchange.onnx_import import import_onnx
from cs231n_fer.gradient_check import directional_check
from cs231n_fer.nets.inference import Predictor
from cs231n_fer.solver import Solver

RNG = np.random.default_rng(0)


def normal(*shape, dtype=np.float32):
    return RNG.standard_normal(shape).astype(dtype)


W = normal(4, 3, 3, 3)
B = normal(4)
HALF = (normal(4, 3, 3, 3, dtype=np.float16), normal(4, dtype=np.float16))
SCORES = normal(4, 5)
MEAN = [node("GlobalAveragePool", "conv"), node("Flatten", "globalaveragepool")]
GEMM = [*MEAN, node("Gemm", "flatten", "scores")]
SHAPE = [node("Shape", "conv"), node("Gather", "shape", "zero"),
         node("Unsqueeze", "gather", "zeros"), node("Concat", "unsqueeze", "rest", axis=0),
         node("Reshape", "conv", "concat")]
GROUPS = [node("Reshape", "conv", "grouped", out="groups"),
          node("InstanceNormalization", "groups", "ones", "nought", out="normal")]
SCALED = [node("Mul", "images", "gamma"), node("Add", "mul", "beta")]
GROUP_ARRAYS = {"w": W, "grouped": [0, 2, -1], "ones": np.ones(2, np.float32),
                "nought": np.zeros(2, np.float32), "gamma": normal(4, 1, 1),
                "beta": normal(4, 1, 1)}
BRANCHES = [node("Conv", "x", "w"), node("Relu", "conv"),
            node("Conv", "relu", "w2", out="conv2", pads=[1] * 4),
            node("Add", "conv2", "relu", out="inner"), node("Relu", "inner", out="relu2"),
            node("Conv", "relu", "w3", out="side"), node("Add", "side", "relu2", out="sum")]
BRANCH_ARRAYS = {"w": W, "w2": normal(4, 4, 3, 3), "w3": normal(4, 4, 1, 1)}
NORM = [normal(4), normal(4), normal(4), np.abs(normal(4)) + 0.5]


def conv(*more, arrays=(), **attributes):
    """Nodes that begin with a convolution, and their constants."""
    return [node("Conv", "x", "w", **attributes), *more], {"w": W, **dict(arrays)}


# what is odd -> (nodes, constants[, keywords of model_of])
GRAPHS = {
    "padding and stride": conv(pads=[1] * 4, strides=[2, 2]),
    "auto_pad VALID": conv(auto_pad="VALID"),
    "auto_pad SAME_UPPER": conv(auto_pad="SAME_UPPER"),
    "auto_pad SAME_LOWER, stride 3": conv(auto_pad="SAME_LOWER", strides=[3, 3]),
    "bias": ([node("Conv", "x", "w", "b")], {"w": W, "b": B}),
    "bias of an Add": conv(node("Add", "conv", "b"), arrays={"b": B.reshape(4, 1, 1)}),
    "bias first": conv(node("Add", "b", "conv"), arrays={"b": B.reshape(1, 4, 1, 1)}),
    "bias of a MatMul": conv(*MEAN, node("MatMul", "flatten", "s"), node("Add", "matmul", "c"),
                             arrays={"s": SCORES, "c": normal(5)}),
    "one bias for all": conv(*MEAN, node("MatMul", "flatten", "s"), node("Add", "c", "matmul"),
                             arrays={"s": SCORES, "c": normal(1)}),
    "MatMul alone": conv(*MEAN, node("MatMul", "flatten", "s"), arrays={"s": SCORES}),
    "Gemm without bias": conv(*GEMM, arrays={"scores": SCORES}),
    "Gemm turned": conv(*MEAN, node("Gemm", "flatten", "s", "c", transB=1),
                        arrays={"s": SCORES.T.copy(), "c": normal(1, 5)}),
    "vectors": ([node("Gemm", "x", "s", "c"), node("LeakyRelu", "gemm", alpha=0.3)],
                {"s": SCORES, "c": normal(5)}, {"shape": ("N", 4)}),
    "1 x 1 convolution of means": conv(
        node("GlobalAveragePool", "conv"), node("Conv", "globalaveragepool", "w2", out="fire"),
        node("Relu", "fire"), node("Flatten", "relu"), arrays={"w2": normal(5, 4, 1, 1)}),
    "with a bias, and squeezed": conv(
        node("GlobalAveragePool", "conv", out="mean"),
        node("Conv", "mean", "w2", "b2", out="fire"), node("Squeeze", "fire", "axes"),
        arrays={"w2": normal(5, 4, 1, 1), "b2": normal(5), "axes": [2, 3]}),
    "means of axes": conv(node("ReduceMean", "conv", axes=[-1, 2], keepdims=0)),
    "means of axes in opset 18": (*conv(node("ReduceMean", "conv", "axes", keepdims=0),
                                        arrays={"axes": [2, 3]}), {"opset": 18}),
    "means of means": conv(*MEAN[:1], node("GlobalAveragePool", "globalaveragepool", out="again"),
                           node("Flatten", "again")),
    "max-pool with padding": conv(node("MaxPool", "conv", kernel_shape=[3, 3], pads=[1] * 4,
                                       strides=[2, 2])),
    "ceil_mode that changes nothing": conv(node("MaxPool", "conv", kernel_shape=[2, 2],
                                                strides=[2, 2], ceil_mode=1)),
    "average with padding": conv(node("AveragePool", "conv", kernel_shape=[2, 2], pads=[1] * 4,
                                      count_include_pad=1)),
    "Pad": conv(node("Pad", "conv", "widths", "value"),
                arrays={"widths": [0, 0, 2, 2] * 2, "value": np.float32(0.5)}),
    "Pad of opset 10": (*conv(node("Pad", "conv", pads=[0, 0, 1, 1] * 2, value=2.0)),
                        {"opset": 10}),
    "depthwise": ([node("Conv", "x", "w", "b", group=3)],
                  {"w": normal(6, 1, 3, 3), "b": normal(6)}),
    "Reshape": conv(node("Reshape", "conv", "to"), arrays={"to": [0, -1]}),
    "Reshape, length known": conv(node("Reshape", "conv", "to"), arrays={"to": [-1, 64]}),
    "x.view(x.size(0), -1)": conv(*SHAPE, arrays={
        "zero": np.int64(0), "zeros": [0], "rest": [-1]}),
    "a batch of 2": (*conv(node("Reshape", "conv", "to"), arrays={"to": [2, -1]}),
                     {"shape": (2, 3, 6, 6)}),
    "batch normalization": conv(node("BatchNormalization", "conv", *"gbmv", epsilon=1e-3),
                                arrays=dict(zip("gbmv", NORM, strict=True))),
    "layer normalization": conv(*MEAN, node("LayerNormalization", "flatten", "g"),
                                arrays={"g": normal(4)}),
    "instance normalization": conv(node("InstanceNormalization", "conv", "g", "b"),
                                   arrays={"g": normal(4), "b": B}),
    "group normalization": (
        [node("Conv", "x", "w"), *GROUPS, node("Reshape", "normal", "size", out="images"), *SCALED],
        {**GROUP_ARRAYS, "size": [0, 4, 4, 4]}),
    "group normalization, shape of the input": (
        [node("Conv", "x", "w"), *GROUPS, node("Shape", "conv"),
         node("Reshape", "normal", "shape", out="images"), *SCALED], GROUP_ARRAYS),
    "branches in branches": (BRANCHES, BRANCH_ARRAYS),
    "twice the same": conv(node("Add", "conv", "conv")),
    "dropout": conv(node("Dropout", "conv", "ratio"), arrays={"ratio": np.float32(0.3)}),
    "constants by Identity": ([node("Identity", "w0", out="w"), node("Conv", "x", "w")], {"w0": W}),
    "a Constant": ([node("Constant", out="w", value=onnx.numpy_helper.from_array(W)),
                    node("Conv", "x", "w")], {}),
    "a turned constant": ([node("Transpose", "s0", out="s", perm=[1, 0]), node("Gemm", "x", "s")],
                          {"s0": SCORES.T.copy()}, {"shape": ("N", 4)}),
    "constants among the inputs": ([node("Conv", "x", "w")], {"w": W},
                                   {"inputs": ["w"], "opset": 8}),
    "nodes without names": ([node("Conv", "x", "w", name=""), node("Relu", "conv", name="")],
                            {"w": W}),
    "an output that nothing reads": conv(node("Relu", "conv", out="other"), node("Relu", "conv")),
}


@pytest.mark.parametrize("what", GRAPHS)
def test_an_imported_network_computes_what_onnx_runtime_computes(what, tmp_path):
    nodes, arrays, *more = GRAPHS[what]
    keywords = more[0] if more else {}
    path = saved(model_of(nodes, arrays, **keywords), tmp_path)
    net = import_onnx(path)
    X = normal(2, *net.input_shape)
    expected = run(path, X)
    assert_near(net.predict(X), expected)
    assert_near(Predictor(net)(X), expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_weights_of_another_float_type_become_float32(dtype, tmp_path):
    arrays = {"w": W.astype(dtype), "b": B.astype(dtype)}
    net = import_onnx(saved(model_of([node("Conv", "x", "w", "b")], arrays), tmp_path))
    single = {name: array.astype(np.float32) for name, array in arrays.items()}
    twin = saved(model_of([node("Conv", "x", "w", "b")], single), tmp_path, "twin.onnx")
    X = normal(2, 3, 6, 6)
    assert net.params["conv1/w"].dtype == np.float32
    assert_near(net.predict(X), run(twin, X))


def test_weights_in_a_file_of_their_own_are_read(tmp_path):
    model = model_of([node("Conv", "x", "w")], {"w": W})
    path = tmp_path / "net.onnx"
    onnx.save_model(model, str(path), save_as_external_data=True, location="net.bin",
                    size_threshold=0)
    assert (tmp_path / "net.bin").stat().st_size == W.nbytes
    np.testing.assert_array_equal(import_onnx(path).params["conv1/w"], W)


@pytest.mark.parametrize("operation", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("axis", [1, -1])
def test_a_softmax_at_the_end_is_left_out(operation, axis, tmp_path):
    nodes, arrays = conv(*GEMM, arrays={"scores": SCORES})
    nodes += [node(operation, "gemm", out="end", axis=axis), node("Identity", "end")]
    path = saved(model_of(nodes, arrays), tmp_path)
    X = normal(3, 3, 6, 6)
    scores = import_onnx(path).predict(X)
    logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    assert_near(logs if operation == "LogSoftmax" else np.exp(logs), run(path, X))


def test_the_shape_of_a_sample_may_be_passed_where_the_file_does_not_say_it(tmp_path):
    nodes, arrays = conv(*GEMM, arrays={"scores": SCORES})
    path = saved(model_of(nodes, arrays, shape=("N", 3, "H", "W")), tmp_path)
    for shape in ((3, 6, 6), (3, 9, 7)):
        net = import_onnx(path, shape)
        X = normal(2, *shape)
        assert_near(net.predict(X), run(path, X))
    with pytest.raises(ValueError, match=r"pass input_shape=\(C, H, W\)"):
        import_onnx(path)


def test_an_imported_network_is_trained_like_any_other(tmp_path):
    scores = node("Gemm", "flatten", "scores")
    nodes = [*BRANCHES, node("GlobalAveragePool", "sum"), node("Flatten", "globalaveragepool"),
             scores]
    net = import_onnx(saved(model_of(nodes, {**BRANCH_ARRAYS, "scores": SCORES}), tmp_path))
    rng = np.random.default_rng(0)
    y = np.arange(24) % 5
    X = rng.standard_normal((24, 3, 6, 6)).astype(np.float32) + y[:, None, None, None]
    solver = Solver(net, {"X_train": X, "y_train": y, "X_val": X, "y_val": y}, update_rule="adam",
                    optim_config={"learning_rate": 1e-2}, num_epochs=5, batch_size=8, verbose=False)
    solver.train()
    assert np.mean(solver.loss_history[-3:]) < 0.7 * np.mean(solver.loss_history[:3])
    assert "residual" in net.summary()


def test_the_gradients_of_an_imported_network_are_the_derivatives(tmp_path):
    nodes = [*BRANCHES, node("GlobalAveragePool", "sum")]
    net = import_onnx(saved(model_of(nodes, BRANCH_ARRAYS), tmp_path))
    rng = np.random.default_rng(0)
    net.dtype = np.dtype(np.float64)
    net.params = {name: array.astype(float) for name, array in net.params.items()}
    X = rng.standard_normal((2, 3, 6, 6))
    out, cache = net.forward(X)
    dout = rng.standard_normal(out.shape)
    dX, grads = net.backward(dout, cache)
    params = dict(net.params)

    def scores_with(name, array):
        net.params = {**params, name: array}
        return net.forward(X)[0]
    for name, gradient in grads.items():
        error = directional_check(lambda array, name=name: scores_with(name, array), params[name],
                                  dout, gradient, "kinked", rng)
        assert error < 1e-6, name
    net.params = params
    assert directional_check(lambda x: net.forward(x)[0], X, dout, dX, "kinked", rng) < 1e-6


def test_a_deep_graph_is_read_without_recursion(tmp_path):
    nodes = [node("Conv", "x", "w", out="v0")]
    for i in range(3000):
        nodes.append(node("Relu", f"v{i}", out=f"v{i + 1}"))
    model = model_of(nodes, {"w": W})
    assert len(import_onnx(saved(model, tmp_path)).layer.layers) == 3000  # conv and relu are fused


def test_nets_exported_by_pytorch_compute_what_pytorch_computes(tmp_path):
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(3, 8, 5, 2, 2, bias=False), nn.BatchNorm2d(8),
                                      nn.ReLU(), nn.MaxPool2d(3, 2, 1))
            self.body = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.GroupNorm(2, 8),
                                      nn.LeakyReLU(0.1), nn.Conv2d(8, 8, 1))
            self.head = nn.Sequential(nn.Dropout(), nn.Linear(8 * 4 * 4, 9), nn.ReLU(),
                                      nn.Linear(9, 4))

        def forward(self, x):
            x = self.stem(x)
            x = torch.relu(self.body(x) + x)
            return self.head(x.view(x.size(0), -1))
    net = Net()
    torch.manual_seed(0)
    net.train()
    for _ in range(3):
        net(torch.randn(8, 3, 16, 16))
    net.eval()
    X = torch.randn(4, 3, 16, 16)
    path = str(tmp_path / "net.onnx")
    with warnings.catch_warnings():  # of the exporter that needs no further library
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (X,), path, dynamo=False, opset_version=17, input_names=["x"],
                          dynamic_axes={"x": {0: "N"}}, do_constant_folding=False)
    assert_near(import_onnx(path).predict(X.numpy()), net(X).detach().numpy())


def test_helper_makes_graphs_that_the_checker_accepts():
    for nodes, arrays, *more in GRAPHS.values():
        onnx.checker.check_model(model_of(nodes, arrays, **(more[0] if more else {})))
    assert helper.make_node("Relu", ["x"], ["y"]).op_type == "Relu"
