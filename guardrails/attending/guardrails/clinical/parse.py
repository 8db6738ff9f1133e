"""The door of the clinical text grammar: one text in, everything it says about drugs out."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter

from attending.guardrails.clinical.amount import Amount, Kind, Risk
from attending.guardrails.clinical.assemble import assemble
from attending.guardrails.clinical.bracketed import take_reasons_out
from attending.guardrails.clinical.clauses import sentences
from attending.guardrails.clinical.counts import counted
from attending.guardrails.clinical.dose import scan
from attending.guardrails.clinical.drug_columns import turned
from attending.guardrails.clinical.frequency import Period, Rhythm, infusion_times, periods, plain, rhythms
from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.marketed import is_strength
from attending.guardrails.clinical.mentions import ANALYTES, Named, find_mentions, of_nutrients
from attending.guardrails.clinical.named_counts import counts_before_names
from attending.guardrails.clinical.normalise import Normalised, normalise
from attending.guardrails.clinical.number import read_number
from attending.guardrails.clinical.part import Part
from attending.guardrails.clinical.pieces import Pieces
from attending.guardrails.clinical.reading import Reading
from attending.guardrails.clinical.route import routes
from attending.guardrails.clinical.scope import read
from attending.guardrails.clinical.statement import (
    Concentration,
    Dose,
    DrugMention,
    Duration,
    Frequency,
    Notation,
    ParsedText,
    Span,
    Statement,
    UnknownName,
    Unreadable,
)
from attending.guardrails.clinical.tables import spelled
from attending.guardrails.clinical.unit import COUNTED
from attending.guardrails.clinical.unknown import Stranger, find_unknown
from attending.guardrails.clinical.words import Cat, Token
from attending.guardrails.sieve import Sieved

_IMPLIED_AND = Sieved(r"(?:\band|,|\bthen) (?=(?:\d|one|two|three|four|half|a half))")
_IMPLIED_TAKE = Sieved(
    r"\b(?:take|takes|taking|give|giving|use|swallow) "
    r"(?=(?:\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten|twelve|half)\b)"
)
_IMPLIED_END = re.compile(
    r" (?:at|in the|with|before|after|every|each|twice|once|by mouth|po|orally|bid|tid|"
    r"qid|q ?\d|qhs|nightly|now|as needed|prn|three times|four times|as directed|daily|"
    r"weekly|a day|per day)\b|[.,;]?$|[.,;](?!\d)|\n"
)
_UNITLESS = re.compile(
    r"(?: (?:at|dose|of|to|tablets?|po|oral))?(?: |: ?|, ?)(\d{1,5}(?:\.\d{1,3})?)(?![\w.,/%:-]*\d)(?![%/:-])"
)
_UNITLESS_END = re.compile(
    r" ?(?:\(|,|;|$|\n|\.(?!\d)|po\b|iv\b|by mouth|orally|sub|daily|weekly|bid|tid|qid|"
    r"q\d|q\.|qhs|qd|qam|every|each|once|twice|three|nightly|at bed|at night|in the "
    r"(?:morning|evening)|as needed|prn|stat|now)"
)
_VITAMIN = re.compile(
    r"(?:25[- ](?:oh|hydroxy)\w*[- ])?(?:vit(?:amin)? ?[a-z]\d{0,2}|b ?12|folate|folic acid|cobalamin)$"
)
_TELEPHONES = frozenset({"999", "911", "111", "112", "108", "995", "811"})
"""Numbers that are rung."""
_SAID = re.compile(r" ?(?:[.,;)\n]|$)")
_RESULT_END = re.compile(r" ?(?:[,;)/|]|$|\n|\.(?!\d)|\(?(?:ng|nmol|pg|pmol|low|normal|last|today|ok)\b)")
_SAME_DOSE_WITHIN = 14
_MUCH_THE_SAME = 3
_ORPHAN_REACH = 60
"""Characters behind a dose without a drug, within which its frequency begins."""
_ASA_CLASS = re.compile(r"[1-5]")
_INJECTED_NEXT = re.compile(r" ?(?:iv|i\.v\.|im|push|subcut)\b")
_OF_DRUG = re.compile(r" (?:of )?(?:oral |iv |intravenous |the )?")
_PER_WEIGHT = re.compile(
    r"(?: ?\([^()]{0,40}\))? ?(?:per|for (?:each|every)|/) ?(?:kgs?|kilo(?:gram)?s?)(?![a-z])"
    r"(?: of)?(?: (?:your |the )?(?:child's )?(?:body )?weight)?(?P<day>,? (?:per|a|each|every) day| daily|/day)?"
)
_MS = Sieved(r"(?<![\w.])(ms|mso4|mgso4)(?![\w.])(?=[ ,;]|$)")
_NOTATION_HINT = re.compile(r" ?(?:\d|iv\b|po\b|im\b|ir\b|er\b)")


def parse(text: str, lexicon: Lexicon, *, about: tuple[str, ...] = ()) -> ParsedText:
    """Reads `text`: drug mentions, doses, frequencies, routes, durations and the prescriptive scope of each.

    Pure and deterministic, linear in the length of the text, and never raises for any `str`. All spans are code
    points of `text` as given. `about` names the ingredients that a dose without any drug in the text is about (the
    one drug of the prompt); such a statement's mention spans the dose itself.
    """
    return _parse(text, lexicon, about)


@lru_cache(maxsize=4)
def _parse(text: str, lexicon: Lexicon, about: tuple[str, ...]) -> ParsedText:
    """Several rails read the same output one after the other; four texts cover one inference and no more are kept."""
    flat = normalise(text)
    upright = turned(flat, lexicon)
    norm = spelled(upright.norm)
    amounts, risks = scan(norm)
    lasting = periods(norm.text)
    found_rhythms = [
        r for r in rhythms(norm.text) if not _inside_amount(r, amounts) and not _inside_period(r, lasting)
    ]
    amounts = _with_implied(norm.text, amounts, found_rhythms)
    mentions = find_mentions(norm, lexicon, amounts)
    amounts = counts_before_names(norm.text, amounts, mentions)
    amounts, found_rhythms = counted(norm, amounts, found_rhythms, mentions)
    amounts = _per_weight(norm.text, amounts, mentions)
    unitless = _unitless(norm, mentions, amounts, found_rhythms)
    amounts = sorted([*amounts, *unitless], key=lambda a: a.start)
    strangers = find_unknown(norm, lexicon, mentions, amounts)
    meant = [lexicon.meant(norm.text[s.start : s.end]) for s in strangers]
    mentions = _with_misspelt(mentions, strangers, meant)
    lines = sentences(norm)
    scopes = read(norm.text, lines, _items(mentions, amounts, found_rhythms), len(mentions), len(amounts))
    take_reasons_out(norm.text, mentions, scopes)
    pieces = Pieces(
        norm.text,
        lines,
        mentions,
        amounts,
        found_rhythms,
        lasting,
        infusion_times(norm.text),
        routes(norm.text),
        frozenset(s.amount for s, drugs in zip(strangers, meant, strict=True) if s.amount >= 0 and not drugs)
        | of_nutrients(norm, mentions, amounts),
    )
    assembled = assemble(pieces, scopes)
    public = [m.to_mention(norm) for m in mentions]
    statements = [_statement(norm, public, part) for part in assembled.parts]
    if about:
        statements.extend(
            _orphan(norm, amounts[i], reading, about, pieces) for i, reading in assembled.orphans
        )
    if about or upright.norm is not flat:
        statements.sort(key=lambda s: s.mention.span.start)
    return ParsedText(
        text=text,
        clauses=_clauses(norm, statements),
        statements=tuple(statements),
        unreadable=tuple(
            Unreadable(_span(norm, a), _source(norm, a), a.reason)
            for a in sorted(assembled.unreadable, key=lambda a: a.start)
        ),
        unknown=tuple(
            UnknownName(
                norm.span(s.start, s.end),
                norm.source(s.start, s.end),
                lexicon.near(norm.text[s.start : s.end]),
                drugs,
            )
            for s, drugs in zip(strangers, meant, strict=True)
        ),
        avoided_pairs=tuple((public[a], public[b]) for a, b in sorted(scopes.pairs)),
        apart=upright.apart,
        notations=_notations(norm, risks, found_rhythms, mentions),
    )


def _with_misspelt(
    mentions: list[Named], strangers: list[Stranger], meant: list[tuple[str, ...]]
) -> list[Named]:
    """The mentions with those of names that are misspelt and can be of one drug only."""
    read = [
        Named(s.start, s.end, drugs, None, False) for s, drugs in zip(strangers, meant, strict=True) if drugs
    ]
    return sorted([*mentions, *read], key=lambda m: m.start) if read else mentions


def _inside_amount(rhythm: Rhythm, amounts: list[Amount]) -> bool:
    """Whether the phrase is the amount's own "/day" or count, already read with it."""
    at = bisect_right([a.start for a in amounts], rhythm.start) - 1 if amounts else -1
    return at >= 0 and rhythm.start < amounts[at].end and amounts[at].kind is not Kind.COMPONENTS


