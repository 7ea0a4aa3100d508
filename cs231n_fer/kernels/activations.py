"""ReLU and its backward pass, one pass over flat arrays each; they take the arguments of the steps in update.py."""
from .update import ARGUMENTS
from .vectors.calls import step


@step(*ARGUMENTS)
def relu(x, _, __, ___, out, ____, _____, ______, begin, end):
    """out = max(x, 0); NaN stays NaN."""
    x, out, zero = x[begin:end], out[begin:end], x.dtype.type(0)
    for i in range(len(x)):
        out[i] = zero if x[i] < zero else x[i]


@step(*ARGUMENTS)
def relu_back(dout, kept, _, __, dx, ___, ____, _____, begin, end):
    """dx = dout where kept > 0, else 0."""
    dout, kept, dx, zero = dout[begin:end], kept[begin:end], dx[begin:end], dout.dtype.type(0)
    for i in range(len(dout)):
        dx[i] = dout[i] if kept[i] > zero else zero
