"""Phone and fax numbers, e-mail and web addresses, network addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from attending.guardrails.phi.spans import PhiSpan, PhiType

_EMAIL = re.compile(
    r"(?<![\w.+%-])[\w.+%'-]{1,64}[ ]?@[ ]?(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])"
    r"|(?<![\w.+-])[\w.+-]{1,64}(?:[ ]?[(\[]dot[)\]][ ]?[\w+-]{1,64}){0,3}"
    r"[ ]?(?:\(at\)|\[at\])[ ]?[\w-]{1,63}[ ]?(?:\.|\(dot\)|\[dot\])"
    r"[ ]?[^\W\d_]{2,24}(?!\w)"
)
_URL = re.compile(
    r"(?i)(?<![\w@])(?:(?:https?|ftps?|sftp|file)://[^\s<>\"'`{}|\\^\[\]]{3,2000}"
    r"|www\.[\w-]{1,63}\.[^\s<>\"'`{}|\\^\[\]]{2,2000}"
    r"|(?:[a-z0-9-]{1,63}\.){1,5}(?:com|org|net|edu|gov|mil|io|info|biz|health|care|clinic|dev"
    r"|app|me|co|uk|de|fr|ca|au|eu|us|ch)"
    r"(?:/[^\s<>\"'`{}|\\^\[\]]{0,2000})?(?![\w.@-]*@)(?![\w-]))"
)
_TRAILING = ".,;:!?)»”\u2019"
_IPV4 = re.compile(r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?:/[0-9]{1,2}|:[0-9]{1,5})?(?![\w]|\.[0-9])")
_IPV6 = re.compile(r"(?i)(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?:%\w{1,15}|/[0-9]{1,3})?(?![\w:])")
_MAC = re.compile(r"(?i)(?<![\w:-])(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}(?![\w:-])")
_EXT = r"(?:[ \t]{0,2},?[ \t]{0,2}(?:ext(?:ension)?\.?|x|#)[ \t]{0,2}[0-9]{1,6})?"
_PHONE = re.compile(
    r"(?<![\w./+-])(?<![0-9],)(?:"
    # North American, with or without country code
    r"(?:\+?1[-. \t]{0,2})?(?:\([2-9][0-9]{2}\)[ \t]{0,2}|[2-9][0-9]{2}[-. \t]|1?[0-9]{3}[-.])"
    r"[0-9]{3}[-. \t][0-9]{4}"
    # international with plus or 00
    r"|(?:\+|00(?=[1-9]))[0-9]{1,3}(?:[-. \t/]{0,2}\(?[0-9]{1,5}\)?){2,7}"
    # national with trunk zero, grouped: 0490 75 40 81, 07700 063 966, (020) 7946 0958
    r"|(?:\(0[0-9]{1,4}\)|0[0-9]{1,4})(?:[-. \t/][0-9]{2,8}){1,5}"
    # three groups as written in many countries: 374 780 163, 21 253 109 8211
    r"|(?:[0-9]{1,3}[ -])?[0-9]{3}[ -][0-9]{3}[ -][0-9]{3,4}(?![ ]?(?:mg|mcg|ml|mL|g|units|mmHg|%))"
    r")" + _EXT + r"(?![\w]|[-.][0-9])"
)
_NAMED_AFTER = re.compile(
    r"(?i)(?<![\w.,/+-])(?P<n>\(?\+?[0-9](?:[-. \t()]{0,2}[0-9]){6,15})[ \t]{0,2}[-(,]?[ \t]{0,2}"
    r"(?P<label>office|mobile|cell|home|work|fax|phone|tel)\b"
)
_LABELLED = re.compile(
    r"(?i)(?<![a-z])(?P<label>(?:tele)?phone|tel|mobile|mob|cell(?:phone)?|contact|call(?:ed"
    r"|ing)?|call[ ]back|callback|pager|beeper|text(?:ed)?|"
    r"reach(?:ed|able)?|ph|whatsapp|hotline|dial|home|work|fax(?:ed)?|facsimile|[fptmc](?=[:.]))(?:[ ]?"
    r"(?:number|no|num|nr))?[ \t]{0,2}(?:[.:#=]|is|at|to|on|us|him|her|me|them|\(?[chwmo]\)?:"
    r")?"
    r"(?:[ \t]{1,2}(?:at|on|is|number|no\.?))?[ \t]{0,3}[:#]?\s{0,3}"
    r"(?P<n>\(?\+?[0-9](?:[-. \t()/]{0,2}[0-9]){6,16}" + _EXT + r")(?![\w]|[-.][0-9])"
)
_EXTENSION = re.compile(
    r"(?i)(?<![a-z])(?:extension|ext\.?)[ ]?[:#]?[ ]?(?P<n>[0-9]{4,6})(?![\w%]|[-.,/:][0-9])"
)
"""Four digits and more: fewer may be degrees of a joint."""
_DIGIT_WORD = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)"
_SPOKEN = re.compile(
    rf"(?i)(?<![\w-])(?:(?:double|triple)[ ])?{_DIGIT_WORD}"
    rf"(?:[ ,.-]{{1,3}}(?:(?:double|triple)[ ])?{_DIGIT_WORD}){{6,15}}(?![\w-])"
)
"""A number told digit by digit, as in a dictation."""
_PAGER = re.compile(
    r"(?i)(?<![a-z])(?:pager|beeper|bleep)(?:[ ]?(?:number|no\.?|num|#))?[ \t]{0,2}(?:[:#=]|is|at|on)?[ \t]{0,2}"
    r"(?P<n>[0-9]{3,6})(?![\w%]|[-.,/:][0-9])"
)
_FAX_BEFORE = re.compile(r"(?i)\b(?:fax(?:ed)?|facsimile)\b[^.;\n0-9]{0,24}$|\bf[:.][ ]?$")
_BLOOD_PRESSURE = re.compile(r"[0-9]{2,3}/[0-9]{2,3}")
_MIN_DIGITS = 7
_MAX_DIGITS = 22


def find_contacts(text: str) -> Iterator[PhiSpan]:
    """Spans of type EMAIL, URL, IP_ADDRESS, DEVICE_ID (hardware addresses), PHONE_NUMBER and FAX_NUMBER."""
    if "@" in text or "at)" in text or "at]" in text:
        for m in _EMAIL.finditer(text):
            yield PhiSpan(m.start(), m.end(), PhiType.EMAIL, 0.95)
    for m in _URL.finditer(text):
        end = m.end()
        while end > m.start() and text[end - 1] in _TRAILING:
            end -= 1
        if end - m.start() >= 4:
            yield PhiSpan(m.start(), end, PhiType.URL, 0.85)
    yield from _network(text)
    yield from _phones(text)


def _network(text: str) -> Iterator[PhiSpan]:
    for pattern in (_IPV4, _IPV6):
        for m in pattern.finditer(text):
            address = re.split(r"[/%]", m[0])[0]
            if pattern is _IPV4:
                address = address.split(":")[0]
            try:
                ipaddress.ip_address(address)
            except ValueError:
                continue
            if address == "::":
                continue
            yield PhiSpan(m.start(), m.end(), PhiType.IP_ADDRESS, 0.9)
    for m in _MAC.finditer(text):
        yield PhiSpan(m.start(), m.end(), PhiType.DEVICE_ID, 0.9)


def _phones(text: str) -> Iterator[PhiSpan]:
    for m in _PHONE.finditer(text):
        digits = sum(c.isdigit() for c in m[0])
        if not _MIN_DIGITS + 1 <= digits <= _MAX_DIGITS or _BLOOD_PRESSURE.fullmatch(m[0]):
            continue
        start, end = m.start(), m.end()
        while text[end - 1] in " \t-./(":
            end -= 1
        fax = _FAX_BEFORE.search(text[max(0, start - 32) : start])
        yield PhiSpan(start, end, PhiType.FAX_NUMBER if fax else PhiType.PHONE_NUMBER, 0.85)
    for m in _NAMED_AFTER.finditer(text):
        kind = PhiType.FAX_NUMBER if m["label"].lower() == "fax" else PhiType.PHONE_NUMBER
        yield PhiSpan(m.start("n"), m.end("n"), kind, 0.8)
    for m in _LABELLED.finditer(text):
        if _BLOOD_PRESSURE.fullmatch(m["n"]):
            continue
        kind = PhiType.FAX_NUMBER if m["label"].lower().startswith("f") else PhiType.PHONE_NUMBER
        yield PhiSpan(m.start("n"), m.end("n"), kind, 0.9)
    for pattern in (_PAGER, _EXTENSION):
        for m in pattern.finditer(text):
            yield PhiSpan(m.start("n"), m.end("n"), PhiType.PHONE_NUMBER, 0.85)
    for m in _SPOKEN.finditer(text):
        yield PhiSpan(m.start(), m.end(), PhiType.PHONE_NUMBER, 0.8)
