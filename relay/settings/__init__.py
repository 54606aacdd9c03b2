"""Settings: what an operator can choose, where it may be said, and the faults that are named all at once.

values.py   the kinds of value: how each is read, what would be right
model.py    every setting with its default and meaning; the only list
sources.py  option > environment > RELAY_<NAME>_FILE > TOML, and who wins
load.py     load_settings() → Settings, or SettingsError with all faults; what each command needs
listing.py  the settings in words, and as a child's environment
"""

from relay.settings.listing import Listed, as_environ, listing
from relay.settings.load import Command, SettingsError, load_settings, missing
from relay.settings.model import Settings
from relay.settings.sources import variable
from relay.settings.values import Address

__all__ = [
    "Address",
    "Command",
    "Listed",
    "Settings",
    "SettingsError",
    "as_environ",
    "listing",
    "load_settings",
    "missing",
    "variable",
]
