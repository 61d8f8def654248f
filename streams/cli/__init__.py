"""The command line: one module a command, imported only when the command is called.

A command's module holds ``command``, a function whose parameters Typer turns into options and whose
docstring is the help text, and ``EXAMPLES``, command lines that the help shows. ``main.COMMANDS``
names the module and repeats the first line of the docstring, so that ``weir --help`` imports none.
"""
