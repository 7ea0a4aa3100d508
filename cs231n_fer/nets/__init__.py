"""Networks: layers as frozen records, chains of them, and nets made ready for inference.

    ladder       operation -> rung -> (forward, backward)
    records      layers as frozen records
    network      Chain, Residual, Network
    inference    a trained net made ready: its weights prepared once

To add a layer to networks: a record in records, and a row of ladder if it has more than one rung.
"""
