"""The demonstration: real data through real Kafka, workers killed on the way, and the proof.

    problems → traffic          River's data sets become events, some broken messages among them
    stage                       names, settings and folder of one run
    worker_process              `weir worker`, started, killed and started again
    followers → tally           what is committed to the output topics, scored as it comes
    gauges                      what the worker says of itself at /metrics
    conversations → keyboard    texts, typed piece by piece in a person's rhythm
    talks                       the verdicts on them, as anyone reads them
    director                    the course of a run: learning, then talking, its two acts
    crew, watch → scene         its workers, and all that there is to show of it
    view, talks_view            the scene on a terminal
    screens, picture            live, as lines in a pipe, and as SVG
    checks, talk_checks         what must hold at the end; undisturbed: what it is compared with
    report, talk_report, plot   what was measured

The command line's module is ``streams.cli.demo``.
"""
