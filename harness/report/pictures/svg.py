"""Makes the SVG files of matplotlib equal on every processor."""

import re


def with_short_ids(svg: bytes) -> bytes:
    """Replace the ids in a picture by numbers, in order of appearance.

    matplotlib derives ids from all digits of the coordinates. The last digits differ between
    processors; the picture itself has six.
    """
    names = dict.fromkeys(re.findall(rb'id="([a-zA-Z][0-9a-f]{10})"', svg))
    numbered = {name: name[:1] + str(number).encode() for number, name in enumerate(names, 1)}
    return re.sub(rb"\b[a-zA-Z][0-9a-f]{10}\b", lambda match: numbered.get(match[0], match[0]), svg)
