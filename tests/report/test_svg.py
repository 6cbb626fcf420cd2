"""Pictures are the same bytes on every processor."""

import re

from harness.report.pictures.looks import with_short_ids

SVG = b'<clipPath id="p%s"/><g clip-path="url(#p%s)"/><path id="m%s"/><use xlink:href="#m%s"/>'
FIRST = SVG % (b"f6775616e1", b"f6775616e1", b"e4f15a85a2", b"e4f15a85a2")
SECOND = SVG % (b"0000000001", b"0000000001", b"aaaaaaaaaa", b"aaaaaaaaaa")


def test_ids_that_differ_in_their_digits_only_become_the_same() -> None:
    assert with_short_ids(FIRST) == with_short_ids(SECOND) != FIRST


def test_every_reference_still_leads_to_its_own_id() -> None:
    short = with_short_ids(FIRST)
    ids = re.findall(rb'id="(\w+)"', short)
    assert re.findall(rb"#(\w+)", short) == ids
    assert len(set(ids)) == 2


def test_what_is_no_id_of_matplotlib_stays() -> None:
    text = b'<g id="figure_1"/><text>p0123456789</text><path style="stroke: #d9dee3"/>'
    assert with_short_ids(text) == text