def _inside_period(rhythm: Rhythm, lasting: list[Period]) -> bool:
    """Whether the phrase is part of a duration: the week of "for a week" is no weekly."""
    at = bisect_right([p.start for p in lasting], rhythm.start) - 1 if lasting else -1
    return at >= 0 and rhythm.end <= lasting[at].end


def _with_implied(text: str, amounts: list[Amount], found: list[Rhythm]) -> list[Amount]:
    """Adds counts without a form: "1 tablet in the morning and 2 at night", "take two every 6 hours"."""
    added: list[Amount] = []
    starts = [a.start for a in amounts]
    rhythm_starts = {r.start for r in found}
    for pattern in (_IMPLIED_AND, _IMPLIED_TAKE):
        for match in pattern.finditer(text):
            start = match.end()
            number = read_number(text, start, spaced_groups=False)
            if number is None or number.value is None or not 0 < number.value <= 20 or start in rhythm_starts:
                continue
            at = bisect_right(starts, start) - 1
            if at >= 0 and amounts[at].end > start and amounts[at].kind is not Kind.COMPONENTS:
                continue
            if _IMPLIED_END.match(text, number.end) is None:
                continue
            unit = "tablet"
            if pattern is _IMPLIED_AND:
                if (
                    at < 0
                    or amounts[at].unit not in (*COUNTED, "unit", "mg", "mL")
                    or "\n" in text[amounts[at].end : start]
                    or start - amounts[at].end > 60
                ):
                    continue
                if not any(r >= number.end and r - number.end <= 1 for r in rhythm_starts) or not any(
                    amounts[at].end <= r < start for r in rhythm_starts
                ):
                    continue
                near = [b.unit for b in amounts[max(0, at - 2) : at + 1] if start - b.end <= 80]
                of_form = amounts[at].kind is Kind.STRENGTH and amounts[at].mass
                unit = next(
                    (u for u in reversed(near) if u in COUNTED), "tablet" if of_form else amounts[at].unit
                )
            added.append(Amount(start, number.end, Kind.DOSE, number.value, number.value, unit))
    if not added:
        return amounts
    merged = sorted([*amounts, *added], key=lambda a: (a.start, -a.end))
    kept: list[Amount] = []
    for amount in merged:
        if not kept or amount.start >= kept[-1].end:
            kept.append(amount)
    return kept


