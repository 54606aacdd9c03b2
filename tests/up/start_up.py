"""`relay up` as a process, with stand-ins for the processes it runs. Settings come from the environment."""

import os
import sys
from pathlib import Path

from relay.logs import setup_logging
from relay.settings import load_settings
from relay.up.everything import run_everything

if __name__ == "__main__":
    setup_logging("text", "info", "up")
    settings = load_settings({}, os.environ, "up")
    sys.exit(run_everything(settings, command=(sys.executable, str(Path(__file__).with_name("stand_in.py")))))
