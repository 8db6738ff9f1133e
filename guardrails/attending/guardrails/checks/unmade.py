"""Eye, ear, rectum and vagina: the ways for which no product of a drug is made, and what goes there all the same."""

from __future__ import annotations

import re
from typing import Final

from attending.guardrails.checks.case import Case, Exposure
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.words import word_set

_MADE_UP: Final = {
    "ophthalmic": word_set(
        "acetylcysteine aflibercept amikacin amphotericin bevacizumab brolucizumab cefazolin ceftazidime "
        "ceftriaxone cefuroxime chlorhexidine clindamycin cyclopentolate dexamethasone faricimab fluconazole "
        "fluorouracil foscarnet ganciclovir linezolid methotrexate mitomycin pegaptanib penicillin "
        "ranibizumab triamcinolone vancomycin voriconazole"
    )
    | {
        "amphotericin b",
        "ascorbic acid",
        "insulin human",
        "interferon alfa-2b",
        "penicillin g",
        "povidone-iodine",
    }
    | {"sodium chloride", "lidocaine"},
    "otic": word_set(
        "acetylcysteine betamethasone chloramphenicol clotrimazole docusate flumetasone framycetin gentamicin "
        "lidocaine methylprednisolone miconazole nystatin prednisolone tobramycin triamcinolone"
    )
    | {
        "boric acid",
        "hydrogen peroxide",
        "mineral oil",
        "povidone-iodine",
        "sodium bicarbonate",
        "sodium chloride",
    },
    "rectal": word_set(
        "artesunate carbamazepine cefazolin chloroquine clonazepam codeine dexamethasone diclofenac diltiazem "
        "domperidone doxepin gabapentin haloperidol hyoscine ibuprofen ketamine ketoprofen lactulose "
        "lamotrigine levetiracetam lidocaine loperamide lorazepam magnesium meloxicam methadone methimazole "
        "metoclopramide metronidazole midazolam misoprostol naproxen neomycin nifedipine nystatin omeprazole "
        "ondansetron oxycodone paraldehyde phenobarbital piroxicam prednisolone propylthiouracil quinine "
        "sucralfate tacrolimus theophylline topiramate tramadol valproate vancomycin"
    )
    | {"chloral hydrate", "valproic acid", "sodium chloride", "short chain fatty acids", "mineral oil"},
    "vaginal": word_set(
        "amitriptyline baclofen bromocriptine cabergoline diazepam estriol fluconazole gabapentin lidocaine "
        "misoprostol nifuratel nystatin oxybutynin promestriene sildenafil testosterone"
    )
    | {"boric acid", "povidone-iodine", "hyaluronic acid"},
}
"""What is given there although no product of the directory is made for it: fortified eye drops, injections into the
eye, suppositories of other countries and of the hospital's pharmacy."""


_PUT_THERE: Final = {
    "ophthalmic": r"eye[ -]?(?:drops?|ointment)|ophthalmic"
    r"|(?:in|into|to) (?:(?:the|each|both|her|his|your|affected|left|right) ){1,3}eyes?",
    "otic": r"ear[ -]?drops?|otic|(?:in|into) (?:(?:the|each|both|her|his|your|affected|left|right) ){1,3}ears?",
    "rectal": r"rectally|per rectum|pr|suppositor(?:y|ies)|enema|rectal (?:route|suppositor\w+|gel|foam|solution)"
    r"|into the rectum",
    "vaginal": r"vaginally|per vagina[m]?|pessar(?:y|ies)|vaginal (?:route|tablet|insert|gel|cream|suppositor\w+)"
    r"|into the vagina",
}
_PUT_THERE_WORDS: Final = {
    route: re.compile(rf"\b(?:{words})(?![\w-])(?! exam)", re.I) for route, words in _PUT_THERE.items()
}


def unmade(case: Case, exposure: Exposure, route: str) -> bool:
    """Whether the output puts a drug where no product of it is made to go and pharmacies make up none. The caller knows
    that the directory has no product by this `route`; of other routes nothing is said."""
    return route in _MADE_UP and exposure.drug not in _MADE_UP[route] and _put_there(case, exposure, route)


def _put_there(case: Case, exposure: Exposure, route: str) -> bool:
    """Whether the words of the way stand beside the name, with no other drug between: a route of one's own sentence."""
    text, at = case.judged.output, exposure.span
    around = sentence_around(text, at.start, at.end, semicolons=True, reach=120)
    found = _PUT_THERE_WORDS[route].search(text, around.start, around.end)
    if found is None:
        return False
    low, high = min(found.start(), at.end), max(found.start(), at.end)
    return not any(low <= start < high and start != at.start for start in case.mention_starts())


__all__ = ["unmade"]
