"""Benchmarks: the same net in several engines, timed in turns, with one process per engine.

    nets         descriptions of the nets, independent of any engine
    reference    weights, faces and, in float64, the loss, gradients and scores that every engine
                 must reproduce
    peers/       one file per engine: build(spec) -> Task
    worker       the process of one engine, which waits for requests on a pipe
    interleave   starts the workers and times them in turns: A B C A B C ...
    cases        runs a case (net, batch size, number of threads) and makes its table
    statistics   medians, ratios, slopes
    report       tables, markers of pages, JSON
    machine      facts about the machine and its load
    options      the common command line

Engines never share a process: two thread pools that spin at the same time double all times.
"""