def _per_weight(text: str, amounts: list[Amount], mentions: list[Named]) -> list[Amount]:
    """Reads the divisor that stands behind the drug: "15 mg of ibuprofen per kilogram of body weight a day"."""
    starts = [m.start for m in mentions]
    out: list[Amount] = []
    for amount in amounts:
        at = bisect_left(starts, amount.end)
        behind = None
        if amount.mass and not amount.per_kg and amount.per_time is None and at < len(mentions):
            named = mentions[at]
            if _OF_DRUG.fullmatch(text, amount.end, named.start):
                behind = _PER_WEIGHT.match(text, named.end)
        if behind is None:
            out.append(amount)
        else:
            out.append(replace(amount, per_kg=True, per_time="day" if behind["day"] else None))
    return out


def _unitless(
    norm: Normalised, mentions: list[Named], amounts: list[Amount], found: list[Rhythm]
) -> list[Amount]:
    """ "warfarin 5 daily": a number in the place of a dose, without its unit."""
    text = norm.text
    starts = [a.start for a in amounts]
    rhythm_starts = [r.start for r in found]
    in_mg = _given_in_mg(mentions, amounts)
    out: list[Amount] = []
    for mention in mentions:
        if not mention.drugs or text[mention.start : mention.end] in ANALYTES:
            continue
        match = _UNITLESS.match(text, mention.end)
        if match is None or _UNITLESS_END.match(text, match.end()) is None:
            continue
        start, end = match.span(1)
        at = bisect_right(starts, start) - 1
        if at >= 0 and amounts[at].end > start:
            continue
        near = bisect_left(rhythm_starts, start)
        if near < len(found) and found[near].start == start:
            continue
        if near and found[near - 1].end > start:
            continue
        if re.fullmatch(r"(?:19|20)\d\d", match.group(1)) or _is_result(text, mention, match):
            continue
        if _is_rung(norm, mention, match):
            continue
        value = Decimal(match.group(1))
        if mention.brand and len(mention.drugs) > 1 and not is_strength(mention.drugs, match.group(1)):
            continue  # the number belongs to the name of a combination: "Microgynon 30", "Tylenol 3"
        marketed = is_strength(mention.drugs, match.group(1)) and _INJECTED_NEXT.match(text, end) is None
        given = next((dose for other, dose in in_mg[mention.drugs] if other is not mention), None)
        if marketed or (given is not None and given / _MUCH_THE_SAME <= value <= given * _MUCH_THE_SAME):
            out.append(Amount(start, end, Kind.DOSE, value, value, "mg"))
        else:
            out.append(Amount(start, end, Kind.UNREADABLE, reason="a number without a unit"))
    return out


