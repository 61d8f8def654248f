"""The seeded generator of labelled messages: a pure function of seed, pools and carriers."""
