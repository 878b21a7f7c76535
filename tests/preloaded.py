"""What the processes that tests fork have imported already."""

import tests.trainables.small  # noqa: F401
