"""Places smaller than a state: addresses, cities, counties, facilities.

A facility counts as a place (it locates the patient). A state, a country or a continent alone does not
(45 CFR 164.514(b)(2)(i)(B)) but belongs to the span when it follows a smaller place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from attending.guardrails.phi.lexicon import APOSTROPHE, UPPER, Lexicon, alternation, fold, phrases, words
from attending.guardrails.phi.medicine import MEDICAL_ENDING, taken_as_drug
from attending.guardrails.phi.spans import PhiSpan, PhiType

_L = r"[^\W\d_]"
_CAP = rf"(?:(?:[dlDL][{APOSTROPHE}])?[{UPPER}](?:{_L}|[{APOSTROPHE}-](?={_L})){{0,30}}|(?:St|Mt|Ft|Dr)\.)"
_STATE_CODE = (
    r"(?:A[LKZR]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI"
    r"|S[CD]|T[NX]|UT|V[AIT]|W[AIVY]|ON|QC|BC|AB|MB|NS|NB|SK)"
)
_ZIP = (
    r"(?:[0-9]{5}(?:-[0-9]{4})?|[A-Z][0-9][A-Z][ ]?[0-9][A-Z][0-9]"
    r"|[A-Z]{1,2}[0-9][A-Z0-9]?[ ]?[0-9][A-Z]{2})(?![\w])"
)
_HEAD = (
    r"(?:Hosp(?:ital|\.)?|Clinics?|(?:Med(?:ical|\.)?|Health|Cancer|Surgery|Surgical|Heart"
    r"|Care|Trauma|Dialysis|Imaging|Treatment|Wellness|Rehab(?:ilitation)?|Community|Birth"
    r"(?:ing)?|Oncology|Eye|Dental|Nursing|Senior|Living|Recovery|Counseling|Kidney|Infusion"
    r"|Detention|Correctional)[ ](?:Center|Centre|Ctr\.?|Cntr\.?|Cent\.?)"
    r"|Health[ ]?[Cc]are(?:[ ](?:System|Center))?|Health[ ](?:System|Services|Network|Clinic)"
    r"|Infirmary|Hospice|Sanatorium|Nursing[ ](?:Home|Facility)|Home[ ](?:Care|Health)|Radiology|(?:Care"
    r"|Retirement|Group|Rest)"
    r"[ ]Home|Assisted[ ]Living|Medical(?:[ ](?:Group|Associates|Practice|Plaza|Arts))?"
    r"|Med\.?[ ]Ctr\.?"
    r"|Pharmacy|Family[ ](?:Practice|Medicine|Physicians|Clinic)|Pediatrics|Surgery"
    r"|Urgent[ ]Care|University|College|Univ\.?|High[ ]School|Elementary(?:[ ]School)?"
    r"|Middle[ ]School|School|Academy|Church|Prison|Jail|Penitentiary|Shelter|Surgicenter"
    r"|Polyclinic|Medicine|Institute|Associates|General|Memorial|Methodist|Presbyterian|Office"
    r"|Trust|Health|Center|Centre|Manor|Airport)"
)
_HEAD_ALONE = (
    "general",
    "memorial",
    "methodist",
    "presbyterian",
    "medical",
    "health",
    "office",
    "medicine",
    "institute",
    "center",
    "centre",
    "surgery",
    "associates",
    "trust",
    "pediatrics",
    "academy",
    "university",
    "college",
    "school",
    "church",
    "manor",
    "airport",
)
_LOWER_HEAD = (
    r"(?:hospital|hosp\.?|clinic|medical[ ]center|med[ ]c(?:en)?te?r|health[ ]center"
    r"|nursing[ ]home|hospice|pharmacy|office|branch|campus|infirmary|urgent[ ]care|practice"
    r"|facility|rehab|surgery[ ]center|metro[ ]area)"
)
_FACILITY = re.compile(
    rf"(?<![\w])(?P<name>{_CAP}(?:(?:[ ]|-|[ ]?&[ ]?|[ ](?:and|of|de|for|the)[ ]|,[ ](?="
    rf"(?:Hospital|Clinic)))(?={_CAP}){_CAP}){{0,6}}?)"
    rf"(?:[ ]{{1,2}}(?P<head>{_HEAD})){{1,3}}(?![\w])(?P<campus>[ ](?:Los[ ]Angeles|Boston"
    rf"|New[ ]York)(?!\w))?"
    rf"(?P<of>[ ](?:of|for|at)[ ](?:the[ ])?{_CAP}(?:[ ]{_CAP}){{0,3}})?"
)
_LOWER_FACILITY = re.compile(
    rf"(?<![\w])(?P<name>{_CAP}(?:[ ]{_CAP}){{0,3}})[ ](?P<head>{_LOWER_HEAD})(?![\w])"
)
_SAINT = re.compile(
    rf"(?<![\w])(?:St|Mt|Ste|Saint|Mount|SAINT|MOUNT|ST|MT)(?:\.[ ]?|[ ])(?P<who>{_CAP}"
    rf"(?:[{APOSTROPHE}]s)?(?:[ -](?:and[ ]|of[ ])?{_CAP}){{0,2}})(?![\w])"
)
_CONTEXT = re.compile(
    r"(?P<verb>\b(?:admitted|seen|treated|transferred|referred|evaluated|operated|presented"
    r"|presenting|hospitali[sz]ed|followed|discharged|works?|worked|working|born|lives?|living"
    r"|lived|resid\w{1,5}|stays?|staying|"
    r"stayed|enrolled|visit(?:ed|s)?|moved|grew[ ]up|raised|travel\w{0,5}|relocated|diagnosed|performed|done"
    r"|scheduled|appointment|follow(?:ed)?[- ]?up|consult\w{0,5}|inpatient|outpatient|surgery"
    r"|procedure|imaging|labs?|care|records?|stay|admission|check-?up|biopsy|scan|received"
    r"|delivered|from|here|back|reviewed|managed|examined|monitored|started|underwent|had"
    r"|undergoing|assessed)"
    r"(?:[ ](?:to|by|on|in|with|at|for|out|over|up|again|recently|a|the|his|her)){0,2}[ ])?"
    rf"(?P<prep>(?:\b(?:at|from|near|via|outside|in|to)|@)[ ])(?:the[ ]|our[ ]|a[ ])?(?P<place>{_CAP}"
    rf"(?:(?:[ ]|-|[ ]?&[ ]?|[ ](?:of|and)[ ])(?={_CAP}){_CAP}){{0,4}})(?![\w])"
)
_STREET = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Drive|Dr|Lane|Ln|Court|Ct|Circle|Cir|Way"
    r"|Place|Pl|Square|Sq|Terrace|Ter|Parkway|Pkwy|Highway|Hwy|Trail|Trl|Crescent|Close|Row|Alley"
    r"|Loop|Plaza|Pike|Route|Rte|Broadway|Walk|Mews|Gardens|Grove|Hill|Park|Green|Quay|Run|Ridge"
    r"|Point|Crossing|Heights|Turnpike|Expressway|Freeway)"
)
_STREET_FULL = (
    r"(?:Street|Avenue|Ave\.|Road|Boulevard|Blvd\.?|Lane|Drive|Parkway|Highway|Terrace|Crescent|Rd\.|St\.)"
)
_UNITNO = (
    r"(?:[ ]?,?[ ]?(?:(?:Apt|Apartment|Suite|Ste|Unit|Room|Rm|Floor|Fl|Bldg|Building|Flat|Lot)"
    r"\.?[ ]?#?[ ]?|#[ ]?)[A-Z0-9-]{1,6})"
)
_TAIL = (
    rf"(?:[ ]?[,\n]{{1,2}}[ ]?{_CAP}(?:[ -]{_CAP}){{0,3}}(?=[ ]?,|[ ](?:{_STATE_CODE})\b"
    rf"|[ ][0-9]{{5}}|[.;)?\n]|$))?(?:[ ]?,?[ ]?\b{_STATE_CODE}\b)?(?:[ ]?,?[ ]{{0,2}}{_ZIP})?"
)
_ADDRESS = re.compile(
    rf"(?<![\w.,/-])[0-9]{{1,6}}(?:-[0-9]{{1,4}}|[A-Za-z]|½)?[ ](?:(?:N|S|E|W|NE|NW|SE|SW|North"
    rf"|South|East|West)\.?[ ])?(?:{_CAP}|[0-9]{{1,3}}(?:st|nd|rd|th))(?:[ ]{_CAP}){{0,3}}?[ ]"
    rf"(?i:{_STREET})\b\.?"
    rf"(?:[ ](?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\b\.?)?{_UNITNO}?{_TAIL}"
    rf"|(?i:\bp\.?[ ]?o\.?[ ]?box[ ]#?[0-9]{{1,6}}\b){_TAIL}"
    # addresses of the armed forces
    r"|(?:PSC[ ][0-9]{1,5}|Unit[ ][0-9]{1,5}|USNS?[ ]\w{3,20}),?[ ](?:Box[ ][0-9]{1,5},?\s{1,2})?"
    r"[ADF]PO,?[ ](?:AA|AE|AP)"
    r"(?:[ ][0-9]{5}(?:-[0-9]{4})?)?"
)
# Streets of other languages: the kind of street ends the word ("Hauptstrasse 12") or opens the name ("Via Roma 3",
# "ul. Narewska 94"); the number stands after it, a second one (unit, district) perhaps before.
_WORLD_STREET = re.compile(
    rf"(?<![\w.,/-])(?:[0-9]{{1,6}}[ ])?(?:"
    rf"[{UPPER}]{_L}{{1,24}}(?:stra(?:ss|\u00df)e|str\.|gasse|weg|platz|allee|ufer|damm|gata|gatan|gatu"
    rf"|v[\u00e4a]gen|v[\u00e4a]g|veien|vegen|vej"
    rf"|gade|gaten|gate|katu|tie|kuja|polku|puisto|straat|laan|plein|gracht|kade|str[\u00e6a]de"
    rf"|utca|t\u00e9r|ulica|g\u00f6tu|vangur|braut)"
    rf"|(?i:rue|avenue|allée|impasse|quai|cours|chemin|place|via|viale|piazza|corso|vicolo"
    rf"|calle|carrer|avenida|av\.|paseo|plaza|camino|rua|travessa|pra[cç]a"
    rf"|estrada|largo|ul\.|ulica|ulice|al\.|aleja|os\.|pl\.|bulevar|jalan|jl\.|prospekt|strada)"
    rf"[ ](?:(?:de|du|des|la|le|les|del|della|dei|di|do|da|dos|l['\u2019])[ ]?){{0,3}}"
    rf"{_CAP}(?:[ ]{_CAP}){{0,3}}"
    rf"|{_CAP}[ ](?:u\.|utca|t\u00e9r|[\u00fa]t|cesta|n[\u00e1a]m\u011bst\u00ed|ulica|ulice|tie)"
    rf"),?[ ][0-9]{{1,5}}[A-Za-z]?\.?(?![\w%])(?:[ ]?[-/][ ]?[0-9]{{1,4}})?{_UNITNO}?"
    rf"(?:,[ ][0-9]{{4,5}}[ ]{_CAP}(?:[ -]{_CAP}){{0,2}})?{_TAIL}"
)
_UNIT_ALONE = re.compile(
    r"(?<!\w)(?:Apt|Apartment|Suite|Flat)\.?[ ]#?(?:[0-9]{1,5}[A-Z]?|[A-Z][0-9]{0,4})(?!\w)"
)
_REGION_ZIP = re.compile(
    rf"(?<!\w)(?:{alternation(phrases('regions'))})[ ]{{1,2}}[0-9]{{4,6}}(?:-[0-9]{{3,4}})?(?![\w.,%/-])"
)
_NUMBERED_STREET = re.compile(
    rf"(?<![\w.,/-])[0-9]{{2,6}}[ ]{_CAP}(?:[ ]{_CAP}){{0,2}}[ ][0-9]{{1,4}}(?={_UNITNO})"
)
_BLOCK_LINE = re.compile(
    rf"[ \t]{{0,3}},?[ \t]{{0,3}}\n[ \t>?]{{0,6}},?[ ]?(?:{_CAP}|[0-9]{{3,6}}(?:-[0-9]{{3,4}})?|[A-Z]{{2,}})"
    rf"(?:,?[ ]{{1,2}}(?:{_CAP}|[a-z]{{1,3}}|[0-9A-Z-]{{2,10}})){{0,5}}"
    rf"(?=[ \t]{{0,3}},?[ \t]{{0,3}}(?:\n|$)|[?!.;](?:\s|$))"
)
_ADDRESS_LOWER = re.compile(
    r"(?<![\w.,/-])[0-9]{2,6}[ ](?:[a-z]{3,15}[ ]){1,3}(?:street|avenue|ave|road|rd|boulevard"
    r"|blvd|lane|ln|court|highway|parkway|terrace)\b(?:[ ]?,?[ ]?(?:apt|apartment|suite|unit)"
    r"\.?[ ]?#?[0-9a-z]{1,5})?"
)
_BARE_STREET = re.compile(
    rf"(?<![\w]){_CAP}(?:[ ]{_CAP}){{0,2}}[ ]{_STREET_FULL}(?![\w])(?:,[ ]{_CAP}(?:[ ]{_CAP}){{0,2}})?"
)
_LABELLED_ADDRESS = re.compile(
    r"(?i:\b(?:(?:home|mailing|street|current|work|postal)[ ])?address(?:[ ]is|[ ]?:)|\b"
    r"(?:lives|living|resides|residing|resident|located|staying)[ ](?:at|of|on)[ ])[ ]{0,2}"
    r"(?P<where>[0-9]{1,6}[A-Za-z]?[ ][^\n.;()]{3,60})"
)
_CITY_STATE = re.compile(
    rf"(?<![\w])(?P<city>{_CAP}(?:[ -]{_CAP}){{0,3}}),[ ]?(?P<state>{_STATE_CODE}\b"
    rf"|{alternation(phrases('regions'))}(?!\w))(?:[ ,]{{1,2}}{_ZIP})?"
)
_ZIP_LABEL = re.compile(
    rf"(?i:\b(?:zip(?:[ -]?code)?|post(?:al)?[ -]?code)(?:[ ]is|[ ]?[:#])?[ ]{{0,2}})"
    rf"(?P<zip>{_ZIP}|[0-9]{{3,5}}(?:[ -][0-9A-Z]{{2,4}})?(?!\w))"
)
_ZIP_AFTER = re.compile(rf"\b{_STATE_CODE}[ ]{{1,2}}(?P<zip>[0-9]{{5}}(?:-[0-9]{{4}})?)(?![\w])")
_POSTCODE_UK = re.compile(
    r"(?<![\w-])(?:GIR[ ]0AA|[A-PR-UWYZ](?:[0-9]{1,2}|[A-HK-Y][0-9](?:[0-9]|[ABEHMNPRV-Y])?"
    r"|[0-9][A-HJKPS-UW])[ ][0-9][ABD-HJLNP-UW-Z]{2})(?![\w-])"
)
_COUNTY = re.compile(
    rf"(?<![\w])(?:{_CAP}(?:[ ]{_CAP})?[ ](?:County|Parish|Township|Borough|Reservation"
    rf"|Village)|(?:County|City|Town|Village)[ ]of[ ]{_CAP}(?:[ ]{_CAP})?)(?![\w])"
)
_REGION_TAIL = re.compile(
    rf"(?:[ ]in[ ]|,[ ]?|[ ])(?:{_STATE_CODE}\b|(?:{alternation(phrases('regions'))})(?!\w))"
    rf"(?:[ ,]{{1,2}}{_ZIP})?"
)
_TERM_AFTER = re.compile(
    r"(?i)[ -]?(?:[A-Za-z]{1,20}[ -])?(?:classification|criteria|criterion|score|scale|study|trial"
    r"|index|protocol|system|consensus|staging|grading|guidelines?|declaration|virus|disease"
    r"|syndrome|fever|sign|test|formula|equation|method|diet|flu|variant|regimen|questionnaire"
    r"|assessment|definition|wort|inventory|heart[ ]study|statement|convention|agreement"
    r"|accord|patch|curves?|model|estimator|class|approach|technique|procedure|coma|rules?|ankle[ ]rules?)\b"
)
_SCORED = re.compile(r"(?:Glasgow|GLASGOW)[ :=]{1,3}[0-9]{1,2}(?![0-9])")
_MIN_ORG = 3
_MIN_SHOUTED = 5


@cache
def _lexical(name: str) -> re.Pattern[str]:
    spelled = phrases(name)
    shouted = tuple(p.upper() for p in spelled if len(p) > _MIN_SHOUTED and not p.isupper())
    return re.compile(rf"(?<![\w{APOSTROPHE}.-])(?:{alternation(spelled)}|{alternation(shouted)})(?![\w])")


_REGIONS = frozenset(fold(p) for p in phrases("regions"))
_CITIES = frozenset(fold(p) for p in phrases("cities"))
_GENERIC_LEAD = words("facility_generic")
_PLAIN_FACILITY = frozenset(["hospital", "hosp", "hosp.", "clinic", "clinics"])


def find_places(text: str, lexicon: Lexicon) -> Iterator[PhiSpan]:
    """Spans of type GEOGRAPHIC_LOCATION; may overlap one another."""
    for start, end, score in _places(text, lexicon):
        yield PhiSpan(start, _with_region(text, end), PhiType.GEOGRAPHIC_LOCATION, score)


def _with_region(text: str, end: int) -> int:
    m = _REGION_TAIL.match(text, end)
    return m.end() if m and (text[end] == "," or m[0].startswith(" in ")) else end


def _places(text: str, lexicon: Lexicon) -> Iterator[tuple[int, int, float]]:
    for pattern, score in (
        (_ADDRESS, 0.9),
        (_ADDRESS_LOWER, 0.7),
        (_POSTCODE_UK, 0.6),
        (_WORLD_STREET, 0.7),
        (_UNIT_ALONE, 0.7),
        (_REGION_ZIP, 0.7),
        (_NUMBERED_STREET, 0.6),
    ):
        for m in pattern.finditer(text):
            yield m.start(), m.end(), score
            end = _block_end(text, m.end(), lexicon)
            if end > m.end():
                yield m.start(), end, score
    for m in _LABELLED_ADDRESS.finditer(text):
        yield m.start("where"), len(m.string[: m.end("where")].rstrip(" ,")), 0.7
    for m in _BARE_STREET.finditer(text):
        if not lexicon.is_term(fold(m[0].split()[0])):
            yield m.start(), m.end(), 0.7
    for m in _ZIP_LABEL.finditer(text):
        yield m.start("zip"), m.end("zip"), 0.9
    for m in _ZIP_AFTER.finditer(text):
        yield m.start("zip"), m.end("zip"), 0.8
    yield from _facilities(text, lexicon)
    for m in _COUNTY.finditer(text):
        if not lexicon.is_term(fold(m[0].split()[0])) or m[0].startswith(
            ("City", "Town", "County", "Village")
        ):
            yield m.start(), m.end(), 0.7
    yield from _cities(text, lexicon)
    yield from _by_context(text, lexicon)


def _block_end(text: str, end: int, lexicon: Lexicon) -> int:
    """Where the address block goes on that an address line opens: up to four short lines of names and codes."""
    for _ in range(4):
        m = _BLOCK_LINE.match(text, end)
        if m is None or any(lexicon.is_term(fold(w)) for w in re.findall(rf"{_L}{{2,}}", m[0])):
            break
        end = m.end()
    return end


def _facilities(text: str, lexicon: Lexicon) -> Iterator[tuple[int, int, float]]:
    for m in _lexical("facilities").finditer(text):
        if not _TERM_AFTER.match(text, m.end()):
            yield m.start(), m.end(), 0.7
    for m in _SAINT.finditer(text):
        who = fold(m["who"].split()[0])
        if who.endswith(
            ("segment", "elevation", "depression", "change", "changes", "interval")
        ) or lexicon.is_term(who):
            continue
        if not _TERM_AFTER.match(text, m.end()) and (m[0][2:3] == "." or m[0][:2] != "ST"):
            yield m.start(), m.end(), 0.7
    for m in _FACILITY.finditer(text):
        start = _skip_lead(text, m.start("name"), m.end("name"), lexicon, fold(m["head"]))
        if start is None or _TERM_AFTER.match(text, m.end()):
            continue
        yield start, m.end(), 0.75
    for m in _LOWER_FACILITY.finditer(text):
        start = _skip_lead(text, m.start("name"), m.end("name"), lexicon, "office")
        if start is not None and not lexicon.is_term(fold(text[start : m.end("name")])):
            yield start, m.end(), 0.65


def _skip_lead(text: str, start: int, end: int, lexicon: Lexicon, head: str) -> int | None:
    """Where the proper part of a facility's name begins, or None when it has none ("Pain Clinic")."""
    tokens = [(m.start(), m.end()) for m in re.finditer(r"[^\s]+", text[start:end])]
    proper = None
    for i, (a, b) in enumerate(tokens):
        word = fold(text[start + a : start + b]).strip(",&-")
        opens = word in _OPENS_A_PLACE and i + 1 < len(tokens)
        generic = not opens and (word in _GENERIC_LEAD or (lexicon.is_term(word) and not _civic(word)))
        if generic and proper is None:
            continue
        if proper is None:
            proper = i
    if proper is None:
        return None
    if proper == len(tokens) - 1 and head in _HEAD_ALONE:
        word = fold(text[start + tokens[proper][0] : end])
        if word in _WEAK_LEAD or word in lexicon.acronyms or word in lexicon.common:
            return None
    return start + tokens[proper][0]


