"""Shows the examples of our docstrings as code, for the pages of the API."""

import re
import textwrap

import griffe

_EXAMPLE = re.compile(r"^Example:\n((?:(?: {4}.*)?\n?)+)", re.MULTILINE)


class Examples(griffe.Extension):
    """Turns the section `Example:` into one that Griffe takes for code."""

    def on_instance(self, *, obj, **_) -> None:
        """Called by Griffe for each thing that it has read."""
        if obj.docstring:
            obj.docstring.value = _EXAMPLE.sub(_as_code, obj.docstring.value)


def _as_code(found: re.Match) -> str:
    text = found[1].rstrip("\n")
    if ">>>" in text:
        return f"Examples:\n{text}\n"
    code = textwrap.dedent(text)
    return f"**Example**\n\n```python\n{code}\n```\n"
