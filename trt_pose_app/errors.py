"""The errors that leave this package. Every one says what went wrong and, in ``hint``, what to do about it.

TrtPoseError
├── ConfigError             a wrong option, URI, file or configuration value     exit code 2
├── DependencyError         a missing optional package or piece of hardware      exit code 3
├── ModelError                                                                   exit code 4
│   ├── ModelNotFoundError  no such model here, and none could be fetched
│   ├── ChecksumError       a file is not the one it claims to be
│   └── ModelSpecError      a spec is missing, incomplete or contradicts its network
├── EngineError             a network could not be run                           exit code 1
│   ├── EngineBuildError    compiling for this device failed
│   └── EngineStaleError    an engine was built for another TensorRT or GPU
├── SourceError             frames                                               exit code 1
│   ├── SourceUnavailableError  cannot be opened (for a live source: retried)
│   ├── SourceTimeoutError      no frame within the time allowed
│   └── SourceLostError         it was open, and went away or is damaged
├── DecodeError             a shape or dtype contract is broken; never for odd values   exit code 1
└── SinkError               an output cannot be opened or written                exit code 1
"""

from __future__ import annotations

from typing import ClassVar


class TrtPoseError(Exception):
    """Root of all errors of this package.

    ``hint`` tells the reader what to do next; ``exit_code`` is what the command line ends with.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigError(TrtPoseError):
    exit_code = 2


class DependencyError(TrtPoseError):
    exit_code = 3


class ModelError(TrtPoseError):
    exit_code = 4


class ModelNotFoundError(ModelError):
    pass


class ChecksumError(ModelError):
    pass


class ModelSpecError(ModelError):
    pass


class EngineError(TrtPoseError):
    pass


class EngineBuildError(EngineError):
    pass


class EngineStaleError(EngineError):
    pass


class SourceError(TrtPoseError):
    pass


class SourceUnavailableError(SourceError):
    pass


class SourceTimeoutError(SourceError):
    pass


class SourceLostError(SourceError):
    pass


class DecodeError(TrtPoseError):
    pass


class SinkError(TrtPoseError):
    pass
