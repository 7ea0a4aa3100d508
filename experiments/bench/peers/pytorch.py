"""PyTorch: eager, compiled or, for inference, frozen by torch.jit; contiguous or channels_last.

Adam is fused. Its weight_decay, of weights only, is our L2: the gradient is dw + reg * w.
"""
import copy

import numpy as np
import torch
from torch import nn

from ..nets import FACE_SHAPE, LEARNING_RATE, REG, Net
from ..reference import STEPS, difference, penalty, verdict, worst_difference
from . import Task

# The attribute of PyTorch for every last part of a name.
PARTS = {"w": "weight", "b": "bias", "gamma": "weight", "beta": "bias",
         "running_mean": "running_mean", "running_var": "running_var"}


def make_module(net, kind, inputs, outputs):
    """Return the module for a kind of layer in nets.Net.layers."""
    makers = {"conv": lambda: nn.Conv2d(inputs, outputs, net.size, padding=net.size // 2,
                                        bias=not net.batchnorm),
              "bn": lambda: nn.BatchNorm2d(outputs), "affine": lambda: nn.Linear(inputs, outputs),
              "relu": nn.ReLU, "pool": lambda: nn.MaxPool2d(2), "flatten": nn.Flatten}
    return makers[kind]()


class Engine:
    """A nets.Net as a module with the reference's arrays, and its optimizer."""

    def __init__(self, net, reference, dtype=torch.float32, layout=torch.contiguous_format):
        self.net = net
        self.reference = reference
        self.named = {}
        modules = []
        channels, height, _ = FACE_SHAPE
        for kind, name, outputs in net.layers():
            height //= 2 if kind == "pool" else 1
            channels *= height ** 2 if kind == "flatten" else 1
            self.named[name] = make_module(net, kind, channels, outputs)
            modules.append(self.named[name])
            channels = outputs or channels
        self.module = nn.Sequential(*modules).to(dtype=dtype, memory_format=layout)
        self.X = torch.tensor(reference["X"], dtype=dtype).to(memory_format=layout)
        self.y = torch.tensor(reference["y"])
        self.call = self.module
        self.load()

    def tensor(self, name):
        """Return the parameter or buffer of a neutral name such as "conv1/w"."""
        layer, part = name.split("/")
        return getattr(self.named[layer], PARTS[part])

    def turned(self, name, array):
        """Transpose the weights of an affine layer, (D, M) in ours and (M, D) here."""
        return array.T if name.startswith("affine") and name.endswith("/w") else array

    def load(self):
        """Load the reference's arrays and reset Adam."""
        with torch.no_grad():
            for prefix, names in (("params", self.net.arrays()),
                                  ("buffers", self.net.arrays(buffers=True))):
                for name in names:
                    array = self.turned(name, self.reference[f"{prefix}/{name}"])
                    self.tensor(name).copy_(torch.tensor(array))
        weights = {name: self.tensor(name) for name in self.net.arrays()}
        self.optimizer = torch.optim.Adam(
            [{"params": [w for name, w in weights.items() if name.endswith("/w")],
              "weight_decay": REG},
             {"params": [w for name, w in weights.items() if not name.endswith("/w")]}],
            LEARNING_RATE, fused=True)

    def step(self):
        """Run a training step and return the loss without L2."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(self.call(self.X), self.y)
        loss.backward()
        self.optimizer.step()
        return loss

    def params(self):
        """Return the parameters as arrays in our shapes."""
        return {name: self.turned(name, self.tensor(name).detach().numpy())
                for name in self.net.arrays()}

    def check(self):
        """Return the differences of loss, gradients and, in float64, parameters after STEPS steps.

        A list of {"error", "at"}, for reference.verdict.
        """
        self.load()
        before = {name: array.copy() for name, array in self.params().items()}
        loss = float(self.step()) + penalty(self.net, before)
        grads = {name: self.turned(name, self.tensor(name).grad.numpy())
                 + REG * before[name] * name.endswith("/w") for name in before}
        checks = [{"error": difference(loss, self.reference["loss"]), "at": "loss"},
                  worst_difference(grads, self.reference, "grads")]
        # In float32, Adam's first steps divide rounding errors by rounding errors.
        if self.X.dtype == torch.float64:
            for _ in range(STEPS - 1):
                self.step()
            checks.append(worst_difference(self.params(), self.reference, "stepped"))
        self.load()
        return checks


def check_training(engine, executor):
    """Check the timed step in float32 and, unless that means compiling again, in float64."""
    result = verdict(engine.check())
    if executor == "eager" and result["passed"]:
        exact = verdict(Engine(engine.net, engine.reference, torch.float64).check(), "float64")
        return exact if not exact["passed"] else {**result, "float64_error": exact["error"]}
    return result


def build(spec):
    """Return the Task of a spec, which also has `executor` (eager, compile, jit) and `layout`."""
    torch.set_num_threads(spec["threads"])
    layout = {"contiguous": torch.contiguous_format,
              "channels_last": torch.channels_last}[spec["layout"]]
    engine = Engine(Net(**spec["net"]), dict(np.load(spec["reference"])), layout=layout)
    info = {"capability": torch.backends.cpu.get_cpu_capability()}
    if spec["mode"] == "step":
        if spec["executor"] == "compile":
            engine.call = torch.compile(engine.module)
        return Task(engine.step, lambda: check_training(engine, spec["executor"]), info)
    module = engine.module.eval()
    if spec["executor"] == "jit":
        with torch.no_grad():
            traced = torch.jit.trace(copy.deepcopy(module), engine.X)
            module = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
    elif spec["executor"] == "compile":
        torch._inductor.config.freezing = True
        module = torch.compile(module)

    @torch.inference_mode(spec["executor"] != "compile")  # freezing asks for no_grad instead
    @torch.no_grad()
    def run():
        return module(engine.X)

    def check():
        error = difference(run().numpy(), engine.reference["scores"])
        return verdict([{"error": error, "at": "scores"}])

    return Task(run, check, info)
