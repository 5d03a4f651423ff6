"""The table contract, its checks, and the checked tables."""

from engine.tables.breach import Breach, DataContradicts, DataRefused, Repaired
from engine.tables.tables import Tables

__all__ = ["Breach", "DataContradicts", "DataRefused", "Repaired", "Tables"]