_CIVIC = words("facility_civic")
_OPENS_A_PLACE = frozenset(
    (
        "la",
        "le",
        "el",
        "los",
        "las",
        "san",
        "santa",
        "fort",
        "new",
        "port",
        "lake",
        "mount",
        "big",
        "little",
        "blue",
        "red",
    )
)
_WEAK_LEAD = words("facility_weak")


def _civic(word: str) -> bool:
    return word.replace("\u2019", "'") in _CIVIC


def _cities(text: str, lexicon: Lexicon) -> Iterator[tuple[int, int, float]]:
    for m in _lexical("cities").finditer(text):
        if not _TERM_AFTER.match(text, m.end()) and not _SCORED.match(text, m.start()):
            yield m.start(), m.end(), 0.65
    for m in _CITY_STATE.finditer(text):
        state = m["state"]
        first = fold(m["city"].split()[0])
        # two letters may be a degree or an abbreviation ("Smith, MD"): then the city must be known
        if (
            state
            in ("MD", "PA", "MS", "MA", "DE", "ME", "OR", "IN", "HI", "CT", "CO", "AL", "MI", "LA", "PR")
            and fold(m["city"]) not in _CITIES
        ):
            before = text[max(0, m.start() - 5) : m.start()].lower()
            if not before.endswith((" in ", "from ", " at ", " of ", " near ")) or lexicon.is_term(first):
                continue
        if lexicon.is_term(first) or fold(m["city"]) in _REGIONS:
            continue
        yield m.start(), m.end(), 0.75


