"""What no layer computes, and files that are broken or hostile, get one ValueError."""
import numpy as np
import pytest
from onnx_graphs import helper, model_of, node, onnx, saved

from cs231n_fer.exchange import onnx_import
from cs231n_fer.exchange.onnx_import import import_onnx

RNG = np.random.default_rng(0)
W = RNG.standard_normal((4, 3, 3, 3)).astype(np.float32)
W2 = RNG.standard_normal((4, 4, 1, 1)).astype(np.float32)
ONES = np.ones(4, np.float32)
SCORES = np.ones((4, 5), np.float32)
FLAT = [node("GlobalAveragePool", "conv"), node("Flatten", "globalaveragepool")]


def conv(*more, arrays=(), **attributes):
    """Nodes that begin with a convolution, and their constants."""
    return [node("Conv", "x", "w", **attributes), *more], {"w": W, **dict(arrays)}


# beginning of the error -> (nodes, constants[, keywords of model_of])
REFUSED = {
    "Sigmoid 'odd': is not supported": conv(
        node("Sigmoid", "conv", name="odd")),
    "Clip 'six': is not supported": conv(node("Clip", "conv", name="six")),
    "Add 'add': is not supported": conv(node("Add", "conv", "c"), arrays={"c": ONES}),
    "Add 'shared': is not supported": conv(  # its product is read elsewhere, too
        node("Add", "conv", "c", out="shared"), node("Add", "shared", "conv", out="sum"),
        arrays={"c": ONES.reshape(4, 1, 1)}),
    "Mul 'mul': is not supported": conv(node("Mul", "conv", "c"), arrays={"c": ONES[:1]}),
    "Cast 'cast': is not supported": conv(node("Cast", "conv", to=1)),
    "Softmax 'softmax': is not supported": conv(node("Softmax", "conv"), node("Relu", "softmax")),
    "Concat 'concat': got 2 inputs of data, expected one": conv(
        node("Relu", "conv"), node("Concat", "relu", "conv", axis=1)),
    "Conv 'conv': got pads [0, 0, 1, 1], expected the same padding on all sides": conv(
        pads=[0, 0, 1, 1]),
    "Conv 'conv': got pads [0, 0, 1, 1] by auto_pad SAME_UPPER": conv(
        auto_pad="SAME_UPPER", strides=[2, 2]),
    "Conv 'conv': got pads [9, 9, 9, 9], expected at most": conv(pads=[9] * 4),
    "Conv 'conv': got strides [1, 2]": conv(strides=[1, 2]),
    "Conv 'conv': got dilations [2, 2]": conv(dilations=[2, 2]),
    "Conv 'conv': got filters (4, 3, 3, 1)": ([node("Conv", "x", "w")], {"w": W[..., :1]}),
    "Conv 'conv': got w of shape (4, 2, 3, 3), expected (4, 3, 3, 3)": (
        [node("Conv", "x", "w")], {"w": W[:, :2]}),
    "Conv 'conv': groups: got 3, expected a divisor": (
        [node("Conv", "x", "w", group=3)], {"w": W[:, :1]}),
    "Conv 'conv': got b of shape (3,), expected (4,)": (
        [node("Conv", "x", "w", "b")], {"w": W, "b": ONES[:3]}),
    "Conv 'second': got no constant filters": conv(
        node("Relu", "conv"), node("Conv", "wide", "relu", out="second"),
        arrays={"wide": np.ones((1, 4, 6, 6), np.float32)}),
    "Conv 'late': got filters (5, 4, 3, 3) in 1 groups on images of one pixel": conv(
        FLAT[0], node("Conv", "globalaveragepool", "w2", out="late", pads=[1] * 4),
        arrays={"w2": np.ones((5, 4, 3, 3), np.float32)}),
    "MaxPool 'maxpool': window: size 9 does not fit into 4": conv(
        node("MaxPool", "conv", kernel_shape=[9, 9])),
    "MaxPool 'maxpool': got kernel_shape [2, 3]": conv(
        node("MaxPool", "conv", kernel_shape=[2, 3])),
    "MaxPool 'maxpool': got ceil_mode 1": conv(
        node("MaxPool", "conv", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)),
    "AveragePool 'averagepool': got padding that is left out": conv(
        node("AveragePool", "conv", kernel_shape=[2, 2], pads=[1] * 4)),
    "ReduceMean 'reducemean': got axes [1, 2]": conv(node("ReduceMean", "conv", axes=[1, 2])),
    "Reshape 'reshape': got shape [-1, 32], expected (-1, 64)": conv(
        node("Reshape", "conv", "to"), arrays={"to": [-1, 32]}),
    "Reshape 'reshape': got shape [2, -1]": conv(
        node("Reshape", "conv", "to"), arrays={"to": [2, -1]}),
    "Flatten 'flatten': got axis 2": conv(node("Flatten", "conv", axis=2)),
    "Gemm 'gemm': got {'alpha': 2.0": conv(
        *FLAT, node("Gemm", "flatten", "s", alpha=2.0), arrays={"s": SCORES}),
    "Gemm 'gemm': got w of shape (4, 5), expected (64, 5)": conv(
        node("Flatten", "conv"), node("Gemm", "flatten", "s"), arrays={"s": SCORES}),
    "MatMul 'matmul': got an input of the shape (N, 4, 4, 4)": conv(
        node("MatMul", "conv", "s"), arrays={"s": SCORES}),
    "Pad 'pad': got mode reflect": conv(
        node("Pad", "conv", "to", mode="reflect"), arrays={"to": [0, 0, 1, 1] * 2}),
    "Pad 'pad': got pads [0, 0, 1, 0, 0, 0, 1, 0]": conv(
        node("Pad", "conv", "to"), arrays={"to": [0, 0, 1, 0] * 2}),
    "Pad 'pad': got an output of 160,006,400,064 numbers": conv(
        node("Pad", "conv", "to"), arrays={"to": [0, 0, 10 ** 5, 10 ** 5] * 2}),
    "Dropout 'dropout': got ratio 1.0": conv(
        node("Dropout", "conv", "r"), arrays={"r": np.float32(1)}),
    "BatchNormalization 'batchnormalization': got training_mode 1": conv(
        node("BatchNormalization", "conv", *"gggg", training_mode=1), arrays={"g": ONES}),
    "Softmax 'softmax': got axis -1, scores of the shape (4,)": conv(
        FLAT[0], node("Softmax", "globalaveragepool", axis=-1)),
    "Softmax 'softmax': got axis 1, scores of the shape (4, 4, 4)": conv(
        node("Softmax", "conv", axis=1)),
    "Relu 'relu': got an output 'relu' that several branches read": conv(
        node("Relu", "conv"), node("Conv", "relu", "w2", out="a"),
        node("Conv", "conv", "w2", out="b"), node("Add", "a", "b", out="c"),
        node("Add", "c", "relu", out="d"), arrays={"w2": W2}),
    "Add 'sum': Residual: body gives (4, 4, 4) but shortcut gives (3, 6, 6)": conv(
        node("Add", "conv", "x", out="sum")),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_no_layer_computes_is_refused_with_the_name_of_the_node(message, tmp_path):
    nodes, arrays, *more = REFUSED[message]
    model = model_of(nodes, arrays, **(more[0] if more else {}))
    with pytest.raises(ValueError) as error:
        import_onnx(saved(model, tmp_path))
    assert str(error.value).startswith(message)


def simple(**keywords):
    return model_of([node("Conv", "x", "w"), node("Relu", "conv")], {"w": W}, **keywords)


def two_inputs():
    model = simple()
    model.graph.input.append(helper.make_tensor_value_info("z", 1, ["N", 3]))
    return model


def no_layers():
    model = simple()
    del model.graph.node[:]
    model.graph.output[0].CopyFrom(model.graph.input[0])
    return model


def cyclic():
    model = simple()
    model.graph.node[0].input[0] = "relu"
    return model


def unknown_domain():
    model = simple()
    model.graph.node[1].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    return model


def too_few_numbers():
    model = simple()
    model.graph.initializer[0].dims[0] = 2 ** 40
    return model


def no_numbers():
    """A matrix of 0 x 2 ** 40 numbers takes no memory; biases for it would take a terabyte."""
    model = model_of([node("Gemm", "x", "w")], {"w": SCORES}, shape=("N", 4))
    model.graph.initializer[0].CopyFrom(helper.make_tensor("w", 1, [0, 2 ** 40], []))
    return model


def shared(count):
    """Every convolution has the same filters, which are in the file once."""
    nodes = [node("Conv", "x" if i == 0 else f"v{i - 1}", "w", out=f"v{i}") for i in range(count)]
    return model_of(nodes, {"w": np.ones((64, 64, 1, 1), np.float32)}, shape=("N", 64, 2, 2))


def not_finite():
    model = model_of([node("Conv", "x", "w")], {"w": W.astype(np.float64) * 1e60})
    return model


def nested(count):
    nodes = [node("Relu", "x", out="v0")]
    for i in range(count):
        nodes += [node("Relu", f"v{i}", out=f"u{i}"), node("Add", f"u{i}", "x", out=f"v{i + 1}")]
    return model_of(nodes, {})


def constant_output():
    model = simple()
    model.graph.output[0].name = "w"
    return model


BROKEN = {
    "an output that is constant": (constant_output, "does not depend on the input"),
    "two inputs": (two_inputs, "2 inputs and 1 outputs"),
    "two outputs": (lambda: simple(outputs=["conv", "relu"]), "1 inputs and 2 outputs"),
    "no layers": (no_layers, "no layers"),
    "a cycle": (cyclic, "not a valid ONNX file"),
    "a value from nowhere": (lambda: model_of([node("Relu", "y")], {}), "not a valid ONNX file"),
    "an unknown domain": (unknown_domain, "the domain 'com.example'"),
    "opset 6": (lambda: simple(opset=6), "opset"),
    "more numbers than the file holds": (too_few_numbers, "not a valid|constant 'w'"),
    "an empty matrix that is large": (no_numbers, r"Gemm 'gemm': got w of shape \(0,"),
    "huge images": (lambda: simple(shape=("N", 3, 2 ** 20, 2 ** 20)), "numbers for one sample"),
    "no images": (lambda: simple(shape=("N", 3)), "expected images "),
    "a shape of two axes": (lambda: simple(shape=("N", 3, 6)), "pass input_shape"),
    "filters of many layers": (lambda: shared(40), "max_params"),
    "weights beyond float32": (not_finite, "not finite in float32"),
    "branches in branches": (lambda: nested(60), "levels of nested branches"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_or_hostile_graph_gets_one_valueerror(what, tmp_path):
    make, message = BROKEN[what]
    with pytest.raises(ValueError, match=message):
        import_onnx(saved(make(), tmp_path))


def test_a_hostile_file_is_refused_before_a_network_is_made(tmp_path, monkeypatch):
    def fail(*arguments, **keywords):
        raise AssertionError("memory was allocated")
    monkeypatch.setattr(onnx_import, "fill", fail)
    for what in ("an empty matrix that is large", "huge images", "filters of many layers"):
        with pytest.raises(ValueError):
            import_onnx(saved(BROKEN[what][0](), tmp_path))


CONTENTS = {"empty": b"", "text": b"not a graph at all", "zeros": bytes(100),
            "picture": b"\x89PNG\r\n\x1a\n" + bytes(40)}


@pytest.mark.parametrize("what", CONTENTS)
def test_a_file_that_is_no_onnx_is_refused(what, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(CONTENTS[what])
    with pytest.raises(ValueError, match="not a valid ONNX file"):
        import_onnx(path)


def test_a_missing_file_is_a_filenotfounderror_and_missing_weights_a_valueerror(tmp_path):
    with pytest.raises(FileNotFoundError, match="no ONNX file at"):
        import_onnx(tmp_path / "net.onnx")
    path = tmp_path / "net.onnx"
    onnx.save_model(simple(), str(path), save_as_external_data=True, location="net.bin",
                    size_threshold=0)
    (tmp_path / "net.bin").unlink()
    with pytest.raises(ValueError, match="not a valid ONNX file"):
        import_onnx(path)


def test_weights_outside_of_the_folder_are_not_read(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(W.tobytes())
    onnx.save_model(simple(), str(folder / "net.onnx"), save_as_external_data=True,
                    location="net.bin", size_threshold=0)
    model = onnx.load(str(folder / "net.onnx"), load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = "../secret.bin"
    with pytest.raises(ValueError, match="not a valid ONNX file"):
        import_onnx(saved(model, folder))


@pytest.mark.parametrize("cut", range(0, 500, 23))
def test_a_file_that_was_cut_off_or_changed_is_refused_or_read(cut, tmp_path):
    whole = simple().SerializeToString()
    path = tmp_path / "net.onnx"
    path.write_bytes(whole[:cut])
    with pytest.raises(ValueError):
        import_onnx(path)
    changed = bytearray(whole)
    changed[cut % len(whole)] ^= 0x15
    path.write_bytes(changed)
    try:
        import_onnx(path)
    except ValueError:
        pass  # any other error fails
