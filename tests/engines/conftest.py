"""The stand-ins for TensorRT and CUDA as fixtures."""

from tests.cuda_stand_in import cudart_library, stand_in

__all__ = ["cudart_library", "stand_in"]
