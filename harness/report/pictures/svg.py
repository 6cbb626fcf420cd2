"""SVG files as matplotlib writes them, the same on every processor."""

import re


def with_short_ids(svg: bytes) -> bytes:
    """Number the ids of a picture in their order.

    matplotlib makes them from all digits of where things lie, the last of which differ between
    processors; the picture itself shows six.
    """
    names = dict.fromkeys(re.findall(rb'id="([a-zA-Z][0-9a-f]{10})"', svg))
    numbered = {name: name[:1] + str(number).encode() for number, name in enumerate(names, 1)}
    return re.sub(rb"\b[a-zA-Z][0-9a-f]{10}\b", lambda match: numbered.get(match[0], match[0]), svg)
