"""What the process that commands are forked from has imported."""

import fake_solver  # noqa: F401
import pandas  # noqa: F401
import pyarrow.parquet  # noqa: F401
