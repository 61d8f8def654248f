"""Another number of shards: the log again, in a new application, and the moment to change over.

``plan`` says which two applications, ``merged`` reads the old log in one order, ``redriven`` says
which copy of a message that was sent again counts, ``copy`` copies, ``check`` compares both logs,
``processed`` sees what was made of them, ``cut_over`` writes down where everybody goes on.
docs/resharding.md is about using them.
"""
