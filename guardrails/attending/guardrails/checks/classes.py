"""Therapeutic classes as the checks name them, and routes with little systemic exposure."""

from __future__ import annotations

from typing import Final

from attending.guardrails.checks.port import KnowledgePort

LOCAL_ROUTES: Final = frozenset({"topical", "ophthalmic", "otic", "nasal", "inhaled", "vaginal"})
GEL_ELSEWHERE: Final = frozenset({"ibuprofen", "ketoprofen", "piroxicam"})
"""Drugs of which gels are sold that the directory of the United States does not list (British National Formulary)."""
STAYS_IN_THE_GUT: Final = frozenset(
    {
        "vancomycin", "neomycin", "paromomycin", "rifaximin", "fidaxomicin", "nystatin", "amphotericin b", "colistin",
        "polymyxin b", "gentamicin", "bacitracin", "natamycin",
    }
)  # fmt: skip
"""Swallowed, these act in the gut and hardly reach the blood (their labels, section 12.3)."""
SYSTEMIC_THROUGH_SKIN: Final = frozenset(
    {
        "nitroglycerin", "fentanyl", "buprenorphine", "clonidine", "estradiol", "testosterone", "scopolamine",
        "rotigotine", "rivastigmine", "lidocaine", "methyl salicylate", "selegiline", "desmopressin", "butorphanol",
        "amyl nitrite", "sumatriptan", "zolmitriptan", "naloxone", "midazolam", "calcitonin", "timolol", "esketamine",
        "iloprost", "cocaine", "sevoflurane", "desflurane", "isoflurane", "st. john's wort", "glucosamine", "gold",
        "iodoquinol", "insulin human",
    }
)  # fmt: skip
"""Drugs given by a local route on purpose for their systemic effect, or known to reach it; and those taken by mouth
whose only products in the directory of routes are local (herbs and drugs not sold in the US)."""


def member(knowledge: KnowledgePort, drug: str, *class_ids: str) -> bool:
    """True where the drug (or class id) is one of the ids, or belongs to one that is a class."""
    return drug in class_ids or not knowledge.classes_of(drug).isdisjoint(class_ids)
