"""What a user can mend. It lies on the ground floor, so that every package can raise it."""

import errno

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Numbers of the errors by which a system says that a disk, or a quota on it, is full."""


class Mistake(ValueError):
    """What was given cannot be used. The message is for the user: what was given, what is allowed, what to do.

    The command line prints it as one sentence and ends with code 2. Other exceptions are faults of the program, and
    keep their trace. Derive from it where code tells one mistake from another; else raise it as it is.
    """
