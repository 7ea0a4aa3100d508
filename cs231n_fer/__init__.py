"""A convolutional-network engine written from scratch, for facial expression recognition on FER2013.

Reading order (each module imports only from above it):

    shapes            output sizes and argument checks
    gradient_check    numeric gradients, and how to compare with them
    layers/           the book: every layer's forward and backward pass, NumPy only
    kernels/          compiled loops, Numba only
    layer_utils       the course's sandwiches of layers
    ladder            operation -> rung -> (forward, backward)
    records           layers as frozen records
    network           Chain, Residual, Network
    classifiers       the networks of the paper and of the course
    optim, schedules  update rules and learning rates
    augment           flips and other random changes of training images
    solver            the training loop
    data_utils        from Kaggle's files to arrays; synthetic: faces that need no download
    metrics, saliency, vis_utils, report    what the trained net can do, and its figures

Importing this package imports none of them.
"""

__version__ = "0.1.0"
