"""Numbers and codes that stand for a person, an account, a licence, a vehicle or a device.

A label decides the type; without one a shape does. Public codes (trial registrations, article and terminology
numbers) and quantities are not identifiers of a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from attending.guardrails.phi.lexicon import words
from attending.guardrails.phi.spans import PhiSpan, PhiType

_NUMBER = r"(?:[ \t]{0,2}(?:(?:numbers?|num|nos?|nr|id|identifier|code|card)\b|#)\.?){0,2}"
_JOIN = (
    r"(?:[ \t]{0,2}\((?:[A-Za-z]{2,8}|#)\))?[ \t]{0,3}(?:[:=#\-\u2013\u2014]|\bis\b|\bof\b|\bwas\b"
    r"|\bas\b){0,2}[ \t]{0,3}[:#(]?[ \t]{0,2}"
)
# One run of letters, digits and inner separators that holds at least two digits; or groups of digits apart by a blank.
_VALUE = (
    r"(?P<value>#?(?:(?=[A-Za-z0-9._/*-]{0,40}[0-9][A-Za-z0-9._/*-]{0,40}[0-9])[A-Za-z0-9]"
    r"(?:[A-Za-z0-9]|[-_./*](?=[A-Za-z0-9])){2,40}"
    r"(?:[ ][0-9]{3,6}(?![\w/%.-])(?![ ]?(?:mg|mcg|g|ml|mL|units?|mmHg|tab|cap)\b)){0,4}"
    r"|[0-9]{2,4}(?:[ ][0-9]{2,4}){1,4}|[A-Z]{1,3}[ ][0-9]{3,12}(?:[ ][0-9]{3,6}){0,3}))"
    r"(?![\w@])(?!\.[0-9])"
)
_PERIOD = re.compile(r"(?:1[89]|20)[0-9]{2}(?:[-\u2013/](?:[0-9]{2}|(?:19|20)[0-9]{2}))?")
_DOSE = re.compile(
    r"[0-9.,/-]+(?:mg|mcg|ug|g|kg|ml|l|units?|iu|meq|mmol|cm|mm|h|hr|hrs|x|yo|y|d|wk|st|nd|rd|th|am|pm|%)?",
    re.I,
)
_QUANTITY_AFTER = re.compile(
    r"[ \t]{0,2}(?:mg|mcg|µg|ug|g|kg|ml|mL|l|L|dl|units?|iu|IU|meq|mEq|mmol|%|cells?|copies"
    r"|platelets?|/|per\b|tab|cap|days?|weeks?"
    r"|months?|years?|hours?|minutes?|patients?|people|participants?|steps|calories|kcal"
    r"|dollars|euros?|bpm|cm|mm|feet|lbs?|pounds)"
)
_MONEY_BEFORE = re.compile(r"[$€£¥][ ]?$")


class _Label(NamedTuple):
    type: PhiType
    pattern: re.Pattern[str]
    min_chars: int
    score: float


def _label(type_: PhiType, words: str, *, min_chars: int = 4, score: float = 0.9) -> _Label:
    return _Label(type_, re.compile(rf"(?i)(?<![\w])(?:{words}){_NUMBER}{_JOIN}{_VALUE}"), min_chars, score)


# First match wins where two labels reach the same value ("health plan account").
_LABELS = (
    _label(
        PhiType.SSN,
        r"ssn|social[ ]security|soc\.?[ ]sec\.?|ss[ ]?#|national[ ]insurance|sin(?=[ ]?[:#])"
        r"|aadhaar|itin|tax[ ]id",
    ),
    _label(
        PhiType.MEDICAL_RECORD_NUMBER,
        r"mrn|m\.r\.n\.?|mr[ ]?#|med(?:ical)?\.?[ ]rec(?:ord)?s?\.?|(?:patient|hospital|health"
        r"|clinic|emr|ehr|electronic)[ ]records?|records?(?=[ ]{0,2}(?:#|no\b|number|id\b|:))"
        r"|charts?(?=[ ]{0,2}(?:#|no\b|number|id\b|:))|(?:hospital|unit|nhs|chi|h\.?c\.?n|mpi"
        r"|empi|urn|ur|hosp\.?)(?=[ ]{0,2}(?:#|no\b|num|id\b|:))|nhs(?=[ ][0-9])|file"
        r"(?=[ ]{0,2}(?:#|no\b|number))",
        min_chars=3,
        score=0.95,
    ),
    _label(
        PhiType.HEALTH_PLAN_NUMBER,
        r"(?:health[ ])?(?:insurance|ins\.?)(?:[ ](?:plan|policy|member|card|group|subscriber"
        r"|company|carrier))?|(?:health[ ])?(?:plan|policy|pol\.?)(?:[ ]holder)?(?=[ ]{0,2}"
        r"(?:#|no\b|num|id\b|:|benef))"
        r"|(?:health[ ])?plan[ ]benef\w{0,9}|benef(?:iciary|\.)?|hpbn?|member(?:ship)?"
        r"(?=[ ]{0,2}(?:#|no\b|num|id\b|:|card))|subscriber|medicare|medicaid|mbi|hicn|group"
        r"(?=[ ]{0,2}(?:#|no\b|number|id\b))"
        r"|payer|payor|rx[ ]?(?:bin|pcn|grp)|coverage(?=[ ]{0,2}(?:#|no\b|number|id\b))|"
        r"(?:blue[ ]cross|bcbs|aetna|cigna|humana|united[ ]?healthcare|kaiser|tricare)(?=[ ]"
        r"(?:#|id|no|number|policy|member))",
        min_chars=4,
    ),
    _label(
        PhiType.ACCOUNT_NUMBER,
        r"acc(?:oun)?t\.?|account|bank|iban|routing|invoice|billing|bill(?=[ ]{0,2}(?:#|no\b"
        r"|number))|claim(?=[ ]{0,2}(?:#|no\b|number|id\b|:))|credit[ ]card|debit[ ]card|card"
        r"(?=[ ]{0,2}(?:#|no\b|number|ending))|receipt|transaction|guarantor|fin"
        r"(?=[ ]{0,2}[:#])",
    ),
    _label(
        PhiType.LICENSE_NUMBER,
        r"(?:driver['\u2019]?s?[ ])?licen[cs]e(?![ ]?plate)|d\.?l\.?(?=[ ]{0,2}(?:#|no\b"
        r"|number|:))|dea|npi|upin|certificate|cert\.?|passport|gmc|nmc|permit|credential|visa"
        r"(?=[ ]{0,2}(?:#|no\b|number))|registration[ ](?=no|num|#)|green[ ]card",
    ),
    _label(
        PhiType.DEVICE_ID,
        r"serial|s/n|sn(?=[ ]{0,2}[:#])|(?:device|implant|pacemaker|icd|pump|stent|lead"
        r"|generator|hearing[ ]aid|prosthesis|cgm|sensor|monitor|ventilator|defibrillator)[ ]"
        r"(?:serial[ ]?|id(?:entifier)?|s/n|no\.?|number|#|model)|udi|imei|imsi|uuid|lot"
        r"(?=[ ]{0,2}(?:#|no\b|number))|model(?=[ ]{0,2}(?:#|no\b|number))|ref(?=[ ]{0,2}#)",
    ),
    _label(
        PhiType.VEHICLE_ID,
        r"vin|vehicle(?:[ ](?:id\w*|registration|serial|identification))?|(?:licen[cs]e[ ]"
        r"|number[ ]|registration[ ])?plates?|tag(?=[ ]{0,2}(?:#|no\b|number))|registration",
        min_chars=4,
    ),
    _label(
        PhiType.BIOMETRIC,
        r"fingerprints?|finger[ ]print|retin(?:a|al)[ ]scan|iris[ ]scan|voice[ ]?print"
        r"|face[ ]?(?:id|print)|biometric\w{0,2}|palm[ ]?print|dna[ ]profile",
    ),
    _label(
        PhiType.UNIQUE_IDENTIFIER,
        r"(?:patient|pt\.?|subject|participant|client|case|encounter|visit|study"
        r"|trial[ ]subject|enrol?lment|specimen|sample|accession|order|requisition|referral"
        r"|prescription|rx|site|employee|staff|student|badge|user|customer|donor|reference"
        r"|ref\.?|tracking|confirmation|ticket|csn|research|registry|barcode|lab|report"
        r"|incident|authorization|auth|invitation|ticket|booking)"
        r"(?=[ ]{0,2}(?:#|no\b|nos\b|nr\b|num|id\b|identifier|code|:[ ]?#))|(?<![-'\u2019])id"
        r"(?:entification|entifier)?s?|ref(?:erence)?\.?[ ]code|identified[ ]as|pt\.?[ ]?#"
        r"|inmate|case[ ]?#|employee",
        min_chars=4,
        score=0.85,
    ),
    _label(PhiType.UNIQUE_IDENTIFIER, r"accession", min_chars=5, score=0.85),
    _label(PhiType.UNIQUE_IDENTIFIER, r"user[ ]?name|login|handle|screen[ ]name", score=0.8),
)

_SSN_TAIL = re.compile(
    r"(?i)(?:\b(?:ssn|social(?:[ ]security)?(?:[ ](?:number|no\.?"
    r"|#))?)[ ]{0,2}[:,]?[ ]?(?:is[ ])?(?:ending(?:[ ](?:in|with))?"
    r"|ends[ ](?:in|with)|last[ ](?:four|4)(?:[ ]digits)?)(?:[ ]is)?"
    r"|\blast[ ](?:four|4)(?:[ ]digits)?[ ]of[ ](?:the[ ]|his[ ]|her[ ]|their[ ])?(?:ssn"
    r"|social(?:[ ]security(?:[ ]number)?)?))"
    r"[ ]{0,2}[:#]?[ ]{0,2}(?P<value>[0-9]{4})(?![0-9])"
)
# the last four digits, the rest masked
_SSN_MASKED = re.compile(r"(?<![\w*-])(?P<value>[xX*\u2022#]{3}[- ]?[xX*\u2022#]{2}[- ]?[0-9]{4})(?![\w-])")
# "@name" is also "at night": only beside the name of a network, or as nobody writes a word
_HANDLE = re.compile(
    r"(?i)(?:\b(?:twitter|instagram|insta|tiktok|facebook|fb|snapchat|telegram|linkedin|skype|threads|mastodon|bluesky"
    r"|handle)\b[^\n@]{0,16}(?P<named>@[a-z][\w.]{2,29})|(?<![\w.@/])(?P<odd>@[a-z](?=[a-z0-9]{0,28}_)\w{2,29}))(?![\w@])"
)
# with the letter of a claim number made from it
_SSN = re.compile(r"(?<![\w.-])[0-9]{3}[- ][0-9]{2}[- ][0-9]{4}(?:-?[A-Z][0-9A-Z]?)?(?![\w]|[-.][0-9])")
_PREFIXED = re.compile(
    r"(?<![\w.@/-])#?(?P<prefix>[A-Z]{1,6})(?P<dash>[-_ ]?)#?(?P<digits>[0-9]{4,14})(?P<rest>"
    r"(?:[-_][A-Z0-9]{1,12}){0,3}[A-Z]{0,4})(?![\w@])(?!\.[0-9])"
)
# accessions of reference sequences; with another mark, or none, the letters may be those of a state
_REFERENCE_SEQUENCE = re.compile(r"N[CMP]_[0-9]{6,9}\Z")
# year and number of a laboratory ("S23-18842"), and codes in parts ("ORD-551-77-A")
_CASE_CODE = re.compile(
    r"(?<![\w.@/-])(?:[A-Z]{1,3}[0-9]{2}-[0-9]{3,7}|[A-Z]{2,5}(?:-[0-9]{2,6}){2,4}(?:-[A-Z0-9]{1,3})?)(?![\w@-])"
)
_SUFFIXED = re.compile(r"(?<![\w.@/-])#?[0-9]{4,12}-?[A-Z]{1,5}(?![\w@-])")
# letters and digits mixed: parcels, visas, wallets of a shop
_MIXED = re.compile(
    r"(?<![\w.@/-])(?=[A-Z]{0,24}[0-9])(?=[0-9]{0,24}[A-Z])(?=(?:[A-Z]{0,24}[0-9]){6})[A-Z0-9]{10,30}(?![\w@-])"
)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_COORDINATES = re.compile(
    r"(?<![\w.-])-?(?:[0-8]?[0-9]|90)\.[0-9]{4,8}(?:[ ]?\u00b0)?(?:[ ]?[NS])?[,;/ ]{1,3}"
    r"-?(?:1[0-7][0-9]|[0-9]{1,2}|180)\.[0-9]{4,8}(?:[ ]?\u00b0)?(?:[ ]?[EW]\b)?(?![\w.])"
)
_HASH = re.compile(
    r"(?<![\w&])#[ ]?(?=[A-Za-z0-9-]{0,24}[0-9]{3})[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){3,30}(?!\w)"
)
_GROUPED = re.compile(r"(?<![\w.,/$€£+-])[0-9]{2,6}(?:-[0-9]{2,6}){1,4}(?![\w]|[-.,/%][0-9]|%)")
_LONG = re.compile(r"(?<![\w.,/$€£+-])[0-9]{7,30}(?![\w]|[-.,][0-9]|%)")
_CARD = re.compile(
    r"(?<![\w.-])[0-9]{4}(?:[ -][0-9]{4}){2}[ -][0-9]{1,7}(?![\w-])|(?<![\w.-])"
    r"3[47][0-9]{2}[ -][0-9]{6}[ -][0-9]{5}(?![\w-])"
)
_IBAN = re.compile(r"(?i)(?<!\w)[a-z]{2}[0-9]{2}(?:[ ]?[a-z0-9]{4}){2,7}(?:[ ]?[a-z0-9]{1,3})?(?!\w)")
_VIN = re.compile(
    r"(?<!\w)(?=[A-HJ-NPR-Z0-9]{0,16}[0-9])(?=[0-9]{0,16}[A-HJ-NPR-Z])[A-HJ-NPR-Z0-9]{17}(?!\w)"
)
_PLATE = re.compile(
    r"(?i:\b(?:licen[cs]e[ ]plate|number[ ]plate|plate|registration|tags?|reg\.?)(?:[ ]"
    r"(?:number|no\.?|#|is|was|reads?|reading)){0,2}[ \t]{0,2}[:#]?[ \t]{0,2})"
    r"(?P<value>(?=[A-Z0-9 -]{0,8}[0-9])[A-Z0-9]{1,4}[ -]?[A-Z0-9]{2,5}(?:[ ][A-Z0-9]{1,3})?)(?![\w-])"
)
_SENSOR = re.compile(
    r"(?i)\b(?:libre|dexcom|freestyle|guardian|omnipod|sensor|transmitter|pod|pacemaker|icd|stent|valve|implant|aligner"
    r"|pump|generator|lead|device)[ ](?:sensor[ ]|[a-z]{2,10}[ ])?"
    r"(?-i:(?P<value>(?=[A-Z0-9-]{0,18}[A-Z])(?=(?:[A-Z-]{0,18}[0-9]){4})[A-Z0-9](?:[A-Z0-9]|-(?=[A-Z0-9])){6,20}))(?!\w)"
)
_UDI = re.compile(r"(?<!\w)\(01\)[0-9]{14}(?:\([0-9]{2}\)[A-Za-z0-9-]{1,20}){0,4}")
_UUID = re.compile(r"(?i)(?<![\w-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])")
_MBI = re.compile(
    r"(?<!\w)"
    r"[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9]-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9]-?[AC-HJKMNP-RT-Y]{2}[0-9]{2}"
    r"(?!\w)"
)
_DEA = re.compile(r"(?<!\w)[ABCDEFGHJKLMPRSTUX][A-Z9][0-9]{7}(?!\w)")
_PHOTO = re.compile(
    r"(?i)(?<![\w/])[\w-]{1,80}(?:\.[\w-]{1,40}){0,3}\.(?:jpe?g|png|gif|tiff?|bmp|heic|dcm|mp4|mov)(?!\w)"
)

_PUBLIC = re.compile(
    r"(?i)(?:\b(?:nct|pmid|pmcid|pmc|doi|isrctn|eudract|icd(?:-?(?:9|10|11))?(?:-cm)?|cpt"
    r"|hcpcs|loinc|snomed(?:[ -]?ct)?|rxcui|rxnorm|ndc|atc|cas|din"
    r"|umls|mesh|rs|ec|iso|rfc|grant|protocol|version|guideline|page|pages|pp|volume|vol"
    r"|clinicaltrials\.gov|set[ ]?id|set)[ ]?(?:id|no\.?|number|code|codes|identifier"
    r")?[ ]?[:#=]?[ ]?)$"
)
_PUBLIC_PREFIX = words("public_prefixes")


def find_identifiers(text: str) -> Iterator[PhiSpan]:
    """Spans of every numbered or coded identifier; may overlap one another (a labelled one has the higher score)."""
    for label in _LABELS:
        for m in label.pattern.finditer(text):
            if _plausible(text, m, label.min_chars):
                yield PhiSpan(m.start("value"), m.end("value"), label.type, label.score)
    yield from _formats(text)
    yield from _bare(text)


def _plausible(text: str, m: re.Match[str], min_chars: int) -> bool:
    value = m["value"]
    core = value.lstrip("#")
    if len(core) < min_chars or _PERIOD.fullmatch(core):
        return False
    if _DOSE.fullmatch(core) and not core.replace("-", "").replace("/", "").isdigit():
        return False
    if _PUBLIC.search(text[max(0, m.start() - 24) : m.start("value")]) and not value.startswith("#"):
        return False
    return not (core.isdigit() and len(core) < 7 and _QUANTITY_AFTER.match(text, m.end("value")))


def _formats(text: str) -> Iterator[PhiSpan]:
    for pattern, type_, score in (
        (_SSN, PhiType.SSN, 0.88),
        (_CARD, PhiType.ACCOUNT_NUMBER, 0.88),
        (_VIN, PhiType.VEHICLE_ID, 0.85),
        (_UDI, PhiType.DEVICE_ID, 0.95),
        (_UUID, PhiType.UNIQUE_IDENTIFIER, 0.7),
        (_MBI, PhiType.HEALTH_PLAN_NUMBER, 0.9),
        (_PHOTO, PhiType.PHOTO, 0.8),
    ):
        for m in pattern.finditer(text):
            if type_ is not PhiType.UNIQUE_IDENTIFIER or not _PUBLIC.search(
                text[max(0, m.start() - 24) : m.start()]
            ):
                yield PhiSpan(m.start(), m.end(), type_, score)
    for m in _SSN_TAIL.finditer(text):
        yield PhiSpan(m.start("value"), m.end("value"), PhiType.SSN, 0.9)
    for m in _SSN_MASKED.finditer(text):
        yield PhiSpan(m.start("value"), m.end("value"), PhiType.SSN, 0.9)
    if "@" in text:
        for m in _HANDLE.finditer(text):
            group = "named" if m["named"] is not None else "odd"
            yield PhiSpan(m.start(group), m.end(group), PhiType.UNIQUE_IDENTIFIER, 0.8)
    for m in _SENSOR.finditer(text):
        yield PhiSpan(m.start("value"), m.end("value"), PhiType.DEVICE_ID, 0.85)
    for m in _PLATE.finditer(text):
        if sum(c.isdigit() for c in m["value"]) < len(m["value"].replace(" ", "")) or len(m["value"]) >= 5:
            yield PhiSpan(m.start("value"), m.end("value"), PhiType.VEHICLE_ID, 0.85)
    for m in _IBAN.finditer(text):
        if _iban_valid(m[0]):
            yield PhiSpan(m.start(), m.end(), PhiType.ACCOUNT_NUMBER, 0.95)
    for m in _DEA.finditer(text):
        digits = [int(c) for c in m[0][2:]]
        if (digits[0] + digits[2] + digits[4] + 2 * (digits[1] + digits[3] + digits[5])) % 10 == digits[6]:
            yield PhiSpan(m.start(), m.end(), PhiType.LICENSE_NUMBER, 0.9)


def _iban_valid(text: str) -> bool:
    """ISO 13616 check digits (mod 97)."""
    compact = text.replace(" ", "").upper()
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def _bare(text: str) -> Iterator[PhiSpan]:
    for m in _PREFIXED.finditer(text):
        blank = m["dash"] == " "
        if (
            m["prefix"].lower() in _PUBLIC_PREFIX
            or _REFERENCE_SEQUENCE.match(m[0])
            or (
                blank
                and (
                    len(m["prefix"]) > 3
                    or len(m["digits"]) < 6
                    or m["prefix"].lower() in words("clinical_acronyms")
                )
            )
        ):
            continue
        if _PERIOD.fullmatch(m["digits"]) and not m["rest"] and (blank or m["dash"] == "-"):
            continue
        if not _public_or_quantity(text, m):
            yield PhiSpan(m.start(), m.end(), PhiType.UNIQUE_IDENTIFIER, 0.6)
    for m in _SUFFIXED.finditer(text):
        if (
            not _DOSE.fullmatch(m[0])
            and not _public_or_quantity(text, m)
            and not m[0].endswith(("IU", "MG", "ML", "MCG", "MEQ", "K", "S"))
        ):
            yield PhiSpan(m.start(), m.end(), PhiType.UNIQUE_IDENTIFIER, 0.6)
    for m in _CASE_CODE.finditer(text):
        if m[0].split("-")[0].lower() not in _PUBLIC_PREFIX and not _public_or_quantity(text, m):
            yield PhiSpan(m.start(), m.end(), PhiType.UNIQUE_IDENTIFIER, 0.6)
    for m in _MIXED.finditer(text):
        prefix = m[0][: len(m[0]) - len(m[0].lstrip(_LETTERS))]
        if prefix.lower() not in _PUBLIC_PREFIX and not _public_or_quantity(text, m):
            yield PhiSpan(m.start(), m.end(), PhiType.UNIQUE_IDENTIFIER, 0.6)
    for m in _COORDINATES.finditer(text):
        # geocodes, 45 CFR 164.514(b)(2)(i)(B)
        yield PhiSpan(m.start(), m.end(), PhiType.GEOGRAPHIC_LOCATION, 0.85)
    for m in _HASH.finditer(text):
        yield PhiSpan(m.start(), m.end(), PhiType.UNIQUE_IDENTIFIER, 0.7)
    for pattern in (_GROUPED, _LONG):
        for m in pattern.finditer(text):
            digits = sum(c.isdigit() for c in m[0])
            # a hyphen between two short numbers is a range ("100-200", "2019-2021"); three groups are not
            ranged = m[0].count("-") == 1 and (digits < 8 or _is_range(m[0]))
            if digits < 7 or ranged or _public_or_quantity(text, m):
                continue
            card = pattern is _LONG and 13 <= digits <= 19 and _luhn(m[0])
            yield PhiSpan(
                m.start(), m.end(), PhiType.ACCOUNT_NUMBER if card else PhiType.UNIQUE_IDENTIFIER, 0.65
            )


def _is_range(text: str) -> bool:
    low, high = text.split("-")
    return len(low) == len(high) and int(low) < int(high)


def _luhn(digits: str) -> bool:
    total = 0
    for i, c in enumerate(reversed(digits)):
        d = int(c) * (1 + i % 2)
        total += d - 9 if d > 9 else d
    return total % 10 == 0


def _public_or_quantity(text: str, m: re.Match[str]) -> bool:
    before = text[max(0, m.start() - 24) : m.start()]
    return bool(
        _PUBLIC.search(before)
        or _MONEY_BEFORE.search(before)
        or (m[0].isdigit() and _QUANTITY_AFTER.match(text, m.end()))
    )
