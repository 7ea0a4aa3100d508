"""Descriptions of the nets that are timed, from which every peer builds its own."""
from dataclasses import asdict, dataclass

FACE_SHAPE = (1, 48, 48)
EMOTIONS = 7
# From the paper, section 4.1.
LEARNING_RATE = 0.00127
REG = 0.00172


@dataclass(frozen=True)
class Net:
    """Blocks of convolutions with a 2x2 max-pool at the end, then affine - ReLU - affine.

    blocks       for every block, the numbers of filters of its convolutions
    size         height and width of the filters; padding keeps height and width
    hidden       units of the hidden affine layer
    batchnorm    whether batchnorm follows every convolution, which then has no bias
    classifier   name in cs231n_fer.classifiers of the same net, or "Chain" if there is none
    """
    blocks: tuple
    size: int = 3
    hidden: int = 200
    batchnorm: bool = False
    classifier: str = "FinalConvNet"

    def layers(self):
        """Yield (kind, name, outputs) of every layer.

        The kinds are conv, bn, relu, pool, flatten and affine.
        """
        convs = 0
        for filters_of_block in self.blocks:
            for filters in filters_of_block:
                convs += 1
                yield "conv", f"conv{convs}", filters
                if self.batchnorm:
                    yield "bn", f"bn{convs}", filters
                yield "relu", "", 0
            yield "pool", "", 0
        yield "flatten", "", 0
        yield "affine", "affine1", self.hidden
        yield "relu", "", 0
        yield "affine", "affine2", EMOTIONS

    def arrays(self, buffers=False):
        """Return the names of the parameters, in the order of the layers.

        buffers    return the names of batchnorm's running averages instead
        """
        parts = {"conv": ("w",) if self.batchnorm else ("w", "b"), "bn": ("gamma", "beta"),
                 "affine": ("w", "b")}
        if buffers:
            parts = {"bn": ("running_mean", "running_var")}
        return [f"{name}/{part}" for kind, name, _ in self.layers() for part in parts.get(kind, ())]

    def as_json(self):
        """Return the fields as a dict for JSON, from which Net(**fields) makes the net again."""
        return asdict(self)


FINAL = ((32,), (64,), (96,), (128,))
NETS = {
    "final": Net(FINAL),
    "final + bn": Net(FINAL, batchnorm=True),
    "baseline": Net(((32,),), size=5, hidden=100, classifier="baseline_net"),
    "conv-conv-pool": Net(((32, 32), (64, 64), (96, 96), (128, 128)), batchnorm=True,
                          classifier="Chain"),
}