def _by_context(text: str, lexicon: Lexicon) -> Iterator[tuple[int, int, float]]:
    for m in _CONTEXT.finditer(text):
        prep = m["prep"].strip()
        place = m["place"]
        tokens = [fold(t).strip(",&-") for t in place.split()]
        # "at <Name>" locates by itself; the other prepositions need a verb of being somewhere
        if prep not in ("at", "@") and m["verb"] is None:
            continue
        if prep in ("in", "to", "via") and (m["verb"] or "").split()[0:1] not in ([v] for v in _PLACE_VERBS):
            continue
        if (
            any(lexicon.is_term(t) or t in lexicon.eponyms or t in _GENERIC_LEAD for t in tokens[:1])
            or fold(place) in _REGIONS
        ):
            continue
        if place.isupper() and (len(place) < _MIN_ORG or fold(place) in lexicon.acronyms):
            continue
        if tokens[0].endswith(("day", "s'")) and tokens[0] in lexicon.common:
            continue
        if not _TERM_AFTER.match(text, m.end()):
            yield m.start("place"), m.end("place"), 0.55


_PLACE_VERBS = words("place_verbs")


def is_region(phrase: str) -> bool:
    """Whether `phrase` is a state, province, country or continent (not an identifier alone)."""
    return fold(phrase).removeprefix("the ") in _REGIONS or fold(phrase) in _REGIONS


def keep_model_place(text: str, start: int, end: int, lexicon: Lexicon) -> tuple[int, int] | None:
    """The span of a place that only the statistical model saw, or None when it is vocabulary or a region."""
    while start < end and not text[start].isalnum():
        start += 1
    value = text[start:end]
    if value.lower().startswith("the "):
        start, value = start + 4, value[4:]
    tokens = [fold(t).strip(".,;:'\u2019\"()") for t in value.split()]
    if not tokens or "\n" in value or is_region(value.strip(" .,")) or any(c.isdigit() for c in value):
        return None
    if not value[0].isupper() or (value.isupper() and (len(value) <= 5 or fold(value) in lexicon.acronyms)):
        return None
    if any(t in lexicon.eponyms or lexicon.is_term(t) or MEDICAL_ENDING.search(t) for t in tokens):
        return None
    if _TERM_AFTER.match(text, end) or (len(tokens) == 1 and taken_as_drug(text, start, end)):
        return None
    return start, end