def _given_in_mg(
    mentions: list[Named], amounts: list[Amount]
) -> defaultdict[tuple[str, ...], list[tuple[Named, Decimal]]]:
    """The doses in mg right behind each drug's mentions, the first two of each: "since gabapentin 900 three times a day
    ... gabapentin up to 1,200 mg" gives the unit of 900, which is of much the same size."""
    starts = [a.start for a in amounts]
    found: defaultdict[tuple[str, ...], list[tuple[Named, Decimal]]] = defaultdict(list)
    for mention in mentions:
        at = bisect_left(starts, mention.end)
        if at >= len(amounts) or amounts[at].unit != "mg" or amounts[at].kind is not Kind.DOSE:
            continue
        if amounts[at].start - mention.end <= _SAME_DOSE_WITHIN and len(found[mention.drugs]) < 2:
            found[mention.drugs].append((mention, amounts[at].high))
    return found


def _is_rung(norm: Normalised, mention: Named, number: re.Match[str]) -> bool:
    """Whether a number is one to ring, at the end of what is said: "not settled by GTN: 999", "after GTN \u2192 999".
    "Levothyroxine 112" is a dose."""
    written = number.group(1)
    marks = (
        ("\u2192", ">") if written[0] == "1" else ("\u2192", ">", ":")
    )  # "Levothyroxine: 112" is a dose as well
    return (
        written in _TELEPHONES
        and any(mark in norm.source(mention.end, number.start(1)) for mark in marks)
        and _SAID.match(norm.text, number.end(1)) is not None
        and not is_strength(mention.drugs, written)
    )


def _is_result(text: str, mention: Named, number: re.Match[str]) -> bool:
    """A level of a vitamin ("vitamin D 38, ...") or the class of the anaesthetists ("ASA 2"), and no dose."""
    name = text[mention.start : mention.end]
    if name == "asa":
        return _ASA_CLASS.fullmatch(number.group(1)) is not None
    return _VITAMIN.match(name) is not None and _RESULT_END.match(text, number.end()) is not None


def _items(mentions: list[Named], amounts: list[Amount], found: list[Rhythm]) -> list[Token]:
    """Mentions, amounts and rhythms as tokens in text order, not overlapping."""
    items = [Token(m.start, m.end, "", Cat.MENTION, index=i) for i, m in enumerate(mentions)]
    items.extend(Token(a.start, a.end, "", Cat.AMOUNT, index=i) for i, a in enumerate(amounts))
    items.extend(Token(r.start, r.end, "", Cat.RHYTHM, index=i) for i, r in enumerate(found))
    items.sort(key=lambda t: (t.start, -t.end))
    kept: list[Token] = []
    for item in items:
        if not kept or item.start >= kept[-1].end:
            kept.append(item)
    return kept


