"""Words in, words out: the commands.

Belongs here: options, help, messages, exit codes. Does not belong here: frames, rules, paths of the
store. Heavy imports wait until a command needs them, so that `--help` answers at once.
"""

from pipeline.cli import (
    asking,
    billing,
    closing,
    converting,
    correcting,
    doctoring,
    explaining,
    exporting,
    printing,
    reading,
)
from pipeline.cli.group import main

__all__ = [
    "asking",
    "billing",
    "closing",
    "converting",
    "correcting",
    "doctoring",
    "explaining",
    "exporting",
    "main",
    "printing",
    "reading",
]
