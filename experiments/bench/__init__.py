"""Timings, and what their scripts share: the same net in several engines, timed in turns, one
process for each engine.

    nets         the nets that are timed, described without any engine
    reference    weights, faces and, in float64, the loss, gradients and scores that every engine
                 must reproduce
    peers/       one file for each engine: build(spec) -> Task
    worker       the process that holds one engine and waits for orders, blocked on a pipe
    interleave   starts the workers and times them in turns: A B C A B C ...
    cases        from a net, a batch and a thread count to the rows of a table
    statistics   medians, ratios, slopes
    report       tables, the markers of pages, JSON
    machine      what the machine is, and whether it is quiet
    options      the command line that the scripts share

Engines never share a process: two thread pools that spin beside each other double everybody's time.
"""