def _span(norm: Normalised, amount: Amount) -> Span:
    return norm.span(amount.start if amount.shown is None else amount.shown, amount.end)


def _source(norm: Normalised, amount: Amount) -> str:
    return norm.source(amount.start if amount.shown is None else amount.shown, amount.end)


def _dose(norm: Normalised, amount: Amount | None) -> Dose | None:
    if amount is None or amount.high <= 0:
        return None
    return Dose(
        _span(norm, amount),
        _source(norm, amount),
        amount.low,
        amount.high,
        amount.unit,
        amount.per_kg,
        amount.per_m2,
        amount.per_time,
        amount.count,
        amount.strength,
        amount.components,
    )


def _frequency(norm: Normalised, rhythm: Rhythm | None) -> Frequency | None:
    if rhythm is None:
        return None
    return Frequency(
        norm.span(rhythm.start, rhythm.end),
        norm.source(rhythm.start, rhythm.end),
        rhythm.times,
        rhythm.hours,
        rhythm.prn,
        rhythm.once,
    )


def _statement(norm: Normalised, mentions: list[DrugMention], part: Part) -> Statement:
    reading = part.reading
    mention = mentions[part.mention]
    clause = norm.span(*reading.clause) if reading.clause[1] > reading.clause[0] else mention.span
    period = part.period
    concentration = part.concentration
    return Statement(
        mention=mention,
        scope=reading.scope,
        clause=clause,
        dose=_dose(norm, part.amount),
        frequency=_frequency(norm, part.frequency),
        route=part.route.route if part.route else None,
        duration=(
            Duration(norm.span(period.start, period.end), norm.source(period.start, period.end), period.days)
            if period
            else None
        ),
        daily_limit=_dose(norm, part.daily_limit),
        started=reading.started,
        single_limit=_dose(norm, part.single_limit),
        avoid_with=reading.avoid_with,
        sum_group=part.sum_group,
        loading=part.loading,
        rapid=part.rapid,
        governed=reading.governed,
        reported=reading.fact,
        total=part.total,
        over_minutes=plain(part.infusion.days * 1440) if part.infusion else None,
        concentration=(
            Concentration(
                _span(norm, concentration),
                _source(norm, concentration),
                concentration.high,
                concentration.unit,
                concentration.per or "mL",
            )
            if concentration
            else None
        ),
    )


def _orphan(
    norm: Normalised, amount: Amount, reading: Reading, about: tuple[str, ...], pieces: Pieces
) -> Statement:
    span = _span(norm, amount)
    mention = DrugMention(span, _source(norm, amount), about)
    after = bisect_right(pieces.amounts, amount.start, key=attrgetter("start"))
    following = pieces.amounts[after].start if after < len(pieces.amounts) else len(norm.text)
    first, last = (
        bisect_left(pieces.rhythms, position, key=attrgetter("start"))
        for position in (amount.end, min(following, amount.end + _ORPHAN_REACH + 1))
    )
    near = [r for r in pieces.rhythms[first:last] if "." not in norm.text[amount.end : r.start]]
    part = Part(0, reading, amount, near)
    return _statement(norm, [mention], part)


def _clauses(norm: Normalised, statements: list[Statement]) -> tuple[Span, ...]:
    spans = {(s.clause.start, s.clause.end) for s in statements}
    return tuple(Span(a, b) for a, b in sorted(spans))


def _notations(
    norm: Normalised, risks: list[Risk], found: list[Rhythm], mentions: list[Named]
) -> tuple[Notation, ...]:
    marks = [(r.start, r.end, r.kind) for r in risks]
    marks.extend((r.start, r.end, r.notation) for r in found if r.notation)
    for match in _MS.finditer(norm.text):
        written = norm.source(match.start(), match.end())
        # "ms" is also milliseconds and Ms.; MSO4 is morphine or magnesium sulfate in any writing
        if any(m.start <= match.start() < m.end and m.end > match.end() for m in mentions):
            continue
        if match.group() != "ms" or (written.isupper() and _NOTATION_HINT.match(norm.text, match.end())):
            marks.append((match.start(), match.end(), match.group(1)))
    marks.sort()
    return tuple(Notation(norm.span(a, b), norm.source(a, b), kind) for a, b, kind in marks)
