"""The part of protobuf's message interface that programs use of landmarks, without protobuf."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from ctypes import c_float
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, SupportsIndex, TypeVar

from typing_extensions import Self

from trt_pose_app.compat.mediapipe.errors import BadAttributeError, BadTypeError, BadValueError


@dataclass(frozen=True, slots=True)
class Field:
    """What protobuf's JSON writer asks of a field's descriptor, in its old and its new versions."""

    name: str
    repeated: bool = False

    # google.protobuf.descriptor.FieldDescriptor's numbers
    @property
    def label(self) -> int:
        return 3 if self.repeated else 1

    @property
    def type(self) -> int:
        return 11 if self.repeated else 2

    @property
    def cpp_type(self) -> int:
        return 10 if self.repeated else 6

    @property
    def json_name(self) -> str:
        return self.name

    @property
    def is_repeated(self) -> bool:
        return self.repeated

    @property
    def has_presence(self) -> bool:
        return not self.repeated

    @property
    def is_extension(self) -> bool:
        return False

    @property
    def message_type(self) -> Field:
        return self

    @property
    def has_options(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A message's full name and its fields."""

    full_name: str
    fields: tuple[Field, ...]

    @property
    def file(self) -> Descriptor:
        """What stands for its .proto file, of which only the name is asked."""
        return self

    @property
    def name(self) -> str:
        return self.full_name.rpartition(".")[2]


class Message:
    """Fields that know whether they were set: those in the instance's own dictionary are."""

    DESCRIPTOR: ClassVar[Descriptor]
    __hash__ = None  # type: ignore[assignment]  # as protobuf's

    def ListFields(self) -> list[tuple[Field, Any]]:  # noqa: N802
        """Return the fields that are set, or that hold something, with their values."""
        values = ((field, self.__dict__.get(field.name)) for field in self.DESCRIPTOR.fields)
        return [(field, value) for field, value in values if (value if field.repeated else value is not None)]

    def HasField(self, name: str) -> bool:  # noqa: N802
        """Return whether a field was set. Raises ValueError for a field that does not exist or is a list."""
        if self._field(name, BadValueError).repeated:
            raise BadValueError(f"{name} is a list and has no presence", hint=f"ask len(message.{name})")
        return name in self.__dict__

    def CopyFrom(self, other: Self) -> None:  # noqa: N802
        """Become equal to ``other``."""
        self.__dict__.clear()
        self.__dict__.update(deepcopy(other.__dict__))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __str__(self) -> str:
        """The text format of protobuf."""
        lines = []
        for field, value in self.ListFields():
            if field.repeated:
                for item in value:
                    inside = "".join(f"  {line}\n" for line in str(item).splitlines())
                    lines.append(f"{field.name} {{\n{inside}}}\n")
            else:
                lines.append(f"{field.name}: {_shortest(value)}\n")
        return "".join(lines)

    __repr__ = __str__

    def _field(self, name: str, error: type[BadValueError] | type[BadAttributeError]) -> Field:
        for field in self.DESCRIPTOR.fields:
            if field.name == name:
                return field
        fields = ", ".join(field.name for field in self.DESCRIPTOR.fields)
        raise error(f'{self.DESCRIPTOR.name} has no "{name}" field', hint=f"it has {fields}")


class FloatMessage(Message):
    """A message of single-precision numbers. Raises ValueError, or AttributeError in an assignment, for a wrong name,
    TypeError for what is no number."""

    def __init__(self, **values: float) -> None:
        for name, value in values.items():
            self._field(name, BadValueError)
            setattr(self, name, value)

    @classmethod
    def trusted(cls, **values: float) -> Self:
        """Build from single-precision values without the checks."""
        self = cls.__new__(cls)
        self.__dict__.update(values)
        return self

    def __setattr__(self, name: str, value: float) -> None:
        self._field(name, BadAttributeError)
        self.__dict__[name] = c_float(value).value

    def ClearField(self, name: str) -> None:  # noqa: N802
        """Make a field unset, which reads as 0."""
        self._field(name, BadValueError)
        self.__dict__.pop(name, None)


Item = TypeVar("Item", bound=Message)


class Repeated(list[Item], Generic[Item]):
    """A list of messages that copies what is put into it. Raises TypeError for anything but its kind of message."""

    def __init__(self, kind: type[Item], items: Iterable[Item] = ()) -> None:
        super().__init__()
        self._kind = kind
        self.extend(items)

    def add(self, **values: float) -> Item:
        """Append a new message and return it."""
        item = self._kind(**values)
        super().append(item)
        return item

    def append(self, item: Item) -> None:
        super().append(self._copy(item))

    def insert(self, index: SupportsIndex, item: Item) -> None:
        super().insert(index, self._copy(item))

    def extend(self, items: Iterable[Item]) -> None:
        super().extend([self._copy(item) for item in items])

    MergeFrom = extend

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._kind, list(self))

    def _copy(self, item: Item) -> Item:
        if not isinstance(item, self._kind):
            raise BadTypeError(f"expected a message object, but got {item!r}", hint=f"append a {self._kind.__name__}")
        return deepcopy(item)


def _shortest(value: float) -> str:
    """Return a single-precision number in the fewest digits that give it back, as protobuf writes it."""
    text = f"{value:.6g}"
    return text if c_float(float(text)).value == value else f"{value:.9g}"
