"""A convolutional-network engine written from scratch, for facial expression recognition on FER2013.

Reading order (each module imports only from those before it):

    types              names for the types in annotations
    shapes             output sizes and argument checks
    gradient_check     numeric gradients, and how to compare with them
    copying            what a copy of an object is
    memory, flat       arrays whose memory is used again, and that share one block of it
    seam               arrays on their way to a kernel
    layers/            the book: every layer's forward and backward pass, NumPy only
    kernels/           the engine: compiled loops, Numba only
    fast_pool          the compiled rung of max-pool and average pool
    fast_layers        the compiled rungs: the kernels behind the contract of layers/
    fast_sandwiches    the same for layers that are fused
    fast_batchnorm     and with batchnorm between them
    fast_norm          batchnorm and groupnorm as layers of their own
    fast_relu          ReLU as a layer of its own
    fast_losses        the softmax loss
    fast_gradients     the gradients of all parameters in one array, with L2 regularisation
    compile_ahead      a second process compiles what a training step needs last
    layer_utils        the course's sandwiches of layers
    ladder             operation -> rung -> (forward, backward)
    records            layers as frozen records
    network            Chain, Residual, Network
    sealed, checkpoint
                       files that are read unchanged or not at all; crash-safe
    deep_nets          deeper networks than the paper's
    classifiers        the networks of the paper and of the course
    inference          a trained net made ready: weights prepared once
    distillation       learning from the probabilities of teachers
    update_steps, optim, schedules
                       update rules and learning rates
    augment            flips and other random changes of training images
    imbalance          classes of unequal size: weights of the loss, samplers
    averaging          running averages of weights
    diagnosis          where a training that diverges went wrong
    interrupts, fingerprint, run_folder
                       what a training leaves behind, however it ends, and who may go on with it
    solver             the training loop
    search             random search by many processes on one folder
    metrics, saliency  what a trained net can do, and what it looks at
    vis_utils, curves  figures
    fer2013, sources, kaggle, image_folder, ferplus, data_summary, prepare
                       from what people download to one validated file
    face_drawing, synthetic, face_regions
                       built-in faces, so that everything runs with no download
    data_utils         from either to arrays for training
    report             the numbers and figures of a finished run
    pretrained         the trained net that comes with the package
    linear_svm         a linear classifier on features of another net
    empath             Gabor filters and principal components of faces
    clips              built-in faces that move, and vectors of what a net saw in them
    gradient_draws, gradient_cases
                       the table of all gradient checks

Importing this package imports none of them.
"""

__version__ = "0.1.0"


def load_pretrained(path=None):
    """Return the trained net with its preprocessing: pretrained.load_pretrained, imported when it is called."""
    from .pretrained import load_pretrained

    return load_pretrained(path)
