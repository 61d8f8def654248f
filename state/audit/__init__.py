"""The audit trail: what is recorded at each step, how it is chained and signed, how it is verified.

``leaf`` knows the layout of a record, ``merkle`` the tree, ``chain`` appends, ``note`` and
``checkpoint`` sign, ``verify`` reads a log once and says whether it holds. Nothing in here needs
the stream, the kernels or a broker, so that whoever holds a log and a public key can verify it.
"""
