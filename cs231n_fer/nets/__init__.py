"""Networks: layers as frozen records, chains of them, and networks prepared for inference.

    ladder       operation -> rung -> (forward, backward)
    layer        the contract of a layer, and how a pass is run
    records      layers as frozen records
    norms        those that normalize
    grouped      grouped and depthwise convolution
    shaping      those that move numbers and compute none
    paths        names of arrays
    chain        Chain and Residual, layers made of layers
    sandwich     fused layers
    network      Network: a layer with its arrays, loss and regularization
    inference    Predictor: a trained network with its weights prepared once

To add a layer to networks: a record in records (norms, if it normalizes), with its name in
`__all__`, a row of CASES in tests/nets/test_records.py, and a row of ladder if it has a compiled
rung.
"""
