"""First on PYTHONPATH it lets closingbell's own commands run the jobs that a test wants; see quick_jobs.py."""

import os

if os.environ.get("CLOSINGBELL_TEST_JOBS"):
    from tests.scheduling.quick_jobs import install

    install()
