from collections.abc import Callable, Iterable, Mapping
from typing import Any

from typing_extensions import Self

__version__: str

class ApiPatternsError(Exception): ...
class CaptureError(ApiPatternsError): ...
class UsageError(ApiPatternsError): ...
class FlowError(ApiPatternsError): ...

class Patterns:
    def __new__(cls) -> Self: ...
    @property
    def used(self) -> int:
        """How many flows were taken in."""
    def observe(self, flow: Mapping[str, Any]) -> None:
        """Takes in one flow: a dict as `get_api_patterns` takes it.

        Raises:
            TypeError, ValueError: Where it is no dict, or has no URL or method.
        """
    def observe_many(self, flows: Iterable[Mapping[str, Any]]) -> int:
        """Takes in flows from an iterable; gives their number.

        Raises:
            TypeError, ValueError: As `observe`; what came before is taken in.
            KeyboardInterrupt: On Ctrl-C; what came before is taken in.
        """
    def observe_rows(self, rows: Iterable[Mapping[str, Any]], wanted: Mapping[str, Any]) -> int: ...
    def merge(self, other: Patterns) -> None:
        """Takes in all that another state has seen.

        Raises:
            UsageError: Where `other` is the state itself.
        """
    def to_bytes(self) -> bytes:
        """The state in its binary form, versioned and checked; equal states give equal bytes."""
    def _load(self, data: bytes) -> None: ...
    def _skip(self, protocol: str) -> None: ...
    def report_json(self, wanted: Mapping[str, Any] | None) -> tuple[str, list[str]]: ...

def get_api_patterns(
    source: object, wanted: Mapping[str, Any], compat: bool, progress: Callable[..., object] | None
) -> str: ...
def split(
    path: object, bytes: int, is_named: bool, wanted: Mapping[str, Any]
) -> tuple[list[list[tuple[int, int]] | None], tuple[bytes, list[str]]] | None: ...
def observe_split(
    path: object, part: list[tuple[int, int]] | None, wanted: Mapping[str, Any]
) -> tuple[bytes, list[str]]: ...
def analyze(
    source: object, wanted: Mapping[str, Any], progress: Callable[..., object] | None
) -> tuple[str, list[str]]: ...
