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
        """Number of flows observed."""
    @property
    def bodies(self) -> bool:
        """Whether bodies are observed: the state was created with `bodies=True`, or one that was is merged into it."""
    def observe(self, flow: Mapping[str, Any]) -> None:
        """Observe one flow, a dict as `get_api_patterns` takes it.

        Raises:
            TypeError, ValueError: If it is not a dict, or has no URL or method.
        """
    def observe_many(self, flows: Iterable[Mapping[str, Any]]) -> int:
        """Observe the flows of an iterable and return their number.

        Raises:
            TypeError, ValueError: As for `observe`. Earlier flows stay observed.
            KeyboardInterrupt: On Ctrl-C. Earlier flows stay observed.
        """
    def observe_rows(self, rows: Iterable[Mapping[str, Any]], wanted: Mapping[str, Any]) -> int: ...
    def merge(self, other: Patterns) -> None:
        """Merge the flows of another state into this one.

        Raises:
            UsageError: If `other` is this state.
        """
    def to_bytes(self) -> bytes:
        """Serialize the state to a versioned binary format with a checksum. Equal states give equal bytes."""
    def _load(self, data: bytes) -> None: ...
    def _observe_bodies(self) -> None: ...
    def _skip(self, protocol: str) -> None: ...
    def report_json(
        self, wanted: Mapping[str, Any] | None
    ) -> tuple[str, str | None, list[str], Descriptions | None]: ...

class Descriptions:
    def openapi(self, version: str, evidence: bool) -> list[tuple[str, str]]: ...

def drift(
    paths: list[str],
    api: str,
    server: str | None,
    baseline: tuple[str, str] | None,
    wanted: Mapping[str, Any],
    progress: Callable[..., object] | None,
) -> tuple[str, list[str]]: ...
def diff(
    before: Patterns | list[str],
    after: Patterns | list[str],
    min_confidence: float,
    wanted: Mapping[str, Any],
    progress: Callable[..., object] | None,
) -> tuple[str, list[str]]: ...

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
) -> tuple[str, str | None, list[str], Descriptions | None]: ...
