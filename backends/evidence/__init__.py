"""Should you believe this picture? Tests of a map, one file a test, and the receipt that they make together.

Each measure is a file of `measures` and gets a `MapUnderTest`, with the `MaskedForwards` of its input: answers with
random cells hidden, drawn without seeing the map and shared by all maps of the input. The door is
`receipt(model, result)`.
"""

from backends.evidence.receipt import receipt
from backends.evidence.verdict import Line, Receipt

__all__ = ["Line", "Receipt", "receipt"]
