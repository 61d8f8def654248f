"""The demonstration: real data through real Kafka, a worker killed on the way, and the proof.

    problems → traffic          River's data sets become events, some broken messages among them
    stage                       names, settings and folder of one run
    worker_process              `weir worker`, started, killed and started again
    followers → tally           what is committed to the output topics, scored as it comes
    gauges                      what the worker says of itself at /metrics
    director, watch → scene     the course of a run, and all that there is to show of it
    view, screens, picture      the scene on a terminal, as lines in a pipe, and as SVG
    checks → report, plot       what must hold at the end, and what was measured

The command line's module is ``streams.cli.demo``.
"""
