"""Names of people: by title, by label, by relation, by apposition, by lexicon.

Where the statistical model stands alone, `keep_model_name` says whether its opinion survives the vocabulary of
medicine (eponyms, drugs, tests, headings).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attending.guardrails.phi.lexicon import APOSTROPHE, UPPER, Lexicon, fold, words
from attending.guardrails.phi.medicine import MEDICAL_ENDING, taken_as_drug
from attending.guardrails.phi.spans import PhiSpan, PhiType

_L = r"[^\W\d_]"
_WORD = rf"[{UPPER}](?:{_L}|[\u0300-\u036f]|[{APOSTROPHE}-](?={_L})){{1,30}}"
_INITIAL = rf"[{UPPER}](?:\.(?:[ ]?[{UPPER}]\.)?|(?![\w{APOSTROPHE}-]))"
_PARTICLE = (
    r"(?:(?:de[ ](?:la|los|las|l[ae])|del|della|de|van[ ](?:der|den|de)|van|von(?:[ ]der)?|der|den"
    r"|ter|di|da|dos|das|la|le|el|al|bin|bint|ibn|ben|abu|af|av|du|y|e|st\.)[ ])"
)
_GAP = r"[ \t]{1,2}"
SEQUENCE = rf"(?:{_WORD}|{_INITIAL})(?:{_GAP}{_PARTICLE}?(?:{_WORD}|{_INITIAL})){{0,4}}"
_SEQUENCE = re.compile(
    rf"(?<![\w{APOSTROPHE}.@/-])(?:{_WORD}|{_INITIAL})(?:{_GAP}{_PARTICLE}?(?:{_WORD}"
    rf"|{_INITIAL})){{0,5}}(?![\w@])"
)
_SUFFIX = re.compile(r",?[ ](?:Jr|Sr|II|III|IV)\b\.?")

_TITLE = re.compile(
    r"(?<![\w])(?P<title>(?:Drs?|DRS?|Mr|MR|Mrs|MRS|Ms|MS|Mx|Miss|Mme|Mlle|Prof|Rev|Fr|Sr|Sra"
    r"|Srta|Hon|Sgt|Lt|Capt|Col|Maj|Gen|Cpl|Pvt|PFC)(?![\w])|(?:dr|mr|mrs|ms|prof)(?=\.[ ])"
    r"|Professor|Doctor|DOCTOR|Nurse"
    r"|Sister|Brother|Pastor|Father|Reverend|Rabbi|Imam|Judge|"
    r"Officer|Captain|Sergeant|Lieutenant|Colonel|Sir|Madam|Madame|Lady|Lord|Dame|Uncle|Aunt"
    r"|Auntie|Grandma|Grandpa|Señora?|Herr|Frau|Monsieur|Detective|Attorney|Chaplain|Deacon"
    r"|Coach|Principal|President|Senator|Governor|Mayor|(?:RN|NP|PA-C|PA|CNM|CRNA|LPN)(?=[ ]))"
    rf"(?:\.[ \t]{{0,2}}|[ \t]{{1,2}})(?:(?:Dr|Mr|Mrs|Ms|Prof)\.?[ ])?"
    rf"(?P<name>{_PARTICLE}?{SEQUENCE})(?![\w@])"
)
_TITLE_LOWER = re.compile(
    r"(?<![\w])(?P<title>(?:dr|mr|mrs|ms|prof)\.?|doctor|miss|nurse)[ \t]{1,2}"
    rf"(?P<name>[^\W\d_]{{1,20}}[{APOSTROPHE}-][^\W\d_]{{2,20}}(?:-[^\W\d_]{{2,20}})?(?![\w-])"
    r"|[^\W\d_]{2,20}(?:[ ][^\W\d_]{2,20})?)(?!\w)"
)
_LABEL_STRONG = re.compile(
    r"(?i)(?<![\w])(?:(?:patient|pt|client|resident|member|full|legal|first|last|middle|given"
    r"|family|maiden|birth|preferred|guardian|mother|father|spouse|provider|physician|doctor"
    r"|caregiver|contact|subscriber|policy[ ]?holder|employer)(?:['\u2019]?s)?[ ](?:full[ ]"
    r"|legal[ ])?name(?:[ ]is|[ ]was)?"
    r"|(?:sur|nick|middle)names?(?:[ ]is)?|names?[ ](?:is|was)|(?<![a-z][ ])name(?=[ ]?[:=])"
    r"|\bname(?=[ ]?[:=])|goes[ ]by|(?:named|called|names?|calls?)(?:[ ](?:him|her|it|me|them"
    r"|the[ ]baby))?(?=[ ](?-i:[A-Z\u00c0-\u024f]))|(?:named|called)(?=[ ]"
    r"(?-i:[A-Z\u00c0-\u024f]))|known[ ]as"
    r"(?=[ ](?-i:[A-Z\u00c0-\u024f])))[ \t]{0,2}[:=-]?[ \t]{0,2}['\"“]?"
    r"(?P<name>[^\W\d_](?:[^\W\d_]|[\u0300-\u036f'\u2019.-]){0,30}(?:,?[ ][^\W\d_](?:[^\W\d_]"
    r"|[\u0300-\u036f'\u2019.-]){0,30}){0,3})"
)
_LABEL_WEAK = re.compile(
    r"(?<![\w])(?i:patients?|pt|client|resident|re|attn|attention|provider|physician|doctor"
    r"|nurse|attending(?:[ ]physician)?|surgeon|anesthesiologist|radiologist|pathologist"
    r"|pharmacist|therapist|cardiologist|oncologist|neurologist|"
    r"(?:referring|primary|ordering|consulting|treating|supervising|admitting|dictating)"
    r"(?:[ ]care)?[ ](?:physician|provider|doctor|md)|pcp|next[ ]of[ ]kin|nok|(?:emergency[ ]"
    r")?contact|guardian|poa|power[ ]of[ ]attorney|proxy|dictated[ ]by|"
    r"(?:electronically[ ])?signed(?:[ ]by)?|(?:reviewed|prepared|written|authored|transcribed"
    r"|performed|ordered|seen|examined|interpreted|prescribed|attested|recorded|documented|cc"
    r"|from|to|by|author|dear|hi|hello|sincerely|regards|thanks|mother|father|wife|husband"
    r"|spouse|partner|son|daughter|brother|sister|caregiver)(?:[ ]by)?)"
    rf"[ \t]{{0,2}}(?:[:=,]|[ ]is|[ ]-)?[ \t]{{0,2}}\n?[ \t]{{0,2}}(?P<name>{SEQUENCE}"
    rf"(?:,[ ]{_WORD}(?:[ ]{_INITIAL})?)?)(?![\w@])"
)
_RELATION = re.compile(
    r"(?<![\w])(?i:(?:his|her|their|my|your|patient['\u2019]?s|pt['\u2019]?s|the|a)[ ]"
    r"(?:\w{1,12}[ ])?(?:wife|husband|spouse|partner|mother|father|mom|dad|mum|son|daughter"
    r"|brother|sister|aunt|uncle|niece|nephew|cousin|friend|neighbor|neighbour|boyfriend"
    r"|girlfriend|fianc[eé]e?|caregiver|guardian|"
    r"roommate|boss|coworker|colleague|landlord|grandson|granddaughter|grandmother|grandfather"
    r"|stepson|stepdaughter|stepmother|stepfather|twin|baby|child|dog|cat)(?:-in-law)?)"
    rf"(?:,)?[ ](?:named[ ]|called[ ])?(?P<name>{SEQUENCE})(?![\w@])"
)
_APPOSITION = re.compile(
    r"(?<![\w])(?:males?|females?|man|woman|boy|girl|patient|pt\.?|gentleman|lady|child|infant"
    r"|toddler|teen(?:ager)?|adult|person|lad|student|veteran|nurse|teacher|farmer|worker"
    r"|client|resident|neonate|newborn|yo|y/o|old|[MF])"
    rf"(?:[ ]\([^()\n]{{1,20}}\))?(?P<sep>,[ ]|[ ]\(|[ ])(?:named[ ]|called[ ]|namely[ ]"
    rf"|e\.g\.,?[ ]|i\.e\.,?[ ])?(?P<name>{SEQUENCE})(?P<after>[,.;:)?]|[ ](?:who|was|is|has"
    rf"|had|seen|admitted|presents?|presented|presenting|with|on|at|from|treated|diagnosed"
    rf"|being|evaluated|and|under|in|reports?|reported|underwent)\b|$)"
)
_COMMA = re.compile(
    rf"(?<![\w{APOSTROPHE}.@/-])(?P<last>{_WORD}(?:[ ]{_WORD})?),[ ]?(?P<first>{_WORD})"
    rf"(?:[ ]{_INITIAL})?(?![\w@])"
)
_LOWER_TOKEN = re.compile(r"(?<![\w@./-])[a-z]{2,20}(?![\w@/-])")
_INITIALED = re.compile(
    rf"(?<![\w{APOSTROPHE}.@/-])(?P<first>{_WORD})[ ](?P<initial>[{UPPER}])\.?(?![\w{APOSTROPHE}-])"
)
_INITIAL_FIRST = re.compile(rf"(?<![\w{APOSTROPHE}.@/-])(?:[{UPPER}]\.[ ]?){{1,3}}(?P<last>{_WORD})(?![\w@])")
_TERM_AFTER = re.compile(
    rf"(?:[{APOSTROPHE}]s?)?(?:[ -](?:[a-z]+|[A-Z][a-z]+|[IVX]+)){{0,2}}?[ -](?i:diseases?"
    rf"|syndromes?|sign|signs|reflex(?:es)?|scores?|scoring|scales?|criteria|criterion|tests?"
    rf"|testing|index|indices|classification|palsy|tumou?rs?|maneuver|manoeuvre|catheter|"
    r"phenomenon|law|disorder|anemia|anaemia|disability|stage|staging|grade|grading|study"
    r"|trial|equation|formula|esophagus|oesophagus|lymphoma|sarcoma|ulcers?|fractures?"
    r"|dystrophy|chorea|contracture|esophageal|thyroiditis|purpura|nephropathy|nephritis"
    r"|encephalopathy|"
    r"bodies|body|cells?|nodes?|lines?|procedure|operation|repair|technique|method|position"
    r"|point|pouch|stain|agar|monitor|monitoring|pump|device|risk|rule|rules|questionnaire"
    r"|inventory|diet|flap|graft|incision|ligament|canal|duct|gland|triad|tetrad|pentad"
    r"|aneurysm|hernia|cyst|angina|"
    r"virus|fever|respirations?|breathing|murmur|pulse|lesions?|disc|wave|waves|block"
    r"|tachycardia|bradycardia|cardiomyopathy|arteritis|granulomatosis|macroglobulinemia"
    r"|gangrene|ataxia|neuralgia|paralysis|seizures?|epilepsy|dementia|swab|smear|solution"
    r"|ringer|tube|drain|wort|curves?|models?|estimator|regression|class|stages?|series|view"
    r"|forceps|retractor|needle|suture)\b"
)


def find_names(text: str, lexicon: Lexicon) -> Iterator[PhiSpan]:
    """Spans of type NAME from titles, labels, relations, apposition and the name lists; may overlap."""
    for start, reach, score in _candidates(text, lexicon):
        end = _strip_possessive(text, reach)
        suffix = _SUFFIX.match(text, end)
        if end > start:
            yield PhiSpan(start, suffix.end() if suffix else end, PhiType.NAME, score)


def _candidates(text: str, lexicon: Lexicon) -> Iterator[tuple[int, int, float]]:
    for m in _TITLE.finditer(text):
        end = trim(text, m.start("name"), m.end("name"), lexicon, first_free=not _rolelike(m["title"]))
        if end is not None:
            yield m.start(), end, 0.9
    for m in _TITLE_LOWER.finditer(text):
        end = _lower_name(m, lexicon)
        if end is not None:
            yield m.start(), end, 0.75
    for m in _LABEL_STRONG.finditer(text):
        end = _labelled_end(text, m.start("name"), m.end("name"), lexicon)
        if end is not None:
            yield m.start("name"), end, 0.9
    for pattern, score in ((_LABEL_WEAK, 0.65), (_RELATION, 0.7)):
        for m in pattern.finditer(text):
            end = trim(text, m.start("name"), m.end("name"), lexicon)
            if end is not None and _personal(text, m.start("name"), end, lexicon, alone=pattern is _RELATION):
                yield m.start("name"), end, score
    for m in _APPOSITION.finditer(text):
        end = trim(text, m.start("name"), m.end("name"), lexicon)
        if end is None or (end < m.end("name") and m["sep"] == " "):
            continue
        alone = m["sep"] != " " and m["after"][:1] in ",.;:)?"
        if _personal(text, m.start("name"), end, lexicon, alone=alone):
            yield m.start("name"), end, 0.7
    for m in _COMMA.finditer(text):
        last, first = fold(m["last"]), fold(m["first"])
        known_last = last.split()[-1] in lexicon.surnames_alone
        if (
            first in lexicon.given
            and not lexicon.is_term(last.split()[0])
            and (known_last or (last.isalpha() and m["last"].isupper()))
        ) or (first in lexicon.ambiguous and known_last):
            yield m.start(), m.end(), 0.65
    yield from _listed(text, lexicon)


def _rolelike(title: str) -> bool:
    """Titles that are also plain words before another capitalised word ("Nurse Practitioner", "MS Contin")."""
    return fold(title).rstrip(".") in _ROLES and title.rstrip(".") not in ("Ms", "Mr", "Dr")


_ROLES = words("role_titles")


def trim(text: str, start: int, end: int, lexicon: Lexicon, *, first_free: bool = False) -> int | None:
    """The end of the leading run of name words in `text[start:end]`, or None when it opens with a plain word.

    `first_free` accepts any first word (a title stands before it) save the plainest.
    """
    last = None
    for i, m in enumerate(re.finditer(r"[^\s,]+", text[start:end])):
        word = fold(m[0]).rstrip(".")
        word = re.sub(rf"[{APOSTROPHE}]s$", "", word)
        plain = lexicon.is_term(word) and len(word) > 1
        if (
            plain
            and not (i == 0 and first_free and word not in _PLAINEST)
            and not (i > 0 and word in lexicon.surnames and word not in _PLAINEST)
        ):
            break
        last = m.end()
        if _strip_possessive(m[0], len(m[0])) < len(m[0]):
            # what a person has is not the person ("Mrs. Doyle's Medtronic pacemaker")
            break
        if m[0].endswith(".") and len(m[0]) == 2 and i > 0 and m.end() < end - start:
            # an initial after a name may end the sentence: go on only into a family name
            rest = re.match(r"(\s+)([^\s,]+)", text[start + m.end() : end])
            if rest and (len(rest[1]) > 1 or not _is_surnameish(fold(rest[2]), lexicon)):
                break
    return None if last is None else start + last


_PLAINEST = words("function_words")


def _is_surnameish(word: str, lexicon: Lexicon) -> bool:
    return word in lexicon.surnames or (not lexicon.is_term(word) and word not in _PLAINEST)


_JOINT = re.compile(rf"[{APOSTROPHE}-]")


def _lower_name(m: re.Match[str], lexicon: Lexicon) -> int | None:
    parts = m["name"].split()
    first, dotted = fold(parts[0]), m["title"].rstrip(".") in ("dr", "mr", "mrs", "ms", "prof")
    if not parts[0].islower():
        return None
    known = first in lexicon.surnames or first in lexicon.given
    if not known and (
        not dotted or lexicon.is_term(first) or first in _PLAINEST or first.endswith(("ing", "ed"))
    ):
        return None
    if lexicon.is_term(first) and not known:
        return None
    joined = _JOINT.split(first)
    if len(joined) > 1 and any(p in _PLAINEST or (len(p) > 1 and lexicon.is_term(p)) for p in joined):
        # "dr follow-up": a word of two words is no surname of two
        return None
    if len(parts) == 2 and (
        fold(parts[1]) in lexicon.surnames_alone
        or (first in lexicon.given and fold(parts[1]) in lexicon.surnames)
    ):
        return m.end("name")
    return m.start("name") + len(parts[0])


def _labelled_end(text: str, start: int, end: int, lexicon: Lexicon) -> int | None:
    """After an explicit name label any case counts: up to four words, ended by plain vocabulary."""
    last = None
    for m in re.finditer(r"[^\s,]+", text[start:end]):
        word = fold(m[0]).rstrip(".")
        if (
            word in _PLAINEST
            or word in _NOT_GIVEN
            or (
                len(word) > 1
                and lexicon.is_term(word)
                and word not in lexicon.surnames
                and word not in lexicon.ambiguous
            )
        ):
            break
        if last is not None and m[0].islower() and text[start].isupper() and word not in _PARTICLES:
            break
        last = m.end()
        if m[0].endswith(".") and len(m[0]) > 2:
            break
    if last is None:
        return None
    stop = start + last
    while text[stop - 1] in ".-'\u2019":
        if text[stop - 1] == "." and stop >= 2 and text[stop - 2].isupper():
            break
        stop -= 1
    return stop if stop > start else None


_PARTICLES = frozenset(
    ("de", "la", "del", "van", "der", "von", "den", "di", "da", "dos", "bin", "al", "el", "le")
)
_NOT_GIVEN = words("name_placeholders")


def _personal(text: str, start: int, end: int, lexicon: Lexicon, *, alone: bool) -> bool:
    """Whether a capitalised run that stands where a name would is one; `alone` allows a single unlisted word."""
    tokens = [fold(t).rstrip(".") for t in text[start:end].split()]
    if _TERM_AFTER.match(text, _strip_possessive(text, end)) and not any(t in lexicon.given for t in tokens):
        return False
    if all(len(t) <= 1 for t in tokens):
        return False
    if any(t in lexicon.given or t in lexicon.surnames_alone for t in tokens):
        return True
    if tokens[0] in lexicon.eponyms or lexicon.is_drug(tokens[0]) or text[start:end].isupper():
        return False
    return len(tokens) > 1 or alone


def term_follows(text: str, end: int) -> bool:
    """Whether a word after `end` makes an eponym of what stands before it ("disease", "score")."""
    return _TERM_AFTER.match(text, _strip_possessive(text, end)) is not None


def _strip_possessive(text: str, end: int) -> int:
    if end >= 2 and text[end - 1] in "sS" and text[end - 2] in APOSTROPHE:
        return end - 2
    return end


def _listed(text: str, lexicon: Lexicon) -> Iterator[tuple[int, int, float]]:
    for m in _SEQUENCE.finditer(text):
        yield from _sequence(text, m.start(), m.end(), lexicon)
    for m in _INITIAL_FIRST.finditer(text):
        last = fold(m["last"])
        if (
            _is_surnameish(last, lexicon)
            and last not in lexicon.eponyms
            and not lexicon.is_term(last)
            and last in lexicon.surnames
        ):
            yield m.start(), m.end(), 0.6
    previous: re.Match[str] | None = None
    for m in _LOWER_TOKEN.finditer(text):
        if previous is not None and previous.end() + 1 == m.start() and text[previous.end()] == " ":
            first, last = previous[0], m[0]
            if first in lexicon.given and last in lexicon.surnames and last not in lexicon.common:
                yield previous.start(), m.end(), 0.6
        previous = m


def _sequence(text: str, start: int, end: int, lexicon: Lexicon) -> Iterator[tuple[int, int, float]]:
    """Cut a run of capitalised words at plain vocabulary and judge each piece by the lists."""
    piece: list[tuple[int, int, str]] = []
    for m in re.finditer(r"\S+", text[start:end]):
        raw = m[0]
        word = re.sub(rf"[{APOSTROPHE}]s$", "", fold(raw)).rstrip(".")
        possible = (piece and word in lexicon.surnames) or (word in lexicon.ambiguous and not raw.isupper())
        inner = lexicon.is_term(word) and len(word) > 1 and not possible
        if inner:
            yield from _judge(text, piece, lexicon)
            piece = []
        elif piece or raw[0].isupper():
            piece.append((start + m.start(), start + m.end(), word))
    yield from _judge(text, piece, lexicon)


def _judge(
    text: str, piece: list[tuple[int, int, str]], lexicon: Lexicon
) -> Iterator[tuple[int, int, float]]:
    while piece and (len(piece[-1][2]) == 0 or text[piece[-1][0]].islower()):
        piece = piece[:-1]
    if not piece:
        return
    start, end = piece[0][0], piece[-1][1]
    words_ = [w for _, _, w in piece]
    term_after = _TERM_AFTER.match(text, _strip_possessive(text, end)) is not None
    given = [any(part in lexicon.given for part in w.split("-")) for w in words_]
    full = [w for w in words_ if len(w) > 1]
    if len(full) == 1 and len(words_) > 1:
        yield from _with_initial(text, piece, given, term_after, lexicon)
    elif len(words_) == 1:
        word = words_[0]
        if term_after or (word in lexicon.eponyms and word not in lexicon.given):
            return
        if given[0] and len(word) > 2:
            yield start, end, 0.6
        elif word in lexicon.surnames_alone and len(word) > 2:
            yield start, end, 0.5
    elif any(given):
        first = given.index(True)
        if term_after and first == len(words_) - 1:
            return
        yield piece[0 if all(len(w) == 1 for w in words_[:first]) else first][0], end, 0.75
    elif words_[0] in lexicon.ambiguous and words_[-1] in lexicon.surnames:
        if not term_after:
            yield start, end, 0.65
    elif words_[-1] in lexicon.surnames_alone and not term_after:
        yield start, end, 0.55


def _with_initial(
    text: str, piece: list[tuple[int, int, str]], given: list[bool], term_after: bool, lexicon: Lexicon
) -> Iterator[tuple[int, int, float]]:
    """One word with initials: "James T.", "L. Wang", "Xochitl M."."""
    start, end = piece[0][0], piece[-1][1]
    word = next(w for _, _, w in piece if len(w) > 1)
    dotted = "." in text[start:end]
    if any(given):
        at = given.index(True)
        before = all(len(w) == 1 for _, _, w in piece[:at])
        yield (start if before else piece[at][0]), end, 0.75
    elif word in lexicon.ambiguous and dotted:
        yield start, end, 0.65
    elif word in lexicon.surnames and dotted and not term_after:
        yield start, end, 0.6
    elif (
        dotted
        and len(piece[0][2]) > 1
        and word not in lexicon.eponyms
        and not lexicon.is_drug(word)
        and not text[start : start + 2].isupper()
    ):
        # an unlisted word with one dotted initial, where a name would stand
        leading = text[max(0, start - 12) : start].lower()
        if re.search(
            r"(?:,|\(|\bfor|\bpt|\bof|\bpatient|\bto|\bby|\blike|\bwith|\bnamed|\bfrom|\bis)[ ]$", leading
        ):
            yield start, end, 0.55


def keep_model_name(text: str, start: int, end: int, lexicon: Lexicon) -> tuple[int, int] | None:
    """The span of a name that only the statistical model saw, trimmed, or None when it is vocabulary."""
    while start < end and not text[start].isalnum():
        start += 1
    end = _strip_possessive(text, end)
    value = text[start:end]
    line_break = value.find("\n")
    if line_break >= 0:
        end, value = start + line_break, value[:line_break]
    tokens = [fold(t).strip(".,;:'\u2019\"()") for t in value.split()]
    if not tokens or any(c.isdigit() for c in value) or not any(c.isalpha() for c in value):
        return None
    if fold(value) in lexicon.exclude or any(lexicon.is_drug(t) for t in tokens):
        return None
    named = any(t in lexicon.given for t in tokens)
    if not named:
        if _TERM_AFTER.match(text, end) or any(t in lexicon.eponyms for p in tokens for t in p.split("-")):
            return None
        if any(lexicon.is_term(t) or MEDICAL_ENDING.search(t) for t in tokens):
            return None
        if len(tokens) == 1 and taken_as_drug(text, start, end):
            return None
        if value.isupper() or not value[0].isupper() or (len(tokens) == 1 and len(value) < 3):
            return None
    cut = trim(text, start, end, lexicon, first_free=named)
    if cut is None:
        return None
    return (start, cut) if any(c.isalpha() for c in text[start:cut]) else None
