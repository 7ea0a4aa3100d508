"""Networks: layers as frozen records, chains of them, and networks prepared for inference.

    ladder       operation -> rung -> (forward, backward)
    layer        the interface of a layer, and the mode of a pass
    records      layers as frozen records
    norms        normalization layers
    grouped      grouped and depthwise convolution
    shaping      Flatten and Pad
    paths        names of arrays
    chain        Chain and Residual, layers made of layers
    sandwich     fused layers
    description  layers as JSON, and back
    network      Network: a layer with its arrays, loss and regularization
    inference    Predictor: a trained network whose weights are prepared once

To add a layer to networks: write a record in records, or in norms, grouped or shaping, and add its
name to `__all__`, its class to KINDS in description, a row to CASES in tests/nets/test_records.py,
and a row to LADDER in ladder if it has a compiled rung.
"""
