"""Precision written into the graph: half numbers with a keep-list, and explicit int8 quantisation."""

from converters.precision.fp16 import to_fp16
from converters.precision.half_emulation import emulate_half
from converters.precision.int8 import SEARCH_S, to_int8
from converters.precision.record import Kept, kept_layers
from converters.precision.thresholds import Method

__all__ = ["SEARCH_S", "Kept", "Method", "emulate_half", "kept_layers", "to_fp16", "to_int8"]
